import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ipv4Of } from "../../src/wire/addr.ts";
import { Scratch } from "../../src/nat/flow-record.ts";
import { copyTuple, TUPLE_LENGTH, writeTuple } from "../../src/nat/tuple.ts";
import { TupleIndex } from "../../src/nat/tuple-index.ts";

const MOST = 64;
/** Three places for scratch tuples come first, as in the table of connections. */
const wayOf = (number: number): number => (number + 4) * TUPLE_LENGTH;

function tuples(): Int32Array {
  const words = new Int32Array(((MOST + 4) * TUPLE_LENGTH) / 4);
  for (let number = 0; number < MOST; number += 1) {
    const src = ipv4Of(0x0a00_0000 + number);
    writeTuple({ protocol: 17, src, dst: src, srcPort: 7, dstPort: number }, words, wayOf(number));
  }
  return words;
}

function waysOf(index: TupleIndex, chain: number, chains: number): number[] {
  const ways: number[] = [];
  let at = index.nextInChain(chain, chains, 0);
  for (; at >= 0; at = index.nextInChain(chain, chains, at)) ways.push(index.wayAt(at));
  return ways.toSorted((left, right) => left - right);
}

describe("the index of tuples", () => {
  const words = tuples();
  const probe = (number: number): void => copyTuple(words, wayOf(number), Scratch.Probe);
  const numbers = fc.array(fc.nat(MOST - 1), { maxLength: 200 });

  it("finds what was put in and not taken out", () => {
    fc.assert(
      fc.property(numbers, (steps) => {
        const index = new TupleIndex(MOST);
        const held = new Set<number>();
        for (const number of steps) {
          if (held.delete(number)) index.displace(words, wayOf(number));
          else {
            held.add(number);
            index.place(words, wayOf(number));
          }
        }
        for (let number = 0; number < MOST; number += 1) {
          probe(number);
          expect(index.find(words)).toBe(held.has(number) ? wayOf(number) : -1);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("knows the tuples of each chain, of as many chains as one likes", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.nat(MOST - 1)), fc.integer({ min: 1, max: 300 }), (held, n) => {
        const index = new TupleIndex(MOST);
        const expected = Array.from({ length: n }, (): number[] => []);
        for (const number of held) {
          index.place(words, wayOf(number));
          probe(number);
          expected[index.chainOf(words, n)]?.push(wayOf(number));
        }
        const sorted = expected.map((ways) => ways.toSorted((left, right) => left - right));
        expect(sorted.map((_, chain) => waysOf(index, chain, n))).toEqual(sorted);
      }),
      { numRuns: 60 },
    );
  });
});
