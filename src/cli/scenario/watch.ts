/**
 * Watches a zone's packets for the run: which belong to a step, who got them, why others ended.
 * @module
 */
import type { Instant } from "../../base/time.ts";
import type { Device } from "../../wire/device.ts";
import type { Fate, Observer, Packet, Reason } from "../../wire/packet.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../l2/ethernet.ts";
import { readRawUdp } from "../../l4/raw-udp.ts";
import { decodeMessage, DHCP_CLIENT_PORT, type DhcpMessage } from "../../dhcp/message.ts";
import { summaryOf } from "../../pcap/summary.ts";
import type { EndCount, EventOf } from "./events.ts";

/** What belongs to a step: packets that `device` sends and `matches` knows. */
export interface Claim {
  readonly step: number;
  readonly device: Device;
  /** Asked for IPv4 packets that leave `device`; `at` is where the IPv4 header begins. */
  readonly matches: (packet: Packet, at: number) => boolean;
  /** Packets that reached another machine. */
  readonly received: Set<number>;
  /** Reasons for which packets were dropped or discarded. */
  readonly drops: Set<Reason>;
}

/** Who hears what the watch sees. */
export interface WatchSink {
  drop(event: Omit<EventOf<"drop">, "event">): void;
  /** A DHCP message came to the machine that has `device`. */
  dhcp(device: Device, message: DhcpMessage, packet: Packet, now: Instant): void;
}

/** Packets of steps that are remembered at most; the oldest are forgotten. */
const CLAIMED_LIMIT = 100_000;

/** An observer for one run. */
export class Watch implements Observer {
  readonly #sink: WatchSink;
  readonly #nameOf: (device: Device) => string;
  readonly #claims = new Set<Claim>();
  readonly #claimed = new Map<number, Claim>();
  /** Devices of machines, as opposed to those of hosts and fabric. */
  readonly #machines = new Set<Device>();
  readonly #ends = new Map<string, { fate: Fate; reason: Reason; count: number }>();
  /** The claim that the next frame belongs to, whatever it is. */
  #next: Claim | null = null;
  #lastId: number | null = null;

  /** @param nameOf how a device is called. */
  constructor(sink: WatchSink, nameOf: (device: Device) => string) {
    this.#sink = sink;
    this.#nameOf = nameOf;
  }

  /** A machine has `device`: what comes there has arrived. */
  addMachine(device: Device): void {
    this.#machines.add(device);
  }

  /** Let packets belong to a step from now on. */
  claim(claim: Claim): void {
    this.#claims.add(claim);
  }

  /** Later packets do not belong to it; those on the way still do. */
  release(claim: Claim): void {
    this.#claims.delete(claim);
  }

  /** The packet that `send` makes belongs to `claim`. @returns its id; `null` if it made none. */
  claimOne(claim: Claim, send: () => void): number | null {
    this.#next = claim;
    this.#lastId = null;
    send();
    this.#next = null;
    return this.#lastId;
  }

  /** How packets ended, by fate and reason. */
  get ends(): EndCount[] {
    return [...this.#ends.values()].sort((left, right) => (left.reason < right.reason ? -1 : 1));
  }

  received(device: Device, packet: Packet, now: Instant): void {
    if (!this.#machines.has(device)) return;
    const claim = this.#claimed.get(packet.id);
    if (claim !== undefined && claim.device !== device) claim.received.add(packet.id);
    const datagram = readRawUdp(packet, DHCP_CLIENT_PORT);
    if (datagram === null) return;
    const message = decodeMessage(datagram.payload);
    if (typeof message !== "string") this.#sink.dhcp(device, message, packet, now);
  }

  transmitted(device: Device, packet: Packet): void {
    if (this.#next !== null) {
      this.#lastId = packet.id;
      this.#remember(packet.id, this.#next);
      this.#next = null;
      return;
    }
    if (this.#claims.size === 0 || packet.input !== null) return;
    if (ETHERNET.type.get(packet.pool.view, packet.frame) !== EtherType.Ipv4) return;
    const at = packet.frame + ETHERNET_LENGTH;
    for (const claim of this.#claims) {
      if (claim.device === device && claim.matches(packet, at)) this.#remember(packet.id, claim);
    }
  }

  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    const known = this.#ends.get(`${fate} ${reason}`);
    if (known === undefined) this.#ends.set(`${fate} ${reason}`, { fate, reason, count: 1 });
    else known.count += 1;
    const claim = this.#claimed.get(packet.id);
    if (reason === "vif/delivered") claim?.received.add(packet.id);
    if (fate !== "dropped" && fate !== "discarded") return;
    claim?.drops.add(reason);
    const device = packet.output ?? packet.input;
    this.#sink.drop({
      at: now,
      packet: packet.id,
      step: claim?.step ?? null,
      fate,
      reason,
      device: device === null ? null : this.#nameOf(device),
      summary: summaryOf(packet.octets()),
    });
  }

  /** Steps are for `explain`. */
  step(): void {}

  #remember(id: number, claim: Claim): void {
    if (this.#claimed.size >= CLAIMED_LIMIT) {
      const [oldest] = this.#claimed.keys();
      if (oldest !== undefined) this.#claimed.delete(oldest);
    }
    this.#claimed.set(id, claim);
  }
}
