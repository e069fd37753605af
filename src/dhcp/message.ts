/**
 * DHCP and BOOTP messages: RFC 2131 section 2, RFC 951 section 3.
 * @module
 */
import { type Mac, macOf } from "../wire/addr.ts";
import { codecOf, fieldsOf, viewOf } from "../wire/field.ts";
import { ipv4Addr, type ObjectOf, octets, struct, u16be, u32be, u8 } from "../wire/layout.ts";
import {
  type DhcpOptions,
  NO_OPTIONS,
  Option,
  Overload,
  type PackedOptions,
  type RawOption,
  readOptions,
} from "./options.ts";

/** The fixed part; the options and their cookie follow it. */
const layout = struct([
  u8("op"), //             {@link BootpOp}
  u8("htype"), //          1 is Ethernet
  u8("hlen"), //           octets of `chaddr` that count
  u8("hops"), //           relay agents that the message crossed
  u32be("xid"), //         chosen by the client, copied by the server
  u16be("secs"), //        seconds since the client began
  u16be("flags"), //       {@link BROADCAST_FLAG} and bits that must be zero
  ipv4Addr("ciaddr"), //   the client's address, if it may answer ARP for it
  ipv4Addr("yiaddr"), //   "your" address
  ipv4Addr("siaddr"), //   the next server of the client's boot
  ipv4Addr("giaddr"), //   the relay agent
  octets(16, "chaddr"), // the client's hardware address
  octets(64, "sname"), //  a server's name, or options
  octets(128, "file"), //  a boot file's name, or options
]);

/** Octets of the fixed part, without the cookie. */
export const DHCP_LENGTH: number = layout.span;
/** Hot path: `DHCP.xid.get(view, at)`. */
export const DHCP = fieldsOf(layout);
/** The fixed part as a plain object. */
export type DhcpHeader = ObjectOf<typeof layout.fields>;
/** Cold path: the fixed part as a plain object. */
export const dhcpCodec = codecOf(layout);
/** The declaration itself, for the test that compares it with a second reader. */
export const dhcpLayout = layout;

const COOKIE = fieldsOf(struct([u32be("cookie")])).cookie;
/** What the options begin with: 99, 130, 83, 99 (RFC 2131 section 3). */
export const DHCP_COOKIE = 0x63825363;
/** Octets of the smallest message that BOOTP relays forward: RFC 951 section 3. */
export const BOOTP_LENGTH = 300;
/** UDP port of servers and relay agents. */
export const DHCP_SERVER_PORT = 67;
/** UDP port of clients. */
export const DHCP_CLIENT_PORT = 68;
/** The bit of `flags` by which a client asks for a broadcast answer: RFC 2131 section 2. */
export const BROADCAST_FLAG = 0x8000;

/** Values of `op`. */
export const BootpOp = { Request: 1, Reply: 2 } as const;

/** Values of the option "DHCP message type": RFC 2132 section 9.6. */
export const DhcpType = {
  Discover: 1,
  Offer: 2,
  Request: 3,
  Decline: 4,
  Ack: 5,
  Nak: 6,
  Release: 7,
  Inform: 8,
} as const;
export type DhcpType = (typeof DhcpType)[keyof typeof DhcpType];

/** Why octets are no DHCP or BOOTP message. */
export type DhcpDiscard = "dhcp/truncated" | "dhcp/hlen";

/**
 * Judge the message in octets `[at, end)` before anything else reads it.
 * @returns `null` if every field of {@link DHCP} may be read at `at`, or why to discard it.
 */
export function checkDhcp(view: DataView, at: number, end: number): DhcpDiscard | null {
  if (end - at < DHCP_LENGTH) return "dhcp/truncated";
  return DHCP.hlen.get(view, at) > DHCP.chaddr.span ? "dhcp/hlen" : null;
}

/** A message with its options. Nothing in it borrows from the octets that it was read from. */
export interface DhcpMessage extends DhcpHeader {
  /** Options by code, in the order of their first octets; empty for BOOTP without a cookie. */
  readonly options: DhcpOptions;
  /** The same as they stood, before those of one code were joined. */
  readonly parts: readonly RawOption[];
  /** False if an option runs past the end of its place: `options` has those before it. */
  readonly isIntact: boolean;
  /** True if options may follow the fixed part; false for plain BOOTP. */
  readonly hasCookie: boolean;
  /** Octets that the message had on the wire. */
  readonly length: number;
}

