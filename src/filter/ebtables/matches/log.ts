/** `--log`: a line in the kernel's log (Linux `net/bridge/netfilter/ebt_log.c`). @module */
import type { Packet } from "../../../wire/packet.ts";
import type { FrameContext } from "../../../l2/bridge-hooks.ts";
import { refuse } from "../../errors.ts";
import { option, type Options } from "../../options.ts";
import type { LogSink } from "../../services.ts";
import { formatFrameLine, type FrameLineDetails } from "../frame-line.ts";
import type { FrameListener, FrameMatchKind } from "../frame-match.ts";

/** Characters of a prefix. */
const MAX_PREFIX = 29;
const LEVELS = ["emerg", "alert", "crit", "error", "warning", "notice", "info", "debug"];
const NOTICE = 5;

class LogListener implements FrameListener {
  readonly #sink: LogSink | null;
  readonly #level: number;
  readonly #prefix: string;
  readonly #details: FrameLineDetails;

  constructor(sink: LogSink | null, level: number, prefix: string, details: FrameLineDetails) {
    this.#sink = sink;
    this.#level = level;
    this.#prefix = prefix;
    this.#details = details;
  }

  hear(packet: Packet, context: FrameContext): void {
    if (this.#sink === null) return;
    const line = this.#prefix + formatFrameLine(packet, context, this.#details);
    this.#sink.log(this.#level, line, packet, context.now);
  }
}

/** One of its options is enough to have it. */
export const log: FrameMatchKind = {
  name: "log",
  options: [
    option("log", { operands: 0 }),
    option("log-level"),
    option("log-prefix"),
    option("log-ip", { operands: 0 }),
    option("log-arp", { operands: 0 }),
  ],
  parse(given) {
    const level = readLevel(given);
    const prefix = readPrefix(given);
    const details = { hasIp: given.has("log-ip"), hasArp: given.has("log-arp") };
    const text = [
      `--log-level ${LEVELS[level] ?? ""} `,
      prefix === "" ? "" : `--log-prefix "${prefix}" `,
      details.hasIp ? "--log-ip " : "",
      details.hasArp ? "--log-arp " : "",
    ].join("");
    const bind = (sink: LogSink | null) => new LogListener(sink, level, prefix, details);
    return { kind: "watcher", name: "log", text, bind: (services) => bind(services.log) };
  },
};

function readLevel(given: Options): number {
  const found = given.find("log-level");
  if (found === null) return NOTICE;
  const { word } = found;
  const level = /^[0-7]$/.test(word) ? Number(word) : LEVELS.indexOf(word);
  return level >= 0 ? level : refuse(word, `a level is 0 to 7 or ${LEVELS.join(", ")}`);
}

function readPrefix(given: Options): string {
  const word = given.find("log-prefix")?.word ?? "";
  if (word.length > MAX_PREFIX) refuse(word, `a prefix has ${MAX_PREFIX} characters at most`);
  return word.includes('"') ? refuse(word, "a prefix has no quotes") : word;
}
