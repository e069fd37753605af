/** Programs compiled with Xen's own public headers (Debian: libxen-dev), as oracles. @module */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync } from "node:fs";
import { join, resolve } from "node:path";

/** Why there is no oracle here; `null` if there is. */
export const missingHeaders: string | null = !existsSync("/usr/include/xen/io/ring.h")
  ? "no headers of Xen: libxen-dev"
  : spawnSync("cc", ["--version"]).status === 0
    ? null
    : "no C compiler";

/** Where the programs lie: with what else is built here. */
const PLACE = "build/xen";

/**
 * Compile `source`. @param words names to define, and libraries as "-lxenlight".
 * @returns the program, in a folder of its own.
 */
export function compileWithXen(source: string, ...words: readonly string[]): string {
  mkdirSync(PLACE, { recursive: true });
  const program = resolve(mkdtempSync(join(PLACE, "program-")), "program");
  const version = "__XEN_INTERFACE_VERSION__=__XEN_LATEST_INTERFACE_VERSION__";
  const flags = [version, ...words].map((word) => (word.startsWith("-l") ? word : `-D${word}`));
  const { status, stderr } = spawnSync("cc", ["-O1", "-o", program, source, ...flags]);
  if (status !== 0) throw new Error(String(stderr));
  return program;
}

/** Run `program` on `input`. @returns its lines. */
export function linesOf(program: string, input = ""): readonly string[] {
  const { status, stdout } = spawnSync(program, { input, encoding: "utf8", maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(`${program} ended with ${status}`);
  return stdout.trimEnd().split("\n");
}
