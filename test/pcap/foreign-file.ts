/** Capture files as other programs write them: any byte order, any block. @module */

/** A list of octets with numbers in one byte order; knows nothing of the library. */
export class ForeignFile {
  readonly #isBig: boolean;
  readonly #octets: number[] = [];

  constructor(order: "little" | "big") {
    this.#isBig = order === "big";
  }

  get bytes(): Uint8Array {
    return Uint8Array.from(this.#octets);
  }

  number(value: bigint | number, octets: number): number[] {
    const little = Array.from({ length: octets }, (_, index) =>
      Number((BigInt.asUintN(64, BigInt(value)) >> BigInt(8 * index)) & 255n),
    );
    return this.#isBig ? little.toReversed() : little;
  }

  u16(value: number): number[] {
    return this.number(value, 2);
  }

  u32(value: number): number[] {
    return this.number(value, 4);
  }

  u64(value: bigint | number): number[] {
    return this.number(value, 8);
  }

  /** A 64-bit time: two words, the upper one first. */
  time(value: bigint): number[] {
    return [...this.number(value >> 32n, 4), ...this.number(value & 0xffff_ffffn, 4)];
  }

  option(code: number, value: readonly number[]): number[] {
    return [...this.u16(code), ...this.u16(value.length), ...pad(value)];
  }

  add(...octets: readonly number[]): this {
    this.#octets.push(...octets);
    return this;
  }

  block(type: number, ...body: readonly number[]): this {
    const length = this.u32(body.length + 12);
    return this.add(...this.u32(type), ...length, ...body, ...length);
  }

  section(major = 1, minor = 0): this {
    const body = [...this.u32(0x1a2b3c4d), ...this.u16(major), ...this.u16(minor), ...this.u64(-1)];
    return this.block(0x0a0d0d0a, ...body);
  }

  interface(snapLength = 0, ...options: readonly number[]): this {
    return this.block(1, ...this.u16(1), ...this.u16(0), ...this.u32(snapLength), ...options);
  }

  enhanced(
    id: number,
    time: bigint,
    frame: readonly number[],
    ...options: readonly number[]
  ): this {
    const length = this.u32(frame.length);
    return this.block(
      6,
      ...this.u32(id),
      ...this.time(time),
      ...length,
      ...length,
      ...pad(frame),
      ...options,
    );
  }

  pcapHeader(magic: number, linkType = 1, minor = 4): this {
    const versions = [...this.u16(2), ...this.u16(minor), ...this.u64(0)];
    return this.add(...this.u32(magic), ...versions, ...this.u32(262144), ...this.u32(linkType));
  }

  pcapRecord(seconds: number, fraction: number, frame: readonly number[], original: number): this {
    const times = [...this.u32(seconds), ...this.u32(fraction)];
    return this.add(...times, ...this.u32(frame.length), ...this.u32(original), ...frame);
  }
}

export const text = (value: string): number[] => [...new TextEncoder().encode(value)];

const pad = (octets: readonly number[]): number[] => [
  ...octets,
  ...Array.from({ length: -octets.length & 3 }, () => 0),
];
