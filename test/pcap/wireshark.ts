/** Wireshark's command line tools as the second opinion on captures. @module */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const TOOLS = ["tshark", "capinfos", "mergecap", "editcap"];
const TIMEOUT = 60_000;

/** Runs `tool`; what it says on standard error is part of the error if it fails. */
export function run(tool: string, args: readonly string[]): string {
  const options = { encoding: "utf8", timeout: TIMEOUT, maxBuffer: 2 ** 28 } as const;
  return execFileSync(tool, args, { ...options, stdio: ["ignore", "pipe", "pipe"] });
}

/** True if all tools are installed. */
export const hasWireshark = TOOLS.every((tool) => {
  try {
    run(tool, ["--version"]);
    return true;
  } catch {
    return false;
  }
});

/** Calls `use` with the path of a file that holds `bytes`, and removes the file. */
export function withFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), "dom0-capture-"));
  try {
    const path = join(folder, "capture");
    writeFileSync(path, bytes);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Nothing put together, nothing guessed: each frame by itself, with all checksums. */
const PREFERENCES = [
  "ip.defragment:FALSE",
  "ip.check_checksum:TRUE",
  "tcp.check_checksum:TRUE",
  "tcp.desegment_tcp_streams:FALSE",
  "tcp.relative_sequence_numbers:FALSE",
  "udp.check_checksum:TRUE",
  "frame.generate_md5_hash:TRUE",
].flatMap((preference) => ["-o", preference]);

/** The first value of each field in each frame, "" where there is none. */
export function dissect<F extends string>(
  path: string,
  fields: readonly F[],
  args: readonly string[] = ["-n"],
): Record<F, string>[] {
  const chosen = fields.flatMap((field) => ["-e", field]);
  const format = ["-T", "fields", "-E", "occurrence=f", "-E", "separator=/t"];
  const lines = run("tshark", ["-r", path, ...args, ...PREFERENCES, ...format, ...chosen]);
  return lines
    .split("\n")
    .slice(0, -1)
    .map((line) => {
      const values = line.split("\t");
      const entries = fields.map((field, index) => [field, values[index] ?? ""] as const);
      return Object.fromEntries(entries) as Record<F, string>;
    });
}
