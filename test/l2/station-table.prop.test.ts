import fc from "fast-check";
import { expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { StationTable } from "../../src/l2/station-table.ts";
import { MAC_ZERO } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";

const LIMIT = 5;
const AGEING = 300 * SECOND;
const PORTS = ["p0", "p1", "p2"].map((name) => new Device({ name, mac: MAC_ZERO }));

/** Few stations: some share the upper octets, some the lower ones. */
const station = fc.record({
  high: fc.constantFrom(0, 0x0200, 0xfeff),
  low: fc.constantFrom(0, 1, -1, 0x5eff_0000),
});
const step = fc.record({
  kind: fc.constantFrom("learn", "learn", "find", "remove"),
  station,
  port: fc.constantFrom(...PORTS),
  later: fc.constantFrom(0, 1, SECOND, 100 * SECOND, AGEING),
});

it("knows who spoke last by which port, up to its bound and for 300 seconds", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const table = new StationTable(LIMIT);
      const known = new Map<string, { port: Device; seen: number }>();
      let now = 0;
      for (const {
        kind,
        station: { high, low },
        port,
        later,
      } of steps) {
        now += later;
        const key = `${high}/${low}`;
        if (kind === "learn") {
          if (!known.has(key) && known.size >= LIMIT) {
            for (const [one, { seen }] of known) if (now - seen >= AGEING) known.delete(one);
          }
          if (known.has(key) || known.size < LIMIT) known.set(key, { port, seen: now });
          table.learn(high, low, port, now);
        } else if (kind === "remove") {
          for (const [one, entry] of known) if (entry.port === port) known.delete(one);
          table.removePort(port);
        }
        const entry = known.get(key);
        const isFresh = entry !== undefined && now - entry.seen < AGEING;
        expect(table.find(high, low, now)).toBe(isFresh ? entry.port : null);
      }
    }),
  );
});
