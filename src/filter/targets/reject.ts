/** `-j REJECT`: drop, and say so (Linux `net/ipv4/netfilter/ipt_REJECT.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import { Hook, type HookContext } from "../../l3/hooks.ts";
import { Protocol } from "../../l3/ipv4.ts";
import { refuse, RuleError } from "../errors.ts";
import { option, printOption } from "../options.ts";
import { hookBits } from "../placement.ts";
import { REJECT_WITH, type Rejecter, type RejectWith } from "../services.ts";
import { type Action, type FilterReason, newExtension, type TargetKind } from "../target.ts";

/** Older names, in the order of {@link REJECT_WITH}. */
const ALIASES = [
  "net-unreach",
  "host-unreach",
  "proto-unreach",
  "port-unreach",
  "net-prohib",
  "host-prohib",
  "tcp-rst",
  "admin-prohib",
] as const;

class RejectAction implements Action {
  readonly #rejecter: Rejecter;
  readonly #how: RejectWith;

  constructor(rejecter: Rejecter, how: RejectWith) {
    this.#rejecter = rejecter;
    this.#how = how;
  }

  apply(packet: Packet, { now }: HookContext): FilterReason {
    this.#rejecter.reject(packet, this.#how, now);
    return "filter/rejected";
  }
}

/** Needs a {@link Rejecter}; only in filter. */
export const REJECT: TargetKind = {
  name: "REJECT",
  options: [option("reject-with")],
  parse(given) {
    const how = parseHow(given.find("reject-with")?.word ?? "icmp-port-unreachable");
    return newExtension({
      name: "REJECT",
      text: printOption("reject-with", how),
      placement: {
        table: "filter",
        hooks: hookBits(Hook.Input, Hook.Forward, Hook.Output),
        protocols: how === "tcp-reset" ? [Protocol.Tcp] : null,
      },
      bind({ rejecter }) {
        if (rejecter === null) throw new RuleError("rule-service", "REJECT", "nobody rejects here");
        return { kind: "action", action: new RejectAction(rejecter, how) };
      },
    });
  },
};

/** A name or an alias, or the beginning of one. */
function parseHow(word: string): RejectWith {
  const lower = word.toLowerCase();
  const found = REJECT_WITH.find(
    (name, index) => name.startsWith(lower) || ALIASES[index]?.startsWith(lower) === true,
  );
  if (found === undefined || word === "") {
    refuse(word, `packets are rejected with ${REJECT_WITH.join(", ")}, not "${word}"`);
  }
  return found;
}
