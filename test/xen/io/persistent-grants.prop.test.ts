import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MILLISECOND, SECOND } from "../../../src/base/time.ts";
import { PersistentGrants } from "../../../src/xen/io/persistent-grants.ts";

const LIMIT = 200;
const CLEAN = 10;

interface Entry {
  readonly ref: number;
  readonly at: number;
}

/** What a back end keeps mapped, as a list. */
class Model {
  kept: readonly Entry[] = [];
  isOverflown = false;

  /** A request uses `refs`. @returns those that are mapped for it alone. */
  use(refs: readonly number[], now: number): number {
    let alone = 0;
    const used = new Set<number>();
    for (const ref of refs) {
      const isKept = this.kept.some((one) => one.ref === ref);
      if (used.has(ref) || (!isKept && this.kept.length >= LIMIT)) {
        alone += 1;
        this.isOverflown ||= !isKept;
      } else {
        used.add(ref);
        this.kept = [...this.kept.filter((one) => one.ref !== ref), { ref, at: now }];
      }
    }
    return alone;
  }

  purge(now: number): void {
    const old = this.kept.filter(({ at }) => at + 60 * SECOND <= now);
    const sorted = this.kept.toSorted((left, right) => left.ref - right.ref);
    const wanted = this.isOverflown && this.kept.length >= LIMIT ? CLEAN : 0;
    const gone = new Set(old);
    for (const one of sorted) if (gone.size < wanted) gone.add(one);
    this.kept = this.kept.filter((one) => !gone.has(one));
    if (gone.size > 0) this.isOverflown = false;
  }
}

const refs = fc.array(fc.nat(260), { minLength: 1, maxLength: 33 });
const step = fc.record({
  refs: fc.oneof(
    refs,
    fc.nat(230).map((first) => Array.from({ length: 32 }, (_, at) => first + at)),
  ),
  wait: fc.oneof(fc.nat(1000), fc.nat(300 * MILLISECOND), fc.nat(90 * SECOND)),
});

describe("grants that a back end keeps mapped", () => {
  it("are a list with a bound, from which the unused ones go", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
        const mapped = new Map<number, number>();
        const kept = new PersistentGrants(LIMIT, (handle) => {
          expect(mapped.delete(handle)).toBe(true);
        });
        const model = new Model();
        let [now, handles] = [0, 0];
        for (const one of steps) {
          const until = now + one.wait;
          while (kept.deadline <= until) {
            now = Math.max(now, kept.deadline);
            kept.purge(now);
            model.purge(now);
          }
          now = until;
          let alone = 0;
          const mine: number[] = [];
          for (const ref of one.refs) {
            const handle = kept.take(ref);
            if (handle >= 0) expect(mapped.get(handle)).toBe(ref);
            else {
              handles += 1;
              if (kept.keep(ref, handles, now)) mapped.set(handles, ref);
              else {
                alone += 1;
                continue;
              }
            }
            mine.push(ref);
          }
          for (const ref of mine) kept.release(ref, now);
          expect(alone).toBe(model.use(one.refs, now));
          expect(kept.size).toBeLessThanOrEqual(LIMIT);
          expect(new Set(mapped.values())).toEqual(new Set(model.kept.map(({ ref }) => ref)));
        }
        kept.clear();
        expect([mapped.size, kept.size, kept.deadline]).toEqual([0, 0, Infinity]);
      }),
      { numRuns: 100 },
    );
  });
});
