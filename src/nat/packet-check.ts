/**
 * What connection tracking wants of a packet before it looks for its connection (`tcp_error`,
 * `udp_error`, `icmp_error` of Linux).
 * @module
 */
import {
  onesSum as ImportedonesSum,
  pseudoHeaderSum as ImportedpseudoHeaderSum,
} from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { ICMP, ICMP_LAST_TYPE, ICMP_LENGTH } from "../l3/icmp.ts";
import { IPV4 as ImportedIPV4, Protocol as ImportedProtocol } from "../l3/ipv4.ts";
import { checkGre } from "../l4/gre.ts";
import { checkTcp, TCP as ImportedTCP } from "../l4/tcp.ts";
import { checkUdp, UDP as ImportedUDP } from "../l4/udp.ts";
import { checkUdpLite, checkUdpLiteChecksum } from "../l4/udp-lite.ts";
import type { ConntrackBehaviour } from "./behaviour.ts";
import type { InvalidCause } from "./outcome.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const IPV4 = ImportedIPV4;
const Protocol = ImportedProtocol;
const UDP = ImportedUDP;
const TCP = ImportedTCP;
// Read of every packet: as fields they would cost a call each.
const FRAGMENT = IPV4.flagsFragment.offset;
const FRAGMENT_OFFSET = 0x1fff;
const PROTOCOL = IPV4.protocol.offset;
const SOURCE = IPV4.src.offset;
const DESTINATION = IPV4.dst.offset;
const UDP_CHECKSUM = UDP.checksum.offset;
const onesSum = ImportedonesSum;
const pseudoHeaderSum = ImportedpseudoHeaderSum;

/**
 * Judge the whole packet whose headers are set.
 * @param verifies false to believe every checksum; those that Dom0 is to complete, or whose sender
 * answers for them, are believed in any case.
 * @returns `null` if the headers that tracking reads are sound; or why the packet is invalid.
 */
export function checkPacket(
  packet: Packet,
  { tcp, trackers }: ConntrackBehaviour,
  verifies: boolean,
): InvalidCause | null {
  const { view } = packet.pool;
  const { network, transport: at, end } = packet;
  const sums = verifies && !packet.hasBlankChecksum && !packet.hasSoundChecksums;
  if ((view.getUint16(network + FRAGMENT) & FRAGMENT_OFFSET) !== 0) return "ipv4/fragment";
  const protocol = view.getUint8(network + PROTOCOL);
  switch (protocol) {
    case Protocol.Tcp: {
      const wrong = checkTcp(view, at, end);
      if (wrong !== null) return wrong;
      if (sums && !isWhole(packet, Protocol.Tcp)) return "tcp/checksum";
      return tcp.isSound(TCP.flags.get(view, at)) ? null : "tcp/flags";
    }
    case Protocol.Udp: {
      const wrong = checkUdp(view, at, end);
      if (wrong !== null) return wrong;
      const isSummed = sums && view.getUint16(at + UDP_CHECKSUM) !== 0;
      return isSummed && !isWhole(packet, Protocol.Udp) ? "udp/checksum" : null;
    }
    case Protocol.Icmp:
      if (end - at < ICMP_LENGTH) return "icmp/truncated";
      if (sums && onesSum(view, at, end) !== 0xffff) return "icmp/checksum";
      return ICMP.type.get(view, at) > ICMP_LAST_TYPE ? "icmp/type" : null;
    default:
      return trackers.has(protocol) ? checkKin(packet, sums) : null;
  }
}

/** As {@link checkPacket}, for protocols that only a current kernel tracks. */
function checkKin(packet: Packet, verifies: boolean): InvalidCause | null {
  const { pool, network, transport: at, end } = packet;
  const { view } = pool;
  if (IPV4.protocol.get(view, network) === Protocol.Gre) return checkGre(view, at, end);
  const wrong = checkUdpLite(view, at, end);
  if (wrong !== null || !verifies) return wrong;
  const src = IPV4.src.get(view, network);
  return checkUdpLiteChecksum(view, at, end, src, IPV4.dst.get(view, network));
}

/** Linux sums up to the end of the IP packet, even where UDP says that it ends before. */
function isWhole({ pool, network, transport, end }: Packet, protocol: number): boolean {
  const { view } = pool;
  const src = view.getInt32(network + SOURCE);
  const dst = view.getInt32(network + DESTINATION);
  const pseudo = pseudoHeaderSum(src, dst, protocol, end - transport);
  return onesSum(view, transport, end, pseudo) === 0xffff;
}
