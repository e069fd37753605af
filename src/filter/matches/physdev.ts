/**
 * `-m physdev`: ports of a bridge (Linux `net/netfilter/xt_physdev.c`). Nothing is bridged here, so
 * a packet matches only if every test is inverted.
 * @module
 */
import { Hook } from "../../l3/hooks.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { type Given, option, printOption } from "../options.ts";
import { type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { ALL_HOOKS, ANYWHERE, hookBits } from "../placement.ts";
import { refuse } from "../errors.ts";
import { parseDeviceName } from "../values.ts";

class NeverMatcher implements Matcher {
  matches(): MatchResult {
    return MatchResult.No;
  }
}

const NEVER = new NeverMatcher();

/** In the order in which `iptables-save` prints them. */
const TESTS = [
  { name: "physdev-is-in", hasName: false },
  { name: "physdev-in", hasName: true },
  { name: "physdev-is-out", hasName: false },
  { name: "physdev-out", hasName: true },
  { name: "physdev-is-bridged", hasName: false },
] as const;

/** Ports of a bridge. */
export const physdev: MatchKind = {
  name: "physdev",
  protocol: null,
  options: TESTS.map(({ name, hasName }) =>
    option(name, { operands: hasName ? 1 : 0, isInvertible: true }),
  ),
  parse(given) {
    const asked: Given[] = [];
    let text = "";
    for (const { name, hasName } of TESTS) {
      const found = given.find(name);
      if (found === null) continue;
      asked.push(found);
      if (hasName) text += printOption(name, parseDeviceName(found.word), found.isInverted);
      else text += `${found.isInverted ? " !" : ""} --${name}`;
    }
    if (asked.length === 0) refuse("physdev", "physdev needs a test");
    const mayMatch = asked.every(({ isInverted }) => isInverted);
    const asksOutput = given.has("physdev-out") || given.has("physdev-is-out");
    const isBridged = given.find("physdev-is-bridged")?.isInverted === false;
    return newMatch({
      name: "physdev",
      text,
      placement: {
        ...ANYWHERE,
        hooks: asksOutput && !isBridged ? ALL_HOOKS & ~hookBits(Hook.Output) : ALL_HOOKS,
      },
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => (mayMatch ? null : NEVER),
    });
  },
};
