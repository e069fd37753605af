/**
 * One translating router in two makings, the kernel's and ours, and the packets that both get:
 * hosts 10.0.0.0/24 behind in0, all others behind out0.
 * @module
 */
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Duration } from "../../src/base/time.ts";
import { RuleSet } from "../../src/filter/rule-set.ts";
import { Defragmenter } from "../../src/l3/defragment.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook, type HookFunction, HookPriority, Verdict } from "../../src/l3/hooks.ts";
import { IPV4, ipv4Codec, Protocol } from "../../src/l3/ipv4.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Conntrack } from "../../src/nat/conntrack.ts";
import { Nat } from "../../src/nat/nat.ts";
import { update16 } from "../../src/wire/checksum.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { type Clock, WorldRouter } from "../oracle/world-router.ts";
import type { World } from "../../src/zone/world/world.ts";
import { ipWords, sysctls } from "../oracle/world.ts";
import type { FlowRequest, FlowStep } from "./kernel-flows.ts";
import { read, type Reading } from "./packets.ts";

/** How the router translates. */
export interface Translation {
  readonly name: string;
  /** Lines of iptables' nat table. */
  readonly nat: readonly string[];
  /** Packets of this protocol are not tracked, as `-j CT --notrack` has it. */
  readonly untracked?: number;
  /** True: each packet waits between FORWARD and POSTROUTING until it is released; false. */
  readonly holdsPackets?: boolean;
  /** `nf_conntrack_acct`; false. */
  readonly countsTraffic?: boolean;
  /** The ports of a range, and their side; others are drawn from those of their own kind. */
  readonly drawn?: {
    readonly port: "srcPort" | "dstPort";
    readonly first: number;
    readonly last: number;
  };
}

/** The type of service that FORWARD gives to each state, so that the far ends see it. */
const MARKS: ReadonlyMap<number, number> = new Map([
  [FlowState.Invalid, 0x04],
  [FlowState.New, 0x08],
  [FlowState.Established, 0x10],
  [FlowState.EstablishedReply, 0x14],
  [FlowState.Related, 0x20],
  [FlowState.RelatedReply, 0x24],
  [FlowState.Untracked, 0x28],
]);
const STATES = "-A FORWARD -m conntrack --ctstate";
const MANGLE = `*mangle
${STATES} INVALID -j TOS --set-tos 0x04
${STATES} NEW -j TOS --set-tos 0x08
${STATES} ESTABLISHED --ctdir ORIGINAL -j TOS --set-tos 0x10
${STATES} ESTABLISHED --ctdir REPLY -j TOS --set-tos 0x14
${STATES} RELATED --ctdir ORIGINAL -j TOS --set-tos 0x20
${STATES} RELATED --ctdir REPLY -j TOS --set-tos 0x24
${STATES} UNTRACKED -j TOS --set-tos 0x28
`;
const FAR = "02:00:00:00:00:99";
const PUBLIC = Array.from({ length: 16 }, (_, index) => `192.0.2.${100 + index}`);
const neighborsOf = (...hosts: string[]): Record<string, string> =>
  Object.fromEntries(hosts.map((host) => [host, FAR]));
const WORLD: World = {
  interfaces: {
    in0: {
      mac: "02:00:00:00:00:01",
      mtu: 1500,
      addresses: ["10.0.0.254/24"],
      neighbors: neighborsOf("10.0.0.1", "10.0.0.2", "10.0.0.3"),
    },
    out0: {
      mac: "02:00:00:00:00:02",
      mtu: 1500,
      addresses: ["192.0.2.254/24"],
      neighbors: neighborsOf("192.0.2.1", ...PUBLIC),
    },
  },
  routes: ["default via 192.0.2.1"],
};

const natText = ({ nat }: Translation): string =>
  `*nat\n${nat.map((line) => `${line}\n`).join("")}COMMIT\n`;

/** All but the packets of a request for the kernel. Its own packets are dropped unseen. */
export function kernelWorld(translation: Translation): Omit<FlowRequest, "packets"> {
  const { untracked, countsTraffic = false, holdsPackets = false } = translation;
  const mangle = `${MANGLE}${holdsPackets ? "-A FORWARD -j NFQUEUE\n" : ""}COMMIT\n`;
  const notrack = untracked === undefined ? "" : `-A PREROUTING -p ${untracked} -j CT --notrack\n`;
  return {
    interfaces: Object.entries(WORLD.interfaces).map(([name, { mac, mtu = 1500 }]) => ({
      name,
      mac,
      mtu,
    })),
    ip: ipWords(WORLD),
    sysctl: [...sysctls(WORLD), ["net.netfilter.nf_conntrack_acct", Number(countsTraffic)]],
    iptables: `*raw\n-A OUTPUT -j DROP\n${notrack}COMMIT\n${mangle}${natText(translation)}`,
  };
}

/** Draws what the kernel drew: the port of the packet that it sent says what that was. */
export class ReplayedChance implements Chance {
  readonly #drawn: Translation["drawn"];
  #offset = 0;

  constructor({ drawn }: Translation) {
    this.#drawn = drawn;
  }

