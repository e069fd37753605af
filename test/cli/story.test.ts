import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { Output } from "../../src/cli/output.ts";
import type { RunEvent } from "../../src/cli/scenario/events.ts";
import { Story } from "../../src/cli/story.ts";

/** The lines that a story makes of `events`. */
function linesOf(events: readonly RunEvent[], isTTY = false): string[] {
  let text = "";
  const stream = {
    isTTY,
    columns: 80,
    write: (part: string) => (text += part) !== "",
    on: () => {},
  };
  const story = new Story(new Output(stream, { TERM: "xterm" }));
  for (const event of events) story.tell(event);
  return text.split("\n");
}

const START: RunEvent = {
  event: "start",
  at: 0,
  scenario: "s.yaml",
  title: null,
  seed: 7,
  profile: "linux",
  hosts: [{ name: "host-a", privateAddress: "10.0.0.2", externalAddress: "192.0.2.1" }],
  fabric: "192.0.2.254",
  internet: [],
};
const step = (index: number, words: string, says: string | null = null): RunEvent => {
  return { event: "step", at: index * SECOND, step: index, says, action: "udp", words };
};
const settled = (index: number): RunEvent => ({ event: "settled", at: 9 * SECOND, step: index });
const drop = (
  packet: number,
  index: number | null,
  reason: `${string}/${string}`,
  device = "vif1.0",
): RunEvent => ({
  event: "drop",
  at: SECOND,
  packet,
  step: index,
  fate: "dropped",
  reason,
  device,
  summary: "ARP",
});
const judgement = (key: string, holds: boolean): RunEvent => {
  return { event: "judgement", at: 1, step: 1, line: 9, key, expected: 2, actual: [], holds };
};
const END: RunEvent = {
  event: "end",
  at: 12 * SECOND,
  isInterrupted: false,
  packets: 3210,
  live: 0,
  ends: [
    { fate: "consumed", reason: "arp/answered", count: 1200 },
    { fate: "delivered", reason: "udp/delivered", count: 10 },
    { fate: "consumed", reason: "arp/learned", count: 2000 },
  ],
  held: 1,
  failed: 1,
  unreached: 1,
};

describe("a story", () => {
  it("begins with who is there", () => {
    expect(linesOf([START, END]).slice(0, 6)).toEqual([
      "s.yaml",
      "seed 7, profile linux, in virtual time",
      "",
      "host    Dom0, private  Dom0, external",
      "host-a  10.0.0.2       192.0.2.1",
      "",
    ]);
  });

  it("tells a step when all of it is known, with the time where it moved on", () => {
    const lines = linesOf([
      START,
      step(1, "one asks", "Asking"),
      step(2, "another asks"),
      drop(5, 1, "a/b"),
      judgement("replies", true),
      judgement("received", true),
      judgement("dropped", false),
      settled(2),
      settled(1),
    ]);
    expect(lines.slice(5)).toEqual([
      "     2.000 s  another asks",
      "",
      "Asking",
      "     1.000 s  one asks",
      "              packet 5 dropped at vif1.0: a/b",
      "              as expected: replies 2, received 2",
      "              FAILED (line 9): expected dropped 2, got nothing",
      "",
    ]);
  });

  it("counts what came to nothing by reason, with the places", () => {
    const drops = [drop(5, null, "a/b"), drop(6, null, "c/d"), drop(7, null, "a/b")];
    expect(linesOf([START, ...drops, END]).slice(5, 11)).toEqual([
      "",
      "What came to nothing, and why",
      "packets  reason  the first one  where",
      "      2  a/b     5, at 1.000 s  vif1.0",
      "      1  c/d     6, at 1.000 s  vif1.0",
      "`dom0 explain` tells the way of each, step by step.",
    ]);
  });

  it("names the first of many places", () => {
    const drops = [1, 2, 3, 4, 5, 6].map((domid) => drop(domid, null, "a/b", `vif${domid}.0`));
    expect(linesOf([START, ...drops, END])[8]).toBe(
      "      6  a/b     1, at 1.000 s  vif1.0, vif2.0, vif3.0, vif4.0 and 2 more",
    );
  });

  it("ends with the sums and the verdict, and with steps that were cut off", () => {
    expect(linesOf([START, step(1, "one asks"), END]).slice(5)).toEqual([
      "     1.000 s  one asks",
      "",
      "3,210 packets until 12.000 s: 10 delivered, 3,200 consumed.",
      "The end of the run came before 1 step ended.",
      "1 of 2 expectations failed.",
      "",
    ]);
  });

  it("says the same in colours", () => {
    const events = [START, step(1, "one asks"), judgement("dropped", false), settled(1), END];
    const colored = linesOf(events, true).join("\n");
    expect(colored).toContain("\u001B");
    expect(stripVTControlCharacters(colored)).toBe(linesOf(events).join("\n"));
  });
});
