/** A frame in the words of the kernel's log (Linux `ebt_log_packet`). @module */
import { formatIpv4, formatMac } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import { ARP, ARP_LENGTH } from "../../l2/arp.ts";
import type { FrameContext } from "../../l2/bridge-hooks.ts";
import { ETHERNET, EtherType } from "../../l2/ethernet.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../../l3/ipv4.ts";
import { UDP } from "../../l4/udp.ts";
import { payloadAt, payloadType } from "./frame.ts";

/** What a line says beyond addresses and type. */
export interface FrameLineDetails {
  readonly hasIp: boolean;
  readonly hasArp: boolean;
}

const RARP = 0x8035;
const ETHERNET_HARDWARE = 1;
const PORTS_LENGTH = 4;
const DCCP = 33;
const SCTP = 132;
const UDPLITE = 136;
const WITH_PORTS: readonly number[] = [Protocol.Tcp, Protocol.Udp, UDPLITE, SCTP, DCCP];

/** What the watcher writes after its prefix. Reads no octet past the packet's end. */
export function formatFrameLine(
  packet: Packet,
  { input, output }: FrameContext,
  { hasIp, hasArp }: FrameLineDetails,
): string {
  const { view } = packet.pool;
  const { frame, end } = packet;
  const type = payloadType(packet);
  const at = payloadAt(packet);
  const line = [
    ` IN=${input?.name ?? ""} OUT=${output?.name ?? ""}`,
    ` MAC source = ${formatMac(ETHERNET.src.get(view, frame))}`,
    ` MAC dest = ${formatMac(ETHERNET.dst.get(view, frame))}`,
    ` proto = 0x${type.toString(16).padStart(4, "0")}`,
  ].join("");
  if (hasIp && type === EtherType.Ipv4) return line + formatIp(view, at, end);
  const isArp = type === EtherType.Arp || type === RARP;
  return hasArp && isArp ? line + formatArp(view, at, end) : line;
}

function formatIp(view: DataView, at: number, end: number): string {
  if (end - at < IPV4_MIN_LENGTH) return " INCOMPLETE IP header";
  const tos = IPV4.tos.get(view, at).toString(16).padStart(2, "0").toUpperCase();
  const protocol = IPV4.protocol.get(view, at);
  const line = [
    ` IP SRC=${formatIpv4(IPV4.src.get(view, at))}`,
    ` IP DST=${formatIpv4(IPV4.dst.get(view, at))},`,
    ` IP tos=0x${tos}, IP proto=${protocol}`,
  ].join("");
  if (!WITH_PORTS.includes(protocol)) return line;
  const header = at + headerLengthOf(view, at);
  if (end - header < PORTS_LENGTH) return `${line} INCOMPLETE TCP/UDP header`;
  return `${line} SPT=${UDP.srcPort.get(view, header)} DPT=${UDP.dstPort.get(view, header)}`;
}

function formatArp(view: DataView, at: number, end: number): string {
  if (end - at < ARP.sha.offset) return " INCOMPLETE ARP header";
  const htype = ARP.htype.get(view, at);
  const ptype = ARP.ptype.get(view, at).toString(16).padStart(4, "0");
  const line = ` ARP HTYPE=${htype}, PTYPE=0x${ptype}, OPCODE=${ARP.op.get(view, at)}`;
  const lengths = ARP.hlen.get(view, at) === 6 && ARP.plen.get(view, at) === 4;
  if (htype !== ETHERNET_HARDWARE || !lengths) return line;
  if (end - at < ARP_LENGTH) return `${line} INCOMPLETE ARP payload`;
  return [
    line,
    ` ARP MAC SRC=${formatMac(ARP.sha.get(view, at))}`,
    ` ARP IP SRC=${formatIpv4(ARP.spa.get(view, at))}`,
    ` ARP MAC DST=${formatMac(ARP.tha.get(view, at))}`,
    ` ARP IP DST=${formatIpv4(ARP.tpa.get(view, at))}`,
  ].join("");
}
