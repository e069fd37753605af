/**
 * What a frame says, in a few words: ARP, IPv4, ICMP, UDP, TCP and the headline of DHCP. Takes any
 * octets; what is not there or not known is said so.
 * @module
 */
import { formatIpv4, formatMac, type Ipv4Addr, type Mac } from "../wire/addr.ts";
import { onesSum, pseudoHeaderSum } from "../wire/checksum.ts";
import { fieldsOf, viewOf } from "../wire/field.ts";
import { mac, struct } from "../wire/layout.ts";
import { ARP, ARP_LENGTH } from "../l2/arp.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../l2/ethernet.ts";
import { ICMP, ICMP_LENGTH } from "../l3/icmp.ts";
import { DONT_FRAGMENT, IPV4, IPV4_MIN_LENGTH, MORE_FRAGMENTS, Protocol } from "../l3/ipv4.ts";
import { TCP, TCP_MIN_LENGTH } from "../l4/tcp.ts";
import { UDP, UDP_LENGTH } from "../l4/udp.ts";
import { DHCP } from "../dhcp/message.ts";

/** In units of 8 octets. */
const OFFSET = 0x1fff;
/** A MAC address stands in the first six octets of `chaddr`. */
const CHADDR = fieldsOf(struct([mac("mac")])).mac;
interface ProtocolSummary {
  readonly name: string;
  /** Octets of the shortest header. */
  readonly header: number;
  readonly say: (view: DataView, at: number, end: number) => string;
}

const PROTOCOLS = new Map<number, ProtocolSummary>([
  [Protocol.Icmp, { name: "ICMP", header: ICMP_LENGTH, say: icmp }],
  [Protocol.Tcp, { name: "TCP", header: TCP_MIN_LENGTH, say: tcp }],
  [Protocol.Udp, { name: "UDP", header: UDP_LENGTH, say: udp }],
]);

const ECHO_REPLY = 0;
const UNREACHABLE = 3;
const ECHO_REQUEST = 8;
const TOO_BIG = 4;
const ICMP_TYPES = new Map([
  [ECHO_REPLY, "echo reply"],
  [UNREACHABLE, "unreachable"],
  [4, "source quench"],
  [5, "redirect"],
  [ECHO_REQUEST, "echo request"],
  [11, "time exceeded"],
  [12, "parameter problem"],
  [13, "timestamp request"],
  [14, "timestamp reply"],
]);
/** Those that quote what they are about. */
const ICMP_ERRORS: readonly number[] = [UNREACHABLE, 4, 5, 11, 12];
/** RFC 792, RFC 1122 section 3.2.2.1 and RFC 1812 section 5.2.7.1, by type and code. */
const ICMP_CODES = new Map(
  Object.entries({
    3:
      "net,host,protocol,port,too big,source route failed,net unknown,host unknown," +
      "source isolated,net prohibited,host prohibited,net for TOS,host for TOS,prohibited," +
      "host precedence,precedence cutoff",
    5: "net,host,net for TOS,host for TOS",
    11: "in transit,in reassembly",
  }).map(([type, codes]) => [Number(type), codes.split(",")]),
);

/** From the least significant bit: RFC 9293 section 3.1. */
const TCP_FLAGS = ["F", "S", "R", "P", ".", "U", "E", "C"];

const DHCP_PORTS: readonly number[] = [67, 68];
/** Where the options begin with their cookie: RFC 2131 section 3. */
const DHCP_COOKIE = 236;
const DHCP_MAGIC = 0x6382_5363;
/** RFC 2132 section 9.6, by number; without one it is BOOTP. */
const DHCP_TYPES = "BOOTP DISCOVER OFFER REQUEST DECLINE ACK NAK RELEASE INFORM".split(" ");

/** `src > dst` of the Ethernet header and what it carries. */
export function summaryOf(octets: Uint8Array): string {
  const view = viewOf(octets);
  const end = octets.length;
  if (end < ETHERNET_LENGTH) return "no Ethernet header";
  const src = formatMac(ETHERNET.src.get(view, 0));
  const dst = formatMac(ETHERNET.dst.get(view, 0));
  return `${src} > ${dst}: ${payload(view, ETHERNET.type.get(view, 0), end)}`;
}

