import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { IPV4, sealHeader } from "../../src/l3/ipv4.ts";
import { viewOf } from "../../src/wire/field.ts";
import { compare } from "./flow-compare.ts";
import { BOUND, TRANSLATIONS } from "./flow-translations.ts";
import { kernelWorld, type Translation } from "./flow-world.ts";
import { FlowKernel, type FlowPacket, missingForFlows } from "./kernel-flows.ts";
import { type Ends, icmpError, ipv4, query, tcp, turned, udp } from "./packets.ts";

const missing = missingForFlows();

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const back: Ends = { ...turned(ends), dst: "192.0.2.101" };
const sizes = fc.constantFrom(0, 20, 100, 601, 1400, 1480, 2000, 4000);
const dataOf = (size: number): Uint8Array =>
  Uint8Array.from({ length: size }, (_, index) => (index * 7) & 255);

/** A packet of some kind, whole, and where it comes in. */
const whole: fc.Arbitrary<readonly [string, Uint8Array]> = fc
  .record({ size: sizes, kind: fc.nat(4), isInward: fc.boolean(), isSummed: fc.boolean() })
  .map(({ size, kind, isInward, isSummed }) => {
    const one = isInward ? back : ends;
    const data = dataOf(size);
    const { src, dst } = one;
    const makes = [
      () => udp(one, data, isSummed),
      () => tcp(one, { flags: "S", seq: 1, data }),
      () => query({ ...one, srcPort: 9 }, isInward ? 0 : 8, data),
      () => ipv4(src, dst, 50, data),
      () => icmpError(src, dst, udp(turned(one), data)),
    ];
    return [isInward ? "out0" : "in0", (makes[kind] ?? makes[0])?.() ?? data] as const;
  });

interface Cut {
  /** Eighths of the payload at which pieces end, in units of eight octets. */
  readonly at: readonly number[];
  readonly id: number;
  readonly hasDf: boolean;
  /** Pieces in another order; which are left out, sent twice, or made to overlap. */
  readonly order: readonly number[];
  readonly lost: number;
  readonly doubled: number;
  readonly stretched: number;
  readonly tos: readonly number[];
}

const cut: fc.Arbitrary<Cut> = fc.record({
  at: fc.uniqueArray(fc.integer({ min: 1, max: 60 }), { maxLength: 4 }),
  id: fc.constantFrom(1, 2),
  hasDf: fc.boolean(),
  order: fc.array(fc.nat(7), { maxLength: 5 }),
  lost: fc.nat(40),
  doubled: fc.nat(20),
  stretched: fc.nat(20),
  tos: fc.array(fc.constantFrom(0, 0, 0, 1, 2, 3), { maxLength: 5 }),
});

/** The pieces of a packet, as a host or an ill-meaning one sends them. */
function piecesOf(packet: Uint8Array, spec: Cut): Uint8Array[] {
  const payload = packet.subarray(20);
  // No piece is longer than the link takes, though it be stretched.
  const links = [1464, 2928];
  const ends8 = [...new Set([...spec.at.map((one) => one * 8), ...links, payload.length])]
    .filter((end) => end <= payload.length && end > 0)
    .toSorted((left, right) => left - right);
  const pieces = ends8.map((end, index) => {
    const start = index === 0 ? 0 : (ends8[index - 1] ?? 0);
    const isLast = end === payload.length;
    const stretch = spec.stretched === index && !isLast ? 8 : 0;
    const until = Math.min(end + stretch, payload.length);
    const flags = (spec.hasDf ? 0x4000 : 0) | (isLast ? 0 : 0x2000) | (start / 8);
    return pieceOf(packet, start, until, flags, spec, index);
  });
  for (const [from, to] of spec.order.entries()) {
    const [moved] = pieces.splice(from % Math.max(pieces.length, 1), 1);
    if (moved !== undefined) pieces.splice(to % (pieces.length + 1), 0, moved);
  }
  const doubled = pieces[spec.doubled];
  if (doubled !== undefined) pieces.push(doubled);
  if (spec.lost < pieces.length && pieces.length > 1) pieces.splice(spec.lost, 1);
  return pieces;
}

function pieceOf(
  packet: Uint8Array,
  start: number,
  end: number,
  flags: number,
  { id, tos }: Cut,
  index: number,
): Uint8Array {
  const piece = new Uint8Array(20 + end - start);
  piece.set(packet.subarray(0, 20));
  piece.set(packet.subarray(20 + start, 20 + end), 20);
  const view = viewOf(piece);
  IPV4.id.set(view, 0, id);
  IPV4.tos.set(view, 0, tos[index] ?? 0);
  IPV4.totalLength.set(view, 0, piece.length);
  IPV4.flagsFragment.set(view, 0, flags);
  sealHeader(view, 0);
  return piece;
}

const PLAIN = TRANSLATIONS[0] ?? BOUND;

describe.skipIf(missing !== null)(`fragments (${missing ?? "here"})`, () => {
  let kernel: FlowKernel;
  beforeAll(async () => {
    kernel = await FlowKernel.open();
  });
  afterAll(() => {
    kernel.close();
  });

  const runs = Number(process.env["FLOW_ORACLE_RUNS"] ?? 30);
  it.each<Translation>([PLAIN, BOUND])(
    "are joined, tracked, translated and cut again as by the kernel: $name",
    async (translation) => {
      const some = fc.array(fc.tuple(whole, cut), { minLength: 1, maxLength: 5 });
      await fc.assert(
        fc.asyncProperty(some, async (packets) => {
          const sent = packets.flatMap(([[from, packet], spec]) =>
            piecesOf(packet, spec).map((piece): FlowPacket => ({
              wait: 0,
              interface: from,
              octets: Buffer.from(piece).toString("hex"),
            })),
          );
          const { steps } = await kernel.play({ ...kernelWorld(translation), packets: sent });
          const clock = { start: kernel.jiffies.began, jiffies: kernel.jiffies };
          const { ours, kernels } = compare(translation, sent, steps, clock);
          expect(ours).toEqual(kernels);
        }),
        { numRuns: runs },
      );
    },
    600_000,
  );
});
