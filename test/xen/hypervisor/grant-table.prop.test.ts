import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, it } from "vitest";
import { DOMID_SELF, DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { GrantMap } from "../../../src/xen/hypervisor/grant-operations.ts";
import { type GrantTable, GrantTables } from "../../../src/xen/hypervisor/grant-table.ts";
import {
  GrantModel,
  type GrantSubject,
  type MapKind,
  type ModelEnd,
} from "../../model/grant-model.ts";
import { Step } from "../../support/step.ts";

const PAGES = 7;
const DOMIDS = [0, 1, 2];

/** The machine, asked as the model is. */
class Real implements GrantSubject {
  readonly #tables = new GrantTables();
  readonly #all = new Map<number, GrantTable>();

  constructor(isShared: boolean, model: GrantModel) {
    for (const domid of DOMIDS) {
      const memory = new DomainMemory({ domid, pages: PAGES, isShared });
      memory.allocate();
      const table = this.#tables.create(memory);
      this.#all.set(domid, table);
      model.add(domid, PAGES * 4096, table.frames);
    }
  }

  poke(domid: number, at: number, octet: number): void {
    this.memoryOf(domid)[at] = octet;
  }

  memoryOf(domid: number): Uint8Array {
    return this.#all.get(domid)?.memory.bytes ?? new Uint8Array(0);
  }

  map(by: number, domid: number, ref: number, kinds: MapKind[], isReadonly: boolean): number {
    const flags = flagsOf(kinds) | (isReadonly ? GrantMap.readonly : 0);
    return this.#all.get(by)?.map(domid, ref, flags) ?? 0;
  }

  unmap(by: number, handle: number, kinds: MapKind[]): number {
    return this.#all.get(by)?.unmap(handle, flagsOf(kinds)) ?? 0;
  }

  frameFor(domid: number, ref: number, by: number, isWrite: boolean): number {
    return this.#tables.find(domid)?.frameFor(ref, by, isWrite) ?? -2;
  }

  copy(by: number, source: ModelEnd, target: ModelEnd, length: number): number {
    const end = (one: ModelEnd) => ({ ...one, domid: one.domid ?? DOMID_SELF });
    return this.#all.get(by)?.copy({ source: end(source), target: end(target), length }) ?? 0;
  }

  destroy(domid: number): void {
    this.#tables.destroy(domid);
  }

  frameOf(by: number, handle: number): number {
    return this.#all.get(by)?.frameOf(handle) ?? -1;
  }
}

function flagsOf(kinds: readonly MapKind[]): number {
  return kinds.reduce((flags, kind) => flags | GrantMap[kind], 0);
}

/** All that anybody can see: every octet, and what every handle leads to. */
function look(subject: GrantSubject): unknown {
  return DOMIDS.map((domid) => [
    createHash("md5").update(subject.memoryOf(domid).slice()).digest("hex"),
    Array.from({ length: 12 }, (_, handle) => subject.frameOf(domid, handle)),
  ]);
}

const domid = fc.constantFrom(...DOMIDS);
/** References that are met again: few of them, at both ends of the table and beyond it. */
const ref = fc.oneof(
  { weight: 6, arbitrary: fc.nat(1) },
  fc.constantFrom(511, 512, 2047, 2048, 0xffff_ffff),
);
const other = fc.oneof({ weight: 12, arbitrary: domid }, fc.constant(9));
const kinds = fc.subarray<MapKind>(["host", "device"]);
const end = fc.record({
  domid: fc.option(other, { freq: 2 }),
  isReference: fc.boolean(),
  frame: fc.oneof({ weight: 4, arbitrary: fc.nat(1) }, fc.constantFrom(5, 6, 7, 2048)),
  offset: fc.oneof(fc.constant(0), fc.nat(4096)),
});
const step = (name: string, act: (subject: GrantSubject) => unknown): Step<GrantModel, Real> =>
  new Step(name, act, look);

/** An entry as a guest might write it: mostly a grant, now and then anything. */
const entry = fc
  .tuple(
    domid,
    fc.nat(1),
    fc.oneof({ weight: 8, arbitrary: fc.constantFrom(1, 5) }, fc.nat(31)),
    fc.oneof({ weight: 8, arbitrary: domid }, fc.nat(0xffff)),
    fc.oneof({ weight: 6, arbitrary: fc.nat(6) }, fc.constantFrom(7, 0xffff_ffff)),
  )
  .map(([owner, place, flags, grantee, frame]) =>
    step(`domain ${owner} writes ${place}: flags ${flags} for ${grantee}, frame ${frame}`, (s) => {
      const at = 4096 + place * 8;
      const octets = [flags & 0xff, flags >> 8, grantee & 0xff, grantee >> 8];
      for (let shift = 0; shift < 32; shift += 8) octets.push((frame >>> shift) & 0xff);
      octets.forEach((octet, index) => s.poke(owner, at + index, octet));
    }),
  );

const mapping = fc
  .tuple(domid, other, ref, kinds, fc.boolean())
  .map(([by, of, place, how, isReadonly]) =>
    step(`domain ${by} maps ${place} of ${of}, ${how.join()}, read only ${isReadonly}`, (s) =>
      s.map(by, of, place, [...how], isReadonly),
    ),
  );

const commands = fc.commands(
  [
    entry,
    entry,
    mapping,
    mapping,
    mapping,
    fc
      .tuple(domid, fc.nat(6), kinds)
      .map(([by, handle, how]) =>
        step(`domain ${by} unmaps ${handle}, ${how.join()}`, (s) => s.unmap(by, handle, [...how])),
      ),
    fc
      .tuple(domid, ref, domid, fc.boolean())
      .map(([of, place, by, isWrite]) =>
        step(`domain ${by} asks for ${place} of ${of}, to write ${isWrite}`, (s) =>
          s.frameFor(of, place, by, isWrite),
        ),
      ),
    fc
      .tuple(domid, end, end, fc.oneof(fc.nat(16), fc.nat(4096)))
      .map(([by, source, target, length]) =>
        step(`domain ${by} copies ${length}: ${JSON.stringify([source, target])}`, (s) =>
          s.copy(by, source, target, length),
        ),
      ),
    fc
      .tuple(domid, fc.nat(PAGES * 4096 - 1), fc.nat(255))
      .map(([of, at, octet]) =>
        step(`domain ${of} writes ${octet} at ${at}`, (s) => s.poke(of, at, octet)),
      ),
    fc.constantFrom(2, 3).map((dying) => step(`domain ${dying} dies`, (s) => s.destroy(dying))),
  ],
  { maxCommands: 80, size: "max" },
);

describe("GrantTables", () => {
  it.each([
    ["plain", false],
    ["shared", true],
  ])("do in %s memory what a list of users does", (_, isShared) => {
    fc.assert(
      fc.property(commands, (all) => {
        fc.modelRun(() => {
          const model = new GrantModel();
          return { model, real: new Real(isShared, model) };
        }, all);
      }),
      { numRuns: 200 },
    );
  });
});
