/**
 * ICMP: RFC 792; the next-hop MTU of RFC 1191 section 4; codes of RFC 1812 section 5.2.7.
 * @module
 */
import { checksum, onesSum } from "../wire/checksum.ts";
import { codecOf, fieldsOf } from "../wire/field.ts";
import { ipv4Addr, type ObjectOf, struct, u8, u16be, u32be } from "../wire/layout.ts";

const layout = struct([u8("type"), u8("code"), u16be("checksum"), u32be("rest")]);
const echo = struct([u8("type"), u8("code"), u16be("checksum"), u16be("id"), u16be("sequence")]);
const mtu = struct([u8("type"), u8("code"), u16be("checksum"), u16be("unused"), u16be("mtu")]);
const redirect = struct([u8("type"), u8("code"), u16be("checksum"), ipv4Addr("gateway")]);
const problem = struct([u8("type"), u8("code"), u16be("checksum"), u8("pointer")]);
const timestamps = struct([u32be("originate"), u32be("receive"), u32be("transmit")]);

/** Octets of the header that all messages share, their first word of content included. */
export const ICMP_LENGTH: number = layout.span;
/** Octets that a timestamp message has after its header. */
export const ICMP_TIMESTAMPS_LENGTH: number = timestamps.span;
/** The shared header; `id` to `pointer` are the forms that single types give to `rest`. */
export const ICMP = Object.freeze({
  ...fieldsOf(layout),
  /** Echo, timestamp, information and address mask messages. */
  id: fieldsOf(echo).id,
  sequence: fieldsOf(echo).sequence,
  /** Next-hop MTU of "fragmentation needed". */
  mtu: fieldsOf(mtu).mtu,
  /** Of a redirect. */
  gateway: fieldsOf(redirect).gateway,
  /** Of a parameter problem: the octet that is wrong, from 0. */
  pointer: fieldsOf(problem).pointer,
});
/** Milliseconds since midnight UTC, after {@link ICMP_LENGTH} of a timestamp message. */
export const ICMP_TIMESTAMPS = fieldsOf(timestamps);
/** The shared header as a plain object. */
export type IcmpHeader = ObjectOf<typeof layout.fields>;
/** Cold path: octets to objects and back. */
export const icmpCodec = codecOf(layout);
/** Cold path: the form of echo messages. */
export const icmpEchoCodec = codecOf(echo);
/** Cold path: what follows the header of a timestamp message. */
export const icmpTimestampsCodec = codecOf(timestamps);

/** Types of RFC 792 and the address mask's of RFC 950 section 2. */
export const IcmpType = {
  EchoReply: 0,
  Unreachable: 3,
  SourceQuench: 4,
  Redirect: 5,
  Echo: 8,
  TimeExceeded: 11,
  ParameterProblem: 12,
  Timestamp: 13,
  TimestampReply: 14,
  Information: 15,
  InformationReply: 16,
  AddressMask: 17,
  AddressMaskReply: 18,
} as const;

/** Codes of {@link IcmpType.Unreachable}. */
export const Unreachable = {
  Net: 0,
  Host: 1,
  Protocol: 2,
  Port: 3,
  FragmentationNeeded: 4,
  SourceRouteFailed: 5,
  NetProhibited: 9,
  HostProhibited: 10,
  AdministrativelyProhibited: 13,
} as const;

/** Codes of {@link IcmpType.TimeExceeded}. */
export const TimeExceeded = { InTransit: 0, Reassembly: 1 } as const;

/** The highest type that Linux knows; a message of a higher one counts as an error. */
export const ICMP_LAST_TYPE = 18;

/** Why a message cannot be used. */
export type IcmpDiscard = "icmp/truncated" | "icmp/checksum" | "icmp/type";

/**
 * Judge the message in octets `[at, end)` before anything else reads it.
 * @returns `null` if {@link ICMP} may be read at `at` and the message is intact; or why not.
 */
export function checkIcmp(view: DataView, at: number, end: number): IcmpDiscard | null {
  if (end - at < ICMP_LENGTH) return "icmp/truncated";
  if (onesSum(view, at, end) !== 0xffff) return "icmp/checksum";
  return ICMP.type.get(view, at) > ICMP_LAST_TYPE ? "icmp/type" : null;
}

/** True for the types that report about another packet (RFC 1122 section 3.2.2). */
export function isIcmpError(type: number): boolean {
  return (
    type === IcmpType.Unreachable ||
    type === IcmpType.SourceQuench ||
    type === IcmpType.Redirect ||
    type === IcmpType.TimeExceeded ||
    type === IcmpType.ParameterProblem
  );
}

/**
 * True for the types about which an error may be sent: queries and their answers. Linux takes
 * every other type for an error, the unassigned ones and router discovery included.
 */
export function isIcmpQuery(type: number): boolean {
  const isEcho = type === IcmpType.Echo || type === IcmpType.EchoReply;
  return isEcho || (type >= IcmpType.Timestamp && type <= IcmpType.AddressMaskReply);
}

/** Write the checksum of the message in octets `[at, end)`. */
export function sealIcmp(view: DataView, at: number, end: number): void {
  ICMP.checksum.set(view, at, 0);
  ICMP.checksum.set(view, at, checksum(view, at, end));
}
