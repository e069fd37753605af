/** The tables of one stack: what `iptables` shows of a host. @module */
import type { Packet } from "../wire/packet.ts";
import type { HookContext, Hooks } from "../l3/hooks.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { NatRules } from "../l3/nat-rules.ts";
import { runCommand } from "./commands.ts";
import { refuse } from "./errors.ts";
import {
  findTableName,
  TABLE_HOOKS,
  TABLE_NAMES,
  TABLE_PRIORITIES,
  type TableName,
} from "./placement.ts";
import { printTable, readTables, type RestoreOptions, type SaveOptions } from "./save-text.ts";
import { completeServices, type RuleServices } from "./services.ts";
import { Table } from "./table.ts";
import { splitWords } from "./words.ts";

/** Tables by name, each made when it is first asked for, as Linux does. */
export class RuleSet implements NatRules {
  readonly notesPaths = true;
  readonly #services: RuleServices;
  readonly #tables = new Map<TableName, Table>();
  #hooks: Hooks | null = null;

  /** What is left out of `services` refuses the rules that need it; see {@link RuleServices}. */
  constructor(services: Partial<RuleServices> = {}) {
    this.#services = completeServices(services);
  }

  /** The tables that there are, in the order in which a packet meets them. */
  get tables(): readonly Table[] {
    return TABLE_NAMES.flatMap((name) => this.#tables.get(name) ?? []);
  }

  /** True if a rule translates or asks what connection tracking says. */
  get usesConntrack(): boolean {
    return this.tables.some((table) => table.usesConntrack);
  }

  /** The table of that name, empty and accepting all if it was not there. */
  table(name: TableName): Table {
    const found = this.#tables.get(name);
    if (found !== undefined) return found;
    const table = new Table(name, this.#services, () => this.#forgetLists());
    this.#tables.set(name, table);
    this.#register(table);
    return table;
  }

  /** Hang the tables on `hooks`, those too that will be made; `nat` is for translation to ask. */
  attach(hooks: Hooks): void {
    this.detach();
    this.#hooks = hooks;
    for (const table of this.tables) this.#register(table);
  }

  /** Take the tables off the hooks that they hang on. */
  detach(): void {
    for (const table of this.tables) {
      this.#hooks?.unregister(table);
      table.attachPaths(null);
    }
    this.#hooks = null;
  }

  /**
   * Do what a command line of `iptables` says, without the word `iptables`:
   * `-t nat -A POSTROUTING -o peth0 -j MASQUERADE`. Without `-t`, it is about `filter`; `-w`, which
   * waits for others, has nobody to wait for.
   * @throws {ParseError} with the word that is wrong; {@link RuleError} if it cannot be done.
   */
  command(text: string): void {
    const [name, words] = readHead(splitWords(text));
    this.table(name).change((chains) => runCommand(chains, words));
  }

  /**
   * Read tables as `iptables-restore` does. All are changed, or none.
   * @throws {ParseError} with the line and the word that is wrong or not supported.
   */
  restore(text: string, options: RestoreOptions = {}): void {
    const chainsOf = (name: TableName): Table["chains"] | null =>
      this.#tables.get(name)?.chains ?? null;
    try {
      const read = readTables(text, { services: this.#services, chainsOf }, options);
      for (const [name, chains] of read) this.table(name).adopt(chains);
    } finally {
      this.#forgetLists();
    }
  }

  /**
   * The tables that there are as `iptables-save` prints them, in the order in which a packet meets
   * them. The command's own order is that in which the kernel happened to make them.
   */
  save(options: SaveOptions = {}): string {
    return this.tables.map(({ name, chains }) => printTable(name, chains, options)).join("");
  }

  selectNat(packet: Packet, context: HookContext): NatRange | null | "drop" {
    return this.#tables.get("nat")?.selectNat(packet, context) ?? null;
  }

  /** A list goes with the last rule that names it. */
  #forgetLists(): void {
    const { recents, rates } = this.#services.lists;
    if (recents.isEmpty && rates.isEmpty) return;
    const names = new Set(this.tables.flatMap((table) => [...table.listNames()]));
    recents.keepOnly(names);
    rates.keepOnly(names);
  }

  #register(table: Table): void {
    const { name } = table;
    table.attachPaths(this.#hooks?.paths ?? null);
    if (name === "nat") return;
    for (const hook of TABLE_HOOKS[name]) {
      this.#hooks?.register(hook, TABLE_PRIORITIES[name], table);
    }
  }
}

/** What stands before a command. @returns the table, and the command's own words. */
function readHead(words: readonly string[]): readonly [TableName, readonly string[]] {
  let name = "filter";
  for (let at = 0; ;) {
    const [word = "", next = ""] = words.slice(at, at + 2);
    if (word === "-t" || word === "--table") {
      name = next;
      at += 2;
    } else if (word === "-w" || word === "--wait") at += /^\d+$/.test(next) ? 2 : 1;
    else {
      const table = findTableName(name);
      return [table ?? refuse(name, `there is no table "${name}"`), words.slice(at)];
    }
  }
}
