/**
 * The network ring's messages: Xen's public/io/netif.h. A tx ring has 256 slots of 12 octets, an rx
 * ring 256 of 8; requests, their responses and extra information take turns in the same slots.
 * @module
 */
import { codecOf, fieldsOf } from "../../wire/field.ts";
import { octets, struct, u16le, u32le, u8 } from "../../wire/layout.ts";

const txRequest = struct([
  u32le("gref"), //   of the page that holds the octets
  u16le("offset"), // in that page
  u16le("flags"), //  {@link TxFlag}
  u16le("id"), //     comes back in the response
  u16le("size"), //   of the whole frame in its first slot, of the part in the others
]);
const txResponse = struct([
  u16le("id"),
  u16le("status"), // {@link NetifStatus}, signed
]);
const rxRequest = struct([
  u16le("id"), // comes back in the response
  u16le("pad"),
  u32le("gref"), // of the page to write to
]);
const rxResponse = struct([
  u16le("id"),
  u16le("offset"), // of the octets in the page
  u16le("flags"), //  {@link RxFlag}
  u16le("status"), // octets in the page, or {@link NetifStatus}; signed
]);
const extraInfo = struct([
  u8("type"), //     {@link ExtraType}
  u8("flags"), //    {@link EXTRA_MORE}
  u16le("size"), //  payload octets of each segment
  u8("gsoType"), //  {@link GSO_TCPV4}
  u8("pad"),
  octets(2, "features"),
]);

/** A request to take octets out of a page, as a plain object. */
export const txRequestCodec = codecOf(txRequest);
/** What became of a tx request. */
export const txResponseCodec = codecOf(txResponse);
/** A page for octets to come. */
export const rxRequestCodec = codecOf(rxRequest);
/** Octets that came. */
export const rxResponseCodec = codecOf(rxResponse);
/** What a slot behind the first one says about the whole frame. */
export const extraInfoCodec = codecOf(extraInfo);
/** The declarations themselves, for the test that compares them with a second reader. */
export const netifLayouts = { txRequest, txResponse, rxRequest, rxResponse, extraInfo } as const;

/** Cold path: the fields of each message. The hot path reads whole words, as laid down below. */
export const NETIF = Object.freeze({
  txRequest: fieldsOf(txRequest),
  txResponse: fieldsOf(txResponse),
  rxRequest: fieldsOf(rxRequest),
  rxResponse: fieldsOf(rxResponse),
  extraInfo: fieldsOf(extraInfo),
});

/** Slots of either ring: what fits a page of 4,096 octets. */
export const NETIF_SLOTS = 256;
/** Octets of a slot of the tx ring: of its largest message. */
export const TX_SLOT: number = txRequest.span;
/** Octets of a slot of the rx ring. */
export const RX_SLOT: number = rxRequest.span;

/** Bits of a tx request's flags. */
export const TxFlag = {
  /** The transport checksum is the pseudo-header's sum alone. */
  CsumBlank: 1,
  /** The octets come from a sender that is known to be sound. */
  DataValidated: 2,
  /** The frame goes on in the next slot. */
  MoreData: 4,
  /** The next slot is {@link NETIF}.extraInfo. */
  ExtraInfo: 8,
} as const;

/** Bits of an rx response's flags. */
export const RxFlag = { DataValidated: 1, CsumBlank: 2, MoreData: 4, ExtraInfo: 8 } as const;

/** What a response may say instead of a length. */
export const NetifStatus = { Okay: 0, Error: -1, Dropped: -2, Null: 1 } as const;

/** Kinds of extra information; each is a slot of its own. */
export const ExtraType = { Gso: 1, McastAdd: 2, McastDelete: 3, Hash: 4, Xdp: 5 } as const;
/** The bit of an extra information's flags that another one follows. */
export const EXTRA_MORE = 1;
/** `gsoType` of IPv4 with TCP, the only one that 2010 knew. */
export const GSO_TCPV4 = 1;

// Words of four octets, little-endian as the ring's pages are. The request's words are
// gref | offset, flags | id, size; the rx request's id, pad | gref; a response's id, status | ...

/** Both halves of a word: `low` lies first. */
export const halves = (low: number, high: number): number => (low & 0xffff) | (high << 16);
/** The half that lies first. */
export const lowHalf = (word: number): number => word & 0xffff;
/** The half that lies second. */
export const highHalf = (word: number): number => word >>> 16;
/** The half that lies second, as a signed number: a status. */
export const statusOf = (word: number): number => word >> 16;
