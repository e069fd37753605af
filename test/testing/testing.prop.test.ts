import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  arpFrame,
  echoFrame,
  faultOf,
  hostileFrame,
  leakOf,
  matchers,
  stationMac,
  udpFrame,
} from "../../src/testing/index.ts";
import { isGroupMac } from "../../src/wire/addr.ts";
import { FIRST, seedZone } from "../support/hosts.ts";

const sound = fc.oneof(arpFrame(), udpFrame(), echoFrame());

describe("generators", () => {
  it("make frames that every check accepts", () => {
    fc.assert(
      fc.property(sound, (frame) => {
        expect(faultOf(frame)).toBeNull();
      }),
    );
  });

  it("give stations no group address", () => {
    fc.assert(
      fc.property(stationMac(), (address) => {
        expect(isGroupMac(address) || address === 0).toBe(false);
      }),
    );
  });
});

describe("laws", () => {
  it("see one flipped bit of a checked header", () => {
    fc.assert(
      fc.property(udpFrame(), fc.integer({ min: 14 * 8, max: 34 * 8 - 1 }), (frame, bit) => {
        const changed = frame.slice();
        const at = bit >>> 3;
        changed[at] = (changed[at] ?? 0) ^ (1 << (bit & 7));
        expect(faultOf(changed)).not.toBeNull();
      }),
    );
  });

  it("word what they found", () => {
    expect(matchers.toBeSoundFrame(new Uint8Array(3)).message()).toBe(
      "the frame has ethernet/truncated",
    );
  });
});

describe("a whole zone under hostile frames", () => {
  it("conserves packets and sends sound frames, whatever a domU sends", async () => {
    const frame = hostileFrame({ srcMac: FIRST.mac, src: FIRST.address });
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { maxLength: 30 }), async (frames) => {
        const { zone, host } = seedZone({ traceLimit: 0 });
        const raw = host.launch({ guest: "external", securityGroups: ["open"] });
        const heard: Uint8Array[] = [];
        raw.external?.onReceive((octets) => heard.push(octets.slice()));
        await zone.run({ until: "12s" });
        for (const one of frames) raw.external?.transmit(one);
        await zone.run({ until: "2m" });
        for (const octets of heard) expect(faultOf(octets)).toBeNull();
        expect(leakOf(zone.pool)).toBeNull();
      }),
      { numRuns: 40 },
    );
  });
});
