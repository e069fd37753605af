/** `-j LOG`: a line in the log, and the rules go on (Linux `net/netfilter/xt_LOG.c`). @module */
import type { Packet } from "../../wire/packet.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { refuse } from "../errors.ts";
import { formatLogLine, type LogDetails } from "../log-line.ts";
import { option, type Options, printOption } from "../options.ts";
import type { LogSink } from "../services.ts";
import { type Action, newExtension, type TargetKind } from "../target.ts";
import { findNumber } from "../values.ts";
import { cutOctets, quote } from "../words.ts";

/** Octets that the kernel keeps; `iptables` cuts off the others without a word. */
const MAX_PREFIX = 29;
/** By number; names that are no longer in use come after. */
const LEVELS: readonly (readonly [string, number])[] = [
  ["emerg", 0],
  ["alert", 1],
  ["crit", 2],
  ["error", 3],
  ["warning", 4],
  ["notice", 5],
  ["info", 6],
  ["debug", 7],
  ["panic", 0],
];
const WARNING = 4;

/** In the order in which `iptables-save` prints them. */
const FLAGS = [
  "log-tcp-sequence",
  "log-tcp-options",
  "log-ip-options",
  "log-uid",
  "log-macdecode",
] as const;

class LogAction implements Action {
  readonly #sink: LogSink | null;
  readonly #level: number;
  readonly #prefix: string;
  readonly #details: LogDetails;

  constructor(sink: LogSink | null, level: number, prefix: string, details: LogDetails) {
    this.#sink = sink;
    this.#level = level;
    this.#prefix = prefix;
    this.#details = details;
  }

  apply(packet: Packet, context: HookContext): null {
    if (this.#sink === null) return null;
    const line = this.#prefix + formatLogLine(packet, context, this.#details);
    this.#sink.log(this.#level, line, packet, context.now);
    return null;
  }
}

/** `--log-uid` is read and says nothing: packets here belong to no user. */
export const LOG: TargetKind = {
  name: "LOG",
  options: [
    option("log-level"),
    option("log-prefix"),
    ...FLAGS.map((flag) => option(flag, { operands: 0 })),
  ],
  parse(given) {
    const level = readLevel(given);
    const prefix = readPrefix(given);
    const details: LogDetails = {
      hasSequence: given.has("log-tcp-sequence"),
      hasTcpOptions: given.has("log-tcp-options"),
      hasIpOptions: given.has("log-ip-options"),
      decodesMac: given.has("log-macdecode"),
    };
    return newExtension({
      name: "LOG",
      text: [
        prefix === "" ? "" : printOption("log-prefix", quote(prefix)),
        level === WARNING ? "" : printOption("log-level", level),
        ...FLAGS.filter((flag) => given.has(flag)).map((flag) => ` --${flag}`),
      ].join(""),
      bind: ({ log }) => ({ kind: "action", action: new LogAction(log, level, prefix, details) }),
    });
  },
};

function readLevel(given: Options): number {
  const word = given.find("log-level")?.word ?? "warning";
  const level = findNumber(word) ?? LEVELS.find(([name]) => name === word)?.[1];
  if (level === undefined || level > 7) {
    refuse(word, `a level is 0 to 7 or ${LEVELS.map(([name]) => name).join(", ")}, not "${word}"`);
  }
  return level;
}

function readPrefix(given: Options): string {
  const found = given.find("log-prefix");
  if (found === null) return "";
  if (found.word === "") refuse("--log-prefix", "a prefix has one character at least");
  return cutOctets(found.word, MAX_PREFIX);
}
