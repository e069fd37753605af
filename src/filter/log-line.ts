/** A packet in the words of the kernel's log (Linux `net/netfilter/nf_log_syslog.c`). @module */
import { formatIpv4, formatMac } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET, ETHERNET_LENGTH } from "../l2/ethernet.ts";
import type { HookContext } from "../l3/hooks.ts";
import { ICMP, ICMP_LENGTH, IcmpType, isIcmpError, Unreachable } from "../l3/icmp.ts";
import {
  DONT_FRAGMENT,
  headerLengthOf,
  IPV4,
  IPV4_MIN_LENGTH,
  MORE_FRAGMENTS,
  Protocol,
} from "../l3/ipv4.ts";
import { TCP, TCP_MIN_LENGTH, TcpFlag, tcpHeaderLengthOf } from "../l4/tcp.ts";
import { UDP, UDP_LENGTH } from "../l4/udp.ts";

/** What a line says beyond the usual. */
export interface LogDetails {
  readonly hasSequence: boolean;
  readonly hasTcpOptions: boolean;
  readonly hasIpOptions: boolean;
  readonly decodesMac: boolean;
}

const EVIL = 0x8000;
const OFFSET_MASK = 0x1fff;
const TOS_MASK = 0x1e;
const PRECEDENCE_MASK = 0xe0;
const UDPLITE = 136;
const ESP = 50;
const AH = 51;
/** Octets of the headers of ESP and AH, and where their SPI stands. */
const ESP_LENGTH = 8;
const AH_LENGTH = 12;
const AH_SPI_OFFSET = 4;

const TCP_FLAGS: readonly (readonly [string, number])[] = [
  ["CWR", TcpFlag.Cwr],
  ["ECE", TcpFlag.Ece],
  ["URG", TcpFlag.Urg],
  ["ACK", TcpFlag.Ack],
  ["PSH", TcpFlag.Psh],
  ["RST", TcpFlag.Rst],
  ["SYN", TcpFlag.Syn],
  ["FIN", TcpFlag.Fin],
];

/** Octets that an ICMP message of a type must have for its content to be told; 0 for any. */
const ICMP_REQUIRED: ReadonlyMap<number, number> = new Map([
  [IcmpType.EchoReply, 4],
  [IcmpType.Unreachable, ICMP_LENGTH + IPV4_MIN_LENGTH],
  [IcmpType.SourceQuench, ICMP_LENGTH + IPV4_MIN_LENGTH],
  [IcmpType.Redirect, ICMP_LENGTH + IPV4_MIN_LENGTH],
  [IcmpType.Echo, 4],
  [IcmpType.TimeExceeded, ICMP_LENGTH + IPV4_MIN_LENGTH],
  [IcmpType.ParameterProblem, ICMP_LENGTH + IPV4_MIN_LENGTH],
  [IcmpType.Timestamp, 20],
  [IcmpType.TimestampReply, 20],
  [IcmpType.AddressMask, 12],
  [IcmpType.AddressMaskReply, 12],
]);

/** Where a packet, or one that an ICMP error quotes, lies. */
interface Octets {
  readonly view: DataView;
  /** First octet of the IP header. */
  readonly at: number;
  readonly end: number;
  readonly details: LogDetails;
  readonly isQuoted: boolean;
}

/** What `LOG` writes after its prefix; a space ends it. Reads no octet past the packet's end. */
export function formatLogLine(
  packet: Packet,
  { input, output }: HookContext,
  details: LogDetails,
): string {
  const { view } = packet.pool;
  const devices = `IN=${input?.name ?? ""} OUT=${output?.name ?? ""} `;
  const frame = input === null ? "" : formatFrame(packet, details);
  const { network: at, end } = packet;
  const octets: Octets = { view, at, end, details, isQuoted: false };
  const mark = packet.mark === 0 || endsEarly(octets) ? "" : `MARK=0x${packet.mark.toString(16)} `;
  return devices + frame + formatIp(octets) + mark;
}

/** True if the kernel stops in the middle of the transport header, before the mark. */
function endsEarly({ view, at, end, details }: Octets): boolean {
  if (IPV4.fragmentOffset.get(view, at) !== 0) return false;
  const header = at + headerLengthOf(view, at);
  const protocol = IPV4.protocol.get(view, at);
  if (protocol === Protocol.Udp || protocol === UDPLITE) return end - header < UDP_LENGTH;
  if (protocol !== Protocol.Tcp) return false;
  if (end - header < TCP_MIN_LENGTH) return true;
  return details.hasTcpOptions && end - header < tcpHeaderLengthOf(view, header);
}

function formatFrame({ pool, frame, network }: Packet, { decodesMac }: LogDetails): string {
  const { view, bytes } = pool;
  const hasHeader = network - frame >= ETHERNET_LENGTH;
  if (decodesMac) {
    if (!hasHeader) return "";
    const source = formatMac(ETHERNET.src.get(view, frame));
    const target = formatMac(ETHERNET.dst.get(view, frame));
    const type = ETHERNET.type.get(view, frame).toString(16).padStart(4, "0");
    return `MACSRC=${source} MACDST=${target} MACPROTO=${type} `;
  }
  const header = hasHeader ? bytes.subarray(frame, frame + ETHERNET_LENGTH) : [];
  return `MAC=${[...header].map(octet).join(":")} `;
}

