/**
 * Requests a second through the unix socket: our store, and Debian's xenstored 4.17 beside it, each
 * in a process of its own, with the same client.
 * @module
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Operation } from "../src/xen/xenstore/message.ts";
import { missingForXenstored, RealXenstored } from "../test/oracle/xenstored/real-xenstored.ts";
import { BenchClient, request } from "./xenstore-client.ts";

/** Requests a second of one kind. */
export interface StoreFigure {
  readonly name: string;
  readonly here: number;
  /** `null` if there is no xenstored. */
  readonly there: number | null;
}

/** Requests that a client has sent before it waits for their answers. */
const DEPTH = 64;
const ROUNDS = 5;
const ROUND_MS = 60;
const DOMAINS = 1000;

/** Octets that ask `requests` things. */
interface Question {
  readonly octets: Uint8Array;
  readonly requests: number;
}

interface Kind {
  readonly name: string;
  readonly ask: (client: BenchClient) => readonly Question[];
}

const HOME = "/local/domain/0/bench";
const repeated = (octets: Buffer): (() => readonly Question[]) => {
  const question = [{ octets, requests: 1 }];
  return () => question;
};
const KINDS: readonly Kind[] = [
  { name: "READ", ask: repeated(request(Operation.READ, `${HOME}/3\0`)) },
  { name: "WRITE", ask: repeated(request(Operation.WRITE, `${HOME}/3\0value`)) },
  { name: "DIRECTORY of 20", ask: repeated(request(Operation.DIRECTORY, `${HOME}\0`)) },
  { name: "transaction of a WRITE", ask: transaction },
];

/** START, WRITE, END: both stores count transactions from 1 for each client. */
function transaction(client: BenchClient): readonly Question[] {
  client.transactions += 1;
  const id = client.transactions;
  return [
    request(Operation.TRANSACTION_START, "\0"),
    request(Operation.WRITE, `${HOME}/3\0value`, id),
    request(Operation.TRANSACTION_END, "T\0", id),
  ].map((octets) => ({ octets, requests: 1 }));
}

/** What a domain with a vif and a vbd has in the store. */
function treeOf(domid: number): string[] {
  const home = `/local/domain/${domid}`;
  const device = ["backend-id", "state", "backend", "ring-ref", "event-channel", "handle"];
  const back = ["frontend", "frontend-id", "state", "online", "params", "mode", "type", "domain"];
  return [
    ...["name", "domid", "vm", "memory/target", "console/port", "store/port"],
    ...["vif/0", "vbd/2049"].flatMap((one) => device.map((key) => `device/${one}/${key}`)),
  ]
    .map((key) => `${home}/${key}`)
    .concat(
      [`vif/${domid}/0`, `vbd/${domid}/2049`].flatMap((one) =>
        back.map((key) => `/local/domain/0/backend/${one}/${key}`),
      ),
    );
}

async function writeAll(client: BenchClient, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += DEPTH) {
    const some = paths.slice(at, at + DEPTH);
    const octets = some.map((path) => request(Operation.WRITE, `${path}\0value`));
    await client.ask(Buffer.concat(octets), some.length);
  }
}

/** Our server is compiled as it runs. */
async function warmUp(client: BenchClient): Promise<void> {
  for (let count = 0; count < ROUNDS; count += 1) {
    for (const kind of KINDS) {
      await round(kind, client, false);
      await round(kind, client, true);
    }
  }
}

/** @returns requests a second in one round. */
async function round({ ask }: Kind, client: BenchClient, isPipelined: boolean): Promise<number> {
  const began = performance.now();
  let done = 0;
  do {
    if (isPipelined) {
      const questions: Question[] = [];
      while (questions.length < DEPTH) questions.push(...ask(client));
      await client.ask(Buffer.concat(questions.map(({ octets }) => octets)), questions.length);
      done += questions.length;
    } else {
      for (const { octets, requests } of ask(client)) {
        await client.ask(octets, requests);
        done += requests;
      }
    }
  } while (performance.now() - began < ROUND_MS);
  return (1000 * done) / (performance.now() - began);
}

/** Our store in a process of its own. */
async function startOurs(folder: string): Promise<[ChildProcess, string]> {
  const path = join(folder, "socket");
  const server = spawn(
    process.execPath,
    [fileURLToPath(new URL("xenstore-server.js", import.meta.url)), path],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  await once(server.stdout, "data");
  return [server, path];
}

/** Measure both in turn, so that a slow moment of the machine meets both. */
export async function measureXenstore(): Promise<StoreFigure[]> {
  const folder = mkdtempSync(join(tmpdir(), "dom0-bench-"));
  const [server, path] = await startOurs(folder);
  const real = missingForXenstored() === null ? await RealXenstored.open(true) : null;
  const here = await BenchClient.open(path);
  const there = real === null ? null : await BenchClient.open(real.socket);
  const clients = there === null ? [here] : [here, there];
  const figures: StoreFigure[] = [];
  try {
    const own = Array.from({ length: 20 }, (_, index) => `${HOME}/${index}`);
    for (const client of clients) await writeAll(client, own);
    for (const client of clients) await warmUp(client);
    for (const domains of [0, DOMAINS]) {
      const trees = Array.from({ length: domains }, (_, index) => treeOf(index + 1)).flat();
      for (const client of clients) await writeAll(client, trees);
      for (const isPipelined of [false, true]) {
        for (const kind of KINDS) {
          const best = clients.map(() => 0);
          for (let one = 0; one < ROUNDS; one += 1) {
            for (const [index, client] of clients.entries()) {
              const rate = await round(kind, client, isPipelined);
              best[index] = Math.max(best[index] ?? 0, rate);
            }
          }
          const how = isPipelined ? `${DEPTH} in flight` : "one by one";
          const name = `${kind.name}, ${how}, ${domains} domains`;
          figures.push({ name, here: best[0] ?? 0, there: best[1] ?? null });
        }
      }
    }
  } finally {
    for (const client of clients) client.close();
    server.kill();
    real?.close();
    rmSync(folder, { recursive: true, force: true });
  }
  return figures;
}

/** The figures as a table. */
export function xenstoreTable(figures: readonly StoreFigure[]): string {
  const missing = missingForXenstored();
  const rows = figures.map(({ name, here, there }) => {
    const [other, ratio] =
      there === null ? ["", ""] : [Math.round(there), (here / there).toFixed(2)];
    return `| ${name} | ${Math.round(here)} | ${other} | ${ratio} |`;
  });
  return [
    "| XenStore requests a second | here | xenstored 4.17 | ratio |",
    "| --- | --- | --- | --- |",
    ...rows,
    ...(missing === null ? [] : ["", `xenstored was not measured: ${missing}.`]),
    "",
  ].join("\n");
}
