import { describe, expect, it } from "vitest";
import { HOUR } from "../../src/base/time.ts";
import { Output } from "../../src/cli/output.ts";
import { Progress } from "../../src/cli/progress.ts";

/** A progress on a terminal or not, a clock for it, and what it wrote. */
function setUp(isTTY: boolean) {
  const written: string[] = [];
  const stream = { isTTY, write: (text: string) => written.push(text) > 0, on: () => {} };
  const clock = { ms: 0 };
  const err = new Output(stream, { TERM: "xterm", NO_COLOR: "1" });
  return { progress: new Progress(err, () => clock.ms), clock, written };
}

const ERASE = "\r\u001B[K";

describe("the progress of a run", () => {
  it("is shown after a second, and again after each fifth of one", () => {
    const { progress, clock, written } = setUp(true);
    for (clock.ms = 0; clock.ms < 1400; clock.ms += 100) progress.show(HOUR, 4 * HOUR);
    expect(written).toEqual([
      `${ERASE}1:00:00.000 of 4:00:00.000, 25 %`,
      `${ERASE}1:00:00.000 of 4:00:00.000, 25 %`,
    ]);
  });

  it("makes room once for other text", () => {
    const { progress, clock, written } = setUp(true);
    progress.clear();
    clock.ms = 1000;
    progress.show(HOUR, HOUR);
    progress.clear();
    progress.clear();
    expect(written.slice(1)).toEqual([ERASE]);
  });

  it("is shown in octets where no time is known, with a share if there is an end", () => {
    const { progress, clock, written } = setUp(true);
    clock.ms = 1000;
    progress.showOctets(12_345, null);
    clock.ms = 1100;
    progress.showOctets(12_346, null);
    clock.ms = 1200;
    progress.showOctets(12_347, 49_388);
    expect(written).toEqual([`${ERASE}12,345 octets`, `${ERASE}12,347 octets of 49,388, 25 %`]);
  });

  it("is not shown where nobody looks", () => {
    const { progress, clock, written } = setUp(false);
    clock.ms = 5000;
    progress.show(HOUR, HOUR);
    progress.clear();
    expect(written).toEqual([]);
  });
});