function payload(view: DataView, type: number, end: number): string {
  if (type === EtherType.Arp) return arp(view, ETHERNET_LENGTH, end);
  if (type === EtherType.Ipv4) return ipv4(view, ETHERNET_LENGTH, end);
  if (type === EtherType.Ipv6) return "IPv6";
  return `type 0x${type.toString(16).padStart(4, "0")}`;
}

function arp(view: DataView, at: number, end: number): string {
  if (at + ARP_LENGTH > end) return "ARP cut off";
  const op = ARP.op.get(view, at);
  const sender = formatIpv4(ARP.spa.get(view, at));
  const target = formatIpv4(ARP.tpa.get(view, at));
  const sha = formatMac(ARP.sha.get(view, at));
  if (op === 1) return `ARP who-has ${target} tell ${sender} at ${sha}`;
  const tha = formatMac(ARP.tha.get(view, at));
  return `ARP ${op === 2 ? "reply" : `op ${op}`} ${sender} is-at ${sha} to ${target} at ${tha}`;
}

function ipv4(view: DataView, at: number, frameEnd: number): string {
  if (at + IPV4_MIN_LENGTH > frameEnd) return "IPv4 cut off";
  const header = (IPV4.versionIhl.get(view, at) & 15) * 4;
  const length = IPV4.totalLength.get(view, at);
  const end = Math.min(at + length, frameEnd);
  const words = ipv4Words(view, at);
  const version = IPV4.versionIhl.get(view, at) >> 4;
  const isSound = version === 4 && header >= IPV4_MIN_LENGTH && at + header <= end;
  if (!isSound) return `${words.join(" ")} bad header`;
  if (onesSum(view, at, at + header) !== 0xffff) words.push("bad IPv4 checksum");
  const body = at + header;
  const protocol = IPV4.protocol.get(view, at);
  const known = PROTOCOLS.get(protocol);
  const fragment = IPV4.flagsFragment.get(view, at);
  if ((fragment & OFFSET) !== 0 || known === undefined) {
    words.push(`${known?.name ?? `protocol ${protocol}`}, ${end - body} octets`);
  } else if (body + known.header > end) {
    words.push(`${known.name} cut off`);
  } else {
    words.push(known.say(view, body, end));
    const isWhole = (fragment & MORE_FRAGMENTS) === 0 && at + length <= frameEnd;
    if (isWhole && hasBadChecksum(view, at, body, end)) words.push("bad checksum");
  }
  return words.join(" ");
}

function ipv4Words(view: DataView, at: number): string[] {
  const words = [
    `${formatIpv4(IPV4.src.get(view, at))} > ${formatIpv4(IPV4.dst.get(view, at))}`,
    `ttl ${IPV4.ttl.get(view, at)}`,
    `id ${IPV4.id.get(view, at)}`,
  ];
  const tos = IPV4.tos.get(view, at);
  if (tos !== 0) words.push(`tos 0x${tos.toString(16)}`);
  const fragment = IPV4.flagsFragment.get(view, at);
  if ((fragment & DONT_FRAGMENT) !== 0) words.push("DF");
  const more = (fragment & MORE_FRAGMENTS) === 0 ? "" : "+";
  const offset = (fragment & OFFSET) * 8;
  if (more !== "" || offset !== 0) words.push(`fragment ${offset}${more}`);
  return words;
}

function icmp(view: DataView, at: number, end: number): string {
  const type = ICMP.type.get(view, at);
  const code = ICMP.code.get(view, at);
  const name = ICMP_TYPES.get(type) ?? `type ${type}`;
  const sequence = ICMP.sequence.get(view, at);
  if (type === ECHO_REPLY || type === ECHO_REQUEST) {
    const echo = `id ${ICMP.id.get(view, at)} seq ${sequence}`;
    return `ICMP ${name} ${echo}, ${end - at - ICMP_LENGTH} octets`;
  }
  const detail = ICMP_CODES.get(type)?.[code] ?? `code ${code}`;
  const mtu = type === UNREACHABLE && code === TOO_BIG ? ` mtu ${sequence}` : "";
  const about = ICMP_ERRORS.includes(type) ? quote(view, at + ICMP_LENGTH, end) : "";
  return `ICMP ${name} ${detail}${mtu}${about}`;
}

