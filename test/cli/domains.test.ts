import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import { analyze, parseSample, type Sample, type Series } from "../../src/cli/domains.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const read = (text: string): Sample[] =>
  text.split("\n").flatMap((line) => parseSample(line) ?? []);

/** The only series of some samples. */
function only(samples: readonly Sample[]): Series {
  const [series, ...others] = analyze(samples);
  expect(others).toEqual([]);
  if (series === undefined) throw new Error("expected a series");
  return series;
}

describe("a sample", () => {
  it("is a time and a domain's name or instance id, which are one number", () => {
    const name = parseSample("2010-02-01T09:30:00Z dom_32504936");
    const id = parseSample("  2010-02-01T10:30:00+01:00\ti-00b6bc68  # the same");
    expect(name).toEqual({ at: Date.UTC(2010, 1, 1, 9, 30), resolution: 1000, serial: 32_504_936 });
    expect(id).toEqual(name);
  });

  it.each([
    ["2010-02-01", DAY],
    ["2010-02-01T00:00", 60_000],
    ["2010-02-01T00:00:00Z", 1000],
    ["2010-02-01T00:00:00.000Z", 1],
  ])("is known as exactly as its time says: %s", (time, resolution) => {
    expect(parseSample(`${time} dom_1`)).toEqual({
      at: Date.UTC(2010, 1, 1),
      resolution,
      serial: 1,
    });
  });

  it.each(["", "   ", "# 2010-02-01 dom_1"])("is not in %j", (line) => {
    expect(parseSample(line)).toBeNull();
  });

  it.each([
    ["2010-02-01", "expected a time and a name such as"],
    ["2010-02-01 dom_1 dom_2", "expected a time and a name such as"],
    ["2010-02-30 dom_1", "expected a time such as"],
    ["2010-13-01 dom_1", "expected a time such as"],
    ["2010-02-01T24:01Z dom_1", "expected a time such as"],
    ["2010-02-01T10:00.5Z dom_1", "expected a time such as"],
    ["yesterday dom_1", "expected a time such as"],
    ["2010-02-01 dom_4294967296", "expected a name such as dom_32504936"],
    ["2010-02-01 i-123", "expected an id such as i-00b6bc68"],
  ])("is refused: %s", (line, message) => {
    expect(() => parseSample(line)).toThrow(ParseError);
    expect(() => parseSample(line)).toThrow(message);
  });
});

describe("the estimate", () => {
  it("of the seed document: 82,000 numbers in 24 hours", () => {
    const series = only(
      read("2010-01-31T09:30:00Z dom_32422936\n2010-02-01T09:30:00Z dom_32504936"),
    );
    expect(series).toMatchObject({
      region: "us-east-1",
      perDay: 82_000,
      launchesPerDay: 82_000,
      even: 2,
      odd: 0,
      mostLaunches: 32_504_936,
    });
    // Times known to a second: 82,000 / 86,400.
    expect(series.error).toBeCloseTo(0.949, 3);
  });

  it("weighs intervals by their length, and errs by how much they differ", () => {
    const { perDay, error, intervals } = only([
      { at: 0, resolution: 1, serial: 1000 },
      { at: 6 * HOUR, resolution: 1, serial: 1000 + 21_001 },
      { at: 24 * HOUR, resolution: 1, serial: 1000 + 82_000 },
    ]);
    expect(intervals.map((one) => Math.round(one.perDay))).toEqual([84_004, 81_332]);
    expect(perDay).toBe(82_000);
    // sqrt(2/1 * ((1/4 * 2004)^2 + (3/4 * 668)^2)): both are 501.
    expect(error).toBeCloseTo(1002, 0);
  });

  it("takes the numbers of one instant for one burst, and a domain seen twice for one", () => {
    const { intervals, samples } = only([
      { at: 0, resolution: 1, serial: 10 },
      { at: DAY, resolution: 1, serial: 110 },
      { at: DAY, resolution: 1, serial: 111 },
      { at: DAY, resolution: 1, serial: 10 },
      { at: 2 * DAY, resolution: 1, serial: 311 },
    ]);
    expect(samples.map(({ serial }) => serial)).toEqual([10, 110, 111, 311]);
    expect(intervals.map(({ serials }) => serials)).toEqual([101, 200]);
  });

  it("has no rate for domains of one time", () => {
    const series = only([{ at: 5, resolution: 1, serial: 10 }]);
    expect(series).toMatchObject({ perDay: null, error: null, launchesPerDay: null, stride: 1 });
  });

  it("begins anew where the numbers fall, and keeps regions apart", () => {
    const all = analyze([
      { at: 0, resolution: 1, serial: 5000 },
      { at: DAY, resolution: 1, serial: 7000 },
      { at: 2 * DAY, resolution: 1, serial: 100 },
      { at: DAY, resolution: 1, serial: 752_000_100 },
      { at: DAY, resolution: 1, serial: 500_000_001 },
    ]);
    expect(
      all.map(({ region, samples, mostLaunches }) => [region, samples.length, mostLaunches]),
    ).toEqual([
      ["us-east-1", 2, 7000],
      ["us-east-1", 1, 100],
      ["eu-west-1", 1, 1],
      ["us-west-1", 1, 100],
    ]);
  });
});

