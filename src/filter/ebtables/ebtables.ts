/**
 * The tables about frames of one host: what `ebtables` shows of it, as `ebtables-save` prints and
 * `ebtables-restore` reads (iptables 1.8.9).
 * @module
 */
import { Jiffies } from "../../base/jiffies.ts";
import type { Packet } from "../../wire/packet.ts";
import { BridgeHook, type FrameContext, type FrameRules } from "../../l2/bridge-hooks.ts";
import { readBrackets } from "../commands.ts";
import { onLine, refuse } from "../errors.ts";
import type { RestoreOptions, SaveOptions } from "../save-text.ts";
import type { Counters } from "../step.ts";
import { splitWords } from "../words.ts";
import { readFramePolicy, runFrameCommand } from "./frame-commands.ts";
import type { FrameServices } from "./frame-match.ts";
import { FrameTable } from "./frame-table.ts";
import { FRAME_TABLES, type FrameTableName, formatVerdict } from "./frame-target.ts";

/** What differs between kernels and commands. */
export interface EbtablesBehaviour {
  /**
   * False: on OUTPUT, `nat` stands before `filter`, as the kernel's own ebtables has it. True:
   * after it, as `ebtables-nft` places its chains.
   */
  readonly filtersOutputFirst: boolean;
}

/** Tables by name, each made when it is first asked for. */
export class Ebtables implements FrameRules {
  readonly #services: FrameServices;
  readonly #filtersOutputFirst: boolean;
  #filter: FrameTable | null = null;
  #nat: FrameTable | null = null;

  /** Logs go nowhere unless `services` say where. */
  constructor(
    services: Partial<FrameServices> = {},
    { filtersOutputFirst }: EbtablesBehaviour = { filtersOutputFirst: false },
  ) {
    this.#services = { jiffies: new Jiffies(), log: null, ...services };
    this.#filtersOutputFirst = filtersOutputFirst;
  }

  judge(packet: Packet, context: FrameContext): boolean {
    const nat = this.#nat;
    const filter = this.#filter;
    switch (context.hook) {
      case BridgeHook.Prerouting:
      case BridgeHook.Postrouting:
        return nat === null || nat.judge(packet, context);
      case BridgeHook.Input:
      case BridgeHook.Forward:
        return filter === null || filter.judge(packet, context);
      case BridgeHook.Output: {
        const first = this.#filtersOutputFirst ? filter : nat;
        const second = this.#filtersOutputFirst ? nat : filter;
        if (first !== null && !first.judge(packet, context)) return false;
        return second === null || second.judge(packet, context);
      }
    }
  }

  /**
   * Do what a command line of `ebtables` says, without the word `ebtables`:
   * `-A FORWARD -i vif3.0 -j DROP`. Without `-t`, it is about `filter`.
   * @throws {ParseError} with the word that is wrong; {@link RuleError} if it cannot be done.
   */
  command(text: string): void {
    const words = splitWords(text);
    const [first = "", name = ""] = words;
    const isNamed = first === "-t" || first === "--table";
    const table = this.#table(isNamed ? readTableName(name) : "filter");
    runFrameCommand(table, isNamed ? words.slice(2) : words);
  }

  /**
   * Read tables as `ebtables-restore` does: what the text names begins empty, the rest stays. All
   * are changed, or none.
   * @throws {ParseError} with the line and the word that is wrong or not supported.
   */
  restore(text: string, { keepsCounters = false }: RestoreOptions = {}): void {
    const read = new Map<FrameTableName, FrameTable>();
    let open: FrameTable | null = null;
    for (const [index, line] of text.split(/\r?\n/).entries()) {
      open = onLine(index + 1, () => this.#readLine(line, open, keepsCounters));
      if (open !== null) read.set(open.name, open);
    }
    this.#filter = read.get("filter") ?? this.#filter;
    this.#nat = read.get("nat") ?? this.#nat;
  }

  /** The tables that there are as `ebtables-save` prints them, `filter` first. */
  save({ hasCounters = false, date = null }: SaveOptions = {}): string {
    return [this.#filter, this.#nat]
      .map((table) => (table === null ? "" : printTable(table, hasCounters, date)))
      .join("");
  }

  #table(name: FrameTableName): FrameTable {
    if (name === "filter") return (this.#filter ??= new FrameTable(name, this.#services));
    return (this.#nat ??= new FrameTable(name, this.#services));
  }

  /** @returns the table that the next line is about; `null` for none yet. */
  #readLine(line: string, open: FrameTable | null, keepsCounters: boolean): FrameTable | null {
    if (line.trim() === "" || line.startsWith("#")) return open;
    if (line.startsWith("*")) {
      return new FrameTable(readTableName(line.slice(1).trim()), this.#services);
    }
    if (open === null) refuse(line, `expected a table such as *filter, got "${line}"`);
    if (line === "COMMIT") return null;
    if (line.startsWith(":")) readChain(open, line.slice(1));
    else readCommand(open, line, keepsCounters);
    return open;
  }
}

function readTableName(name: string): FrameTableName {
  const found = FRAME_TABLES.find((one) => one === name);
  return found ?? refuse(name, `there is no table "${name}": ${FRAME_TABLES.join(", ")} are`);
}

function readChain(table: FrameTable, line: string): void {
  const [name = "", word = "", extra] = line.trim().split(/[ \t]+/);
  if (extra !== undefined) refuse(extra, "nothing can follow the policy of a chain");
  const policy = readFramePolicy(word);
  if (table.find(name) === null) table.create(name);
  else if (table.get(name).hook === null) refuse(name, `chain ${name} is there already`);
  table.setPolicy(name, policy);
}

function readCommand(table: FrameTable, line: string, keepsCounters: boolean): void {
  const [, brackets, command = line] = /^(\[[^\]]*\])(.*)$/.exec(line) ?? [];
  const read = brackets === undefined ? null : readBrackets(brackets, { isKept: true });
  runFrameCommand(table, splitWords(command), keepsCounters ? read : null);
}

function printTable(table: FrameTable, hasCounters: boolean, date: string | null): string {
  const all = [...table];
  const lines = [
    `*${table.name}`,
    ...all.map(({ name, policy }) => `:${name} ${formatVerdict(policy)}`),
    ...all.flatMap(({ name, steps }) =>
      steps.map((step) => `${hasCounters ? printCounters(step) : ""}-A ${name} ${step.text}`),
    ),
  ];
  if (date !== null) {
    lines.unshift(`# Generated by ebtables-save v1.8.9 (nf_tables) on ${date}`);
    lines.push(`# Completed on ${date}`);
  }
  return `${lines.join("\n")}\n`;
}

const printCounters = ({ packets, octets }: Counters): string => `[${packets}:${octets}] `;
