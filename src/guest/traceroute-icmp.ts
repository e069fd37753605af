/**
 * Traceroute's probes by ICMP echo, from one raw socket that is connected to the target.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { IPV4_ANY } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { ICMP, ICMP_LENGTH, IcmpType, isIcmpError, sealIcmp } from "../l3/icmp.ts";
import type { IcmpListener } from "../l3/icmp-responder.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../l3/ipv4.ts";
import { PacketCounter, type SendFailure } from "../l4/datagram.ts";
import { quotedPacket } from "./tool.ts";
import type { ProbeEvent, Probing, ProbingSetup } from "./traceroute-probe.ts";

const FIRST_SEQUENCE = 1;
/** The octets of a probe: 0x40 to 0x7f, again and again, counted from the ICMP header on. */
const FILL = 0x40;
const FILL_MASK = 0x3f;

/** Probes whose sequence numbers tell their answers apart. */
export class IcmpProbing implements Probing, IcmpListener {
  readonly #setup: ProbingSetup;
  readonly #id: number;
  readonly #counter: PacketCounter;
  /** Probes under way by their sequence number. */
  readonly #open = new Map<number, number>();
  #sequence: number;
  readonly #errors: ProbeEvent[] = [];
  readonly #replies: ProbeEvent[] = [];

  constructor(setup: ProbingSetup) {
    const { chance, router } = setup.host;
    this.#setup = setup;
    this.#sequence = setup.port === 0 ? FIRST_SEQUENCE : setup.port;
    this.#id = chance.below(0x1_0000);
    this.#counter = new PacketCounter(chance);
    router.icmp.addListener(this);
  }

  get hasNews(): boolean {
    return this.#errors.length + this.#replies.length > 0;
  }

  send(index: number, ttl: number, now: Instant): SendFailure | null {
    const { host, target, tos, length } = this.#setup;
    const packet = host.datagrams.make(
      {
        protocol: Protocol.Icmp,
        src: IPV4_ANY,
        dst: target,
        length: length - IPV4_MIN_LENGTH,
        ttl,
        tos,
        mtuDiscovery: "dont",
        counter: this.#counter,
      },
      now,
    );
    if (typeof packet === "string") return packet;
    const { view, bytes } = packet.pool;
    const at = packet.transport;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xffff;
    ICMP.type.set(view, at, IcmpType.Echo);
    ICMP.code.set(view, at, 0);
    ICMP.id.set(view, at, this.#id);
    ICMP.sequence.set(view, at, sequence);
    for (let octet = ICMP_LENGTH; at + octet < packet.end; octet += 1) {
      bytes[at + octet] = FILL + (octet & FILL_MASK);
    }
    sealIcmp(view, at, packet.end);
    this.#open.set(sequence, index);
    host.router.send(packet, now);
    return null;
  }

  /** One message a `poll`, errors first: the program reads its socket once a round. */
  take(): readonly ProbeEvent[] {
    const first = this.#errors.shift() ?? this.#replies.shift();
    return first === undefined ? [] : [first];
  }

  forget(index: number): void {
    for (const [sequence, open] of this.#open) if (open === index) this.#open.delete(sequence);
  }

  close(): void {
    this.#setup.host.router.icmp.removeListener(this);
    this.#open.clear();
  }

  onIcmp(packet: Packet, type: number, now: Instant): void {
    const { view } = packet.pool;
    if (type === IcmpType.EchoReply) {
      const isFromTarget = IPV4.src.get(view, packet.network) === this.#setup.target;
      if (isFromTarget) this.#hear(packet, packet.transport, null, this.#replies, now);
      return;
    }
    const isAboutRoute = type === IcmpType.Redirect || type === IcmpType.SourceQuench;
    const quoted = quotedPacket(packet);
    if (!isIcmpError(type) || isAboutRoute || quoted < 0) return;
    if (IPV4.protocol.get(view, quoted) !== Protocol.Icmp) return;
    if (IPV4.dst.get(view, quoted) !== this.#setup.target) return;
    this.#hear(packet, quoted + headerLengthOf(view, quoted), type, this.#errors, now);
  }

  /** @param echo where the echo header lies, of the answer or in the quote. */
  #hear(
    packet: Packet,
    echo: number,
    type: number | null,
    queue: ProbeEvent[],
    now: Instant,
  ): void {
    const { view } = packet.pool;
    const sequence = ICMP.sequence.get(view, echo);
    const index = this.#open.get(sequence);
    if (index === undefined || ICMP.id.get(view, echo) !== this.#id) return;
    this.#open.delete(sequence);
    const from = IPV4.src.get(view, packet.network);
    const ttl = IPV4.ttl.get(view, packet.network);
    const code = type === null ? 0 : ICMP.code.get(view, packet.transport);
    const mtu = ICMP.mtu.get(view, packet.transport);
    queue.push({ index, from, ttl, type, code, mtu, at: now });
    if (this.#errors.length + this.#replies.length === 1) this.#setup.onNews(now);
  }
}
