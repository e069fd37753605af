/**
 * A learning bridge with a device of its own, and the hooks on a frame's way across it, in Linux's
 * order (net/bridge/br_input.c, br_forward.c, br_device.c): IEEE 802.1D section 7 without spanning
 * tree, VLAN filtering and multicast snooping.
 *
 * PREROUTING, then INPUT for the host and FORWARD, POSTROUTING for other ports; what the host sends
 * meets OUTPUT, POSTROUTING.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import { formatMac, isGroupMac, type Mac, MAC_ZERO } from "../wire/addr.ts";
import { type Carrier, Device, type Stack } from "../wire/device.ts";
import { Cast, type Packet } from "../wire/packet.ts";
import {
  BRIDGE_HOOK_NAMES,
  BridgeHook,
  type FrameContext,
  type FrameRules,
} from "./bridge-hooks.ts";
import {
  castOf,
  checkEthernet,
  ETHERNET,
  ETHERNET_LENGTH,
  type EthernetDiscard,
  EtherType,
} from "./ethernet.ts";
import { StationTable } from "./station-table.ts";

/** Why a bridge has no use for a frame. */
export type BridgeDiscard =
  | "bridge/source"
  | "bridge/link-local"
  | "bridge/same-port"
  | "bridge/no-port"
  | "bridge/too-big";

/** What a {@link Bridge} is made from. */
export interface BridgeOptions {
  /** The name of its own device. */
  readonly name: string;
  /** Its own address, which every port bears as well, as vifs do. */
  readonly mac: Mac;
  /** Largest IP packet in octets of its own device; 1,500. */
  readonly mtu?: number;
  /** What judges frames on its hooks; `null` for nothing. */
  readonly rules: FrameRules | null;
  /** Stations that are remembered (`fdb_max_learned`); 1,024. */
  readonly stationLimit?: number;
}

/** 01:80:C2:00:00:0x: not to be forwarded by bridges (IEEE 802.1D section 7.12.6). */
const LINK_LOCAL_HIGH = 0x0180;
const LINK_LOCAL_LOW = 0xc200_0000 | 0;
/** The last digit of the addresses of spanning tree and of pause frames. */
const STP_GROUP = 0;
const PAUSE = 1;
const LLDP = 0xe;
/** What a frame may have beyond its port's MTU: a header and a tag (`is_skb_forwardable`). */
const TAG_LENGTH = 4;
/** Octets of a tagged frame: header, tag and what begins a payload. */
const SHORTEST_TAGGED = ETHERNET_LENGTH + TAG_LENGTH + 2;

/** Joins ports with one another and with the host. */
export class Bridge implements Stack, Carrier {
  /** What the host's stack sends and receives by. */
  readonly device: Device;
  readonly #rules: FrameRules | null;
  readonly #context: FrameContext;
  readonly #stations: StationTable;
  /** The newest first. Replaced, never changed. */
  #ports: readonly Device[] = [];

