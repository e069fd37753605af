/** This computer's kernel as a translating router: the oracle of connection tracking. @module */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Ticks } from "../oracle/world-router.ts";

export interface FlowPacket {
  /** Microseconds after the packet before it. */
  readonly wait: number;
  readonly interface: string;
  /** The IP packet in hexadecimal. */
  readonly octets: string;
}

/** A packet that NFQUEUE holds back goes on. */
export interface FlowRelease {
  readonly wait: number;
  /** Which one of those held; 0 is the oldest. */
  readonly release: number;
}

export interface FlowRequest {
  readonly interfaces: readonly { name: string; mac: string; mtu: number }[];
  /** Lines for `ip -batch`. */
  readonly ip: readonly string[];
  readonly sysctl: readonly (readonly [string, number | string])[];
  /** For `iptables-restore`. */
  readonly iptables: string;
  readonly packets: readonly (FlowPacket | FlowRelease)[];
}

/** What a packet did. Instants are real times in microseconds. */
export interface FlowStep {
  /** When the packet was sent. */
  readonly sent: number;
  /** Interface and IP packet, of all that left. */
  readonly received: readonly (readonly [string, string])[];
  /** /proc/net/nf_conntrack behind its first two words, read at `listed`. */
  readonly entries: readonly string[];
  readonly listed: number;
  /** Microseconds that the reading took. */
  readonly took?: number;
}

export interface FlowsPlayed {
  readonly steps: readonly FlowStep[];
  /** What `conntrack -L` printed in the end. */
  readonly lines: readonly string[];
  /** Microseconds that it took, from the last step on. */
  readonly took: number;
}

type Answer = FlowsPlayed | { readonly error: string };

const HELPER = fileURLToPath(new URL("kernel_flows.py", import.meta.url));

/** Why there can be no {@link FlowKernel} here; `null` if there can. */
export function missingForFlows(): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["ip", "-V"],
    ["python3", "-V"],
    ["iptables-restore", "-V"],
    ["conntrack", "-V"],
  ] as const) {
    if (spawnSync(tool, [option]).status !== 0) return `no ${tool}`;
  }
  const isAllowed = spawnSync("unshare", ["--net", "true"]).status === 0;
  return isAllowed ? null : "no network namespaces";
}

/** A process that builds translating routers out of the kernel, one after the other. */
export class FlowKernel {
  /** A tick of the kernel and when it began. */
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

  static async open(): Promise<FlowKernel> {
    const helper = spawn("python3", [HELPER], { stdio: ["pipe", "pipe", "inherit"] });
    const lines = createInterface({ input: helper.stdout });
    const answers = lines[Symbol.asyncIterator]();
    const hello = await nextLine<{ jiffies: Ticks }>(answers);
    return new FlowKernel(helper, lines, answers, hello.jiffies);
  }

  /** Build a router anew and play packets to it. @throws {Error} if the kernel refuses. */
  async play(request: FlowRequest): Promise<FlowsPlayed> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await nextLine<Answer>(this.#answers);
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}

async function nextLine<T>(lines: AsyncIterator<string>): Promise<T> {
  const line = await lines.next();
  if (line.done === true) throw new Error("the helper has ended");
  return JSON.parse(line.value) as T;
}
