import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { DAY, HOUR, SECOND } from "../../src/base/time.ts";
import { TimerWheel } from "../model/timer-wheel.ts";

const hz = fc.constantFrom(100, 250, 1000);
const now = fc.integer({ min: 0, max: HOUR });
const delay = fc.oneof(
  fc.integer({ min: 0, max: SECOND }),
  fc.integer({ min: 0, max: 20 * SECOND }),
);

it("knows when the running tick began, in whole microseconds", () => {
  const anyHz = fc.constantFrom(100, 250, 300, 1000);
  fc.assert(
    fc.property(anyHz, now, fc.nat({ max: SECOND }), (hertz, instant, age) => {
      const jiffies = new Jiffies({ hz: hertz, age });
      const start = jiffies.floor(instant);
      expect(Number.isInteger(start)).toBe(true);
      expect(start).toBeLessThanOrEqual(instant);
      expect(instant - start).toBeLessThan(jiffies.tick);
      expect(jiffies.floor(start)).toBe(start);
      const ticks = [start, instant].map((at) => Math.floor(jiffies.uptime(at) / jiffies.tick));
      expect(ticks[0]).toBe(ticks[1]);
    }),
  );
});

describe("a timer", () => {
  it("fires when the wheel, turned tick by tick, comes to its bucket", () => {
    fc.assert(
      fc.property(hz, now, delay, (hertz, instant, duration) => {
        const jiffies = new Jiffies({ hz: hertz });
        const ticks = Math.ceil(duration / jiffies.tick);
        const firing = new TimerWheel(hertz).firing(Math.floor(instant / jiffies.tick), ticks);
        expect(jiffies.firing(instant, duration)).toBe(firing * jiffies.tick);
      }),
      { numRuns: 300 },
    );
  });

  it("fires never early, and late by two ticks and an eighth at most", () => {
    const far = fc.integer({ min: 0, max: 7 * DAY });
    fc.assert(
      fc.property(fc.constantFrom(100, 250, 300, 1000), now, far, (hertz, instant, duration) => {
        const jiffies = new Jiffies({ hz: hertz });
        const late = jiffies.firing(instant, duration) - instant - duration;
        expect(late).toBeGreaterThan(0);
        expect(late).toBeLessThanOrEqual((duration * 8) / 63 + 2 * jiffies.tick + 1);
      }),
    );
  });

  it("keeps the order of the delays", () => {
    fc.assert(
      fc.property(fc.boolean(), now, delay, delay, (hasCoarseLevels, instant, one, other) => {
        const jiffies = new Jiffies({ hasCoarseLevels });
        const [sooner, later] = one < other ? [one, other] : [other, one];
        expect(jiffies.firing(instant, sooner)).toBeLessThanOrEqual(jiffies.firing(instant, later));
      }),
    );
  });
});
