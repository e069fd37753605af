/** Counts what the cases of a run were about. @module */
import { EtherType } from "../../src/l2/ethernet.ts";
import { IcmpType, isIcmpError } from "../../src/l3/icmp.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { readPacket, readSegment } from "./packet-reading.ts";
import type { TalkRecording } from "./talk-case.ts";

const PROTOCOLS: ReadonlyMap<number, string> = new Map([
  [Protocol.Icmp, "ICMP"],
  [Protocol.Tcp, "TCP"],
  [Protocol.Udp, "UDP"],
  [Protocol.Gre, "GRE"],
  [Protocol.Sctp, "SCTP"],
  [Protocol.UdpLite, "UDP-Lite"],
]);

/** How often each kind of world, rule and frame came. */
export class Census {
  readonly #counts = new Map<string, number>();

  add({ world, frames, sent, flows, end }: TalkRecording): void {
    this.#count("worlds");
    this.addRules(world.iptables ?? "");
    if (end.connections.length > 0) this.#count("worlds with connections");
    this.#count("connections", flows.flat().length);
    for (const { octets, command } of frames) {
      if (command === undefined) this.addInput(octets);
      else this.addCommand(command);
    }
    for (const { octets } of sent) this.#count(`out: ${kindOf(octets)}`);
    this.#count("frames in", frames.length);
    this.#count("frames out", sent.length);
  }

  /** Count the rules of a world. */
  addRules(text: string): void {
    const rules = text.split("\n").filter((line) => line.startsWith("-A"));
    if (rules.length === 0) return;
    this.#count("worlds with rules");
    this.#count("rules", rules.length);
    for (const line of rules) {
      for (const [, kind = "", name = ""] of line.matchAll(/ -([mj]) (\S+)/g)) {
        if (kind === "m" || /^[A-Z]+$/.test(name)) this.#count(`rules with ${name}`);
      }
    }
  }

  /** Count a frame, in hexadecimal, that the router gets. */
  addInput(octets: string): void {
    this.#count(`in: ${kindOf(octets)}`);
  }

  /** Count a command that the router gets. */
  addCommand(command: string): void {
    this.#count(`commands: ${kindOfCommand(command)}`);
  }

  /** One line a kind, in alphabetical order. */
  get lines(): readonly string[] {
    const kinds = [...this.#counts].toSorted(([left], [right]) => (left < right ? -1 : 1));
    return kinds.map(([kind, count]) => `${String(count).padStart(9)} ${kind}`);
  }

  get(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  #count(kind: string, by = 1): void {
    this.#counts.set(kind, this.get(kind) + by);
  }
}

/** "iptables -t nat", "ip addr del", "sysctl rp_filter". */
function kindOfCommand(command: string): string {
  const setting = /^sysctl -w .*?(\w+)=/.exec(command)?.[1];
  return setting === undefined ? command.split(" ").slice(0, 3).join(" ") : `sysctl ${setting}`;
}

/** A frame in a word or two. */
function kindOf(octets: string): string {
  const frame = Buffer.from(octets, "hex");
  const type = frame.length < 14 ? 0 : frame.readUInt16BE(12);
  if (type === EtherType.Arp) return "ARP";
  const reading = readPacket(frame);
  if (reading === null) return "other than IPv4 and ARP";
  if (reading.isLaterFragment) return "later fragments";
  const { protocol, payload } = reading;
  if (protocol === Protocol.Icmp && isIcmpError(payload[0] ?? IcmpType.EchoReply)) {
    return "ICMP errors";
  }
  const segment = readSegment(reading);
  if (segment !== null && (segment.flags & TcpFlag.Rst) !== 0) return "TCP resets";
  return PROTOCOLS.get(protocol) ?? "other protocols";
}
