import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MILLISECOND } from "../../src/base/time.ts";
import { emulate, type Recording } from "../oracle/world-case.ts";
import { differencesOf, type TalkRecording } from "../oracle/talk-case.ts";
import { comparable, unpaired } from "../oracle/world-compare.ts";

/** A recording in which the emulated router once differed from the kernel. */
interface Found extends Recording {
  /** A claim that the kernel bears out. */
  readonly what: string;
  /** The seed of the run that found it; `null` if it was found by reading. */
  readonly seed: number | null;
  /** How long the kernel was listened to, in microseconds. */
  readonly until: number;
}

const TOLERANCE = 40 * MILLISECOND;
const FOUND = linesOf<Found>("router.jsonl");
/** Recordings of worlds with rules, in which more is compared. */
const TALK = linesOf<TalkRecording & Pick<Found, "what" | "seed">>("talk.jsonl");

function linesOf<T>(file: string): T[] {
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  return text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as T);
}

describe("the emulated router does what a recorded kernel did", () => {
  it.each(FOUND)("$what", (found) => {
    const { world, sent, until } = found;
    const emulated = emulate(found, until);
    if (until === 0) expect(comparable(world, emulated)).toEqual(comparable(world, sent));
    else expect(unpaired(world, sent, emulated, TOLERANCE, until - TOLERANCE)).toEqual([]);
  });

  it.each(TALK)("$what", (found) => {
    expect(differencesOf(found)).toEqual([]);
  });
});
