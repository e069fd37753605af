import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MINUTE } from "../../../src/base/time.ts";
import { type CaptureFile, readCapture } from "../../../src/pcap/capture-reader.ts";
import { instantOf } from "../../../src/pcap/record.ts";
import { RouterWorld, type SentFrame } from "../../../src/zone/world/router-world.ts";
import { anyCase, anySlowCase, type Case } from "../../oracle/world-case.ts";
import { concat } from "../../oracle/world-octets.ts";

const EPOCH = 1_000_000;
const cases = fc.oneof(anyCase(12), anySlowCase(12));
const NAT = "*nat\n-A POSTROUTING -o e1 -j MASQUERADE --random\nCOMMIT\n";

interface Run {
  readonly world: RouterWorld;
  readonly sent: readonly SentFrame[];
  readonly file: CaptureFile;
}

/** Play a case, to the end of all timers of its packets. */
function play({ world: words, frames }: Case, iptables = ""): Run {
  const chunks: Uint8Array[] = [];
  const world = new RouterWorld({ ...words, iptables }, { epoch: EPOCH });
  world.writeTo((chunk) => chunks.push(chunk.slice()));
  for (const { interface: name, octets, at } of frames) {
    world.receive(name, Buffer.from(octets, "hex"), at);
  }
  world.expire(world.now + MINUTE);
  world.close();
  return { world, sent: world.sent(), file: readCapture(concat(...chunks)) };
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** The records of one direction: where, when, what. */
function recorded({ records }: CaptureFile, wanted: "inbound" | "outbound"): unknown[] {
  return records
    .filter(({ direction }) => direction === wanted)
    .map((one) => [one.interface.name, instantOf(one, BigInt(EPOCH) * 1000n), hex(one.octets)]);
}

describe("the capture of a world", () => {
  it("has every frame that came in, at its time, and every one that was sent", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const { file, sent, world } = play(one);
        const came = one.frames.map(({ interface: name, at, octets }) => [name, at, octets]);
        // A packet that ended later than it came is recorded once more, as it was then.
        const inbound = recorded(file, "inbound");
        expect(inbound).toEqual(expect.arrayContaining(came));
        const left = sent.map(({ interface: name, at, octets }) => [name, at, hex(octets)]);
        expect(recorded(file, "outbound")).toEqual(expect.arrayContaining(left));
        expect(file.interfaces.map(({ name }) => name)).toEqual(world.interfaces);
        expect(world.pool.ended).toBe(world.pool.allocated);
      }),
      { numRuns: 40 },
    );
  });

  it("is the same for the same seed, translation and all", () => {
    fc.assert(
      fc.property(cases, (one) => {
        const [first, again] = [play(one, NAT), play(one, NAT)];
        expect(again.sent).toEqual(first.sent);
        expect(again.file.records).toEqual(first.file.records);
        expect(again.world.connections()).toBe(first.world.connections());
      }),
      { numRuns: 20 },
    );
  });

  it("tells of every frame that came in how it ended", () => {
    fc.assert(
      fc.property(cases, ({ world: words, frames }) => {
        const world = new RouterWorld(words);
        const ids = frames.map(({ interface: name, octets, at }) =>
          world.receive(name, Buffer.from(octets, "hex"), at),
        );
        world.expire(world.now + MINUTE);
        for (const id of ids) expect(world.explain(id)?.ends.length).toBeGreaterThan(0);
      }),
      { numRuns: 20 },
    );
  });
});
