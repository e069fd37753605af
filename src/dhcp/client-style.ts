/**
 * How a DHCP client writes its messages: ISC dhclient and busybox udhcpc, octet for octet.
 *
 * From the sources of both, compared with what dhclient 4.4.3 and udhcpc 1.35 sent. The rules of
 * RFC 2131 section 4.4.1 leave them the choice.
 * @module
 */
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { DhcpType } from "./message.ts";
import { OptionState } from "./option-state.ts";
import { Option, type RawOption, rawOption } from "./options.ts";

/** What a message says in its options, besides who says it. */
export interface ClientWish {
  readonly type: DhcpType;
  /** The server that is meant; `null` to name none. */
  readonly server: Ipv4Addr | null;
  /** The address that is asked for; `null` to ask for none. */
  readonly requested: Ipv4Addr | null;
}

/** What a client says about itself in every message. */
export interface ClientIdentity {
  readonly mac: Mac;
  /** Codes of the parameter request list. */
  readonly parameters: readonly number[];
  /** Further options, in the order in which the configuration sets them. */
  readonly options: readonly RawOption[];
}

/** How a client behaves, each difference by name. */
export interface ClientStyle {
  /** IP time to live of the frames that it builds itself. */
  readonly ttl: number;
  /** IP type of service of those frames. */
  readonly tos: number;
  /** Octets behind the cookie that options may fill. */
  readonly room: number;
  /** The parameter request list unless configured. */
  readonly parameters: readonly number[];
  /** True: REQUEST repeats the `secs` of the DISCOVER before it: RFC 2131 section 4.4.1. */
  readonly keepsSecs: boolean;
  /** True: DECLINE has an `xid` of its own, and both DECLINE and RELEASE count `secs` on. */
  readonly countsOn: boolean;
  /** The options of a message in the order in which they are written. */
  arrange(message: ClientWish, identity: ClientIdentity): readonly RawOption[];
}

const { SubnetMask, Routers, DomainNameServers, HostName, DomainName, TimeOffset } = Option;
const { BroadcastAddress, NtpServers, MessageType, ServerIdentifier, LeaseTime } = Option;
const { Message, RequestedAddress, ParameterRequestList, ClientIdentifier } = Option;
const { MaxMessageSize, VendorClass } = Option;

/** What goes first, in this order, before the rest follows by hash bucket (`cons_options`). */
const DHCLIENT_FIRST = [
  MessageType,
  ServerIdentifier,
  LeaseTime,
  Message,
  RequestedAddress,
  SubnetMask,
  Routers,
  DomainNameServers,
  HostName,
].map(({ code }) => code);

/** ISC dhclient 4.4.3: Debian 12. */
export const DHCLIENT_4_4_3: ClientStyle = Object.freeze({
  ttl: 128,
  tos: 0x10,
  room: 1232,
  parameters: [
    SubnetMask,
    BroadcastAddress,
    TimeOffset,
    Routers,
    DomainName,
    DomainNameServers,
    HostName,
  ].map(({ code }) => code),
  keepsSecs: true,
  countsOn: false,
  arrange: arrangeAsDhclient,
});

/** ISC dhclient 3.0: RHEL 5, EC2 2010. */
export const DHCLIENT_3_0: ClientStyle = Object.freeze({ ...DHCLIENT_4_4_3, ttl: 16 });

/** busybox udhcpc 1.35. */
export const UDHCPC_1_35: ClientStyle = Object.freeze({
  ttl: 64,
  tos: 0,
  room: 308,
  parameters: [
    SubnetMask,
    Routers,
    DomainNameServers,
    HostName,
    DomainName,
    BroadcastAddress,
    NtpServers,
  ].map(({ code }) => code),
  keepsSecs: false,
  countsOn: true,
  arrange: arrangeAsUdhcpc,
});

/** True for the messages that ask for an address, and so for parameters. */
export const asks = ({ type }: Pick<ClientWish, "type">): boolean =>
  type === DhcpType.Discover || type === DhcpType.Request;

function arrangeAsDhclient(message: ClientWish, identity: ClientIdentity): RawOption[] {
  const { server, requested, type } = message;
  const state = new OptionState();
  const set = ([code, octets]: RawOption): void => state.set(code, octets);
  if (server !== null) set(rawOption(ServerIdentifier, server));
  if (requested !== null) set(rawOption(RequestedAddress, requested));
  set(rawOption(MessageType, type));
  if (asks(message) && identity.parameters.length > 0) {
    set(rawOption(ParameterRequestList, identity.parameters));
  }
  for (const option of identity.options) set(option);
  const order = new Set([...DHCLIENT_FIRST, ...state.codes()]);
  return [...order].flatMap((code) => {
    const octets = state.find(code);
    return octets === null ? [] : [[code, octets] as const];
  });
}

/** What udhcpc calls itself. */
const UDHCPC_VENDOR = "udhcp 1.35.0";
/** The largest message that udhcpc takes: the structure that it receives into. */
const UDHCPC_MESSAGE_SIZE = 576;

function arrangeAsUdhcpc(message: ClientWish, identity: ClientIdentity): RawOption[] {
  const { server, requested, type } = message;
  const own = ownOptionsOfUdhcpc(identity);
  const told = [
    rawOption(MessageType, type),
    ...(requested === null ? [] : [rawOption(RequestedAddress, requested)]),
    ...(server === null ? [] : [rawOption(ServerIdentifier, server)]),
  ];
  if (!asks(message)) return [...told, ...own.filter(([code]) => code === ClientIdentifier.code)];
  const { parameters } = identity;
  return [
    ...told,
    rawOption(MaxMessageSize, UDHCPC_MESSAGE_SIZE),
    ...(parameters.length === 0 ? [] : [rawOption(ParameterRequestList, ascending(parameters))]),
    ...own,
  ];
}

/** By code; a vendor class and an identifier made of the MAC address unless configured. */
function ownOptionsOfUdhcpc({ mac, options }: ClientIdentity): RawOption[] {
  const identifier = new Uint8Array(7);
  const view = new DataView(identifier.buffer);
  view.setUint8(0, 1);
  view.setUint16(1, Math.floor(mac / 2 ** 32));
  view.setUint32(3, mac % 2 ** 32);
  const own = new Map<number, Uint8Array>([
    [VendorClass.code, Uint8Array.from(UDHCPC_VENDOR, (character) => character.charCodeAt(0))],
    [ClientIdentifier.code, identifier],
    ...options,
  ]);
  return [...own].sort(([left], [right]) => left - right);
}

const ascending = (codes: readonly number[]): number[] =>
  [...new Set(codes)].sort((left, right) => left - right);