  constructor({ name, mac, mtu = 1500, rules, stationLimit = 1024 }: BridgeOptions) {
    if (!Number.isInteger(stationLimit) || stationLimit < 1) {
      throw new OptionError("stationLimit", stationLimit, "a whole number from 1");
    }
    this.device = new Device({ name, mac, mtu, description: `bridge ${name}` });
    this.device.attachCarrier(this);
    this.#rules = rules;
    this.#stations = new StationTable(stationLimit);
    this.#context = {
      hook: BridgeHook.Prerouting,
      input: null,
      output: null,
      bridge: this.device,
      now: 0,
      reason: "filter/dropped",
      detail: "",
      answers: [],
    };
  }

  /** @throws {OptionError} if the port bears another address than the bridge. */
  addPort(port: Device): void {
    if (port.mac !== this.device.mac) {
      throw new OptionError("mac", formatMac(port.mac), "the bridge's own address");
    }
    this.#ports = [port, ...this.#ports];
    port.attachStack(this);
  }

  removePort(port: Device): void {
    this.#ports = this.#ports.filter((one) => one !== port);
    this.#stations.removePort(port);
    port.attachStack(null);
  }

  /** A frame came in by a port (`br_handle_frame`). Takes ownership. */
  receive(port: Device, packet: Packet, now: Instant): void {
    const { view } = packet.pool;
    const { frame } = packet;
    const wrong = checkEthernet(view, frame, packet.end) ?? checkFrame(view, frame, packet.end);
    if (wrong !== null) {
      packet.pool.end(packet, "discarded", wrong, now);
      return;
    }
    packet.cast = castOf(view, frame, this.device.mac);
    const group = linkLocalGroup(view, frame);
    if (group > STP_GROUP) {
      this.#endLinkLocal(group, port, packet, now);
      return;
    }
    if (!this.#pass(BridgeHook.Prerouting, packet, port, null, now)) return;
    this.#learn(port, packet, now);
    packet.cast = castOf(view, packet.frame, this.device.mac);
    if (packet.cast === Cast.Host) this.#passUp(packet, port, now);
    else if (packet.cast === Cast.OtherHost) this.#forward(packet, port, now);
    else {
      this.#flood(packet, port, true, now);
      this.#passUp(packet, port, now);
    }
  }

  /** The host sends a frame (`br_dev_xmit`). Takes ownership. */
  carry(_from: Device, packet: Packet, now: Instant): void {
    this.#forward(packet, null, now);
  }

  /** To the port where the station is, or to all (`br_forward`, `br_flood`). */
  #forward(packet: Packet, from: Device | null, now: Instant): void {
    const { view } = packet.pool;
    const at = packet.frame + ETHERNET.dst.offset;
    const isKnowing = this.#ports.length > 1;
    const port = isKnowing
      ? this.#stations.find(view.getUint16(at), view.getInt32(at + 2), now)
      : null;
    if (port === null) {
      if (!this.#flood(packet, from, false, now)) {
        packet.pool.end(packet, "discarded", "bridge/no-port", now);
      }
    } else if (port === from) packet.pool.end(packet, "discarded", "bridge/same-port", now);
    else this.#deliver(packet, from, port, now);
  }

  /**
   * To all ports but `from`.
   * @param keeps true: copies alone are sent; false: the packet itself is the last.
   * @returns false if there is no port to send to.
   */
  #flood(packet: Packet, from: Device | null, keeps: boolean, now: Instant): boolean {
    let last: Device | null = null;
    for (const port of this.#ports) {
      if (port === from) continue;
      if (last !== null) this.#deliverCopy(packet, from, last, now);
      last = port;
    }
    if (last === null) return false;
    if (keeps) this.#deliverCopy(packet, from, last, now);
    else this.#deliver(packet, from, last, now);
    return true;
  }

  #deliverCopy(packet: Packet, from: Device | null, to: Device, now: Instant): void {
    const { pool } = packet;
    const copy = pool.derive(packet, packet.length);
    if (copy === null) {
      if (pool.isTracing) pool.observer?.step(packet, to.name, "no room for a copy", now);
      return;
    }
    pool.bytes.copyWithin(copy.frame, packet.frame, packet.end);
    copy.network = copy.frame + (packet.network - packet.frame);
    copy.transport = copy.frame + (packet.transport - packet.frame);
    copy.hasBlankChecksum = packet.hasBlankChecksum;
    this.#deliver(copy, from, to, now);
  }

  /** OUTPUT for what the host sends, FORWARD for the rest, POSTROUTING, size. */
  #deliver(packet: Packet, from: Device | null, to: Device, now: Instant): void {
    const hook = from === null ? BridgeHook.Output : BridgeHook.Forward;
    if (!this.#pass(hook, packet, from, to, now)) return;
    if (!this.#pass(BridgeHook.Postrouting, packet, null, to, now)) return;
    if (packet.length > to.mtu + ETHERNET_LENGTH + TAG_LENGTH) {
      packet.pool.end(packet, "discarded", "bridge/too-big", now);
    } else to.transmit(packet, now);
  }

  /** To the host (`br_pass_frame_up`). */
  #passUp(packet: Packet, port: Device, now: Instant): void {
    if (this.#pass(BridgeHook.Input, packet, port, null, now)) this.device.pass(packet, now);
  }

  #learn(port: Device, { pool: { view }, frame }: Packet, now: Instant): void {
    if (this.#ports.length === 1) return;
    const at = frame + ETHERNET.src.offset;
    if (ETHERNET.src.get(view, frame) === this.device.mac) return;
    this.#stations.learn(view.getUint16(at), view.getInt32(at + 2), port, now);
  }

  /**
   * Not to be forwarded, yet its sender is learnt. The port would take it up, which has no stack
   * but the bridge (`br_handle_local_finish`).
   */
  #endLinkLocal(group: number, port: Device, packet: Packet, now: Instant): void {
    const isJudged = group !== PAUSE && group !== LLDP;
    if (isJudged && !this.#pass(BridgeHook.Input, packet, port, null, now)) return;
    if (group !== PAUSE) this.#learn(port, packet, now);
    packet.pool.end(packet, "discarded", "bridge/link-local", now);
  }

  /** @returns true if the packet goes on; else it is gone. */
  #pass(
    hook: BridgeHook,
    packet: Packet,
    input: Device | null,
    output: Device | null,
    now: Instant,
  ): boolean {
    if (this.#rules === null) return true;
    const context = this.#context;
    assert(context.answers.length === 0, "frames that rules send are sent");
    context.hook = hook;
    context.input = input;
    context.output = output;
    context.now = now;
    context.reason = "filter/dropped";
    context.detail = "";
    const goesOn = this.#rules.judge(packet, context);
    if (!goesOn) {
      const { pool } = packet;
      const { reason, detail } = context;
      if (pool.isTracing) {
        const place = `${this.device.name} ${BRIDGE_HOOK_NAMES[hook]}`;
        pool.observer?.step(packet, place, detail, now);
      }
      pool.end(packet, "dropped", reason, now);
    }
    if (context.answers.length > 0) sendAll(context.answers.splice(0), now);
    return goesOn;
  }
}

