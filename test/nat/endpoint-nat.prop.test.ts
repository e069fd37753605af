import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MINUTE } from "../../src/base/time.ts";
import { EndpointModel } from "../model/endpoint-model.ts";
import { DEPENDENCES, Peers } from "./peers.ts";

const inner = fc.constantFrom("10.0.0.1:4000", "10.0.0.2:4000", "10.0.0.1:53", "10.0.0.2:4001");
const peer = fc.constantFrom("8.8.8.8:53", "8.8.8.8:54", "9.9.9.9:53", "9.9.9.9:54");
const port = fc.constantFrom(4000, 4001, 4002, 4004, 53, 55, 57);
const step = fc.oneof(
  fc.record({ kind: fc.constant("send" as const), from: inner, to: peer }),
  fc.record({
    kind: fc.constant("call" as const),
    from: peer,
    to: port.map((one) => `192.0.2.1:${one}`),
  }),
  // After three minutes no connection is remembered, after five no mapping.
  fc.record({ kind: fc.constant("wait" as const), minutes: fc.constantFrom(3, 3, 6) }),
);
const behaviour = fc.record({
  mapping: fc.constantFrom(...DEPENDENCES),
  filtering: fc.constantFrom(...DEPENDENCES),
  ports: fc.constantFrom("preserved" as const, "random" as const),
});
const numberOf = (endpoint: string): number => Number(endpoint.split(":")[1]);

describe("translation of endpoints", () => {
  it("does what RFC 4787 section 4 says, whoever sends to whom", () => {
    fc.assert(
      fc.property(behaviour, fc.array(step, { maxLength: 30 }), (chosen, steps) => {
        const peers = new Peers(chosen);
        const model = new EndpointModel(chosen.mapping, chosen.filtering, 5 * MINUTE);
        const had = new Set<string>();
        for (const one of steps) {
          if (one.kind === "wait") {
            peers.wait(one.minutes * MINUTE);
            model.wait(one.minutes * MINUTE);
          } else if (one.kind === "call") {
            // What nobody ever had is the router's own.
            if (!had.has(one.to)) continue;
            expect(peers.call(one.from, one.to)).toBe(model.called(one.from, one.to));
          } else {
            const seen = peers.send(one.from, one.to) ?? "";
            const expected = model.expected(one.from, one.to);
            if (expected !== null) expect(seen).toBe(expected);
            else expect(model.outers).not.toContain(seen);
            expect(numberOf(seen) % 2).toBe(numberOf(one.from) % 2);
            expect(numberOf(seen) < 1024).toBe(numberOf(one.from) < 1024);
            model.sent(one.from, one.to, seen);
            had.add(seen);
          }
        }
        const mappings = peers.nat.mappings(peers.stand.now);
        expect(mappings).toHaveLength(model.outers.length);
      }),
      { numRuns: 300 },
    );
  });
});
