/** What xenstore-utils 4.17 do for each key, within a transaction or without. @module */
import type { XenstoreClient } from "../../backend/xenstore-client.ts";
import { StoreError } from "../../xen/xenstore/errno.ts";
import { StoreFailure, strerror } from "./failure.ts";
import { escapeValue, unescapeValue } from "./value-text.ts";

/** A connection, and the transaction in which things are done; 0 for none. */
export interface Work {
  readonly client: XenstoreClient;
  readonly transaction: number;
}

/** Do something, or fail with `message`. */
async function orFail<T>(answer: Promise<T>, message: string): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreError) throw new StoreFailure(message);
    throw error;
  }
}

async function orNull<T>(answer: Promise<T>): Promise<T | null> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof StoreError) return null;
    throw error;
  }
}

/** @returns the line of a value, or its octets alone. */
export async function readKey(
  { client, transaction }: Work,
  key: string,
  { prefix = false, raw = false }: { readonly prefix?: boolean; readonly raw?: boolean },
): Promise<string> {
  const value = await orFail(client.read(key, transaction), `couldn't read path ${key}`);
  const text = raw ? value : `${escapeValue(value)}\n`;
  return prefix ? `${key}: ${text}` : text;
}

/** Write a value as it is, or with its escapes. */
export async function writeKey(
  { client, transaction }: Work,
  key: string,
  text: string,
  isRaw: boolean,
): Promise<void> {
  const value = isRaw ? text : unescapeValue(text);
  await orFail(client.write(key, value, transaction), `could not write path ${key}`);
}

/** @returns a line for each child. */
export async function listKey(
  { client, transaction }: Work,
  key: string,
  hasPrefix: boolean,
): Promise<string> {
  const names = await orFail(client.list(key, transaction), `could not list path ${key}`);
  return names.map((name) => (hasPrefix ? `${key}/${name}\n` : `${name}\n`)).join("");
}

/** True if the value of `key` can be read. */
export async function keyExists({ client, transaction }: Work, key: string): Promise<boolean> {
  return (await orNull(client.read(key, transaction))) !== null;
}

/** Remove a node; if `isTidy`, also its parents as long as they have no value and no children. */
export async function removeKey(work: Work, key: string, isTidy: boolean): Promise<void> {
  const { client, transaction } = work;
  let path = key;
  for (;;) {
    await orFail(client.rm(path, transaction), `could not remove path ${path}`);
    const slash = path.lastIndexOf("/");
    if (!isTidy || slash < 0) return;
    path = path.slice(0, slash);
    if ((await orNull(client.read(path, transaction))) !== "") return;
    const children = await orNull(client.list(path, transaction));
    if (children === null || children.length > 0) return;
  }
}

/** To which nodes permissions are given, besides the one that is named. */
export interface Reach {
  /** All nodes above it. */
  readonly upto?: boolean;
  /** All nodes below it. */
  readonly recurse?: boolean;
}

/** "n0" as the tools read it: the letter, and as much of a number as there is. */
export function permissionEntries(modes: readonly string[]): string[] {
  return modes.map((mode) => {
    const letter = mode.slice(0, 1);
    if (!/^[nrwb]$/.test(letter)) {
      throw new StoreFailure(`Invalid permission specification: '${letter}'`);
    }
    const [number = "0"] = /^\s*[+-]?\d+/.exec(mode.slice(1)) ?? [];
    return `${letter}${Number(number) | 0}`;
  });
}

/** Give a node, and those that `reach` says, the permissions `entries`. */
export async function changePermissions(
  work: Work,
  path: string,
  entries: readonly string[],
  { upto = false, recurse = false }: Reach,
): Promise<void> {
  if (path === "") return;
  const { client, transaction } = work;
  try {
    await client.setPermissions(path, entries, transaction);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    const reason = strerror(error.errno);
    throw new StoreFailure(`Error occurred setting permissions on '${path}': ${reason}`);
  }
  if (upto) {
    const slash = path.lastIndexOf("/");
    if (slash < 0) throw new StoreFailure(`Unable to locate path separator '/' in '${path}'`);
    await changePermissions(work, path.slice(0, slash), entries, { upto });
  }
  if (!recurse) return;
  for (const name of (await orNull(client.list(path, transaction))) ?? []) {
    await changePermissions(work, `${path}/${name}`, entries, { recurse });
  }
}