/**
 * Read the message in `[at, end)` of `bytes` with its options, which RFC 2131 section 4.1 may
 * continue in `file` and `sname`, and RFC 3396 section 5 may split.
 * @returns the message, or why the octets are none.
 */
export function decodeMessage(
  bytes: Uint8Array,
  at = 0,
  end = bytes.length,
): DhcpMessage | DhcpDiscard {
  const view = viewOf(bytes);
  const fault = checkDhcp(view, at, end);
  if (fault !== null) return fault;
  const options = at + DHCP_LENGTH;
  if (end - options < COOKIE.span || COOKIE.get(view, options) !== DHCP_COOKIE) {
    return messageAt(view, at, end, { ...BARE, options: NO_OPTIONS, parts: [] });
  }
  const found = new Map<number, Uint8Array>();
  const parts: RawOption[] = [];
  let isIntact = readOptions(bytes.subarray(options + COOKIE.span, end), found, parts);
  const overload = found.get(Option.Overload.code)?.[0] ?? 0;
  if (isIntact && overload & Overload.File) {
    isIntact = readOptions(DHCP.file.get(view, at), found, parts);
  }
  if (isIntact && overload & Overload.Sname) {
    isIntact = readOptions(DHCP.sname.get(view, at), found, parts);
  }
  return messageAt(view, at, end, { options: found, parts, isIntact, hasCookie: true });
}

const BARE = { isIntact: true, hasCookie: false };

/** One literal: what the codec decodes grows field by field, and is ten times as large. */
function messageAt(
  view: DataView,
  at: number,
  end: number,
  read: Pick<DhcpMessage, "options" | "parts" | "isIntact" | "hasCookie">,
): DhcpMessage {
  return {
    op: DHCP.op.get(view, at),
    htype: DHCP.htype.get(view, at),
    hlen: DHCP.hlen.get(view, at),
    hops: DHCP.hops.get(view, at),
    xid: DHCP.xid.get(view, at),
    secs: DHCP.secs.get(view, at),
    flags: DHCP.flags.get(view, at),
    ciaddr: DHCP.ciaddr.get(view, at),
    yiaddr: DHCP.yiaddr.get(view, at),
    siaddr: DHCP.siaddr.get(view, at),
    giaddr: DHCP.giaddr.get(view, at),
    chaddr: DHCP.chaddr.get(view, at),
    sname: DHCP.sname.get(view, at),
    file: DHCP.file.get(view, at),
    options: read.options,
    parts: read.parts,
    isIntact: read.isIntact,
    hasCookie: read.hasCookie,
    length: end - at,
  };
}

/**
 * Write a message: the fixed part, the cookie and packed options, padded with zeros to at least
 * `shortest` octets. Options packed into `file` or `sname` take the place of the header's.
 * Without options there is no cookie either.
 * @throws {RangeFault} if a value of `header` does not fit its field.
 */
export function encodeMessage(
  header: DhcpHeader,
  packed: PackedOptions | null,
  shortest: number = BOOTP_LENGTH,
): Uint8Array {
  const options = DHCP_LENGTH + COOKIE.span;
  if (packed === null) {
    const bare = new Uint8Array(Math.max(DHCP_LENGTH, shortest));
    dhcpCodec.encodeInto(header, bare, 0);
    return bare;
  }
  const bytes = new Uint8Array(Math.max(options + packed.main.length, shortest));
  dhcpCodec.encodeInto(header, bytes, 0);
  if (packed.file !== null) DHCP.file.set(viewOf(bytes), 0, packed.file);
  if (packed.sname !== null) DHCP.sname.set(viewOf(bytes), 0, packed.sname);
  COOKIE.set(viewOf(bytes), DHCP_LENGTH, DHCP_COOKIE);
  bytes.set(packed.main, options);
  return bytes;
}

/** The client's hardware address; `null` if it does not have six octets. `htype` is not asked. */
export function macOfHeader({ hlen, chaddr }: DhcpHeader): Mac | null {
  if (hlen !== 6) return null;
  return macOf(chaddr.subarray(0, 6).reduce((value, octet) => value * 256 + octet, 0));
}

/** `chaddr` of an Ethernet address: six octets and zeros. */
export function chaddrOf(mac: Mac): Uint8Array {
  const chaddr = new Uint8Array(DHCP.chaddr.span);
  const view = viewOf(chaddr);
  view.setUint16(0, Math.floor(mac / 2 ** 32));
  view.setUint32(2, mac % 2 ** 32);
  return chaddr;
}
