/**
 * What a host tells all on a link comes in to itself, by the same device (Linux `ip_mc_output`,
 * `dev_loopback_xmit`).
 * @module
 */
import type { Instant } from "../base/time.ts";
import { Cast, type Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { Hook, type Hooks } from "./hooks.ts";
import type { Interface } from "./interface.ts";
import type { PacketOptions } from "./packet-options.ts";

/**
 * Take a copy of an own broadcast over POSTROUTING and PREROUTING; `packet` is borrowed.
 * @returns the copy, for INPUT, owned by the caller; `null` if it did not come that far.
 */
export function hearOwn(
  packet: Packet,
  via: Interface,
  hooks: Hooks,
  options: PacketOptions,
  now: Instant,
): Packet | null {
  const copy = via.isLoopback ? null : copyOf(packet);
  const left = copy === null ? null : hooks.pass(Hook.Postrouting, copy, null, via.device, now);
  if (left === null) return null;
  left.cast = Cast.Broadcast;
  left.input = via.device;
  const heard = hooks.pass(Hook.Prerouting, left, via.device, null, now);
  if (heard === null || options.read(via, heard, now) < 0) return heard;
  heard.pool.end(heard, "discarded", "ipv4/options", now);
  return null;
}

function copyOf(packet: Packet): Packet | null {
  const { pool, network, transport, end } = packet;
  const copy = pool.derive(packet, ETHERNET_LENGTH + end - network);
  if (copy === null) return null;
  copy.network = copy.frame + ETHERNET_LENGTH;
  // It has no frame any more, for rules that look at one.
  copy.frame = copy.network;
  copy.transport = copy.network + transport - network;
  copy.hasBlankChecksum = packet.hasBlankChecksum;
  pool.bytes.copyWithin(copy.network, network, end);
  return copy;
}
