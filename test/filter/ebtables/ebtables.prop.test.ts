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
    { numRuns: 60 },
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
    { numRuns: 150 },
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
