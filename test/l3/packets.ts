/** Packets for tests of layer 3. @module */
import { type Ipv4Addr, parseIpv4 } from "../../src/wire/addr.ts";
import type { Packet, PacketPool } from "../../src/wire/packet.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { IPV4, IPV4_MIN_LENGTH, sealHeader } from "../../src/l3/ipv4.ts";

const SOURCE: Ipv4Addr = parseIpv4("10.254.170.223");
const TARGET: Ipv4Addr = parseIpv4("10.254.168.2");

/** What a packet differs in from a plain one. */
export interface PacketParts {
  readonly src?: Ipv4Addr;
  readonly dst?: Ipv4Addr;
  readonly protocol?: number;
  readonly id?: number;
  readonly tos?: number;
  readonly ttl?: number;
  readonly flagsFragment?: number;
  /** A multiple of four. */
  readonly options?: Uint8Array;
}

/** A sealed packet with `payload`, as the stack holds it after its check. */
export function newPacket(pool: PacketPool, payload: Uint8Array, parts: PacketParts = {}): Packet {
  const options = parts.options ?? new Uint8Array(0);
  const headerLength = IPV4_MIN_LENGTH + options.length;
  const packet = pool.allocate(ETHERNET_LENGTH + headerLength + payload.length);
  if (packet === null) throw new Error("the pool is exhausted");
  const { view, bytes } = pool;
  const at = packet.frame + ETHERNET_LENGTH;
  bytes.fill(0, packet.frame, packet.end);
  packet.network = at;
  packet.transport = at + headerLength;
  IPV4.versionIhl.set(view, at, 0x40 + headerLength / 4);
  IPV4.tos.set(view, at, parts.tos ?? 0);
  IPV4.totalLength.set(view, at, packet.end - at);
  IPV4.id.set(view, at, parts.id ?? 4660);
  IPV4.flagsFragment.set(view, at, parts.flagsFragment ?? 0);
  IPV4.ttl.set(view, at, parts.ttl ?? 64);
  IPV4.protocol.set(view, at, parts.protocol ?? 17);
  IPV4.src.set(view, at, parts.src ?? SOURCE);
  IPV4.dst.set(view, at, parts.dst ?? TARGET);
  bytes.set(options, at + IPV4_MIN_LENGTH);
  bytes.set(payload, packet.transport);
  sealHeader(view, at);
  return packet;
}

/** The octets of the packet, from its IP header on. */
export const octetsFrom = (packet: Packet): Uint8Array =>
  packet.pool.bytes.slice(packet.network, packet.end);

/** The octets after the packet's header. */
export const payloadOf = (packet: Packet): Uint8Array =>
  packet.pool.bytes.slice(packet.transport, packet.end);
