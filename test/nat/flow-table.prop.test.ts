import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { FLOW, Scratch, Status } from "../../src/nat/flow-record.ts";
import { FlowTable, MAX_FLOWS } from "../../src/nat/flow-table.ts";
import { invertTuple, TUPLE_LENGTH, type Tuple, writeTuple } from "../../src/nat/tuple.ts";
import { ipv4Of } from "../../src/wire/addr.ts";

/** A tuple of its own for each number; neighbours differ in all parts. */
const tupleOf = (number: number): Tuple => ({
  protocol: 17,
  src: ipv4Of(0xf000_0000 + (number % 7)),
  dst: ipv4Of(0x0a00_0000 + (number >> 5)),
  srcPort: 1024 + (number % 32),
  dstPort: 80,
});

function insert(table: FlowTable, number: number, ticks = 1000): number {
  const flow = table.allocate();
  writeTuple(tupleOf(number), table.words, flow);
  invertTuple(table.words, flow, flow + TUPLE_LENGTH);
  FLOW.status.set(table.view, flow, Status.SourceDone);
  FLOW.expires.set(table.view, flow, ticks);
  table.insert(flow);
  return table.handleOf(flow);
}

function find(table: FlowTable, number: number, isReply: boolean): number {
  writeTuple(tupleOf(number), table.words, Scratch.Probe);
  if (isReply) invertTuple(table.words, Scratch.Probe, Scratch.Probe);
  return table.find();
}

/** How many entries with the number's source the list of its source has. */
function countSame(table: FlowTable, number: number): number {
  writeTuple(tupleOf(number), table.words, Scratch.Current);
  const { src, srcPort } = tupleOf(number);
  let found = 0;
  for (let flow = table.firstSame(Scratch.Current); flow !== 0; flow = table.nextSame(flow)) {
    const isSame =
      table.view.getUint32(flow, true) === src && table.view.getUint16(flow + 8, true) === srcPort;
    found += isSame ? 1 : 0;
  }
  return found;
}

describe("the table of connections", () => {
  it("finds what a map would find, through insertions, removals and growth", () => {
    const step = fc.record({ isRemoval: fc.boolean(), number: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(step, { minLength: 100, maxLength: 600 }), (steps) => {
        const table = new FlowTable(400);
        const handles = new Map<number, number>();
        for (const { isRemoval, number } of steps) {
          const handle = handles.get(number);
          if (handle === undefined && !isRemoval) handles.set(number, insert(table, number));
          if (handle !== undefined && isRemoval) {
            table.remove(table.flowOf(handle));
            handles.delete(number);
          }
        }
        expect(table.count).toBe(handles.size);
        for (let number = 0; number <= 400; number += 1) {
          const handle = handles.get(number);
          const flow = handle === undefined ? -1 : table.flowOf(handle);
          expect(find(table, number, false)).toBe(flow);
          expect(find(table, number, true)).toBe(flow < 0 ? -1 : flow + TUPLE_LENGTH);
        }
        const sourceOf = (number: number): string =>
          `${tupleOf(number).src} ${tupleOf(number).srcPort}`;
        for (let number = 0; number < 224; number += 1) {
          const same = [...handles.keys()].filter((one) => sourceOf(one) === sourceOf(number));
          expect(countSame(table, number)).toBe(same.length);
        }
      }),
      { numRuns: 15 },
    );
  });

  it("lists entries in the order of their confirmation", () => {
    const table = new FlowTable(100);
    const numbers = [5, 3, 99, 4];
    const handles = numbers.map((number) => insert(table, number));
    expect(table.flows().map((flow) => table.handleOf(flow))).toEqual(handles);
  });

  it("loses an entry when its time is over, though the clock goes round", () => {
    const table = new FlowTable(100);
    table.now = 2 ** 32 - 5;
    insert(table, 1, 10);
    insert(table, 2, 4);
    table.now = 0;
    expect(find(table, 1, false)).toBeGreaterThan(0);
    expect(find(table, 2, false)).toBe(-1);
    table.now = 4;
    expect(find(table, 1, false)).toBeGreaterThan(0);
    table.now = 5;
    expect(find(table, 1, false)).toBe(-1);
    expect(table.count).toBe(0);
  });

  it("has room as soon as the first entry's time is over", () => {
    const table = new FlowTable(3);
    for (const [number, ticks] of [
      [1, 50],
      [2, 40],
      [3, 60],
    ] as const) {
      expect(table.hasRoom()).toBe(true);
      insert(table, number, ticks);
    }
    for (const now of [0, 20, 39]) {
      table.now = now;
      expect(table.hasRoom()).toBe(false);
    }
    table.now = 40;
    expect(table.hasRoom()).toBe(true);
    expect(table.count).toBe(2);
  });

  it("refuses a limit that its handles cannot number", () => {
    for (const limit of [0, 1.5, MAX_FLOWS]) {
      expect(() => new FlowTable(limit)).toThrow(OptionError);
    }
  });

  it("gives handles that are small integers, and knows those of no entry", () => {
    const table = new FlowTable(10);
    for (let round = 0; round < 3000; round += 1) {
      const handle = insert(table, 1);
      expect(handle).toBeLessThan(2 ** 31);
      expect(table.flowOf(handle)).toBeGreaterThan(0);
      table.remove(table.flowOf(handle));
    }
    for (const handle of [-1, 0, 1e6, 2 ** 31 - 1]) expect(table.flowOf(handle)).toBe(-1);
  });
});
