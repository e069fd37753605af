import fc from "fast-check";
import { expect, it } from "vitest";
import { EmulatorError, ParseError } from "../../../src/base/errors.ts";
import { Ebtables } from "../../../src/filter/ebtables/ebtables.ts";
import { frames } from "./frames.ts";
import { tablesText } from "./frame-rule-texts.ts";
import { BridgeStand } from "./stand.ts";

it("reads what it prints, and prints the same again, counters too", () => {
  fc.assert(
    fc.property(tablesText(true), frames, (text, sent) => {
      const rules = new Ebtables();
      rules.restore(text);
      const stand = new BridgeStand(rules);
      for (const frame of sent.slice(0, 10)) stand.send(frame);
      const saved = rules.save({ hasCounters: true });
      const again = new Ebtables();
      again.restore(saved, { keepsCounters: true });
      expect(again.save({ hasCounters: true })).toBe(saved);
      expect(stand.pool.live).toBe(0);
    }),
    { numRuns: 40 },
  );
});

it("refuses any mangled text with its line, and keeps what it had", () => {
  const broken = fc.tuple(tablesText(true), fc.nat(), fc.constantFrom("", "!", "-s", "x", "--"));
  fc.assert(
    fc.property(broken, ([text, place, put]) => {
      const words = text.split(" ");
      const at = place % words.length;
      const mangled = [...words.slice(0, at), put, ...words.slice(at + 1)].join(" ");
      const rules = new Ebtables();
      rules.command("-A INPUT -p ARP -j DROP");
      const before = rules.save();
      try {
        rules.restore(mangled);
      } catch (error) {
        expect(error).toBeInstanceOf(ParseError);
        expect((error as ParseError).line).toBeGreaterThan(0);
        expect(rules.save()).toBe(before);
      }
    }),
    { numRuns: 100 },
  );
});

it("undoes a command that cannot be done", () => {
  const command = fc.constantFrom(
    "-N a",
    "-A a -j b",
    "-N b",
    "-A b -j a",
    "-X a",
    "-E a b",
    "-A INPUT -j a",
    "-I a 2 -p ARP -j DROP",
    "-D a 1",
    "-P a RETURN",
    "-P INPUT RETURN",
    "-t nat -N a",
    "-t nat -A a -j dnat --to-dst 2:0:0:0:0:1",
    "-t nat -A PREROUTING -j a",
    "-t nat -A POSTROUTING -j a",
  );
  fc.assert(
    fc.property(fc.array(command, { maxLength: 12 }), (commands) => {
      const rules = new Ebtables();
      rules.command("-P FORWARD DROP");
      rules.command("-t nat -P OUTPUT ACCEPT");
      for (const one of commands) {
        const before = rules.save();
        try {
          rules.command(one);
        } catch (error) {
          expect(error).toBeInstanceOf(EmulatorError);
          expect(rules.save()).toBe(before);
        }
        const again = new Ebtables();
        again.restore(rules.save());
        expect(again.save()).toBe(rules.save());
      }
    }),
  );
});

it("judges and counts in rows of rules for one port each as in rows that are broken up", () => {
  const rowFor = (ports: readonly string[]) =>
    fc.record({
      chain: fc.constantFrom("INPUT", "FORWARD", "own"),
      place: fc.oneof(
        { weight: 14, arbitrary: fc.constantFrom(...ports).map((port) => `-i ${port}`) },
        { weight: 1, arbitrary: fc.constantFrom("-i p+", "-s Unicast") },
      ),
      protocol: fc.constantFrom("", "", "-p IPv4 ", "-p ARP "),
      target: fc.constantFrom("CONTINUE", "CONTINUE", "ACCEPT", "DROP", "RETURN", "own"),
    });
  const rows = fc
    .constantFrom(["p0"], ["q0", "p1"], ["p0", "p0", "p1", "q0"])
    .chain((ports) => fc.array(rowFor(ports), { minLength: 30, maxLength: 90, size: "max" }));
  const policy = fc.constantFrom("ACCEPT", "RETURN");
  fc.assert(
    fc.property(rows, policy, frames, (all, own, sent) => {
      const lines = all.map(({ chain, place, protocol, target }) => {
        const jump = chain === "own" && target === "own" ? "CONTINUE" : target;
        return `-A ${chain} ${protocol}${place} -j ${jump}`;
      });
      const judged = [lines, lines.flatMap((line) => [line, breakerAfter(line)])].map((text) => {
        const rules = new Ebtables();
        rules.restore(["*filter", `:own ${own}`, ...text].join("\n"));
        const stand = new BridgeStand(rules);
        for (const frame of sent) stand.send(frame);
        const saved = rules.save({ hasCounters: true }).split("\n");
        return [stand.sent, saved.filter((line) => !line.includes(BREAKER))];
      });
      expect(judged[0]).toEqual(judged[1]);
    }),
    { numRuns: 25 },
  );
});

/** Matches no frame, and may follow any rule. */
const BREAKER = "-p 0x9999";
const breakerAfter = (line: string): string => line.replace(/^(-A \w+) .*/, `$1 ${BREAKER}`);
