/**
 * Traceroute's probes by UDP: a socket each, to a port that nobody should listen on.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { ICMP, IcmpType, isIcmpError } from "../l3/icmp.ts";
import type { IcmpListener } from "../l3/icmp-responder.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../l3/ipv4.ts";
import type { SendFailure } from "../l4/datagram.ts";
import { UDP, UDP_LENGTH } from "../l4/udp.ts";
import type { UdpSocket } from "../l4/udp-layer.ts";
import { quotedPacket } from "./tool.ts";
import type { ProbeEvent, Probing, ProbingSetup } from "./traceroute-probe.ts";

const FIRST_PORT = 33_434;
/** The octets of a probe: 0x40 to 0x7f, again and again. */
const FILL = 0x40;
const FILL_MASK = 0x3f;

interface OpenProbe {
  readonly index: number;
  readonly socket: UdpSocket;
  isHeard: boolean;
}

/** Probes whose sockets tell their answers apart. */
export class UdpProbing implements Probing, IcmpListener {
  readonly #setup: ProbingSetup;
  readonly #payload: Uint8Array;
  readonly #open = new Map<number, OpenProbe>();
  #port: number;
  #news: ProbeEvent[] = [];

  constructor(setup: ProbingSetup) {
    this.#setup = setup;
    this.#port = setup.port === 0 ? FIRST_PORT : setup.port;
    const length = setup.length - IPV4_MIN_LENGTH - UDP_LENGTH;
    this.#payload = Uint8Array.from({ length }, (_, index) => FILL + (index & FILL_MASK));
    setup.host.router.icmp.addListener(this);
  }

  get hasNews(): boolean {
    return this.#news.length > 0;
  }

  send(index: number, ttl: number, now: Instant): SendFailure | null {
    const { host, target, tos } = this.#setup;
    if (host.udp.isFull) return "no-room";
    const dstPort = this.#port;
    const socket = host.udp.bind(0, ({ src, ttl: left }, _socket, at) => {
      this.#hear({ index, from: src, ttl: left, type: null, code: 0, mtu: 0, at });
    });
    socket.connect(target, dstPort);
    this.#open.set(index, { index, socket, isHeard: false });
    const options = { ttl, tos, mtuDiscovery: "dont" } as const;
    const failure = socket.send(this.#payload, target, dstPort, now, options);
    if (failure === null) this.#port = (dstPort + 1) & 0xffff;
    else this.forget(index);
    return failure;
  }

  /** `poll` finds every socket that has something. */
  take(): readonly ProbeEvent[] {
    const taken = this.#news;
    this.#news = [];
    return taken;
  }

  forget(index: number): void {
    this.#open.get(index)?.socket.close();
    this.#open.delete(index);
  }

  close(): void {
    this.#setup.host.router.icmp.removeListener(this);
    for (const { socket } of this.#open.values()) socket.close();
    this.#open.clear();
  }

  onIcmp(packet: Packet, type: number, now: Instant): void {
    const isAboutRoute = type === IcmpType.Redirect || type === IcmpType.SourceQuench;
    if (!isIcmpError(type) || isAboutRoute) return;
    const probe = this.#findQuoted(packet, this.#setup.target);
    if (probe === null) return;
    const { view } = packet.pool;
    this.#hear({
      index: probe.index,
      from: IPV4.src.get(view, packet.network),
      ttl: IPV4.ttl.get(view, packet.network),
      type,
      code: ICMP.code.get(view, packet.transport),
      mtu: ICMP.mtu.get(view, packet.transport),
      at: now,
    });
  }

  #findQuoted(packet: Packet, target: Ipv4Addr): OpenProbe | null {
    const { view } = packet.pool;
    const quoted = quotedPacket(packet);
    if (quoted < 0 || IPV4.protocol.get(view, quoted) !== Protocol.Udp) return null;
    const at = quoted + headerLengthOf(view, quoted);
    const srcPort = UDP.srcPort.get(view, at);
    const dstPort = UDP.dstPort.get(view, at);
    if (IPV4.dst.get(view, quoted) !== target) return null;
    for (const probe of this.#open.values()) {
      const { port, peer } = probe.socket;
      if (port === srcPort && peer?.port === dstPort) return probe;
    }
    return null;
  }

  #hear(event: ProbeEvent): void {
    const probe = this.#open.get(event.index);
    if (probe === undefined || probe.isHeard) return;
    probe.isHeard = true;
    this.#news.push(event);
    if (this.#news.length === 1) this.#setup.onNews(event.at);
  }
}
