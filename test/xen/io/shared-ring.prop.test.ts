import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { BackRing, FrontRing, initializeRing } from "../../../src/xen/io/shared-ring.ts";

/** What honest ends of a ring hold, as lists; indices are whole numbers without an end. */
interface Model {
  /** Requests that are published and not taken, taken and not answered, in order. */
  readonly asked: number[];
  readonly taken: number[];
  /** Responses that are published and not taken. */
  readonly answered: number[];
  /** Whether an end sleeps: it looked, found nothing, and asked for an event. */
  isBackAsleep: boolean;
  isFrontAsleep: boolean;
}

const WORK = ["ask", "serve", "answer", "hear", "back sleeps", "front sleeps"] as const;
const start = fc.oneof(fc.nat(3), fc.integer({ min: 2 ** 32 - 600, max: 2 ** 32 - 1 }));
const run = fc.array(fc.tuple(fc.constantFrom(...WORK), fc.integer({ min: 1, max: 300 })), {
  minLength: 20,
  maxLength: 200,
  size: "max",
});

/** Both ends of a ring in use, and what they hold. */
class Stand {
  readonly #memory: DomainMemory;
  readonly #front: FrontRing;
  readonly #back: BackRing;
  readonly #model: Model = {
    asked: [],
    taken: [],
    answered: [],
    isBackAsleep: true,
    isFrontAsleep: true,
  };
  #next = 1;

  constructor(isShared: boolean, first: number) {
    const memory = new DomainMemory({ domid: 1, pages: 1, isShared });
    initializeRing(memory, 0);
    for (const at of [0, 8]) memory.view.setUint32(at, first, true);
    for (const at of [4, 12]) memory.view.setUint32(at, first + 1, true);
    const options = { memory, gfn: 0, entryOctets: 8, start: first };
    this.#memory = memory;
    this.#front = new FrontRing(options);
    this.#back = new BackRing(options);
  }

  do(work: (typeof WORK)[number], count: number): void {
    const { asked, taken, answered } = this.#model;
    const { view } = this.#memory;
    const front = this.#front;
    const back = this.#back;
    switch (work) {
      case "ask": {
        const room = 256 - asked.length - taken.length - answered.length;
        expect(front.free).toBe(room);
        for (let done = 0; done < Math.min(count, room); done += 1) {
          view.setUint32(front.reserve(), this.#next, true);
          asked.push(this.#next);
          this.#next += 1;
        }
        expect(front.push()).toBe(this.#model.isBackAsleep && Math.min(count, room) > 0);
        if (Math.min(count, room) > 0) this.#model.isBackAsleep = false;
        return;
      }
      case "serve":
        expect(back.unconsumed).toBe(asked.length);
        for (const id of asked.splice(0, count)) {
          expect(view.getUint32(back.take(), true)).toBe(id);
          taken.push(id);
        }
        return;
      case "answer": {
        const ids = taken.splice(0, count);
        for (const id of ids) view.setUint32(back.reserve(), id, true);
        answered.push(...ids);
        expect(back.push()).toBe(this.#model.isFrontAsleep && ids.length > 0);
        if (ids.length > 0) this.#model.isFrontAsleep = false;
        return;
      }
      case "hear":
        expect(front.unconsumed).toBe(answered.length);
        for (const id of answered.splice(0, count)) {
          expect(view.getUint32(front.take(), true)).toBe(id);
        }
        return;
      case "back sleeps":
        expect(back.finalCheck()).toBe(asked.length > 0);
        this.#model.isBackAsleep ||= asked.length === 0;
        return;
      case "front sleeps":
        expect(front.finalCheck()).toBe(answered.length > 0);
        this.#model.isFrontAsleep ||= answered.length === 0;
    }
  }
}

describe("a ring between honest ends", () => {
  it.each([
    ["plain", false],
    ["shared", true],
  ])("keeps order, and wakes whoever sleeps and nobody else, in %s memory", (_, isShared) => {
    fc.assert(
      fc.property(start, run, (first, works) => {
        const stand = new Stand(isShared, first);
        for (const [work, count] of works) stand.do(work, count);
      }),
    );
  });
});
