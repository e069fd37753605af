import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { BackRing, FrontRing, initializeRing } from "../../../src/xen/io/shared-ring.ts";
import { compileWithXen, linesOf, missingHeaders } from "../xen-headers.ts";

/** Commands of ring.c, which does the same with the macros of Xen's ring.h. */
class Rings {
  readonly #memory: DomainMemory;
  #front: FrontRing;
  #back: BackRing;

  constructor(isShared: boolean) {
    this.#memory = new DomainMemory({ domid: 1, pages: 1, isShared });
    const options = { memory: this.#memory, gfn: 0, entryOctets: 12 };
    this.#front = new FrontRing(options);
    this.#back = new BackRing(options);
  }

  /** @returns the line that ring.c answers. */
  answer(command: string): string {
    const [op = "", first = 0, second = 0] = command.split(" ");
    const result = this.#do(op, Number(first), Number(second));
    const words = [0, 4, 8, 12].map((at) => this.#memory.view.getUint32(at, true));
    return [result, ...words].join(" ");
  }

  #do(op: string, first: number, second: number): number {
    const front = this.#front;
    const back = this.#back;
    const { view } = this.#memory;
    switch (op) {
      case "i": {
        initializeRing(this.#memory, 0);
        for (const at of [0, 8]) view.setUint32(at, first, true);
        for (const at of [4, 12]) view.setUint32(at, first + 1, true);
        const options = { memory: this.#memory, gfn: 0, entryOctets: 12, start: first };
        this.#front = new FrontRing(options);
        this.#back = new BackRing(options);
        return this.#front.entries;
      }
      case "w":
        view.setUint32(first * 4, second, true);
        return 0;
      case "r":
        return front.free === 0 ? -1 : front.reserve();
      case "p":
        return Number(front.push());
      case "u":
        return front.unconsumed;
      case "t":
        return front.unconsumed === 0 ? -1 : front.take();
      case "f":
        return Number(front.finalCheck());
      case "o":
        return Number(front.isOverrun);
      case "e":
        return front.free;
      case "U":
        return back.unconsumed;
      case "T":
        return back.unconsumed === 0 ? -1 : back.take();
      case "R":
        return back.responseProducer === back.requestConsumer ? -1 : back.reserve();
      case "P":
        return Number(back.push());
      case "F":
        return Number(back.finalCheck());
      case "O":
        return Number(back.isOverrun);
    }
    throw new Error(op);
  }
}

const NEAR_END = 2 ** 32 - 300;
const index = fc.oneof(
  fc.integer({ min: 0, max: 600 }),
  fc.integer({ min: NEAR_END, max: 2 ** 32 - 1 }),
  fc.integer({ min: 0, max: 2 ** 32 - 1 }),
);
const OPERATIONS = "rrrrppputtttffoeUTTTTRRRRPPPFFO".split("");
/** What honest ends do, and now and then a word that somebody wrote into the header. */
const command = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom(...OPERATIONS) },
  { weight: 1, arbitrary: fc.tuple(fc.nat(3), index).map(([at, word]) => `w ${at} ${word}`) },
);
const run = fc
  .tuple(index, fc.array(command, { minLength: 50, maxLength: 900, size: "max" }))
  .map(([start, commands]) => [`i ${start}`, ...commands]);

describe.skipIf(missingHeaders !== null)(
  `rings beside Xen's ring.h (${missingHeaders ?? "here"})`,
  () => {
    let program = "";
    beforeAll(() => {
      program = compileWithXen("test/xen/io/ring.c");
    });

    it.each([
      ["plain", false],
      ["shared", true],
    ])("say and write the same in %s memory", (_, isShared) => {
      fc.assert(
        fc.property(run, (commands) => {
          const rings = new Rings(isShared);
          const theirs = linesOf(program, `${commands.join("\n")}\n`);
          const ours = commands.map((one) => rings.answer(one));
          const at = ours.findIndex((line, place) => line !== theirs[place]);
          expect([commands[at], ours[at]]).toEqual([commands[at], theirs[at]]);
        }),
        { numRuns: 150 },
      );
    });
  },
);
