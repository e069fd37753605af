/** Octets from Node as the library takes them. @module */

/** The same octets without Node's methods: a `slice` of a `Buffer` is no copy. */
export const plainOctets = ({ buffer, byteOffset, length }: Uint8Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, length);
