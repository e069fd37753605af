/**
 * GRE header, as far as connection tracking reads it: RFC 2784 section 2, and version 1 of it for
 * PPTP, RFC 2637 section 4.1.
 * @module
 */
import { codecOf, fieldsOf } from "../wire/field.ts";
import { struct, u16be } from "../wire/layout.ts";

const layout = struct([
  u16be("flagsVersion"), // the lowest three bits are the version
  u16be("protocol"), //     an EtherType
  u16be("payloadLength"), // from here on version 1
  u16be("callId"), //       of the receiver
]);

/** Octets of the header without options, and of what version 1 has before its own. */
export const GRE_LENGTH = 4;
/** Octets up to the call's number in version 1. */
export const PPTP_GRE_LENGTH: number = layout.span;
/** Hot path: `GRE.callId.get(view, at)`. */
export const GRE = fieldsOf(layout);
/** Cold path: the header as a plain object. */
export const greCodec = codecOf(layout);

/** The only protocol that version 1 carries: PPP. */
const PPP = 0x880b;

/** Why octets are no GRE packet that can be tracked. */
export type GreDiscard = "gre/protocol";

/** True if the octets `[at, end)` hold a header of version 1 with its call. */
export const hasCall = (view: DataView, at: number, end: number): boolean =>
  end - at >= PPTP_GRE_LENGTH && (GRE.flagsVersion.get(view, at) & 7) === 1;

/** True for the two versions that there are. */
export const hasGreVersion = (view: DataView, at: number): boolean =>
  (GRE.flagsVersion.get(view, at) & 7) <= 1;

/** @returns `null` if `[at, end)` can be tracked, or why not. */
export function checkGre(view: DataView, at: number, end: number): GreDiscard | null {
  return hasCall(view, at, end) && GRE.protocol.get(view, at) !== PPP ? "gre/protocol" : null;
}
