/** This computer's bridge and its `ebtables-nft`: the oracle of rules about frames. */
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { createInterface, type Interface as LineReader } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const HELPER = fileURLToPath(new URL("kernel_bridge.py", import.meta.url));

/** A device of the bridge "br0" with ports "p0" and "p1", and a frame in hexadecimal. */
export type DeviceFrame = readonly [device: string, octets: string];

/** Rules that are printed again, after `frames` went by. */
export interface BridgeRequest {
  /** For `ebtables-restore`. */
  readonly text: string;
  readonly tables: readonly string[];
  /** Those of a port come in by it, those of "br0" are the host's own. */
  readonly frames: readonly DeviceFrame[];
  /** What begins the lines of the kernel's log that are wanted; empty for none. */
  readonly logPrefix: string;
}

/** What the kernel made of a request. */
export interface BridgeAnswer {
  /** What `ebtables-save` prints of each table, without comments; counters if there were frames. */
  readonly saved: readonly string[];
  /** What left by ports, and what came up to the host. */
  readonly sent: readonly DeviceFrame[];
  /** Lines of the kernel's log. */
  readonly logged: readonly string[];
}

type Answer = BridgeAnswer | { readonly error: string };

/** Why there can be no {@link KernelBridge} here; `null` if there can. */
export function missingForBridge(): string | null {
  if (process.platform !== "linux") return "the kernel is not Linux";
  if (process.getuid?.() !== 0) return "not root";
  for (const [tool, option] of [
    ["ip", "-V"],
    ["python3", "-V"],
    ["ebtables-nft-restore", "-V"],
  ] as const) {
    if (spawnSync(tool, [option]).error !== undefined) return `no ${tool}`;
  }
  const inside = (...words: string[]): boolean =>
    spawnSync("unshare", ["--net", ...words]).status === 0;
  if (!inside("true")) return "no network namespaces";
  if (!inside("ip", "link", "add", "br0", "type", "bridge")) return "the kernel has no bridges";
  const rule = ["-A", "INPUT", "-p", "ARP", "--arp-op", "Request", "-j", "DROP"];
  return inside("ebtables-nft", ...rule) ? null : "this kernel does not take ebtables-nft";
}

/** A process that gives rules and frames to the kernel, one request at a time. */
export class KernelBridge {
  readonly #process: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: LineReader;
  readonly #answers: AsyncIterator<string, undefined>;

  /** @param mac the address of the bridge and of its ports. */
  constructor(mac: string) {
    this.#process = spawn("python3", [HELPER, mac], { stdio: ["pipe", "pipe", "inherit"] });
    this.#lines = createInterface({ input: this.#process.stdout });
    this.#answers = this.#lines[Symbol.asyncIterator]();
  }

  /** @throws {Error} if the rules are refused. */
  async judge(request: BridgeRequest): Promise<BridgeAnswer> {
    this.#process.stdin.write(`${JSON.stringify(request)}\n`);
    const next = await this.#answers.next();
    if (next.done === true) throw new Error("the helper has ended");
    const answer = JSON.parse(next.value) as Answer;
    if ("error" in answer) throw new Error(`${answer.error}\n${request.text}`);
    return { ...answer, saved: answer.saved.map((text) => text.replaceAll(/^#.*\n/gm, "")) };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#process.stdin.end();
    this.#lines.close();
  }
}
