/** This computer's netfilter and its `iptables`: the oracle of rules. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const HELPER = fileURLToPath(new URL("kernel_rules.py", import.meta.url));

/** Rules of which one table is printed again, after `frames` went by. */
export interface RuleRequest {
  readonly table: string;
  /** For `iptables-restore`. */
  readonly text: string;
  /** The built-in chains, whose policies are ACCEPT again afterwards. */
  readonly chains: readonly string[];
  /** What begins the lines of the kernel's log that are wanted; empty for none. */
  readonly logPrefix: string;
  /** In hexadecimal; counters are printed if there are any. */
  readonly frames: readonly string[];
}

/** What the kernel made of a request. */
export interface Judged {
  /** What `iptables-legacy-save` prints of the table, without comments. */
  readonly saved: string;
  /** Lines of the kernel's log. */
  readonly logged: readonly string[];
}

type Answer = Judged | { readonly error: string };

/** True if LOG writes about packets in namespaces, and the log may be read. */
export function isKernelLogReadable(): boolean {
  try {
    accessSync("/dev/kmsg", constants.R_OK);
    return readFileSync("/proc/sys/net/netfilter/nf_log_all_netns", "ascii").trim() === "1";
  } catch {
    return false;
  }
}

/** Which of the two kinds of `iptables` can change rules in this kernel. */
export function workingIptables(): readonly string[] {
  return ["legacy", "nft"].filter((kind) => {
    const command = ["--net", `iptables-${kind}`, "-w", "5", "-A", "INPUT", "-s", "10.0.0.1"];
    return spawnSync("unshare", command).status === 0;
  });
}

/** Why there can be no {@link KernelRules} here; `null` if there can. */
export function missingForRules(): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["ip", "-V"],
    ["python3", "-V"],
    ["iptables-legacy-restore", "-V"],
  ] as const) {
    if (spawnSync(tool, [option]).status !== 0) return `no ${tool}`;
  }
  if (spawnSync("unshare", ["--net", "true"]).status !== 0) return "no network namespaces";
  return workingIptables().includes("legacy") ? null : "this kernel does not take iptables-legacy";
}

/** A process that gives rules to the kernel, one request at a time. */
export class KernelRules {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: LineReader;
  readonly #answers: AsyncIterator<string, undefined>;

  /** @param device where frames come in. */
  constructor(device: { readonly name: string; readonly mac: string }) {
    const words = [HELPER, JSON.stringify(device)];
    this.#process = spawn("python3", words, { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** @throws {Error} if the rules are refused. */
  async judge(request: RuleRequest): Promise<Judged> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const next = await this.#answers.next();
    if (next.done === true) throw new Error("the helper has ended");
    const answer = JSON.parse(next.value) as Answer;
    if ("error" in answer) throw new Error(`${answer.error}\n${request.text}`);
    return { ...answer, saved: answer.saved.replaceAll(/^#.*\n/gm, "") };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}
