/** A DHCP client on a bench: what it sends is kept, and answers are made by hand. @module */
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Instant } from "../../src/base/time.ts";
import { DhcpClient, type ClientEvent, type DhcpClientOptions } from "../../src/dhcp/client.ts";
import { type ClientDiscard, type ClientLease, leaseOf } from "../../src/dhcp/client-lease.ts";
import type { ClientRequest, RawRequest } from "../../src/dhcp/client-message.ts";
import {
  BootpOp,
  chaddrOf,
  decodeMessage,
  type DhcpHeader,
  type DhcpMessage,
  DhcpType,
  encodeMessage,
} from "../../src/dhcp/message.ts";
import {
  findOption,
  Option,
  packOptions,
  type RawOption,
  rawOption,
} from "../../src/dhcp/options.ts";
import { ethernetCodec, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { IPV4_MIN_LENGTH, ipv4Codec, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { sealUdp, UDP, UDP_LENGTH } from "../../src/l4/udp.ts";
import { IPV4_ANY, type Mac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { CLIENT_ADDRESS, CLIENT_MAC, SERVER } from "./client-vectors.ts";

/** Draws the middle of each range, and numbers 2^32 apart one after the other. */
export function steadyChance(firstXid = 0): Chance {
  let next = firstXid;
  return { below: (bound) => (bound === 2 ** 32 ? next++ : Math.floor(bound / 2)) };
}

/** A message that was sent. */
export interface Sent {
  readonly at: Instant;
  readonly request: ClientRequest;
  readonly message: DhcpMessage;
  readonly type: DhcpType;
}

type Answer = Partial<DhcpHeader> & { readonly options?: readonly RawOption[] };

/** Decode what a client sent. */
function messageOf({ payload }: ClientRequest): DhcpMessage {
  const message = decodeMessage(payload);
  if (typeof message === "string") throw new TypeError(message);
  return message;
}

/** Octets of a server's message. */
export function answerTo(xid: number, type: number, answer: Answer = {}): Uint8Array {
  const { options = [], ...header } = answer;
  return encodeMessage(
    {
      op: BootpOp.Reply,
      htype: 1,
      hlen: 6,
      hops: 0,
      xid,
      secs: 0,
      flags: 0,
      ciaddr: IPV4_ANY,
      yiaddr: CLIENT_ADDRESS,
      siaddr: IPV4_ANY,
      giaddr: IPV4_ANY,
      chaddr: chaddrOf(CLIENT_MAC),
      sname: new Uint8Array(64),
      file: new Uint8Array(128),
      ...header,
    },
    packOptions([rawOption(Option.MessageType, type), ...options]),
  );
}

/** One client, and what it did. */
export class Bench {
  readonly client: DhcpClient;
  readonly sent: Sent[] = [];
  readonly events: (ClientEvent & { readonly at: Instant })[] = [];
  now: Instant = 0;
  /** Called after each message that the client sends. */
  onSent: (sent: Sent) => void = () => {};
  /** Called for each event. */
  onEvent: (event: ClientEvent, at: Instant) => void = () => {};

  constructor(options: Partial<DhcpClientOptions> = {}) {
    this.client = new DhcpClient({
      mac: CLIENT_MAC,
      chance: steadyChance(),
      sink: {
        transmit: (request, at) => {
          const message = messageOf(request);
          const type = findOption(message.options, Option.MessageType);
          const sent = { at, request, message, type: type as DhcpType };
          this.sent.push(sent);
          this.onSent(sent);
        },
        notify: (event, at) => {
          this.events.push({ ...event, at });
          this.onEvent(event, at);
        },
      },
      ...options,
    });
  }

  /** What was sent last. */
  get last(): Sent {
    const last = this.sent.at(-1);
    if (last === undefined) throw new RangeError("nothing was sent");
    return last;
  }

  /** Let time pass up to and including `instant`. */
  runUntil(instant: Instant): void {
    while (this.client.nextDeadline() <= instant) {
      this.now = this.client.nextDeadline();
      this.client.expire(this.now);
    }
    this.now = instant;
  }

  /** Hand in an answer to the last message. */
  answer(type: DhcpType, answer: Answer = {}): ClientDiscard | null {
    const payload = answerTo(this.last.message.xid, type, answer);
    return this.client.receive(payload, { source: SERVER }, this.now);
  }

  /** Offer, then give the address for so many seconds. */
  bind(seconds: number, ...options: RawOption[]): void {
    this.answer(DhcpType.Offer, { options: [rawOption(Option.ServerIdentifier, SERVER)] });
    this.answer(DhcpType.Ack, { options: leaseOptions(seconds, ...options) });
  }
}

/** What an ACK says for a lease of so many seconds. */
export function leaseOptions(seconds: number, ...options: RawOption[]): RawOption[] {
  return [
    rawOption(Option.ServerIdentifier, SERVER),
    rawOption(Option.LeaseTime, seconds),
    ...options,
  ];
}

/** The lease of an ACK with these wishes for T1 and T2. */
export function leaseFor(
  length: number,
  wishes: readonly RawOption[] = [],
  asked: Instant = 0,
  chance: Chance = new Prng(0),
): ClientLease {
  const options = leaseOptions(length, ...wishes);
  const message = decodeMessage(answerTo(0, DhcpType.Ack, { options }));
  const lease = typeof message === "string" ? message : leaseOf(message, asked, chance);
  if (typeof lease === "string") throw new TypeError(lease);
  return lease;
}

/** The whole frame that a raw request becomes. */
export function frameOf(request: RawRequest, src: Mac): Uint8Array {
  const { payload, source, destination, ttl, tos, id } = request;
  const network = ETHERNET_LENGTH;
  const transport = network + IPV4_MIN_LENGTH;
  const bytes = new Uint8Array(transport + UDP_LENGTH + payload.length);
  const view = viewOf(bytes);
  ethernetCodec.encodeInto({ dst: request.destinationMac, src, type: EtherType.Ipv4 }, bytes, 0);
  const header = { versionIhl: 0x45, tos, totalLength: bytes.length - network, id, ttl };
  const rest = { flagsFragment: 0, protocol: Protocol.Udp, checksum: 0 };
  ipv4Codec.encodeInto({ ...header, ...rest, src: source, dst: destination }, bytes, network);
  sealHeader(view, network);
  UDP.srcPort.set(view, transport, request.sourcePort);
  UDP.dstPort.set(view, transport, request.destinationPort);
  bytes.set(payload, transport + UDP_LENGTH);
  sealUdp(view, transport, bytes.length, source, destination);
  return bytes;
}
