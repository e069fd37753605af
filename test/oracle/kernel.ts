/**
 * This computer's kernel as the router of a {@link World}: the oracle of the router's properties.
 * @module
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Ticks } from "./world-router.ts";
import type { World } from "../../src/zone/world/world.ts";
import { type InputFrame, ipWords, sysctls, type TimedFrame, withPorts } from "./world.ts";

/** A connection that the kernel began to track: protocol, source and target port of its answers. */
export type NewFlow = readonly [number, number, number];

/** What came of one frame. Instants are real times in microseconds. */
export interface KernelStep {
  /** The instants between which it was sent and processed. */
  readonly sent: readonly [number, number];
  /** What the router sent since the step before, in order. */
  readonly received: readonly TimedFrame[];
  readonly flows: readonly NewFlow[];
}

/** The end of a router. */
export interface KernelEnd {
  /** What the router sent since the last frame. */
  readonly received: readonly TimedFrame[];
  /** For each command the real time in microseconds at which it ran, and what it wrote. */
  readonly shown: readonly (readonly [number, string])[];
}

/** What the kernel did. Instants are real times in microseconds. */
export interface Played {
  readonly start: number;
  /** For each frame the instants between which it was sent and processed. */
  readonly sent: readonly (readonly [number, number])[];
  /** In the order in which they left. */
  readonly received: readonly TimedFrame[];
  /** What each command that was to be run in the end wrote. */
  readonly shown: readonly string[];
}

const HELPER = fileURLToPath(new URL("kernel.py", import.meta.url));

/** Why there can be no {@link Kernel} here; `null` if there can. */
export function missingForKernel(): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["ip", "-V"],
    ["python3", "-V"],
    ["iptables-legacy-restore", "-V"],
    ["conntrack", "-V"],
  ] as const) {
    if (spawnSync(tool, [option]).status !== 0) return `no ${tool}`;
  }
  const inside = (...words: string[]): boolean =>
    spawnSync("unshare", ["--net", ...words]).status === 0;
  if (!inside("true")) return "no network namespaces";
  const isCurrent = inside("test", "-e", "/proc/sys/net/ipv4/icmp_msgs_per_sec");
  return isCurrent ? null : "the kernel is older than 6.12";
}

/** A process that builds routers out of the kernel, one after the other. */
export class Kernel {
  readonly jiffies: Ticks;
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;
  readonly #lines: LineReader;

  private constructor(
    helper: ChildProcessByStdio<Writable, Readable, null>,
    lines: LineReader,
    answers: AsyncIterator<string>,
    jiffies: Ticks,
  ) {
    this.#process = helper;
    this.#lines = lines;
    this.#answers = answers;
    this.jiffies = jiffies;
  }

  /** @param processor the number of the processor to work on; the last one is 0. */
  static async open(processor = 0): Promise<Kernel> {
    const helper = spawn("python3", [HELPER, String(processor)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface({ input: helper.stdout });
    const answers = lines[Symbol.asyncIterator]();
    const hello = await nextLine<{ jiffies: Ticks }>(answers);
    return new Kernel(helper, lines, answers, hello.jiffies);
  }

  /**
   * Build `world` anew, instead of what was there.
   * @returns the real time in microseconds at which it starts.
   * @throws {Error} if the kernel refuses the world or its rules.
   */
  async build(world: World): Promise<number> {
    const interfaces = Object.entries(world.interfaces).map(([name, { mac, mtu = 1500 }]) => ({
      name,
      mac,
      mtu,
    }));
    const rules = world.iptables ?? "";
    const words = {
      ip: ipWords(world),
      sysctl: sysctls(world),
      rules,
      ebtables: withPorts(world, world.ebtables ?? ""),
    };
    const { start } = await this.#ask<{ start: number }>({ do: "open", interfaces, ...words });
    return start;
  }

  /** Send frames, each at its time, and tell what came of each. */
  async send(frames: readonly InputFrame[]): Promise<readonly KernelStep[]> {
    const { steps } = await this.#ask<{ steps: KernelStep[] }>({ do: "send", frames });
    return steps;
  }

  /**
   * Take the router down.
   * @param until microseconds after the start at which to stop listening.
   * @param show commands to run in the router's namespace when that is over.
   * @throws {Error} if a command fails.
   */
  finish(until = 0, show: readonly (readonly string[])[] = []): Promise<KernelEnd> {
    return this.#ask<KernelEnd>({ do: "close", until, show });
  }

  /** {@link build}, {@link send} and {@link finish} for frames that are known beforehand. */
  async play(
    world: World,
    frames: readonly InputFrame[],
    until = 0,
    show: readonly (readonly string[])[] = [],
  ): Promise<Played> {
    const start = await this.build(world);
    const steps = await this.send(frames);
    const { received, shown } = await this.finish(until, show);
    return {
      start,
      sent: steps.map(({ sent }) => sent),
      received: [...steps.flatMap((step) => step.received), ...received],
      shown: shown.map(([, text]) => text),
    };
  }

  async #ask<T>(request: unknown): Promise<T> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await nextLine<T | { readonly error: string }>(this.#answers);
    if (typeof answer === "object" && answer !== null && "error" in answer) {
      throw new Error(answer.error);
    }
    return answer;
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
