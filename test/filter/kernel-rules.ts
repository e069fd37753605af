/** This computer's netfilter and its `iptables`: the oracle of rules. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const HELPER = fileURLToPath(new URL("kernel_rules.py", import.meta.url));

/** Rules of which one table is printed again, after `frames` went by. */
export interface RuleRequest {
  readonly table: string;
  /** For `iptables-restore`. */
  readonly text: string;
  readonly device: { readonly name: string; readonly mac: string };
  /** In hexadecimal; counters are printed if there are any. */
  readonly frames: readonly string[];
}

type Answer = { readonly saved: string } | { readonly error: string };

/** Which of the two kinds of `iptables` can change rules in this kernel. */
export function workingIptables(): readonly string[] {
  return ["legacy", "nft"].filter((kind) => {
    const command = ["--net", `iptables-${kind}`, "-A", "INPUT", "-s", "10.0.0.1"];
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
  readonly #answers: AsyncIterator<string>;

  constructor() {
    this.#process = spawn("python3", [HELPER], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /**
   * What `iptables-legacy-save` prints of the table, without comments.
   * @throws {Error} if the rules are refused.
   */
  async save(request: RuleRequest): Promise<string> {
    const tools = { restore: "iptables-legacy-restore", save: "iptables-legacy-save" };
    this.#process.stdin.write(`${JSON.stringify({ ...request, ...tools })}\n`);
    const { value, done } = await this.#answers.next();
    if (done === true) throw new Error("the helper has ended");
    const answer: Answer = JSON.parse(value);
    if ("error" in answer) throw new Error(`${answer.error}\n${request.text}`);
    return answer.saved.replaceAll(/^#.*\n/gm, "");
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}
