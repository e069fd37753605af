/** This computer's kernel as a router with rules: the oracle of rules that have a state. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { missingForRules } from "./kernel-rules.ts";

const HELPER = fileURLToPath(new URL("kernel_router.py", import.meta.url));

/** A frame that comes in, not before `at`: microseconds after the start. */
export interface TimedInput {
  readonly at: number;
  readonly interface: string;
  /** In hexadecimal. */
  readonly octets: string;
}

export interface RouterRequest {
  readonly interfaces: readonly { name: string; mac: string; mtu: number }[];
  /** Lines for `ip -batch`. */
  readonly ip: readonly string[];
  readonly sysctl: readonly (readonly [string, number])[];
  /** For `iptables-restore`. */
  readonly iptables: string;
  readonly frames: readonly TimedInput[];
  /** What is printed in the end. */
  readonly tables: readonly string[];
}

/** What the kernel did. */
export interface RouterPlayed {
  /** The tick in which each frame was sent, counted from the start. */
  readonly sent: readonly number[];
  /** True if some frame may have come in a tick later than `sent` says, or not at all. */
  readonly isTorn: boolean;
  /** Each table with its counters, without comments. */
  readonly saved: readonly string[];
  /** The lines of `conntrack -L`. */
  readonly connections: readonly string[];
}

type Answer = RouterPlayed | { readonly error: string };

/** Why there can be no {@link KernelRouter} here; `null` if there can. */
export function missingForRouter(): string | null {
  const missing = missingForRules();
  if (missing !== null) return missing;
  return spawnSync("conntrack", ["-V"]).status === 0 ? null : "no conntrack";
}

/** A process that builds routers with rules out of the kernel, one after the other. */
export class KernelRouter {
  /** Ticks a second. */
  readonly hz: number;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: LineReader;

  private constructor(
    helper: ChildProcessByStdio<Writable, Readable, null>,
    lines: LineReader,
    answers: AsyncIterator<string>,
    hz: number,
  ) {
    this.#process = helper;
    this.#lines = lines;
    this.#answers = answers;
    this.hz = hz;
  }

  static async open(): Promise<KernelRouter> {
    const helper = spawn("python3", [HELPER], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: helper.stdout });
    const answers = lines[Symbol.asyncIterator]();
    const hello = await nextLine<{ hz: number }>(answers);
    return new KernelRouter(helper, lines, answers, hello.hz);
  }

  /** Build a router anew and play frames to it. @throws {Error} if the kernel refuses. */
  async play(request: RouterRequest): Promise<RouterPlayed> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await nextLine<Answer>(this.#answers);
    if ("error" in answer) throw new Error(answer.error);
    const saved = answer.saved.map((text) => text.replaceAll(/^#.*\n/gm, ""));
    return { ...answer, saved };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}

async function nextLine<T>(lines: AsyncIterator<string>): Promise<T> {
  const next: IteratorResult<string, unknown> = await lines.next();
  if (next.done === true) throw new Error("the helper has ended");
  return JSON.parse(next.value) as T;
}
