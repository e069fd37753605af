/**
 * `-j NFLOG`: a copy of the packet, and the rules go on (Linux `net/netfilter/xt_NFLOG.c`,
 * `nfulnl_log_packet`).
 * @module
 */
import type { Packet } from "../../wire/packet.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { refuse, RuleError } from "../errors.ts";
import { option, type Options, printOption } from "../options.ts";
import type { PacketCopy, PacketLog } from "../services.ts";
import { type Action, newExtension, type TargetKind } from "../target.ts";
import { MAX_UINT, parseNumber } from "../values.ts";
import { cutOctets, quote } from "../words.ts";

/** Octets that the kernel keeps; `iptables` cuts off the others without a word. */
const MAX_PREFIX = 63;

class CopyAction implements Action {
  readonly #sink: PacketLog;
  readonly #how: PacketCopy;
  /** `null` for the whole packet. */
  readonly #size: number | null;

  constructor(sink: PacketLog, how: PacketCopy, size: number | null) {
    this.#sink = sink;
    this.#how = how;
    this.#size = size;
  }

  apply(packet: Packet, { now }: HookContext): null {
    const length = packet.end - packet.network;
    const octets = this.#size === null ? length : Math.min(this.#size, length);
    this.#sink.copy(this.#how, packet, octets, now);
    return null;
  }
}

/** Needs a {@link PacketLog}. `--nflog-range` is refused: it has never had an effect. */
export const NFLOG: TargetKind = {
  name: "NFLOG",
  options: [
    option("nflog-group"),
    option("nflog-prefix"),
    option("nflog-size"),
    option("nflog-threshold"),
  ],
  parse(given) {
    const how: PacketCopy = {
      group: readNumber(given, "nflog-group", 0xffff) ?? 0,
      prefix: readPrefix(given),
      threshold: readNumber(given, "nflog-threshold", 0xffff) ?? 0,
    };
    const size = readNumber(given, "nflog-size", MAX_UINT);
    return newExtension({
      name: "NFLOG",
      text: [
        how.prefix === "" ? "" : printOption("nflog-prefix", quote(how.prefix)),
        how.group === 0 ? "" : printOption("nflog-group", how.group),
        size === null ? "" : printOption("nflog-size", size),
        how.threshold === 0 ? "" : printOption("nflog-threshold", how.threshold),
      ].join(""),
      bind({ packetLog }) {
        if (packetLog === null) {
          throw new RuleError("rule-service", "NFLOG", "nobody here takes copies of packets");
        }
        return { kind: "action", action: new CopyAction(packetLog, how, size) };
      },
    });
  },
};

function readNumber(given: Options, name: string, limit: number): number | null {
  const found = given.find(name);
  return found === null ? null : parseNumber(found.word, 0, limit, `--${name}`);
}

function readPrefix(given: Options): string {
  const found = given.find("nflog-prefix");
  if (found === null) return "";
  if (found.word === "") refuse("--nflog-prefix", "a prefix has one character at least");
  return cutOctets(found.word, MAX_PREFIX);
}