  /** Look at the packets that the kernel sent for the next one that the twin gets, `octets`. */
  watch(received: FlowStep["received"], octets: Uint8Array | null): void {
    const [only] = received;
    this.#offset = 0;
    if (only === undefined) return;
    const sent = Buffer.from(only[1], "hex");
    // A piece may be too short for ports; nothing is drawn where packets come in pieces.
    if ((ipv4Codec.decode(sent).flagsFragment & 0x3fff) !== 0) return;
    const reading = read(sent);
    const drawn = this.#drawn;
    if (drawn !== undefined && octets !== null) {
      const { port, first, last } = drawn;
      const address = port === "srcPort" ? "src" : "dst";
      const isChanged = read(octets)[address] !== reading[address];
      if (isChanged && reading[port] >= first && reading[port] <= last) {
        this.#offset = reading[port] - first;
        return;
      }
    }
    this.#offset = reading.srcPort - firstOfKind(reading);
  }

  below(limit: number): number {
    return ((this.#offset % limit) + limit) % limit;
  }
}

function firstOfKind({ protocol, srcPort }: Reading): number {
  if (protocol === Protocol.Icmp) return 0;
  return srcPort >= 1024 ? 1024 : srcPort >= 512 ? 600 : 1;
}

const hooked = (name: string, act: (packet: Packet) => Verdict): HookFunction => ({
  name,
  onHook: act,
});

/** Our router. */
export class FlowTwin {
  readonly conntrack: Conntrack;
  readonly #world: WorldRouter;
  readonly #held: Packet[] = [];

  /** @param chance where a search for a free port begins. */
  constructor(translation: Translation, clock: Clock, chance: Chance = new Prng(1)) {
    const { untracked, countsTraffic = false, holdsPackets = false } = translation;
    this.#world = new WorldRouter(WORLD, clock);
    const { router } = this.#world;
    const { hooks, jiffies, addressing } = router;
    const rules = new RuleSet({
      interfaceAddresses: {
        first: (device) => addressing.interfaces.get(device)?.select(null) ?? null,
        select: (device, target) => addressing.select(device, target),
      },
    });
    rules.restore(natText(translation));
    this.conntrack = new Conntrack({
      behaviour: { ...FLOWS_6.conntrack, countsTraffic },
      jiffies,
    });
    const { conntrack } = this;
    new Defragmenter(router, LINUX.router.reassembly);
    conntrack.attach(hooks);
    new Nat({ conntrack, behaviour: FLOWS_6.nat, rules, chance }).attach(hooks);
    const silence = hooked("silence", () => Verdict.Drop);
    const notrack = hooked("notrack", (packet) => {
      const protocol = IPV4.protocol.get(packet.pool.view, packet.network);
      if (protocol === untracked) packet.flowState = FlowState.Untracked;
      return Verdict.Accept;
    });
    const marker = hooked("mark", (packet) => {
      mark(packet.pool.view, packet.network, MARKS.get(packet.flowState) ?? 0);
      if (!holdsPackets) return Verdict.Accept;
      this.#held.push(packet);
      return Verdict.Stolen;
    });
    hooks.register(Hook.Output, HookPriority.Raw, silence);
    hooks.register(Hook.Prerouting, HookPriority.Raw, notrack);
    hooks.register(Hook.Forward, HookPriority.Mangle, marker);
  }

  /** @returns what leaves: devices and packets. */
  receive(from: string, packet: Uint8Array, now: Duration): (readonly [string, Uint8Array])[] {
    const { sent } = this.#world;
    const before = sent.length;
    const header = `${from === "in0" ? "020000000001" : "020000000002"}0200000000990800`;
    const octets = header + Buffer.from(packet).toString("hex");
    this.#world.receive({ at: now, interface: from, octets }, now);
    return sent
      .slice(before)
      .map((one) => [one.interface, Buffer.from(one.octets, "hex").subarray(14)]);
  }

  /** As {@link receive}, for the held packet of that number. */
  release(index: number, now: Duration): (readonly [string, Uint8Array])[] {
    const [packet] = this.#held.splice(index, 1);
    if (packet === undefined) return [];
    const { input, output } = packet;
    const { hooks } = this.#world.router;
    const passed = hooks.pass(Hook.Postrouting, packet, input, output, now);
    if (passed === null || output === null) return [];
    const octets = passed.pool.bytes.slice(passed.network, passed.end);
    passed.pool.end(passed, "delivered", "test/released", now);
    return [[output.name, octets]];
  }

  /** The lines of `conntrack -L`, in alphabetical order. */
  entries(now: Duration): string[] {
    return this.conntrack.text(now).split("\n").slice(0, -1).toSorted();
  }
}

function mark(view: DataView, network: number, tos: number): void {
  const before = IPV4.versionIhl.get(view, network) * 256 + IPV4.tos.get(view, network);
  IPV4.tos.set(view, network, tos);
  const after = (before & 0xff00) | tos;
  IPV4.checksum.set(view, network, update16(IPV4.checksum.get(view, network), before, after));
}
