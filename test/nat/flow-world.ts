/**
 * One translating router in two makings, the kernel's and ours, and the packets that both get:
 * hosts 10.0.0.0/24 behind in0, all others behind out0.
 * @module
 */
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Instant } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import { decrementTtl, headerLengthOf, IPV4, Protocol } from "../../src/l3/ipv4.ts";
import type { NatRules } from "../../src/l3/nat-range.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Conntrack } from "../../src/nat/conntrack.ts";
import { formatFlow } from "../../src/nat/flow-entry.ts";
import { Nat } from "../../src/nat/nat.ts";
import { parseMac } from "../../src/wire/addr.ts";
import { update16 } from "../../src/wire/checksum.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import type { FlowRequest, FlowStep } from "./kernel-flows.ts";
import { read } from "./packets.ts";

/** How the router translates: rules for the kernel, and the same for us. */
export interface Translation {
  readonly name: string;
  /** Lines of iptables' nat table. */
  readonly iptables: readonly string[];
  readonly rules: NatRules;
}

/** The type of service that FORWARD gives to each state, so that the far ends see it. */
const MARKS: ReadonlyMap<number, number> = new Map([
  [FlowState.Invalid, 0x04],
  [FlowState.New, 0x08],
  [FlowState.Established, 0x10],
  [FlowState.EstablishedReply, 0x14],
  [FlowState.Related, 0x20],
  [FlowState.RelatedReply, 0x24],
]);
const STATES = "-A FORWARD -m conntrack --ctstate";
const MANGLE = `*mangle
${STATES} INVALID -j TOS --set-tos 0x04
${STATES} NEW -j TOS --set-tos 0x08
${STATES} ESTABLISHED --ctdir ORIGINAL -j TOS --set-tos 0x10
${STATES} ESTABLISHED --ctdir REPLY -j TOS --set-tos 0x14
${STATES} RELATED --ctdir ORIGINAL -j TOS --set-tos 0x20
${STATES} RELATED --ctdir REPLY -j TOS --set-tos 0x24
COMMIT
`;
const FAR = "02:00:00:00:00:99";
const INSIDE = { name: "in0", mac: "02:00:00:00:00:01", mtu: 1500 };
const OUTSIDE = { name: "out0", mac: "02:00:00:00:00:02", mtu: 1500 };

/** All but the packets of a request for the kernel. */
export function kernelWorld({ iptables }: Translation): Omit<FlowRequest, "packets"> {
  const publicAddresses = Array.from({ length: 16 }, (_, index) => `192.0.2.${100 + index}`);
  const neighbors = [
    ...[1, 2, 3].map((host) => [`10.0.0.${host}`, "in0"]),
    ...["192.0.2.1", ...publicAddresses].map((address) => [address, "out0"]),
  ];
  return {
    interfaces: [INSIDE, OUTSIDE],
    ip: [
      "addr add 10.0.0.254/24 dev in0",
      "addr add 192.0.2.254/24 dev out0",
      ...neighbors.map(
        ([address, dev]) => `neigh add ${address} lladdr ${FAR} dev ${dev} nud permanent`,
      ),
      "route add default via 192.0.2.1",
    ],
    sysctl: [
      ["net.ipv4.ip_forward", 1],
      ["net.ipv4.conf.all.rp_filter", 0],
      ["net.ipv4.conf.all.send_redirects", 0],
      ["net.ipv4.conf.in0.rp_filter", 0],
      ["net.ipv4.conf.out0.rp_filter", 0],
      ["net.ipv4.conf.in0.send_redirects", 0],
      ["net.ipv4.conf.out0.send_redirects", 0],
    ],
    iptables: `${MANGLE}*nat\n${iptables.map((line) => `${line}\n`).join("")}COMMIT\n`,
  };
}

/** Draws what the kernel drew: the port of the packet that it sent says what that was. */
export class ReplayedChance implements Chance {
  #port = 0;
  #first = 0;

  /** Look at the packets that the kernel sent for the next one that the twin gets. */
  watch(received: FlowStep["received"]): void {
    const [only] = received;
    this.#port = 0;
    this.#first = 0;
    if (only === undefined) return;
    const { srcPort, protocol } = read(Buffer.from(only[1], "hex"));
    this.#port = srcPort;
    if (protocol !== Protocol.Icmp) this.#first = srcPort >= 1024 ? 1024 : srcPort >= 512 ? 600 : 1;
  }

  below(): number {
    return this.#port - this.#first;
  }
}

/** Our router. */
export class FlowTwin {
  readonly conntrack: Conntrack;
  readonly #pool = new PacketPool({ slots: 4, largeSlots: 0 });
  readonly #hooks = new Hooks();
  readonly #inside = new Device({ ...INSIDE, mac: parseMac(INSIDE.mac) });
  readonly #outside = new Device({ ...OUTSIDE, mac: parseMac(OUTSIDE.mac) });

  /** @param chance where a search for a free port begins. */
  constructor({ rules }: Translation, chance: Chance = new Prng(1)) {
    this.conntrack = new Conntrack({ behaviour: FLOWS_6.conntrack, jiffies: new Jiffies() });
    this.conntrack.attach(this.#hooks);
    const { conntrack } = this;
    const nat = new Nat({ conntrack, behaviour: FLOWS_6.nat, rules, chance });
    nat.attach(this.#hooks);
  }

  /** @returns what leaves: the device and the packet in hexadecimal; `null` if nothing does. */
  receive(from: string, octets: Uint8Array, now: Instant): readonly [string, Uint8Array] | null {
    const packet = this.#pool.copyIn(octets);
    if (packet === null) throw new Error("the twin's pool is empty");
    const { view } = this.#pool;
    packet.network = packet.frame;
    packet.transport = packet.network + headerLengthOf(view, packet.network);
    const input = from === "in0" ? this.#inside : this.#outside;
    const routed = this.#hooks.pass(Hook.Prerouting, packet, input, null, now);
    if (routed === null) return null;
    const isInward = IPV4.dst.get(view, packet.network) >>> 8 === 0x0a0000;
    const output = isInward ? this.#inside : this.#outside;
    decrementTtl(view, packet.network);
    mark(view, packet.network, MARKS.get(packet.flowState) ?? 0);
    const passed = this.#hooks.pass(Hook.Postrouting, packet, input, output, now);
    if (passed === null) return null;
    const left = passed.octets().slice();
    this.#pool.end(passed, "delivered", "test/left", now);
    return [output.name, left];
  }

  /** The entries as /proc/net/nf_conntrack has them, in alphabetical order. */
  entries(now: Instant): string[] {
    return this.conntrack
      .entries(now)
      .map((entry) => formatFlow(entry).replaceAll(/ +/g, " "))
      .toSorted();
  }
}

function mark(view: DataView, network: number, tos: number): void {
  const before = IPV4.versionIhl.get(view, network) * 256 + IPV4.tos.get(view, network);
  IPV4.tos.set(view, network, tos);
  const after = (before & 0xff00) | tos;
  IPV4.checksum.set(view, network, update16(IPV4.checksum.get(view, network), before, after));
}
