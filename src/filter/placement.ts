/**
 * The tables of netfilter, their hooks and priorities, and where a match or a target may stand
 * (Linux `net/ipv4/netfilter/iptable_*.c`, `xt_check_match`).
 * @module
 */
import { Hook, HookPriority } from "../l3/hooks.ts";

/** In the order in which a packet meets them; `nat` has its place beside connection tracking. */
export const TABLE_NAMES = ["raw", "mangle", "nat", "filter"] as const;
/** The name of a table. */
export type TableName = (typeof TABLE_NAMES)[number];

/** @returns the table of that name, or `null` if there is none. */
export const findTableName = (name: string): TableName | null =>
  TABLE_NAMES.find((one) => one === name) ?? null;

/** The built-in chains of each table, in the order of the hooks. */
export const TABLE_HOOKS: Readonly<Record<TableName, readonly Hook[]>> = {
  raw: [Hook.Prerouting, Hook.Output],
  mangle: [Hook.Prerouting, Hook.Input, Hook.Forward, Hook.Output, Hook.Postrouting],
  nat: [Hook.Prerouting, Hook.Input, Hook.Output, Hook.Postrouting],
  filter: [Hook.Input, Hook.Forward, Hook.Output],
};

/** Where the tables stand that hang on the hooks themselves; translation asks `nat`. */
export const TABLE_PRIORITIES: Readonly<Record<Exclude<TableName, "nat">, number>> = {
  raw: HookPriority.Raw,
  mangle: HookPriority.Mangle,
  filter: HookPriority.Filter,
};

/** The hooks of `hooks` as bits. */
export const hookBits = (...hooks: readonly Hook[]): number =>
  hooks.reduce((bits: number, hook) => bits | (1 << hook), 0);

/** Every hook as bits. */
export const ALL_HOOKS = hookBits(...Object.values(Hook));

/** Where a match or a target may stand. */
export interface Placement {
  /** The only table; `null` for any. */
  readonly table: TableName | null;
  /** Hooks that may lead to it, as {@link hookBits}. */
  readonly hooks: number;
  /** The rule must ask for one of these protocols; `null` if it need not. */
  readonly protocols: readonly number[] | null;
}

/** Anywhere. */
export const ANYWHERE: Placement = { table: null, hooks: ALL_HOOKS, protocols: null };
