/**
 * UDP of one host: RFC 768, RFC 1122 section 4.1, in the order of Linux's `__udp4_lib_rcv`.
 * @module
 */
import { EmulatorError, OptionError } from "../base/errors.ts";
import type { Chance } from "../base/prng.ts";
import type { Instant } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr } from "../wire/addr.ts";
import type { Packet, PacketPool, Reason } from "../wire/packet.ts";
import { blankChecksum } from "../l3/blank-checksum.ts";
import { FlowState } from "../l3/flow-state.ts";
import { Unreachable } from "../l3/icmp.ts";
import { IPV4, Protocol } from "../l3/ipv4.ts";
import { RouteKind } from "../l3/route-table.ts";
import type { ProtocolHandler, Router } from "../l3/router.ts";
import {
  DatagramMaker,
  type DatagramOptions,
  PacketCounter,
  type SendFailure,
  type SocketBehaviour,
} from "./datagram.ts";
import { checkUdp, checkUdpChecksum, sealUdp, UDP, UDP_LENGTH } from "./udp.ts";

/** A datagram that came in; its payload is borrowed until the receiver returns. */
export interface UdpArrival {
  readonly bytes: Uint8Array;
  /** The payload's first octet in `bytes`. */
  readonly start: number;
  /** One past the payload's last octet. */
  readonly end: number;
  readonly src: Ipv4Addr;
  readonly srcPort: number;
  /** This host's address, or the broadcast or group address that was asked. */
  readonly dst: Ipv4Addr;
  /** Hops that it had left. */
  readonly ttl: number;
}

/** Takes what comes to a socket. May send and close, this socket too. */
export type UdpReceiver = (arrival: UdpArrival, socket: UdpSocket, now: Instant) => void;

/** What a {@link UdpLayer} works with. */
export interface UdpLayerOptions {
  readonly router: Router;
  readonly behaviour: SocketBehaviour;
  /** Draws ephemeral ports and the first identification of connected sockets. */
  readonly chance: Chance;
  /** Sockets at most; 1,024. */
  readonly socketLimit?: number;
  /** Called after each datagram that a socket sent: the router's deadlines may have moved. */
  readonly onSent?: () => void;
}

/** Linux's `ip_local_port_range`. */
const FIRST_EPHEMERAL = 32_768;
const LAST_EPHEMERAL = 60_999;

/** What a socket needs of its layer. */
interface SocketOwner {
  readonly chance: Chance;
  send(
    socket: UdpSocket,
    payload: Uint8Array,
    dst: Ipv4Addr,
    dstPort: number,
    options: DatagramOptions,
    now: Instant,
  ): SendFailure | null;
  close(socket: UdpSocket): void;
}

/** One end of UDP talk. {@link UdpLayer.bind} makes it. */
export class UdpSocket {
  /** 1 to 65,535. */
  readonly port: number;
  /** The only address of this host that it serves; 0.0.0.0 for all. */
  readonly address: Ipv4Addr;
  /** Called for each datagram; `null` throws them away. */
  readonly receiver: UdpReceiver | null;
  /** Whom alone it talks to; `null` if it is not connected. */
  peer: { readonly address: Ipv4Addr; readonly port: number } | null = null;
  /** Of a connected socket. */
  counter: PacketCounter | null = null;
  readonly #owner: SocketOwner;

  constructor(owner: SocketOwner, port: number, address: Ipv4Addr, receiver: UdpReceiver | null) {
    this.#owner = owner;
    this.port = port;
    this.address = address;
    this.receiver = receiver;
  }

