import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Protocol } from "../../src/l3/ipv4.ts";
import { compare, type Comparison } from "./flow-compare.ts";
import { kernelWorld, type Translation } from "./flow-world.ts";
import { FlowKernel, type FlowPacket, type FlowRelease, missingForFlows } from "./kernel-flows.ts";
import { type Ends, ipv4, query, tcp, turned, udp } from "./packets.ts";

const missing = missingForFlows();

const INNER = "-A POSTROUTING -s 10.0.0.0/24 -o out0";
const HELD: readonly Translation[] = [
  { name: "no rule", nat: [] },
  { name: "masquerade", nat: [`${INNER} -j MASQUERADE`] },
  { name: "one port", nat: [`${INNER} -p udp -j SNAT --to-source 192.0.2.101:7`] },
  {
    name: "two targets",
    nat: ["-A PREROUTING -p udp -d 8.8.8.8 -j DNAT --to-destination 192.0.2.101:4000-4001"],
  },
].map((one) => ({ ...one, holdsPackets: true, countsTraffic: true }));

const ends: fc.Arbitrary<Ends> = fc.record({
  src: fc.constantFrom("10.0.0.1", "10.0.0.1", "10.0.0.2"),
  dst: fc.constant("8.8.8.8"),
  srcPort: fc.constantFrom(4000, 4000, 7),
  dstPort: fc.constant(7),
});
const inFrom = (from: string, octets: Uint8Array): FlowPacket => ({
  wait: 0,
  interface: from,
  octets: Buffer.from(octets).toString("hex"),
});
const makes: readonly ((one: Ends) => Uint8Array)[] = [
  (one) => udp(one),
  (one) => udp(one, new Uint8Array(30)),
  (one) => tcp(one, { flags: "S", seq: 5 }),
  (one) => query(one),
  ({ src, dst }) => ipv4(src, dst, 50, new Uint8Array(9)),
  ({ src, dst }) => ipv4(src, dst, Protocol.Gre, new Uint8Array(9)),
];
const release = fc.nat(2).map((index): FlowRelease => ({ wait: 0, release: index }));
const packet = fc
  .record({ one: ends, make: fc.constantFrom(...makes), isTurned: fc.boolean() })
  .map(({ one, make, isTurned }) =>
    isTurned ? inFrom("out0", make(turned(one))) : inFrom("in0", make(one)),
  );
/** What outer hosts answer where the router's own address was taken. */
const answer = fc
  .record({ port: fc.constantFrom(7, 4000), from: fc.constantFrom(7, 4001) })
  .map(({ port, from }) =>
    inFrom("out0", udp({ src: "8.8.8.8", dst: "192.0.2.254", srcPort: from, dstPort: port })),
  );

describe.skipIf(missing !== null)(`packets that overtake each other (${missing ?? "here"})`, () => {
  let kernel: FlowKernel;
  beforeAll(async () => {
    kernel = await FlowKernel.open();
  });
  afterAll(() => {
    kernel.close();
  });

  async function play(
    translation: Translation,
    packets: readonly (FlowPacket | FlowRelease)[],
  ): Promise<Comparison> {
    const { steps } = await kernel.play({ ...kernelWorld(translation), packets });
    const clock = { start: kernel.jiffies.began, jiffies: kernel.jiffies };
    return compare(translation, packets, steps, clock);
  }

  const runs = Number(process.env["FLOW_ORACLE_RUNS"] ?? 12);
  it.each(HELD)(
    "join, hide or go as the kernel has it: $name",
    async (translation) => {
      const things = fc.array(fc.oneof(packet, packet, answer, release, release), {
        minLength: 3,
        maxLength: 14,
      });
      await fc.assert(
        fc.asyncProperty(things, async (packets) => {
          const { ours, kernels } = await play(translation, packets);
          expect(ours).toEqual(kernels);
        }),
        { numRuns: runs },
      );
    },
    600_000,
  );
});
