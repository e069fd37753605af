/** Messages of XenStore: a header of four words, then octets (Xen public/io/xs_wire.h). @module */
import { codecOf, fieldsOf } from "../../wire/field.ts";
import { struct, u32le } from "../../wire/layout.ts";

/** `struct xsd_sockmsg`: the byte order of x86. */
export const MESSAGE_LAYOUT = struct([
  u32le("type"),
  u32le("requestId"),
  u32le("transactionId"),
  u32le("length"),
]);

/** The header's fields in place. `length` counts the octets after the header. */
export const MESSAGE = fieldsOf(MESSAGE_LAYOUT);
/** The header as a plain object. */
export const messageCodec = codecOf(MESSAGE_LAYOUT);
/** Octets of the header. */
export const HEADER_LENGTH = MESSAGE_LAYOUT.span;

/** Values of `type`. */
export const Operation = {
  CONTROL: 0,
  DIRECTORY: 1,
  READ: 2,
  GET_PERMS: 3,
  WATCH: 4,
  UNWATCH: 5,
  TRANSACTION_START: 6,
  TRANSACTION_END: 7,
  INTRODUCE: 8,
  RELEASE: 9,
  GET_DOMAIN_PATH: 10,
  WRITE: 11,
  MKDIR: 12,
  RM: 13,
  SET_PERMS: 14,
  WATCH_EVENT: 15,
  ERROR: 16,
  IS_DOMAIN_INTRODUCED: 17,
  RESUME: 18,
  SET_TARGET: 19,
  RESET_WATCHES: 21,
  DIRECTORY_PART: 22,
} as const;
