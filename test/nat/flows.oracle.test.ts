import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { anyPacket, type Make, tcpTalk } from "./flow-cases.ts";
import { compare, type Comparison, near } from "./flow-compare.ts";
import { BOUND, TRANSLATIONS, TWO_PORTS } from "./flow-translations.ts";
import { FlowTwin, kernelWorld, type Translation } from "./flow-world.ts";
import { FlowKernel, type FlowPacket, missingForFlows } from "./kernel-flows.ts";
import { type Ends, tcp, turned, udp } from "./packets.ts";
import { tcpConversation } from "./tcp-conversations.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const back = { ...turned(ends), dst: "192.0.2.101" };

const inFrom = (from: string, octets: Uint8Array, wait = 0): FlowPacket => ({
  wait,
  interface: from,
  octets: Buffer.from(octets).toString("hex"),
});

/** The packets, which depend on what our router sends. */
function packetsOf(translation: Translation, makes: readonly Make[]): FlowPacket[] {
  const twin = new FlowTwin(translation, { start: 0, jiffies: { number: 0, began: 0, hz: 250 } });
  const seen: (readonly [string, Uint8Array])[] = [];
  return makes.map((make) => {
    const [from, octets] = make(seen);
    seen.unshift(...twin.receive(from, octets, 0));
    return inFrom(from, octets);
  });
}

const missing = missingForFlows();

describe.skipIf(missing !== null)("the kernel beside us", () => {
  let kernel: FlowKernel;
  beforeAll(async () => {
    kernel = await FlowKernel.open();
  });
  afterAll(() => {
    kernel.close();
  });

  /** Both sides, with what `conntrack -L` prints in the end as the last step. */
  async function play(translation: Translation, packets: FlowPacket[]): Promise<Comparison> {
    const { steps, lines, took } = await kernel.play({ ...kernelWorld(translation), packets });
    const clock = { start: kernel.jiffies.began, jiffies: kernel.jiffies };
    const comparison = compare(translation, packets, steps, clock);
    expect(near(comparison.lines, lines, took)).toEqual(lines.toSorted());
    return comparison;
  }

  const runs = Number(process.env["FLOW_ORACLE_RUNS"] ?? 6);

  it.each(TRANSLATIONS)(
    "sends what we send, and knows what we know: $name",
    async (translation) => {
      const packets = fc.array(anyPacket, { minLength: 1, maxLength: 16 });
      await fc.assert(
        fc.asyncProperty(packets, async (makes) => {
          const { ours, kernels } = await play(translation, packetsOf(translation, makes));
          expect(ours).toEqual(kernels);
        }),
        { numRuns: runs },
      );
    },
    600_000,
  );

  it("takes every turn of a TCP connection as we do", async () => {
    await fc.assert(
      fc.asyncProperty(tcpTalk(16), async (makes) => {
        const { ours, kernels } = await play(BOUND, packetsOf(BOUND, makes));
        expect(ours).toEqual(kernels);
      }),
      { numRuns: runs * 4 },
    );
  }, 600_000);

  it("has the conversations of two hosts as we have them", async () => {
    await fc.assert(
      fc.asyncProperty(tcpConversation(20), async (makes) => {
        const { ours, kernels } = await play(BOUND, packetsOf(BOUND, makes));
        expect(ours).toEqual(kernels);
      }),
      { numRuns: runs * 4 },
    );
  }, 600_000);

  it("agrees when UDP becomes a stream", async () => {
    const { ours, kernels } = await play(BOUND, [
      inFrom("in0", udp(ends)),
      inFrom("out0", udp(back)),
      inFrom("in0", udp(ends), 1_900_000),
      inFrom("out0", udp(back), 200_000),
    ]);
    expect(ours).toEqual(kernels);
    expect(ours.at(-1)?.entries[0]).toMatch(/^udp 17 1(?:19|20) /);
  });

  it("takes ports from closed connections as we do", async () => {
    const talk = (src: string, port: number): FlowPacket[] => {
      const one = { ...ends, src };
      const answer = { ...back, dstPort: port };
      return [
        inFrom("in0", tcp(one, { flags: "S", seq: 100 })),
        inFrom("out0", tcp(answer, { flags: "SA", seq: 1, ack: 101 })),
        inFrom("in0", tcp(one, { flags: "FA", seq: 101, ack: 2 })),
        inFrom("out0", tcp(answer, { flags: "FA", seq: 2, ack: 102 })),
        inFrom("in0", tcp(one, { flags: "A", seq: 102, ack: 3 })),
      ];
    };
    const opening = (src: string, seq: number): FlowPacket =>
      inFrom("in0", tcp({ ...ends, src }, { flags: "S", seq }));
    // Both ports are answered: which one a connection got is drawn.
    const { ours, kernels } = await play(TWO_PORTS, [
      ...talk("10.0.0.1", 2000),
      ...talk("10.0.0.1", 2001),
      ...talk("10.0.0.2", 2000),
      ...talk("10.0.0.2", 2001),
      opening("10.0.0.3", 50),
      opening("10.0.0.3", 90_000),
    ]);
    expect(ours).toEqual(kernels);
  });
});
