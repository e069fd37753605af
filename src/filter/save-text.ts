/**
 * Whole tables as text: what `iptables-save` prints and `iptables-restore` reads (iptables 1.8.9,
 * iptables/iptables-restore.c, iptables-save.c).
 * @module
 */
import type { ChainView } from "./chain.ts";
import { ChainSet } from "./chain-set.ts";
import { readBrackets, readPolicy, runCommand } from "./commands.ts";
import { onLine, refuse } from "./errors.ts";
import { findTableName, TABLE_NAMES, type TableName } from "./placement.ts";
import type { RuleServices } from "./services.ts";
import type { Counters } from "./step.ts";
import { cutOctets, splitWords } from "./words.ts";

/** Octets of a line that `iptables-restore` has room for, its end left out. */
const MAX_LINE = 10_239;
/** Octets of a word. */
const MAX_WORD = 1023;
/** Words of a line; counters that are kept count as three. */
const MAX_WORDS = 251;
const COUNTER_WORDS = 3;

/** How tables are read. */
export interface RestoreOptions {
  /** True to begin with the counters of the text (`-c`); false, the default, to begin with zero. */
  readonly keepsCounters?: boolean;
}

/** How tables are printed. */
export interface SaveOptions {
  /** True to print the counters of rules too (`-c`); those of policies always are. */
  readonly hasCounters?: boolean;
  /** A date such as "Sun Nov 22 10:53:25 2026", for the command's comments; `null` for none. */
  readonly date?: string | null;
}

/** What the reader asks about tables that stand already. */
export interface ReadContext {
  readonly services: RuleServices;
  /** The chains that a table has: what a text does not say of policies stays. `null` for none. */
  chainsOf(table: TableName): Iterable<ChainView> | null;
}

/**
 * Read tables. What a text does not name stays as it is; what it names begins empty, with the
 * policies that it had.
 * @returns the chains of each table that the text names.
 * @throws {ParseError} with the line and the word that is wrong or not supported.
 */
export function readTables(
  text: string,
  context: ReadContext,
  { keepsCounters = false }: RestoreOptions = {},
): ReadonlyMap<TableName, ChainSet> {
  const reader = new TableReader(context, keepsCounters);
  const lines = text.split(/\r?\n/);
  for (const [index, line] of lines.entries()) onLine(index + 1, () => reader.read(line));
  onLine(lines.length, () => reader.end());
  return reader.tables;
}

class TableReader {
  readonly tables = new Map<TableName, ChainSet>();
  readonly #context: ReadContext;
  readonly #keepsCounters: boolean;
  #open: ChainSet | null = null;

  constructor(context: ReadContext, keepsCounters: boolean) {
    this.#context = context;
    this.#keepsCounters = keepsCounters;
  }

  read(line: string): void {
    if (cutOctets(line, MAX_LINE) !== line) refuse("", `a line has at most ${MAX_LINE} octets`);
    if (line.trim() === "" || line.startsWith("#")) return;
    if (this.#open === null) this.#openTable(line);
    else if (line === "COMMIT") this.#commit(this.#open);
    else if (line.startsWith(":")) this.#readChain(this.#open, line);
    else this.#readCommand(this.#open, line);
  }

  end(): void {
    if (this.#open !== null) refuse(`*${this.#open.table}`, "COMMIT is missing at the end");
  }

  #openTable(line: string): void {
    const word = line.slice(1).trim();
    const name = findTableName(word);
    if (!line.startsWith("*")) refuse(line, `expected a table such as *filter, got "${line}"`);
    if (name === null) refuse(word, `tables are ${TABLE_NAMES.join(", ")}, not "${word}"`);
    const chains = new ChainSet(name, this.#context.services);
    const before = this.tables.get(name) ?? this.#context.chainsOf(name) ?? [];
    for (const chain of before) {
      if (chain.policy !== null) chains.setPolicy(chain.name, chain.policy);
    }
    this.#open = chains;
  }

  #commit(chains: ChainSet): void {
    chains.checkReach();
    this.tables.set(chains.table, chains);
    this.#open = null;
  }

  #readChain(chains: ChainSet, line: string): void {
    const [name = "", policy = "", counters, extra] = line
      .slice(1)
      .trim()
      .split(/[ \t]+/);
    if (extra !== undefined) refuse(extra, `nothing can follow the counters of a chain`);
    if (policy === "") refuse(name, `chain ${name} needs a policy or "-"`);
    const isKept = this.#keepsCounters;
    const read = counters === undefined ? null : readBrackets(counters, { isKept });
    if (chains.find(name) === null) chains.create(name);
    else if (chains.get(name).hook === null) refuse(name, `chain ${name} is there already`);
    if (policy === "-") return;
    if (isKept && read === null) refuse(name, `chain ${name} has no counters to keep`);
    chains.setPolicy(name, readPolicy(policy), read);
  }

  #readCommand(chains: ChainSet, line: string): void {
    const [, brackets, command = line] = /^(\[[^\]]*\])(.*)$/.exec(line) ?? [];
    const isKept = this.#keepsCounters;
    const counters = brackets === undefined ? null : readBrackets(brackets, { isKept });
    const words = splitWords(command);
    const long = words.find((word) => cutOctets(word, MAX_WORD) !== word);
    if (long !== undefined) refuse(long, `a word has at most ${MAX_WORD} octets`);
    const most = MAX_WORDS - (counters === null ? 0 : COUNTER_WORDS);
    if (words.length > most) refuse(words[most] ?? "", `a line has at most ${most} words`);
    runCommand(chains, words, { counters, skipsIpv6: true });
  }
}

/** One table as `iptables-save -t` prints it. A newline ends it. */
export function printTable(
  table: TableName,
  chains: Iterable<ChainView>,
  { hasCounters = false, date = null }: SaveOptions = {},
): string {
  const all = [...chains];
  const lines = [
    `*${table}`,
    ...all.map(({ name, policy, end }) =>
      policy === null ? `:${name} - [0:0]` : `:${name} ${policy} ${printCounters(end)}`,
    ),
    ...all.flatMap((chain) => printRules(chain, hasCounters)),
    "COMMIT",
  ];
  if (date !== null) {
    lines.unshift(`# Generated by iptables-save v1.8.9 on ${date}`);
    lines.push(`# Completed on ${date}`);
  }
  return `${lines.join("\n")}\n`;
}

function printRules({ name, steps }: ChainView, hasCounters: boolean): string[] {
  return steps.map((step) => {
    const counters = hasCounters ? `${printCounters(step)} ` : "";
    return `${counters}-A ${name} ${step.text}`.trimEnd();
  });
}

const printCounters = ({ packets, octets }: Counters): string => `[${packets}:${octets}]`;
