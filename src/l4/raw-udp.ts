/**
 * UDP by a packet socket: whole frames read and written past the host's stack, as DHCP's programs
 * do while there is no address (ISC dhcp's common/packet.c and common/lpf.c).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { IS_LITTLE_ENDIAN as ImportedIS_LITTLE_ENDIAN } from "../wire/layout.ts";
import type { Packet, PacketPool } from "../wire/packet.ts";
import {
  ETHERNET as ImportedETHERNET,
  ETHERNET_LENGTH as ImportedETHERNET_LENGTH,
  EtherType as ImportedEtherType,
  writeEthernet,
} from "../l2/ethernet.ts";
import {
  checkIpv4,
  headerLengthOf,
  IPV4 as ImportedIPV4,
  IPV4_MIN_LENGTH as ImportedIPV4_MIN_LENGTH,
  isFragment,
  Protocol as ImportedProtocol,
  sealHeader,
  writeIpv4,
} from "../l3/ipv4.ts";
import {
  checkUdp,
  checkUdpChecksum,
  sealUdp,
  UDP as ImportedUDP,
  UDP_LENGTH as ImportedUDP_LENGTH,
} from "./udp.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const ETHERNET = ImportedETHERNET;
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const EtherType = ImportedEtherType;
const IPV4 = ImportedIPV4;
const IPV4_MIN_LENGTH = ImportedIPV4_MIN_LENGTH;
const Protocol = ImportedProtocol;
const UDP = ImportedUDP;
const IS_LITTLE_ENDIAN = ImportedIS_LITTLE_ENDIAN;
const UDP_LENGTH = ImportedUDP_LENGTH;
// Read of every frame: as a field it would cost a call.
const DESTINATION_PORT = UDP.dstPort.offset;

/** A datagram in a frame that a packet socket saw. */
export interface RawDatagram {
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  /** A copy. */
  readonly payload: Uint8Array;
}

/**
 * The filter of a packet socket: most frames are not for it, and nothing is summed in vain.
 * @returns true if the frame in `packet` may be a datagram to `port`.
 */
export function isRawUdpTo({ pool: { view }, frame, end }: Packet, port: number): boolean {
  const at = frame + ETHERNET_LENGTH;
  if (end - at < IPV4_MIN_LENGTH + UDP_LENGTH) return false;
  const udp = at + ((view.getUint8(at) & 0xf) << 2);
  return (
    end - udp >= UDP_LENGTH &&
    view.getUint16(udp + DESTINATION_PORT) === port &&
    IPV4.protocol.get(view, at) === Protocol.Udp &&
    ETHERNET.type.get(view, frame) === EtherType.Ipv4
  );
}

/** The first packet from `from` to before `to` that {@link isRawUdpTo} `port`; `to` for none. */
export function findRawUdpTo(
  packets: readonly Packet[],
  from: number,
  to: number,
  port: number,
): number {
  const word = IS_LITTLE_ENDIAN ? ((port & 0xff) << 8) | (port >>> 8) : -1;
  for (let index = from; index < to; index += 1) {
    const packet = packets[index];
    if (packet === undefined) return to;
    const { words } = packet.pool;
    const at = (packet.frame + ETHERNET_LENGTH) >> 2;
    // Of a header of five words that begins one, nearly always, the ports are the sixth.
    const isUsual = (packet.frame & 3) === 2 && ((words[at] ?? 0) & 0xf) === 5;
    const isOther = isUsual && word >= 0 && (words[at + 5] ?? 0) >>> 16 !== word;
    if (!isOther && isRawUdpTo(packet, port)) return index;
  }
  return to;
}

/**
 * Read the frame in `packet`, which is borrowed and may be addressed to anyone.
 * @returns its datagram if it is a whole and sound one to `port`; else `null`.
 */
export function readRawUdp(packet: Packet, port: number): RawDatagram | null {
  if (!isRawUdpTo(packet, port)) return null;
  const { view, bytes } = packet.pool;
  const { frame, end: frameEnd } = packet;
  const at = frame + ETHERNET_LENGTH;
  const udp = at + headerLengthOf(view, at);
  if (checkIpv4(view, at, frameEnd) !== null || isFragment(view, at)) return null;
  const end = at + IPV4.totalLength.get(view, at);
  if (checkUdp(view, udp, end) !== null) return null;
  const source = IPV4.src.get(view, at);
  const destination = IPV4.dst.get(view, at);
  const isSound =
    packet.hasBlankChecksum || checkUdpChecksum(view, udp, source, destination) === null;
  if (!isSound) return null;
  const payload = bytes.slice(udp + UDP_LENGTH, udp + UDP.length.get(view, udp));
  return { source, destination, sourcePort: UDP.srcPort.get(view, udp), payload };
}

/** A datagram to be sent, with what its frame says. */
export interface RawUdpFrame {
  readonly payload: Uint8Array;
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly destinationMac: Mac;
  readonly ttl: number;
  readonly tos: number;
  /** IP identification. */
  readonly id: number;
}

/** Send `raw` out of `device`. A full pool sends nothing. */
export function transmitRawUdp(
  pool: PacketPool,
  device: Device,
  raw: RawUdpFrame,
  now: Instant,
): void {
  const { source: src, destination: dst, ttl, tos, id, payload } = raw;
  const overhead = ETHERNET_LENGTH + IPV4_MIN_LENGTH + UDP_LENGTH;
  const packet = pool.allocate(overhead + payload.length);
  if (packet === null) return;
  const { view, bytes } = pool;
  writeEthernet(view, packet.frame, raw.destinationMac, device.mac, EtherType.Ipv4);
  packet.network = packet.frame + ETHERNET_LENGTH;
  writeIpv4(packet, { protocol: Protocol.Udp, src, dst, ttl, tos, id });
  sealHeader(view, packet.network);
  const at = packet.transport;
  UDP.srcPort.set(view, at, raw.sourcePort);
  UDP.dstPort.set(view, at, raw.destinationPort);
  bytes.set(payload, at + UDP_LENGTH);
  sealUdp(view, at, packet.end, src, dst);
  device.transmit(packet, now);
}
