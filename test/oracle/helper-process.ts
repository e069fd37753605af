/**
 * Programs that ask the kernel here: each request to them is a line of JSON, each answer too.
 * @module
 */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

/**
 * Why nobody can ask the kernel here in network namespaces, with Python and these programs; `null`
 * if that can be done.
 */
export function missingForNamespaces(...programs: readonly string[]): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const program of ["ip", "python3", ...programs]) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0) return `no ${program}`;
  }
  return inNamespace("true") ? null : "no network namespaces";
}

/** True if a command succeeds in a network namespace of its own. */
export function inNamespace(...command: readonly string[]): boolean {
  return spawnSync("unshare", ["--net", ...command]).status === 0;
}

/** One such program. */
export class HelperProcess {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: LineReader;
  readonly #answers: AsyncIterator<string, undefined>;

  /** @param words what the Python program is told at its start. */
  constructor(program: URL, ...words: readonly string[]) {
    this.#process = spawn("python3", [fileURLToPath(program), ...words], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** What it says unasked. @throws {Error} if it has ended. */
  async hear<T>(): Promise<T> {
    const next = await this.#answers.next();
    if (next.done === true) throw new Error("the helper has ended");
    return JSON.parse(next.value) as T;
  }

  /** @throws {Error} if it has ended, or answers with an error. */
  async ask<T extends object>(request: object): Promise<T> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const answer = await this.hear<T | { readonly error: string }>();
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  /** End it; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}

/** What a program of the `iptables-save` kind printed, without its comments. */
export const withoutComments = (text: string): string => text.replaceAll(/^#.*\n/gm, "");
