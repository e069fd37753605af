/**
 * Packet reception of ARP as Linux does it (RFC 826 "Packet Reception"), with the proxies of RFC
 * 1027 section 2 and the
 * probes of RFC 5227 section 2.1.1 (net/ipv4/arp.c).
 * @module
 */
import type { Jiffies } from "../base/jiffies.ts";
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, MILLISECOND, NEVER } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr, isLoopback, isMulticast, type Mac } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { Cast, type Packet, type PacketPool } from "../wire/packet.ts";
import { ARP, ARP_LENGTH, ArpOp, checkArp, writeArp } from "./arp.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "./ethernet.ts";
import type { NeighborCache } from "./neighbor-cache.ts";

/** What differs between kernels. */
export interface ArpBehaviour {
  /** True: the answer to a probe carries the asked address as its target (before Linux 2.6.24). */
  readonly echoesProbeTarget: boolean;
  /** Longest random wait before a proxied answer to a broadcast; 0 answers at once. */
  readonly proxyDelay: Duration;
}

/**
 * What routing says to a question: this host has the address, has it and keeps silent, another
 * device leads to it, or none of these.
 */
export type ArpJudgement = "local" | "ignored" | "proxy" | "none";

/** What the responder asks of the routing above. */
export interface ArpRouting {
  /** How `device` should treat the question for `target` asked by `sender`. */
  judgeArp(device: Device, sender: Ipv4Addr, target: Ipv4Addr): ArpJudgement;
  /** True if `target` is an own address, and `device` tells it who has no address yet. */
  answersProbe(device: Device, target: Ipv4Addr): boolean;
  /** True if 127.0.0.0/8 may be asked for by `device`. */
  routesLocalnet(device: Device): boolean;
  /** True if `address` is this host's own, on whichever device. */
  isLocal(address: Ipv4Addr): boolean;
  /** True if `address` is a broadcast address of a link here: no station can be there. */
  isBroadcast(address: Ipv4Addr): boolean;
}

/** What an {@link ArpResponder} works with. */
export interface ArpResponderOptions {
  readonly pool: PacketPool;
  readonly routing: ArpRouting;
  readonly neighbors: NeighborCache;
  readonly behaviour: ArpBehaviour;
  readonly jiffies: Jiffies;
  readonly chance: Chance;
  /** Proxied answers that wait at the same time (`proxy_qlen`); 64. */
  readonly proxyLimit?: number;
}

/** Linux's default `proxy_delay`: 80 hundredths of a second. */
export const PROXY_DELAY: Duration = 800 * MILLISECOND;

interface Waiting {
  readonly packet: Packet;
  readonly device: Device;
  readonly due: Instant;
}

/** Answers and learns from the ARP messages of all devices of one stack. */
export class ArpResponder implements Machine {
  readonly #pool: PacketPool;
  readonly #routing: ArpRouting;
  readonly #neighbors: NeighborCache;
  readonly #behaviour: ArpBehaviour;
  readonly #jiffies: Jiffies;
  readonly #chance: Chance;
  readonly #proxyLimit: number;
  readonly #waiting: Waiting[] = [];
  /** When the one timer of the proxy queue was set to, and when it fires. */
  #timer: Instant = NEVER;
  #firesAt: Instant = NEVER;

  constructor(options: ArpResponderOptions) {
    this.#pool = options.pool;
    this.#routing = options.routing;
    this.#neighbors = options.neighbors;
    this.#behaviour = options.behaviour;
    this.#jiffies = options.jiffies;
    this.#chance = options.chance;
    this.#proxyLimit = options.proxyLimit ?? 64;
  }

  /** Process the ARP message in `packet`, whose `network` lies at it. Takes ownership. */
  receive(device: Device, packet: Packet, now: Instant): void {
    const wrong = checkArp(packet.pool.view, packet.network, packet.end);
    if (wrong !== null) packet.pool.end(packet, "discarded", wrong, now);
    else if (packet.cast === Cast.OtherHost) {
      packet.pool.end(packet, "discarded", "ethernet/other-host", now);
    } else this.#process(device, packet, false, now);
  }

  /** Send a message of this host. A full pool sends nothing. */
  transmit(
    device: Device,
    op: number,
    dst: Mac,
    spa: Ipv4Addr,
    tha: Mac,
    tpa: Ipv4Addr,
    now: Instant,
  ): void {
    const packet = this.#pool.allocate(ETHERNET_LENGTH + ARP_LENGTH);
    if (packet === null) return;
    const { view } = this.#pool;
    packet.network = packet.frame + ETHERNET_LENGTH;
    writeEthernet(view, packet.frame, dst, device.mac, EtherType.Arp);
    writeArp(view, packet.network, op, device.mac, spa, tha, tpa);
    device.transmit(packet, now);
  }