  /** Take datagrams of `port` at `address` alone from now on; its packets are then counted. */
  connect(address: Ipv4Addr, port: number): void {
    this.peer = { address, port };
    this.counter = new PacketCounter(this.#owner.chance);
  }

  /** Send a copy of `payload`. @returns `null` if it was sent, or why not. */
  send(
    payload: Uint8Array,
    dst: Ipv4Addr,
    dstPort: number,
    now: Instant,
    options: DatagramOptions = {},
  ): SendFailure | null {
    return this.#owner.send(this, payload, dst, dstPort, options, now);
  }

  /** Free the port; no more comes in. */
  close(): void {
    this.#owner.close(this);
  }
}

/** The UDP of one router: hand it to `setProtocol`. */
export class UdpLayer implements ProtocolHandler, SocketOwner {
  readonly chance: Chance;
  readonly #router: Router;
  readonly #pool: PacketPool;
  readonly #maker: DatagramMaker;
  readonly #leavesChecksums: boolean;
  readonly #socketLimit: number;
  readonly #onSent: (() => void) | null;
  readonly #byPort = new Map<number, readonly UdpSocket[]>();
  #size = 0;

  constructor(options: UdpLayerOptions) {
    const { router, behaviour, chance, socketLimit = 1024 } = options;
    if (!Number.isInteger(socketLimit) || socketLimit < 1) {
      throw new OptionError("socketLimit", socketLimit, "a whole number from 1");
    }
    this.chance = chance;
    this.#router = router;
    this.#pool = router.pool;
    this.#maker = new DatagramMaker(router, behaviour);
    this.#leavesChecksums = behaviour.leavesChecksums;
    this.#socketLimit = socketLimit;
    this.#onSent = options.onSent ?? null;
  }

  /** Open sockets. */
  get size(): number {
    return this.#size;
  }

  /** True if no socket is left. */
  get isFull(): boolean {
    return this.#size >= this.#socketLimit;
  }