function formatIp(octets: Octets): string {
  const { view, at, end, details } = octets;
  if (end - at < IPV4_MIN_LENGTH) return "TRUNCATED";
  const tos = IPV4.tos.get(view, at);
  const fragment = IPV4.flagsFragment.get(view, at);
  const offset = fragment & OFFSET_MASK;
  const line = [
    `SRC=${formatIpv4(IPV4.src.get(view, at))} DST=${formatIpv4(IPV4.dst.get(view, at))} `,
    `LEN=${IPV4.totalLength.get(view, at)} TOS=0x${octet(tos & TOS_MASK).toUpperCase()} `,
    `PREC=0x${octet(tos & PRECEDENCE_MASK).toUpperCase()} TTL=${IPV4.ttl.get(view, at)} `,
    `ID=${IPV4.id.get(view, at)} `,
    (fragment & EVIL) === 0 ? "" : "CE ",
    (fragment & DONT_FRAGMENT) === 0 ? "" : "DF ",
    (fragment & MORE_FRAGMENTS) === 0 ? "" : "MF ",
    offset === 0 ? "" : `FRAG:${offset} `,
  ].join("");
  const headerLength = headerLengthOf(view, at);
  if (details.hasIpOptions && headerLength > IPV4_MIN_LENGTH) {
    if (at + headerLength > end) return `${line}TRUNCATED`;
    return line + formatOctets(view, at + IPV4_MIN_LENGTH, at + headerLength) + content(octets);
  }
  return line + content(octets);
}

/** What the packet carries. */
function content(octets: Octets): string {
  const { view, at, end } = octets;
  const header = at + headerLengthOf(view, at);
  const isLater = (IPV4.flagsFragment.get(view, at) & OFFSET_MASK) !== 0;
  const protocol = IPV4.protocol.get(view, at);
  switch (protocol) {
    case Protocol.Tcp:
      return `PROTO=TCP ${isLater ? "" : formatTcp(octets, header)}`;
    case Protocol.Udp:
      return `PROTO=UDP ${isLater ? "" : formatUdp(view, header, end)}`;
    case UDPLITE:
      return `PROTO=UDPLITE ${isLater ? "" : formatUdp(view, header, end)}`;
    case Protocol.Icmp:
      return `PROTO=ICMP ${isLater ? "" : formatIcmp(octets, header)}`;
    case AH:
      return isLater ? "" : `PROTO=AH ${formatSpi(view, header, end, AH_LENGTH, AH_SPI_OFFSET)}`;
    case ESP:
      return `PROTO=ESP ${isLater ? "" : formatSpi(view, header, end, ESP_LENGTH, 0)}`;
    default:
      return `PROTO=${protocol} `;
  }
}

function formatTcp({ view, end, details }: Octets, at: number): string {
  if (end - at < TCP_MIN_LENGTH) return incomplete(at, end);
  const flags = TCP.flags.get(view, at);
  const line = [
    `SPT=${TCP.srcPort.get(view, at)} DPT=${TCP.dstPort.get(view, at)} `,
    details.hasSequence ? `SEQ=${TCP.seq.get(view, at)} ACK=${TCP.ack.get(view, at)} ` : "",
    `WINDOW=${TCP.window.get(view, at)} `,
    `RES=0x${octet(TCP.reserved.get(view, at) << 2)} `,
    ...TCP_FLAGS.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => `${name} `),
    `URGP=${TCP.urgent.get(view, at)} `,
  ].join("");
  const length = tcpHeaderLengthOf(view, at);
  if (!details.hasTcpOptions || length <= TCP_MIN_LENGTH) return line;
  if (at + length > end) return `${line}OPT (TRUNCATED)`;
  return line + formatOctets(view, at + TCP_MIN_LENGTH, at + length);
}

function formatUdp(view: DataView, at: number, end: number): string {
  if (end - at < UDP_LENGTH) return incomplete(at, end);
  const ports = `SPT=${UDP.srcPort.get(view, at)} DPT=${UDP.dstPort.get(view, at)} `;
  return `${ports}LEN=${UDP.length.get(view, at)} `;
}

function formatIcmp(octets: Octets, at: number): string {
  const { view, end, isQuoted } = octets;
  if (end - at < ICMP_LENGTH) return incomplete(at, end);
  const type = ICMP.type.get(view, at);
  const code = ICMP.code.get(view, at);
  const line = `TYPE=${type} CODE=${code} `;
  if (end - at < (ICMP_REQUIRED.get(type) ?? 0)) return line + incomplete(at, end);
  if (type === IcmpType.Echo || type === IcmpType.EchoReply) {
    return `${line}ID=${ICMP.id.get(view, at)} SEQ=${ICMP.sequence.get(view, at)} `;
  }
  if (type === IcmpType.ParameterProblem) {
    return `${line}PARAMETER=${ICMP.pointer.get(view, at)} `;
  }
  if (!isIcmpError(type)) return line;
  const gateway =
    type === IcmpType.Redirect ? `GATEWAY=${formatIpv4(ICMP.gateway.get(view, at))} ` : "";
  const quoted = isQuoted
    ? ""
    : `[${formatIp({ ...octets, at: at + ICMP_LENGTH, isQuoted: true })}] `;
  const isTooBig = type === IcmpType.Unreachable && code === Unreachable.FragmentationNeeded;
  return line + gateway + quoted + (isTooBig ? `MTU=${ICMP.mtu.get(view, at)} ` : "");
}

function formatSpi(view: DataView, at: number, end: number, length: number, spi: number): string {
  if (end - at < length) return incomplete(at, end);
  return `SPI=0x${view.getUint32(at + spi).toString(16)} `;
}

const formatOctets = (view: DataView, at: number, end: number): string => {
  let text = "";
  for (let index = at; index < end; index += 1) text += octet(view.getUint8(index)).toUpperCase();
  return `OPT (${text}) `;
};

/** A header that begins past the end has as many octets as an unsigned difference says. */
const incomplete = (at: number, end: number): string => `INCOMPLETE [${(end - at) >>> 0} bytes] `;

const octet = (value: number): string => value.toString(16).padStart(2, "0");
