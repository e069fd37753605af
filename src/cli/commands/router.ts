/** `dom0 router`: plays a capture through one router. @module */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import { addAbortSignal } from "node:stream";
import { assert } from "../../base/assert.ts";
import type { Duration } from "../../base/time.ts";
import type { LogSink } from "../../filter/services.ts";
import type { RouterWorld } from "../../zone/world/router-world.ts";
import { CaptureFile, explained } from "../capture-file.ts";
import { ExitCode, faultAt, InputError } from "../failure.ts";
import { readText } from "../input.ts";
import { Progress } from "../progress.ts";
import { Account } from "../router/account.ts";
import { readWorld } from "../router/read.ts";
import { Replay } from "../router/replay.ts";
import { RouterReport } from "../router/report.ts";
import type { Surface } from "../surface.ts";

/** Options of `router`. */
export interface RouterCommandOptions {
  readonly in: string;
  readonly rules?: string;
  readonly out?: string;
  readonly seed?: number;
  readonly until?: Duration;
  readonly json?: boolean;
  readonly state?: boolean;
  readonly explain?: boolean;
}

/** Packets whose way is remembered until it is told: more than a piece of a capture holds. */
const REMEMBERED = 65_536;
/** Octets of the capture that are played at a time. */
const PIECE = 2 ** 18;

/** @throws {InputError} if the world or the capture cannot be used. */
export async function routerCommand(
  file: string,
  options: RouterCommandOptions,
  { out, err, interrupts }: Surface,
): Promise<ExitCode> {
  checkFiles(file, options);
  const { seed = 1, until = null, state = false, explain = false } = options;
  const { rules } = options;
  const openWorld = readWorld(
    file,
    await readText(file),
    rules === undefined ? null : { file: rules, text: await readText(rules) },
  );
  openWorld({ traceLimit: 0, sentLimit: 0, packetSlots: 1 });
  const size = await sizeOf(options.in);
  const capture = options.out === undefined ? null : await CaptureFile.open(options.out);
  const report = new RouterReport(options.out === "-" ? err : out, options.json ?? false);
  const account = new Account(explain ? REMEMBERED : 0);
  const log: LogSink = { log: (level, line, { id }, now) => report.log(level, line, id, now) };
  const replay = new Replay({
    file: options.in,
    until,
    open: (epoch) => {
      const traceLimit = explain ? REMEMBERED : 0;
      const world = openWorld({ seed, epoch, traceLimit, sentLimit: 0, log });
      world.capture.observe(account);
      if (capture !== null) world.writeTo(capture.sink);
      return world;
    },
  });
  const progress = new Progress(err);
  const tellStories = (world: RouterWorld): void => {
    for (const story of world.capture.trace?.takeEnded() ?? []) {
      progress.clear();
      report.story(story, account.takeSummary(story.id));
    }
  };
  const signal = interrupts.listen();
  try {
    let read = 0;
    await explained(options.in, async () => {
      for await (const chunk of chunksOf(options.in, signal)) {
        replay.push(chunk);
        tellStories(replay.world);
        await capture?.flush();
        read += chunk.length;
        progress.showOctets(read, size);
        if (replay.isOver) return;
      }
      if (!signal.aborted) replay.end();
    });
    replay.settle();
    tellStories(replay.world);
  } finally {
    progress.clear();
    replay.world.close();
    await capture?.close();
  }
  report.end(replay, account, options.in);
  if (capture !== null) report.capture(capture);
  if (state) report.state(replay.world);
  return ExitCode.Done;
}

function checkFiles(file: string, options: RouterCommandOptions): void {
  const { in: from, out: to, rules } = options;
  const sources = [
    ["the world", file],
    ["--in", from],
    ["--rules", rules],
  ] as const;
  const [first, second] = sources.filter(([, path]) => path === "-");
  if (first !== undefined && second !== undefined) {
    const both = `${first[0]} and ${second[0]}`;
    throw new InputError([`dom0: router: ${both} cannot both be standard input`]);
  }
  if (to === undefined || to === "-") return;
  const same = sources.find(([, path]) => path !== undefined && resolve(path) === resolve(to));
  if (same === undefined) return;
  throw new InputError([faultAt({ file: to, line: 0 }, "--out", `is what ${same[0]} is`)]);
}

/** Octets of a file; `null` for standard input and what is no file. @throws {InputError}. */
async function sizeOf(path: string): Promise<number | null> {
  if (path === "-") return null;
  const found = await explained(path, () => stat(path));
  return found.isFile() ? found.size : null;
}

/** The pieces of a file; there are no more once `signal` aborts. */
async function* chunksOf(path: string, signal: AbortSignal): AsyncIterable<Uint8Array> {
  const stream = path === "-" ? process.stdin : createReadStream(path, { highWaterMark: PIECE });
  try {
    for await (const chunk of addAbortSignal(signal, stream)) yield octetsOf(chunk);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Streams of Node's give what they were told to give: here octets, as no encoding is set. */
function octetsOf(chunk: unknown): Uint8Array {
  assert(chunk instanceof Uint8Array, "a stream without an encoding gives octets");
  return chunk;
}
