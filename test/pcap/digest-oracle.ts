/** What a digest must say of a frame, put together from what tshark says. @module */

/** What tshark is asked for. */
export const DIGEST_FIELDS = [
  "eth.src",
  "eth.dst",
  "eth.type",
  "frame.len",
  "arp.opcode",
  "arp.src.proto_ipv4",
  "arp.dst.proto_ipv4",
  "arp.src.hw_mac",
  "arp.dst.hw_mac",
  "ip.src",
  "ip.dst",
  "ip.version",
  "ip.proto",
  "ip.ttl",
  "ip.id",
  "ip.dsfield",
  "ip.flags.df",
  "ip.flags.mf",
  "ip.frag_offset",
  "ip.checksum.status",
  "icmp.type",
  "icmp.code",
  "icmp.ident",
  "icmp.seq",
  "icmp.checksum.status",
  "udp.srcport",
  "udp.dstport",
  "udp.length",
  "udp.checksum.status",
  "tcp.srcport",
  "tcp.dstport",
  "tcp.seq",
  "tcp.ack",
  "tcp.window_size_value",
  "tcp.flags",
  "tcp.len",
  "tcp.checksum.status",
  "dhcp.option.dhcp",
  "dhcp.id",
  "dhcp.hw.mac_addr",
] as const;
export type Dissected = Record<(typeof DIGEST_FIELDS)[number], string>;

const DHCP = [
  "BOOTP",
  "DISCOVER",
  "OFFER",
  "REQUEST",
  "DECLINE",
  "ACK",
  "NAK",
  "RELEASE",
  "INFORM",
];
const ICMP = new Map([
  ["3/1", "unreachable host"],
  ["3/2", "unreachable protocol"],
  ["3/3", "unreachable port"],
  ["3/4", "unreachable too big"],
  ["3/13", "unreachable prohibited"],
  ["5/1", "redirect host"],
  ["11/0", "time exceeded in transit"],
  ["11/1", "time exceeded in reassembly"],
  ["12/0", "parameter problem"],
]);
const BAD = "0";

/** What a digest must say behind its time; `null` if that cannot be told from the fields. */
export function said(fields: Dissected): string | null {
  const ethernet = `${fields["eth.src"]} > ${fields["eth.dst"]}: `;
  const end = ` (${fields["frame.len"]})`;
  const type = Number(fields["eth.type"]);
  if (type === 0x86dd) return `${ethernet}IPv6${end}`;
  if (type === 0x0806) return `${ethernet}${arpSaid(fields)}${end}`;
  if (type !== 0x0800 || fields["ip.version"] !== "4") return null;
  const transport = transportSaid(fields);
  return transport === null ? null : `${ethernet}${ipSaid(fields)} ${transport}${end}`;
}

function arpSaid(fields: Dissected): string {
  const [sender, target] = [fields["arp.src.proto_ipv4"], fields["arp.dst.proto_ipv4"]];
  const [sha, tha] = [fields["arp.src.hw_mac"], fields["arp.dst.hw_mac"]];
  return fields["arp.opcode"] === "1"
    ? `ARP who-has ${target} tell ${sender} at ${sha}`
    : `ARP reply ${sender} is-at ${sha} to ${target} at ${tha}`;
}

function ipSaid(fields: Dissected): string {
  const words = [`${fields["ip.src"]} > ${fields["ip.dst"]} ttl ${fields["ip.ttl"]}`];
  words.push(`id ${Number(fields["ip.id"])}`);
  const tos = Number(fields["ip.dsfield"]);
  if (tos !== 0) words.push(`tos 0x${tos.toString(16)}`);
  if (fields["ip.flags.df"] === "1") words.push("DF");
  const more = fields["ip.flags.mf"] === "1";
  const offset = Number(fields["ip.frag_offset"]) * 8;
  if (more || offset > 0) words.push(`fragment ${offset}${more ? "+" : ""}`);
  if (fields["ip.checksum.status"] === BAD) words.push("bad IPv4 checksum");
  return words.join(" ");
}

function transportSaid(fields: Dissected): string | null {
  const isFragment = fields["ip.flags.mf"] === "1" || fields["ip.frag_offset"] !== "0";
  if (fields["ip.frag_offset"] !== "0") return null;
  const protocol = fields["ip.proto"];
  const bad = (status: string): string => (status === BAD && !isFragment ? " bad checksum" : "");
  if (protocol === "6") {
    const bits = Number(fields["tcp.flags"]);
    const flags = Array.from("FSRP.UEC")
      .filter((_, bit) => (bits & (1 << bit)) !== 0)
      .join("");
    const ports = `${fields["tcp.srcport"]} > ${fields["tcp.dstport"]}`;
    const numbers = `seq ${fields["tcp.seq"]} ack ${fields["tcp.ack"]}`;
    const window = `win ${fields["tcp.window_size_value"]}, ${fields["tcp.len"]} octets`;
    return `TCP ${ports} [${flags}] ${numbers} ${window}${bad(fields["tcp.checksum.status"])}`;
  }
  if (protocol === "17" && fields["dhcp.id"] === "" && !isFragment) {
    const ports = `${fields["udp.srcport"]} > ${fields["udp.dstport"]}`;
    const octets = `${Number(fields["udp.length"]) - 8} octets`;
    return `UDP ${ports}, ${octets}${bad(fields["udp.checksum.status"])}`;
  }
  return null;
}

/** Pieces that the line must have where {@link said} cannot tell all of it. */
export function pieces(fields: Dissected): string[] {
  const ethernet = `${fields["eth.src"]} > ${fields["eth.dst"]}: `;
  if (fields["ip.version"] !== "4") return [ethernet];
  if (fields["ip.dst"] === "") return [`${ethernet}IPv4 cut off`];
  const found = [`${ethernet}${ipSaid(fields)} `];
  if (fields["ip.frag_offset"] !== "0") return found;
  if (fields["dhcp.id"] !== "" && fields["ip.proto"] === "17") {
    const xid = `0x${Number(fields["dhcp.id"]).toString(16).padStart(8, "0")}`;
    const type = DHCP[Number(fields["dhcp.option.dhcp"])] ?? "";
    found.push(`, DHCP ${type} xid ${xid} ${fields["dhcp.hw.mac_addr"]}`);
  }
  if (fields["ip.proto"] === "1") {
    const type = `${fields["icmp.type"]}/${fields["icmp.code"]}`;
    const echo = `id ${Number(fields["icmp.ident"])} seq ${fields["icmp.seq"]}, `;
    if (type === "8/0") found.push(`ICMP echo request ${echo}`);
    if (type === "0/0") found.push(`ICMP echo reply ${echo}`);
    const name = ICMP.get(type);
    if (name !== undefined) found.push(`ICMP ${name}`);
  }
  return found;
}