/** Whose packet an error is about: RFC 792 has it quote the beginning. */
function quote(view: DataView, at: number, end: number): string {
  if (at + IPV4_MIN_LENGTH > end) return "";
  const src = formatIpv4(IPV4.src.get(view, at));
  const dst = formatIpv4(IPV4.dst.get(view, at));
  return ` about ${src} > ${dst}, ${end - at} octets`;
}

function udp(view: DataView, at: number, end: number): string {
  const source = UDP.srcPort.get(view, at);
  const target = UDP.dstPort.get(view, at);
  const body = at + UDP_LENGTH;
  const ports = `UDP ${source} > ${target}, ${end - body} octets`;
  const isDhcp = DHCP_PORTS.includes(source) && DHCP_PORTS.includes(target);
  return isDhcp && body + DHCP_COOKIE <= end ? `${ports}, ${dhcp(view, body, end)}` : ports;
}

function tcp(view: DataView, at: number, end: number): string {
  const bits = TCP.flags.get(view, at);
  const flags = TCP_FLAGS.filter((_, bit) => (bits & (1 << bit)) !== 0).join("");
  const octets = Math.max(0, end - at - TCP.dataOffset.get(view, at) * 4);
  const ports = `${TCP.srcPort.get(view, at)} > ${TCP.dstPort.get(view, at)}`;
  const numbers = `seq ${TCP.seq.get(view, at)} ack ${TCP.ack.get(view, at)}`;
  return `TCP ${ports} [${flags}] ${numbers} win ${TCP.window.get(view, at)}, ${octets} octets`;
}

function dhcp(view: DataView, at: number, end: number): string {
  const client: Mac = CHADDR.get(view, at + DHCP.chaddr.offset);
  const addresses: readonly (readonly [string, Ipv4Addr])[] = [
    ["ciaddr", DHCP.ciaddr.get(view, at)],
    ["yiaddr", DHCP.yiaddr.get(view, at)],
    ["giaddr", DHCP.giaddr.get(view, at)],
  ];
  const said = addresses.filter(([, address]) => address !== 0);
  const type = dhcpType(view, at + DHCP_COOKIE, end);
  const xid = `xid 0x${DHCP.xid.get(view, at).toString(16).padStart(8, "0")}`;
  const words = said.map(([name, address]) => `${name} ${formatIpv4(address)}`);
  return ["DHCP", DHCP_TYPES[type] ?? `type ${type}`, xid, formatMac(client), ...words].join(" ");
}

/** Option 53 of the options behind the cookie; 0 if there is none. */
function dhcpType(view: DataView, at: number, end: number): number {
  if (at + 4 > end || view.getUint32(at) !== DHCP_MAGIC) return 0;
  for (let next = at + 4; next + 2 < end;) {
    const code = view.getUint8(next);
    if (code === 53) return view.getUint8(next + 2);
    if (code === 255) return 0;
    next += code === 0 ? 1 : 2 + view.getUint8(next + 1);
  }
  return 0;
}

function hasBadChecksum(view: DataView, ip: number, at: number, end: number): boolean {
  const protocol = IPV4.protocol.get(view, ip);
  if (protocol === Protocol.Icmp) return onesSum(view, at, end) !== 0xffff;
  let length = end - at;
  if (protocol === Protocol.Udp) {
    if (UDP.checksum.get(view, at) === 0) return false;
    length = Math.min(length, UDP.length.get(view, at));
  }
  const pseudo = pseudoHeaderSum(IPV4.src.get(view, ip), IPV4.dst.get(view, ip), protocol, length);
  return onesSum(view, at, at + length, pseudo) !== 0xffff;
}
