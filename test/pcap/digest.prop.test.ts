import fc from "fast-check";
import { expect, it } from "vitest";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { digestOf } from "../../src/pcap/digest.ts";
import { summaryOf } from "../../src/pcap/summary.ts";
import { viewOf } from "../../src/wire/field.ts";
import { readFileSync } from "node:fs";
import { written } from "./collect.ts";

const REAL = readCapture(
  readFileSync(new URL("../../captures/linux-kernel/domu-3.pcap", import.meta.url)),
).records.map(({ octets }) => octets);

/** Frames of a real system, bent and cut. */
const frame = fc
  .record({
    whole: fc.constantFrom(...REAL),
    changes: fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 4 }),
    length: fc.nat(400),
  })
  .map(({ whole, changes, length }) => {
    const bent = whole.slice(0, length);
    for (const [at, octet] of changes) if (at < bent.length) bent[at] = octet;
    return bent;
  });

it("says something in one line about any frame", () => {
  const check = (octets: Uint8Array): void => {
    expect(summaryOf(octets)).toMatch(/^[ -~]+$/);
  };
  fc.assert(fc.property(fc.oneof(frame, fc.uint8Array({ maxLength: 80 })), check), {
    numRuns: 400,
  });
});

it("has a line for each frame, whatever names and comments say", () => {
  const text = fc.string({ unit: "binary" }).filter((one) => !one.includes("\0"));
  const check = (name: string, comments: readonly string[]): void => {
    const bytes = written((writer) => {
      writer.addInterface({ name });
      for (const comment of comments) {
        writer.annotate(
          writer.writeFrame(0, 0, viewOf(new Uint8Array()), 0, 0, 0, 0),
          null,
          comment,
        );
      }
    });
    expect(digestOf(bytes).split("\n")).toHaveLength(comments.length + 1);
  };
  fc.assert(fc.property(text, fc.array(text), check));
});
