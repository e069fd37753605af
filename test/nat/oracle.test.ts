import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Hook } from "../../src/l3/hooks.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { Bindings } from "../../src/nat/bindings.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { anyPacket, type Make, tcpTalk } from "./flow-cases.ts";
import { FlowTwin, kernelWorld, ReplayedChance, type Translation } from "./flow-world.ts";
import { FlowKernel, type FlowPacket, missingForFlows } from "./kernel-flows.ts";
import { tell, turned, udp } from "./packets.ts";
import { range, rulesOf } from "./stand.ts";

/** Our clock when the kernel's process began. */
const EPOCH = 4_000_000_000;

const bindings = new Bindings();
for (const host of [1, 2, 3]) {
  bindings.add({
    privateAddress: parseIpv4(`10.0.0.${host}`),
    publicAddress: parseIpv4(`192.0.2.10${host}`),
  });
}

const plain: Translation = { name: "none", iptables: [], rules: rulesOf(() => null) };
const bound: Translation = {
  name: "1:1",
  iptables: [1, 2, 3].flatMap((host) => [
    `-A PREROUTING -d 192.0.2.10${host} -j DNAT --to-destination 10.0.0.${host}`,
    `-A POSTROUTING -s 10.0.0.${host} -j SNAT --to-source 192.0.2.10${host}`,
  ]),
  rules: bindings,
};
const spread = (isPersistent: boolean): Translation => ({
  name: isPersistent ? "many persistent addresses" : "many addresses",
  iptables: [
    `-A POSTROUTING -s 10.0.0.0/24 -j SNAT --to-source 192.0.2.100-192.0.2.112${
      isPersistent ? " --persistent" : ""
    }`,
  ],
  rules: rulesOf((hook, packet) => {
    const src = IPV4.src.get(packet.pool.view, packet.network);
    if (hook !== Hook.Postrouting || src >>> 8 !== 0x0a0000) return null;
    return range({ to: "192.0.2.100", upTo: "192.0.2.112", isPersistent });
  }),
});
const onePort: Translation = {
  name: "one port",
  iptables: ["-A POSTROUTING -s 10.0.0.0/24 -p udp -j SNAT --to-source 192.0.2.100:7"],
  rules: rulesOf((hook, packet) => {
    const { pool, network } = packet;
    const src = IPV4.src.get(pool.view, network);
    const isUdp = IPV4.protocol.get(pool.view, network) === Protocol.Udp;
    if (hook !== Hook.Postrouting || src >>> 8 !== 0x0a0000 || !isUdp) return null;
    return range({ to: "192.0.2.100", ports: [7, 7] });
  }),
};
const forwarded: Translation = {
  name: "a forwarded port",
  iptables: ["-A PREROUTING -p udp -d 192.0.2.101 -j DNAT --to-destination 10.0.0.1:9"],
  rules: rulesOf((hook, packet) => {
    const { pool, network } = packet;
    const isUdp = IPV4.protocol.get(pool.view, network) === Protocol.Udp;
    const isPublic = IPV4.dst.get(pool.view, network) === parseIpv4("192.0.2.101");
    if (hook !== Hook.Prerouting || !isUdp || !isPublic) return null;
    return range({ side: "destination", to: "10.0.0.1", ports: [9, 9] });
  }),
};

const missing = missingForFlows();

describe.skipIf(missing !== null)("the kernel beside us", () => {
  let kernel: FlowKernel;
  beforeAll(async () => {
    kernel = await FlowKernel.open();
  });
  afterAll(() => kernel.close());

  const clock = (real: number): number => real - kernel.jiffies[1] + EPOCH;

  /** The packets, which depend on what our router sends. */
  function packetsOf(translation: Translation, makes: readonly Make[], wait = 0): FlowPacket[] {
    const twin = new FlowTwin(translation);
    const seen: Uint8Array[] = [];
    return makes.map((make) => {
      const [from, octets] = make(seen);
      const left = twin.receive(from, octets, EPOCH);
      if (left !== null && left[0] === "out0") seen.unshift(left[1]);
      return { wait, interface: from, octets: Buffer.from(octets).toString("hex") };
    });
  }

  async function compare(translation: Translation, packets: readonly FlowPacket[]): Promise<void> {
    const played = await kernel.play({ ...kernelWorld(translation), packets });
    const chance = new ReplayedChance();
    const twin = new FlowTwin(translation, chance);
    for (const [index, { interface: from, octets }] of packets.entries()) {
      const step = played.steps[index];
      if (step === undefined) throw new Error("the kernel left a packet out");
      chance.watch(step.received);
      const left = twin.receive(from, Buffer.from(octets, "hex"), clock(step.sent));
      const ours = left === null ? [] : [[left[0], Buffer.from(left[1]).toString("hex")]];
      const story = packets
        .slice(0, index + 1)
        .map((one) => `${one.interface} ${tell(Buffer.from(one.octets, "hex"))}`)
        .join("\n");
      expect(ours, story).toEqual(step.received);
      expectSame(twin.entries(clock(step.listed)), step.entries);
    }
    expectSame(twin.entries(clock(played.steps.at(-1)?.listed ?? 0)), played.lines);
  }

  const runs = Number(process.env["FLOW_ORACLE_RUNS"] ?? 12);

  it.each([plain, bound, spread(false), spread(true), onePort, forwarded])(
    "sends what we send, and knows what we know: $name",
    async (translation) => {
      const packets = fc.array(anyPacket, { minLength: 1, maxLength: 16 });
      await fc.assert(
        fc.asyncProperty(packets, async (makes) => {
          await compare(translation, packetsOf(translation, makes));
        }),
        { numRuns: runs },
      );
    },
    600_000,
  );

  it("agrees when UDP becomes a stream", async () => {
    const ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
    const there = Buffer.from(udp(ends)).toString("hex");
    const back = Buffer.from(udp({ ...turned(ends), dst: "192.0.2.101" })).toString("hex");
    await compare(bound, [
      { wait: 0, interface: "in0", octets: there },
      { wait: 0, interface: "out0", octets: back },
      { wait: 1_900_000, interface: "in0", octets: there },
      { wait: 200_000, interface: "out0", octets: back },
    ]);
  });

  it("takes every turn of a TCP connection as we do", async () => {
    await fc.assert(
      fc.asyncProperty(tcpTalk(16), async (makes) => {
        await compare(bound, packetsOf(bound, makes));
      }),
      { numRuns: runs * 4 },
    );
  }, 600_000);
});

/** The same entries; their lives may differ by a tick, and so by a second. */
function expectSame(ours: readonly string[], theirs: readonly string[]): void {
  const left = ours.map(splitLine).toSorted(byText);
  const right = theirs.map(splitLine).toSorted(byText);
  expect(left.map(({ text }) => text)).toEqual(right.map(({ text }) => text));
  for (const [index, { text, life }] of left.entries()) {
    const difference = Math.abs(life - (right[index]?.life ?? Number.NaN));
    expect({ text, life, isNear: difference <= 1 }).toEqual({ text, life, isNear: true });
  }
}

interface Line {
  readonly text: string;
  readonly life: number;
}

const byText = (left: Line, right: Line): number => (left.text < right.text ? -1 : 1);

/** A line without its life, nor what only the kernel knows: zones and references. */
function splitLine(line: string): Line {
  const words = line.replace(" zone=0", "").replace(/use=\d+/, "use=1").split(/ +/);
  return { text: words.toSpliced(2, 1).join(" "), life: Number(words[2]) };
}