/**
 * A bridge that bears the name of its one port, its address and MTU.
 * @returns the bridge's own device.
 */
export function bridgeOver(port: Device, rules: FrameRules): Device {
  const { name, mac, mtu } = port;
  const bridge = new Bridge({ name, mac, mtu, rules });
  bridge.addPort(port);
  return bridge.device;
}

/**
 * A sender is one station, and has an address (`is_valid_ether_addr`); what carries nothing but a
 * tag is none of a bridge's (`skb_vlan_untag`).
 */
function checkFrame(
  view: DataView,
  frame: number,
  end: number,
): BridgeDiscard | EthernetDiscard | null {
  const type = ETHERNET.type.get(view, frame);
  const isTagged = type === EtherType.Vlan || type === EtherType.ProviderVlan;
  if (isTagged && end - frame < SHORTEST_TAGGED) return "ethernet/truncated";
  const source = ETHERNET.src.get(view, frame);
  return source === MAC_ZERO || isGroupMac(source) ? "bridge/source" : null;
}

/** The last digit of a link-local group's address; -1 for any other address. */
function linkLocalGroup(view: DataView, frame: number): number {
  const at = frame + ETHERNET.dst.offset;
  const low = view.getInt32(at + 2);
  const isGroup = view.getUint16(at) === LINK_LOCAL_HIGH && (low & ~0xf) === LINK_LOCAL_LOW;
  return isGroup ? low & 0xf : -1;
}

function sendAll(packets: readonly Packet[], now: Instant): void {
  for (const packet of packets) {
    const device = packet.output;
    assert(device !== null, "a frame that rules send has a device to leave by");
    device.transmit(packet, now);
  }
}