  nextDeadline(): Instant {
    return this.#firesAt;
  }

  /** Answer what has waited long enough (`neigh_proxy_process`). */
  expire(now: Instant): void {
    if (now < this.#firesAt) return;
    this.#timer = NEVER;
    this.#firesAt = NEVER;
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.due <= now) this.#process(waiting.device, waiting.packet, true, now);
      else this.#enqueue(waiting, now);
    }
  }

  /** Forget what waits on a device that goes away. */
  removeDevice(device: Device, now: Instant): void {
    for (const waiting of this.#waiting.splice(0)) {
      if (waiting.device !== device) this.#waiting.push(waiting);
      else waiting.packet.pool.end(waiting.packet, "discarded", "arp/device-removed", now);
    }
  }

  #process(device: Device, packet: Packet, hasWaited: boolean, now: Instant): void {
    const { view } = packet.pool;
    const at = packet.network;
    const spa = ARP.spa.get(view, at);
    const tpa = ARP.tpa.get(view, at);
    const sha = ARP.sha.get(view, at);
    if (isMulticast(tpa) || (isLoopback(tpa) && !this.#routing.routesLocalnet(device))) {
      packet.pool.end(packet, "discarded", "arp/target", now);
      return;
    }
    const isRequest = ARP.op.get(view, at) === ArpOp.Request;
    if (spa === IPV4_ANY) {
      this.#answerProbe(device, packet, isRequest, tpa, sha, now);
      return;
    }
    const judgement = isRequest ? this.#routing.judgeArp(device, spa, tpa) : "none";
    if (judgement === "none") this.#learn(device, packet, isRequest, spa, sha, now);
    else if (judgement === "ignored") packet.pool.end(packet, "consumed", "arp/ignored", now);
    else {
      if (!this.#routing.isBroadcast(spa)) this.#neighbors.learn(device, spa, sha, now);
      const mustWait =
        judgement === "proxy" &&
        !hasWaited &&
        packet.cast !== Cast.Host &&
        this.#behaviour.proxyDelay > 0;
      if (mustWait) this.#delay(device, packet, now);
      else {
        const reason = judgement === "local" ? "arp/answered" : "arp/proxied";
        packet.pool.end(packet, "consumed", reason, now);
        this.transmit(device, ArpOp.Reply, sha, tpa, sha, spa, now);
      }
    }
  }

  /** A probe is answered for this host's own addresses alone, so a domU never sees a conflict. */
  #answerProbe(
    device: Device,
    packet: Packet,
    isRequest: boolean,
    tpa: Ipv4Addr,
    sha: Mac,
    now: Instant,
  ): void {
    const isOwn = isRequest && this.#routing.answersProbe(device, tpa);
    packet.pool.end(packet, "consumed", isOwn ? "arp/answered" : "arp/probe", now);
    if (!isOwn) return;
    const target = this.#behaviour.echoesProbeTarget ? tpa : IPV4_ANY;
    this.transmit(device, ArpOp.Reply, sha, tpa, sha, target, now);
  }

  /** What nobody here answers may still say where a known neighbor is. */
  #learn(
    device: Device,
    packet: Packet,
    isRequest: boolean,
    spa: Ipv4Addr,
    sha: Mac,
    now: Instant,
  ): void {
    const { view } = packet.pool;
    const tha = ARP.tha.get(view, packet.network);
    const isSelf = ARP.tpa.get(view, packet.network) === spa;
    const isGratuitous = isSelf && (isRequest || tha === sha) && !this.#routing.isLocal(spa);
    const isProof = !isRequest && packet.cast === Cast.Host;
    this.#neighbors.confirm(device, spa, sha, isProof, isGratuitous, now);
    packet.pool.end(packet, "consumed", "arp/learned", now);
  }

  #delay(device: Device, packet: Packet, now: Instant): void {
    if (this.#waiting.length > this.#proxyLimit) {
      packet.pool.end(packet, "discarded", "arp/proxy-queue-full", now);
      return;
    }
    const ticks = this.#behaviour.proxyDelay / this.#jiffies.tick;
    const wait = this.#chance.below(ticks) * this.#jiffies.tick;
    this.#enqueue({ packet, device, due: this.#jiffies.floor(now) + wait }, now);
  }

  /** One timer serves the queue; it is set anew for whatever is due first (`pneigh_enqueue`). */
  #enqueue(waiting: Waiting, now: Instant): void {
    this.#waiting.push(waiting);
    this.#timer = Math.min(this.#timer, waiting.due);
    const delay = Math.max(this.#timer - this.#jiffies.floor(now), 0);
    this.#firesAt = this.#jiffies.firing(now, delay);
  }
}
