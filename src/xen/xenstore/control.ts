/** CONTROL, once called DEBUG: what people tell the store itself (xenstored_control.c). @module */
import type { StoreQuotas, XenstoreBehaviour } from "./behaviour.ts";
import type { StoreDomain, DomainTable } from "./domain-table.ts";
import type { Errno } from "./errno.ts";
import { parseDecimal } from "./octets.ts";
import type { Quotas } from "./quotas.ts";

/** Text for the client, without the NUL that goes after it. */
export interface ControlAnswer {
  readonly text: string;
}

/** What the commands look at. */
export interface ControlParts {
  readonly behaviour: XenstoreBehaviour;
  readonly quotas: Quotas;
  readonly domains: DomainTable;
  readonly told: ConsoleState;
}

/** What the console was told: it keeps it, and does nothing else with it. */
export class ConsoleState {
  /** A trace file was named. */
  hasLogFile = false;
  /** The one soft quota: at how many octets of memory the real store warns. */
  softMemory = 2_097_152;
}

type Command = (parts: ControlParts, words: readonly string[]) => ControlAnswer | Errno;

const OK: ControlAnswer = Object.freeze({ text: "OK" });

const COMMANDS: readonly (readonly [name: string, usage: string, run: Command])[] = [
  ["check", "", (_parts, words) => (words.length === 0 ? OK : "EINVAL")],
  ["log", "on|off", (_parts, [word, ...more]) => (isSwitch(word, more) ? OK : "EINVAL")],
  [
    "live-update",
    "[-c <cmdline>] [-F] [-t <timeout>] <file>\n    Default timeout is 60 seconds.",
    liveUpdate,
  ],
  ["logfile", "<file>", logFile],
  ["memreport", "[<file>]", memoryReport],
  ["print", "<string>", (_parts, words) => (words.length === 1 ? OK : "EINVAL")],
  ["quota", "[set <name> <val>|<domid>]", quota],
  ["quota-soft", "[set <name> <val>]", softQuota],
  ["help", "", help],
];

/** The names of the bounds, as the console has them, and what it says of each. */
const QUOTAS: readonly (readonly [name: string, quota: keyof StoreQuotas, meaning: string])[] = [
  ["nodes", "nodes", "Nodes per domain"],
  ["watches", "watches", "Watches per domain"],
  ["transactions", "transactions", "Transactions per domain"],
  ["outstanding", "outstanding", "Outstanding requests per domain"],
  ["transaction-nodes", "transactionNodes", "Max. number of accessed nodes per transaction"],
  ["memory", "memory", "Total Xenstore memory per domain (error level)"],
  ["node-size", "nodeSize", "Max. size of a node"],
  ["path-max", "pathLength", "Max. length of a node path"],
  ["permissions", "permissions", "Max. number of permissions per node"],
];

/** Answer the words of a CONTROL from a privileged client. */
export function answerControl(
  parts: ControlParts,
  words: readonly string[],
): ControlAnswer | Errno {
  const [name, ...rest] = words;
  if (parts.behaviour.console === "debug") {
    return name === "print" && rest.length === 0 ? "EINVAL" : OK;
  }
  const command = COMMANDS.find(([known]) => known === name);
  return command === undefined ? "EINVAL" : command[2](parts, rest);
}

function isSwitch(word: string | undefined, more: readonly string[]): boolean {
  return more.length === 0 && (word === "on" || word === "off");
}

function logFile({ told }: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  if (words.length !== 1) return "EINVAL";
  told.hasLogFile = true;
  return OK;
}

/** The real one needs a file: one that is named here, or the trace file. */
function memoryReport({ told }: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  if (words.length > 1) return "EINVAL";
  return words.length === 1 || told.hasLogFile ? OK : "EINVAL";
}

function help(_parts: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  if (words.length > 0) return "EINVAL";
  return { text: COMMANDS.map(([name, usage]) => `${name}\t${usage}\n`).join("") };
}

function quota(parts: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  const { quotas, domains } = parts;
  const [first, name, value] = words;
  if (first === undefined) {
    const lines = QUOTAS.map(([shown, which, meaning]) =>
      settingLine(shown, quotas.get(which), meaning),
    );
    return { text: `Quota settings:\n${lines.join("")}` };
  }
  if (first === "set") {
    const which = QUOTAS.find(([known]) => known === name)?.[1];
    const bound = parseDecimal(value ?? "");
    if (words.length !== 3 || which === undefined || bound < 1) return "EINVAL";
    quotas.set(which, bound);
    return OK;
  }
  if (words.length > 1) return "EINVAL";
  const domain = domains.find(parseDecimal(first) >>> 0);
  return domain === null ? "ENOENT" : { text: domainText(domain) };
}

function softQuota({ told }: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  const meaning = "Total Xenstore memory per domain (warning level)";
  if (words.length === 0) {
    return { text: `Quota settings:\n${settingLine("memory", told.softMemory, meaning)}` };
  }
  const [first, name, value] = words;
  const bound = parseDecimal(value ?? "");
  const isSet = words.length === 3 && first === "set" && name === "memory";
  if (!isSet || bound < 1) return "EINVAL";
  told.softMemory = bound;
  return OK;
}

function settingLine(name: string, bound: number, meaning: string): string {
  return `${name.padEnd(17)}: ${String(bound).padStart(8)} ${meaning}\n`;
}

function domainText(domain: StoreDomain): string {
  const { domid, nodes, watches, outstanding, memory, session } = domain;
  const transactions = session?.openTransactions ?? 0;
  const lines = Object.entries({ nodes, watches, transactions, outstanding, memory }).map(
    ([name, value]) => `${name.padEnd(16)}: ${String(value).padStart(8)}\n`,
  );
  return `Domain ${domid}:\n${lines.join("")}`;
}

/** Nothing can be put in this store's place, so that no live update ever begins. */
function liveUpdate(_parts: ControlParts, words: readonly string[]): ControlAnswer | Errno {
  const [first, ...rest] = words;
  switch (first) {
    case undefined:
      return "EINVAL";
    case "-a":
      return rest.length === 0 ? { text: "No live-update session active." } : "EINVAL";
    case "-c":
      return rest.length === 1 ? { text: "Not in live-update session." } : "EINVAL";
    case "-s":
      return isStart(rest) ? { text: "Not in live-update session." } : "EINVAL";
    case "-f":
      return rest.length === 1 ? { text: "File not accessible." } : "EINVAL";
    default:
      return "EINVAL";
  }
}

function isStart(words: readonly string[]): boolean {
  for (let i = 0; i < words.length; i++) {
    if (words[i] === "-t" && i < words.length - 1) i++;
    else if (words[i] !== "-F") return false;
  }
  return true;
}
