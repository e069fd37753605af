/** Scripts that the store once answered otherwise than xenstored 4.17 did. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OurXenstored } from "../oracle/xenstored/our-xenstored.ts";
import { fromLines } from "../oracle/xenstored/recording.ts";
import { differenceOf } from "../oracle/xenstored/store-run.ts";

const recordings = fromLines(readFileSync("test/regressions/xenstore.jsonl", "utf8"));

describe("the store, as xenstored,", () => {
  it.each(recordings)("$what (seed $seed)", async (recording) => {
    const { steps, received } = recording;
    expect(received).toHaveLength(steps.length);
    expect(differenceOf(steps, received, await new OurXenstored().play(steps))).toBeNull();
  });
});
