/** Event channels of both shapes beside Xen 4.17's own code, hostile words in memory included. */
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { linesOf } from "../../xen/xen-headers.ts";
import { Op, OurEvents, PAGES, type ScriptStep } from "./event-script.ts";
import { compileEvents, missingXen } from "./xen-events.ts";

const VCPUS = 2;
const CONTROL = 2;
const ARRAY = 4;
/** Domain 2 may have few ports. */
const LAST_PORT = 6;
const SELF = 0x7ff0;

const CREATE: readonly ScriptStep[] = [0, 1, 2].map((domid) => [
  Op.create,
  domid,
  VCPUS,
  PAGES,
  domid === 2 ? LAST_PORT : 2 ** 31 - 1,
]);
/** Domain 1 has FIFO queues, and channels to Dom0. */
const PRELUDE: readonly ScriptStep[] = [
  ...[0, 1].map((vcpu): ScriptStep => [Op.initControl, 1, vcpu, CONTROL + vcpu, 0]),
  [Op.expandArray, 1, ARRAY, 0, 0],
  ...[1, 2, 3, 4, 5].flatMap((port): ScriptStep[] => [
    [Op.allocUnbound, 1, 1, 0, 0],
    [Op.bindInterdomain, 0, 1, port, 0],
  ]),
];

const domid = fc.nat(2);
const port = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 1, max: 6 }) },
  fc.constantFrom(0, 63, 64, 1030, 5000),
);
const vcpu = fc.oneof({ weight: 8, arbitrary: fc.nat(1) }, fc.constant(2));
const gfn = fc.nat(PAGES);
const offset = fc.oneof(
  { weight: 5, arbitrary: fc.constant(0) },
  fc.constantFrom(8, 4, 4024, 4032),
);
const priority = fc.oneof({ weight: 8, arbitrary: fc.nat(15) }, fc.constant(16));
const virq = fc.constantFrom(0, 3, 7, 13, 23, 24);

/** Words that matter: event words, ready words and heads, the shared page's bits. */
const place = fc.oneof(
  { weight: 6, arbitrary: fc.nat(7).map((at) => ARRAY * 1024 + at) },
  {
    weight: 2,
    arbitrary: fc.tuple(fc.nat(1), fc.nat(12)).map(([c, w]) => (CONTROL + c) * 1024 + w),
  },
  fc.constantFrom(0, 2, 3, 16, 18, 512, 640),
  fc.nat(PAGES * 1024 - 1),
);
const link = fc.oneof(
  { weight: 6, arbitrary: fc.nat(8) },
  fc.nat(2 ** 17 - 1),
  fc.nat(2 ** 28 - 1),
);
const word = fc.oneof(
  { weight: 2, arbitrary: fc.constant(0) },
  fc.tuple(fc.nat(15), link).map(([bits, next]) => ((bits << 28) | next) >>> 0),
);

const steps = (op: number, ...parts: readonly fc.Arbitrary<number>[]): fc.Arbitrary<ScriptStep> =>
  fc.tuple(domid, ...parts).map(([who, one = 0, two = 0, three = 0]) => [op, who, one, two, three]);

/** What only Dom0 may do to others: Xen tells the rest so after it has looked for a port. */
const others = (op: number, two: fc.Arbitrary<number>): fc.Arbitrary<ScriptStep> =>
  domid.chain((who) => {
    const whom = who === 0 ? fc.constantFrom(0, 1, 2, 9, SELF) : fc.constantFrom(who, SELF);
    return fc.tuple(whom, two).map(([one, other]): ScriptStep => [op, who, one, other, 0]);
  });

const step = fc.oneof(
  { weight: 4, arbitrary: steps(Op.send, port) },
  { weight: 12, arbitrary: port.map((at): ScriptStep => [Op.send, 0, at, 0, 0]) },
  {
    weight: 8,
    arbitrary: fc.tuple(place, word).map(([at, to]): ScriptStep => [Op.poke, 1, at, to, 0]),
  },
  { weight: 1, arbitrary: steps(Op.poke, place, word) },
  { weight: 4, arbitrary: steps(Op.unmask, port) },
  { weight: 4, arbitrary: steps(Op.setPriority, port, priority) },
  { weight: 3, arbitrary: steps(Op.bindVcpu, port, vcpu) },
  { weight: 3, arbitrary: others(Op.allocUnbound, domid) },
  { weight: 3, arbitrary: steps(Op.bindInterdomain, fc.constantFrom(0, 1, 2, 9, SELF), port) },
  { weight: 3, arbitrary: steps(Op.close, port) },
  { weight: 1, arbitrary: steps(Op.bindIpi, vcpu) },
  { weight: 1, arbitrary: steps(Op.bindVirq, virq, vcpu) },
  { weight: 2, arbitrary: steps(Op.virq, fc.constantFrom(3, 23)) },
  { weight: 2, arbitrary: others(Op.status, port) },
  { weight: 2, arbitrary: steps(Op.initControl, vcpu, gfn, offset) },
  { weight: 2, arbitrary: steps(Op.expandArray, gfn) },
  { weight: 1, arbitrary: steps(Op.reset, fc.constantFrom(0, 1, 2, SELF)) },
  { weight: 1, arbitrary: steps(Op.pause, fc.nat(1)) },
);

describe.skipIf(missingXen !== null)(`events beside Xen's own (${missingXen ?? "here"})`, () => {
  let program = "";
  beforeAll(() => void (program = compileEvents()));

  it.each([
    ["plain", false],
    ["shared", true],
  ])("leave every word of every domain as Xen does, in %s memory", (_, isShared) => {
    const script = fc.tuple(fc.nat(4), fc.array(step, { maxLength: 120, size: "max" }));
    fc.assert(
      fc.property(script, ([isPrepared, some]) => {
        const all = [...CREATE, ...(isPrepared > 0 ? PRELUDE : []), ...some];
        const said = linesOf(program, all.map((one) => one.join(" ")).join("\n"));
        const ours = new OurEvents(isShared);
        const found = all.map((one) => `${one.join(" ")}: ${ours.run(one)}`);
        const expected = all.map((one, at) => `${one.join(" ")}: ${said[at] ?? "nothing"}`);
        expect(found.slice(CREATE.length)).toEqual(expected.slice(CREATE.length));
      }),
      { numRuns: Number(process.env["EVENT_RUNS"] ?? 120) },
    );
  });
});