  /**
   * Open a socket. Port 0 takes a free one from 32,768 to 60,999 by chance.
   * @param address of this host, if not all of them are meant.
   * @throws {OptionError} for a port that is taken or none.
   * @throws {EmulatorError} if no socket or no port is left.
   */
  bind(port: number, receiver: UdpReceiver | null, address: Ipv4Addr = IPV4_ANY): UdpSocket {
    if (!Number.isInteger(port) || port < 0 || port > 0xffff) {
      throw new OptionError("port", port, "a port from 0 to 65535");
    }
    if (this.isFull) {
      throw new EmulatorError("udp-sockets", this.#size, `all ${this.#size} sockets are open`);
    }
    const chosen = port === 0 ? this.#freePort(address) : port;
    if (this.#isTaken(chosen, address)) throw new OptionError("port", port, "a port not in use");
    const socket = new UdpSocket(this, chosen, address, receiver);
    this.#byPort.set(chosen, [...this.#at(chosen), socket]);
    this.#size += 1;
    return socket;
  }

  /** As {@link UdpSocket.close}. */
  close(socket: UdpSocket): void {
    const before = this.#at(socket.port);
    const kept = before.filter((one) => one !== socket);
    this.#size -= before.length - kept.length;
    if (kept.length > 0) this.#byPort.set(socket.port, kept);
    else this.#byPort.delete(socket.port);
  }

  /** As {@link UdpSocket.send}. */
  send(
    socket: UdpSocket,
    payload: Uint8Array,
    dst: Ipv4Addr,
    dstPort: number,
    options: DatagramOptions,
    now: Instant,
  ): SendFailure | null {
    const { address: src, counter } = socket;
    const length = UDP_LENGTH + payload.length;
    const origin = { ...options, protocol: Protocol.Udp, src, dst, length, counter };
    const packet = this.#maker.make(origin, now);
    if (typeof packet === "string") return packet;
    const { view, bytes } = this.#pool;
    const at = packet.transport;
    UDP.srcPort.set(view, at, socket.port);
    UDP.dstPort.set(view, at, dstPort);
    bytes.set(payload, at + UDP_LENGTH);
    sealUdp(view, at, packet.end, IPV4.src.get(view, packet.network), dst);
    if (this.#leavesChecksums) blankChecksum(packet);
    this.#router.send(packet, now);
    this.#onSent?.();
    return null;
  }

  /** A datagram to this host came in; `transport` lies at it. Takes ownership. */
  deliver(packet: Packet, now: Instant): void {
    const { view } = this.#pool;
    const at = packet.transport;
    const src = IPV4.src.get(view, packet.network);
    const dst = IPV4.dst.get(view, packet.network);
    const wrong =
      checkUdp(view, at, packet.end) ??
      (packet.hasBlankChecksum || packet.hasSoundChecksums
        ? null
        : checkUdpChecksum(view, at, src, dst));
    if (wrong !== null) {
      this.#pool.end(packet, "discarded", wrong, now);
      return;
    }
    // Before any error quotes it: what follows the datagram is padding.
    packet.end = at + UDP.length.get(view, at);
    const { routeKind } = packet;
    const isToAll = routeKind === RouteKind.Broadcast || routeKind === RouteKind.Multicast;
    const isDelivered = isToAll
      ? this.#deliverToAll(packet, src, dst, now)
      : this.#deliverToOne(packet, src, dst, now);
    if (isDelivered) this.#pool.end(packet, "delivered", "udp/delivered", now);
    else {
      // `nf_reset_ct`: the error is found by what it quotes.
      packet.flow = -1;
      packet.flowState = FlowState.None;
      if (!isToAll) this.#router.reportUnreachable(packet, Unreachable.Port, now);
      const reason: Reason = isToAll ? "udp/no-listener" : "udp/port-unreachable";
      this.#pool.end(packet, "discarded", reason, now);
    }
  }

  /** `__udp4_lib_lookup`: a socket of this very address comes before one of all addresses. */
  #deliverToOne(packet: Packet, src: Ipv4Addr, dst: Ipv4Addr, now: Instant): boolean {
    const open = this.#matching(packet, src, dst);
    const best = open.find(({ address }) => address === dst) ?? open[0];
    if (best === undefined) return false;
    this.#hand(best, packet, src, dst, now);
    return true;
  }

  /** `__udp4_lib_mcast_deliver`: each socket that is not bound to another address. */
  #deliverToAll(packet: Packet, src: Ipv4Addr, dst: Ipv4Addr, now: Instant): boolean {
    const open = this.#matching(packet, src, dst);
    for (const socket of open) this.#hand(socket, packet, src, dst, now);
    return open.length > 0;
  }

  #matching(packet: Packet, src: Ipv4Addr, dst: Ipv4Addr): readonly UdpSocket[] {
    const { view } = this.#pool;
    const srcPort = UDP.srcPort.get(view, packet.transport);
    return this.#at(UDP.dstPort.get(view, packet.transport)).filter(
      ({ address, peer }) =>
        (address === IPV4_ANY || address === dst) &&
        (peer === null || (peer.address === src && peer.port === srcPort)),
    );
  }

  #hand(socket: UdpSocket, packet: Packet, src: Ipv4Addr, dst: Ipv4Addr, now: Instant): void {
    const { view, bytes } = this.#pool;
    const start = packet.transport + UDP_LENGTH;
    const srcPort = UDP.srcPort.get(view, packet.transport);
    const ttl = IPV4.ttl.get(view, packet.network);
    socket.receiver?.({ bytes, start, end: packet.end, src, srcPort, dst, ttl }, socket, now);
  }

  #at(port: number): readonly UdpSocket[] {
    return this.#byPort.get(port) ?? [];
  }

  #isTaken(port: number, address: Ipv4Addr): boolean {
    return this.#at(port).some(
      (one) => address === IPV4_ANY || one.address === IPV4_ANY || one.address === address,
    );
  }

  #freePort(address: Ipv4Addr): number {
    const count = LAST_EPHEMERAL - FIRST_EPHEMERAL + 1;
    const first = this.chance.below(count);
    for (let step = 0; step < count; step += 1) {
      const port = FIRST_EPHEMERAL + ((first + step) % count);
      if (!this.#isTaken(port, address)) return port;
    }
    throw new EmulatorError("udp-ports", count, "no ephemeral port is free");
  }
}
