/**
 * What a DHCP client sends: RFC 2131 section 4.4.1, table 5, in the octets of a client's style.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { IPV4_ANY, IPV4_BROADCAST, type Ipv4Addr, type Mac, MAC_BROADCAST } from "../wire/addr.ts";
import { asks, type ClientIdentity, type ClientStyle, type ClientWish } from "./client-style.ts";
import {
  BootpOp,
  BROADCAST_FLAG,
  chaddrOf,
  DHCP,
  DHCP_CLIENT_PORT,
  DHCP_SERVER_PORT,
  DhcpType,
  encodeMessage,
} from "./message.ts";
import { Option, packOptions } from "./options.ts";

/** A message that the client frames itself, past the host's own IP stack. */
export interface RawRequest {
  readonly transport: "raw";
  /** UDP payload. */
  readonly payload: Uint8Array;
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly destinationMac: Mac;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
}

/** A message that goes through the host's UDP socket, bound to port 68. */
export interface SocketRequest {
  readonly transport: "socket";
  /** UDP payload. */
  readonly payload: Uint8Array;
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What to send, and how. */
export type ClientRequest = RawRequest | SocketRequest;

/** What a message of the client says. */
export interface ClientWords extends ClientWish {
  readonly xid: number;
  readonly secs: number;
  /** The host's own address; 0.0.0.0 while it has none. */
  readonly ciaddr: Ipv4Addr;
}

/** Options that the client says itself. */
const OWN_OPTIONS: ReadonlySet<number> = new Set(
  [
    Option.MessageType,
    Option.ServerIdentifier,
    Option.RequestedAddress,
    Option.ParameterRequestList,
  ].map(({ code }) => code),
);

/** Writes the messages of one client. */
export class ClientWriter {
  readonly #style: ClientStyle;
  readonly #identity: ClientIdentity;
  readonly #wantsBroadcast: boolean;

  /** @throws {OptionError} for options that are the client's own, or that fit no message. */
  constructor(style: ClientStyle, identity: ClientIdentity, wantsBroadcast: boolean) {
    this.#style = style;
    this.#identity = identity;
    this.#wantsBroadcast = wantsBroadcast;
    const codes = identity.options.map(([code]) => code);
    if (codes.some((code) => OWN_OPTIONS.has(code))) {
      throw new OptionError("options", codes, "options that the client does not say itself");
    }
    const longest = { type: DhcpType.Request, server: IPV4_ANY, requested: IPV4_ANY };
    const { left } = packOptions(style.arrange(longest, identity), { main: style.room });
    if (left.length > 0) throw new OptionError("options", left, "options that fit a message");
  }

  /** A message to everyone on the link, from `source`. */
  broadcast(words: ClientWords, source: Ipv4Addr): RawRequest {
    const { ttl, tos } = this.#style;
    return {
      transport: "raw",
      payload: this.#payload(words),
      source,
      destination: IPV4_BROADCAST,
      sourcePort: DHCP_CLIENT_PORT,
      destinationPort: DHCP_SERVER_PORT,
      destinationMac: MAC_BROADCAST,
      ttl,
      tos,
      id: 0,
    };
  }

  /** A message of a host that has an address, to `server`; to everyone if that is `null`. */
  unicast(words: ClientWords, server: Ipv4Addr | null): ClientRequest {
    if (server === null) return this.broadcast(words, words.ciaddr);
    return {
      transport: "socket",
      payload: this.#payload(words),
      source: words.ciaddr,
      destination: server,
      sourcePort: DHCP_CLIENT_PORT,
      destinationPort: DHCP_SERVER_PORT,
    };
  }

  #payload(words: ClientWords): Uint8Array {
    const { xid, secs, ciaddr } = words;
    const isBroadcast = this.#wantsBroadcast && asks(words) && ciaddr === IPV4_ANY;
    const header = {
      op: BootpOp.Request,
      htype: 1,
      hlen: 6,
      hops: 0,
      xid,
      secs,
      flags: isBroadcast ? BROADCAST_FLAG : 0,
      ciaddr,
      yiaddr: IPV4_ANY,
      siaddr: IPV4_ANY,
      giaddr: IPV4_ANY,
      chaddr: chaddrOf(this.#identity.mac),
      sname: new Uint8Array(DHCP.sname.span),
      file: new Uint8Array(DHCP.file.span),
    };
    const options = this.#style.arrange(words, this.#identity);
    return encodeMessage(header, packOptions(options, { main: this.#style.room }));
  }
}
