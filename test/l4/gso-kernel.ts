/** This computer's kernel as a router that cuts large segments by its software segmentation. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const HELPER = fileURLToPath(new URL("gso_kernel.py", import.meta.url));

/** Frames in hexadecimal, by the device that they left. */
export interface Forwarded {
  readonly far: readonly string[];
  readonly near: readonly string[];
}

/** Why there can be no {@link GsoKernel} here; `null` if there can. */
export function missingForGso(): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["ip", "-V"],
    ["python3", "-V"],
  ] as const) {
    if (spawnSync(tool, [option]).status !== 0) return `no ${tool}`;
  }
  return spawnSync("unshare", ["--net", "true"]).status === 0 ? null : "no network namespaces";
}

/** A process that has a router made of the kernel. */
export class GsoKernel {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: LineReader;
  readonly #answers: AsyncIterator<string, undefined>;

  /** @param mtu of the device by which frames leave. */
  constructor(mtu: number) {
    const stdio: ["pipe", "pipe", "inherit"] = ["pipe", "pipe", "inherit"];
    this.#process = spawn("python3", [HELPER, String(mtu)], { stdio });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** @throws {Error} if the kernel does not take the frame. */
  async forward(frame: Uint8Array, segmentSize: number): Promise<Forwarded> {
    const request = { frame: Buffer.from(frame).toString("hex"), segmentSize };
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const next = await this.#answers.next();
    if (next.done === true) throw new Error("the helper has ended");
    const answer = JSON.parse(next.value) as Forwarded | { readonly error: string };
    if ("error" in answer) throw new Error(answer.error);
    return answer;
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}
