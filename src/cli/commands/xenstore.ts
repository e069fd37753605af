/**
 * `dom0 xenstore`: what xenstore-utils 4.17 do, on the socket that they use.
 * @module
 */
import { XenstoreClient } from "../../backend/xenstore-client.ts";
import { StoreError } from "../../xen/xenstore/errno.ts";
import { ExitCode } from "../failure.ts";
import type { Output } from "../output.ts";
import type { Surface } from "../surface.ts";
import { StoreFailure, strerror } from "../xenstore/failure.ts";
import { Listing } from "../xenstore/ls.ts";
import {
  changePermissions,
  keyExists,
  listKey,
  permissionEntries,
  readKey,
  removeKey,
  type Work,
  writeKey,
} from "../xenstore/operations.ts";

/** What all of the commands are told. */
export interface StoreOptions {
  /** Instead of what the environment names. */
  readonly socket?: string;
}

/** One of the commands, with its arguments in octets: one character an octet. */
export type StoreCommand =
  | {
      readonly kind: "ls";
      readonly paths: readonly string[];
      readonly flat?: boolean;
      readonly permissions?: boolean;
    }
  | {
      readonly kind: "read";
      readonly keys: readonly string[];
      readonly prefix?: boolean;
      readonly raw?: boolean;
    }
  | { readonly kind: "write"; readonly pairs: readonly string[]; readonly raw?: boolean }
  | { readonly kind: "list"; readonly keys: readonly string[]; readonly prefix?: boolean }
  | { readonly kind: "exists"; readonly keys: readonly string[] }
  | { readonly kind: "rm"; readonly keys: readonly string[]; readonly tidy?: boolean }
  | {
      readonly kind: "chmod";
      readonly key: string;
      readonly modes: readonly string[];
      readonly upto?: boolean;
      readonly recurse?: boolean;
    }
  | { readonly kind: "watch"; readonly keys: readonly string[]; readonly count: number | null };

/** Where there is no terminal. */
const USUAL_WIDTH = 80;

/** @throws {SocketError} if the store cannot be reached. */
export async function xenstoreCommand(
  command: StoreCommand,
  options: StoreOptions,
  surface: Surface,
): Promise<ExitCode> {
  const client = await XenstoreClient.open(options.socket ?? usualSocket(process.env));
  try {
    return await perform(command, client, surface);
  } catch (error) {
    if (!(error instanceof StoreFailure)) throw error;
    surface.err.octets(`dom0: ${error.message}\n`);
    return ExitCode.Failed;
  } finally {
    client.close();
  }
}

/** Where libxenstore looks. */
export function usualSocket({
  XENSTORED_PATH,
  XENSTORED_RUNDIR,
}: Readonly<Record<string, string | undefined>>): string {
  return XENSTORED_PATH ?? `${XENSTORED_RUNDIR ?? "/var/run/xenstored"}/socket`;
}

async function perform(
  command: StoreCommand,
  client: XenstoreClient,
  { out, err, interrupts }: Surface,
): Promise<ExitCode> {
  switch (command.kind) {
    case "ls": {
      const listing = new Listing({
        client,
        isFlat: command.flat ?? false,
        hasPermissions: command.permissions ?? false,
        width: widthOf(command.flat ?? false),
        write: (text) => out.octets(text),
        warn: (text) => err.octets(`dom0: ${text}\n`),
      });
      const paths = command.paths.length === 0 ? ["/"] : command.paths;
      for (const path of paths) await listing.print(path);
      return ExitCode.Done;
    }
    case "watch": {
      const unread = new AbortController();
      out.onGone(() => unread.abort());
      const signal = AbortSignal.any([interrupts.listen(), unread.signal]);
      return watch(command, client, out, signal);
    }
    default: {
      // What was read before a refusal is printed all the same.
      const printed: string[] = [];
      try {
        const isDone = await transact(command, client, printed);
        return isDone ? ExitCode.Done : ExitCode.Failed;
      } finally {
        out.octets(printed.join(""));
      }
    }
  }
}

/** A terminal is obeyed in every case, two columns less; elsewhere whole paths have no end. */
function widthOf(isFlat: boolean): number {
  const { isTTY, columns } = process.stdout;
  if (isTTY) return columns - 2;
  return isFlat ? Infinity : USUAL_WIDTH;
}

/** Print events until there were enough, or until `signal`: a key was pressed, the reader left. */
async function watch(
  { keys, count }: StoreCommand & { readonly kind: "watch" },
  client: XenstoreClient,
  out: Output,
  signal: AbortSignal,
): Promise<ExitCode> {
  signal.addEventListener("abort", () => client.close());
  try {
    for (const key of keys) await watchKey(client, key);
    for (let left = count ?? Infinity; left > 0; left -= 1) {
      out.octets(`${await client.nextEvent()}\n`);
      if (!out.isFull) continue;
      client.hold(true);
      await out.drained();
      client.hold(false);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  return ExitCode.Done;
}

async function watchKey(client: XenstoreClient, key: string): Promise<void> {
  try {
    await client.watch(key, key);
  } catch (error) {
    if (error instanceof StoreError) throw new StoreFailure(`Unable to add watch on ${key}\n`);
    throw error;
  }
}

type Transacted = Exclude<StoreCommand, { readonly kind: "ls" | "watch" }>;

/** One key alone is read or written without a transaction. */
function needsTransaction(command: Transacted): boolean {
  if (command.kind === "read") return command.keys.length > 1;
  if (command.kind === "write") return command.pairs.length > 2;
  return true;
}

/**
 * Do it in one transaction, again and again as long as others are in between.
 * @param printed gets what there is to print, also where it throws.
 * @returns false for "no".
 */
async function transact(
  command: Transacted,
  client: XenstoreClient,
  printed: string[],
): Promise<boolean> {
  if (!needsTransaction(command)) return carryOut(command, { client, transaction: 0 }, printed);
  for (;;) {
    printed.length = 0;
    const transaction = await start(client);
    let isDone: boolean;
    try {
      isDone = await carryOut(command, { client, transaction }, printed);
    } catch (error) {
      if (error instanceof StoreFailure) await client.end(transaction, false).catch(() => {});
      throw error;
    }
    try {
      await client.end(transaction, isDone);
      return isDone;
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (!isDone || error.errno !== "EAGAIN") throw new StoreFailure("couldn't end transaction");
    }
  }
}

async function start(client: XenstoreClient): Promise<number> {
  try {
    return await client.start();
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    throw new StoreFailure(`couldn't start transaction: ${strerror(error.errno)}`);
  }
}

async function carryOut(command: Transacted, work: Work, printed: string[]): Promise<boolean> {
  switch (command.kind) {
    case "read":
      for (const key of command.keys) printed.push(await readKey(work, key, command));
      return true;
    case "write":
      for (let at = 0; at < command.pairs.length; at += 2) {
        const [key = "", value = ""] = command.pairs.slice(at, at + 2);
        await writeKey(work, key, value, command.raw ?? false);
      }
      return true;
    case "list":
      for (const key of command.keys) {
        printed.push(await listKey(work, key, command.prefix ?? false));
      }
      return true;
    case "exists":
      for (const key of command.keys) if (!(await keyExists(work, key))) return false;
      return true;
    case "rm":
      for (const key of command.keys) await removeKey(work, key, command.tidy ?? false);
      return true;
    case "chmod":
      await changePermissions(work, command.key, permissionEntries(command.modes), command);
      return true;
  }
}