describe("whether every number is used", () => {
  const at = (serials: readonly number[]): Series =>
    only(serials.map((serial, index) => ({ at: index * HOUR, resolution: 1, serial })));

  it("cannot be told from two domains", () => {
    expect(at([100, 200])).toMatchObject({ stride: 100, strideChance: 1, launchesPerDay: 2400 });
  });

  it("is likely where nothing divides the differences", () => {
    expect(at([1, 4, 9, 16, 25])).toMatchObject({ stride: 1, even: 2, odd: 3 });
  });

  it("is denied when many are all odd: half as many VMs", () => {
    const series = at([1, 7, 13, 23, 27, 41, 43]);
    expect(series).toMatchObject({ stride: 2, odd: 7, even: 0 });
    // 1 - 1/zeta(6) = 1 - 945/pi^6.
    expect(series.strideChance).toBeCloseTo(1 - 945 / Math.PI ** 6, 9);
    expect(series.launchesPerDay).toBe((series.perDay ?? 0) / 2);
  });

  it("is left open when few are: half of three random pairs of differences share a divisor", () => {
    const { strideChance, stride, perDay, launchesPerDay } = at([1, 7, 11]);
    expect(stride).toBe(2);
    expect(strideChance).toBeCloseTo(1 - 6 / Math.PI ** 2, 5);
    expect(launchesPerDay).toBe(perDay);
  });

  it("finds the step of any counter that is sampled often enough", () => {
    const step = fc.integer({ min: 1, max: 12 });
    const jumps = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(step, jumps, (stride, rest) => {
        // Two jumps without a common divisor make the step exact.
        let serial = 1;
        const serials = [0, 7, 8, ...rest].map((jump) => (serial += jump * stride));
        expect(at(serials).stride).toBe(stride);
      }),
    );
  });
});

describe("series", () => {
  it("hold each domain once, rise in time and number, and average their intervals", () => {
    const sample = fc.record({
      at: fc.integer({ min: 0, max: 1000 }).map((hour) => hour * HOUR),
      resolution: fc.constantFrom(1, 1000, 60_000),
      serial: fc.nat(900_000_000),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 40 }), (samples) => {
        const all = analyze(samples);
        const kept = all.flatMap((one) => one.samples.map(({ serial }) => serial));
        const given = new Set(samples.map((one) => one.serial));
        expect(kept).toHaveLength(given.size);
        expect(new Set(kept)).toEqual(given);
        for (const { samples: own, intervals, perDay, even, odd } of all) {
          expect(even + odd).toBe(own.length);
          for (const [index, { at, serial }] of own.entries()) {
            const before = own[index - 1];
            expect(before === undefined || (before.at <= at && before.serial < serial)).toBe(true);
          }
          const rates = intervals.map((one) => one.perDay);
          if (perDay === null) expect(rates).toEqual([]);
          else {
            expect(perDay).toBeGreaterThanOrEqual(Math.min(...rates) * (1 - 1e-9));
            expect(perDay).toBeLessThanOrEqual(Math.max(...rates) * (1 + 1e-9));
          }
        }
      }),
    );
  });
});
