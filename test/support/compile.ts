/** Compiles and runs programs of a consumer of the package. @module */
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** What a program printed, and how it ended. */
export interface Outcome {
  /** 0 for success; `null` if a signal ended it. */
  readonly status: number | null;
  /** Standard output and error together. */
  readonly output: string;
}

/** As strict as a consumer can be: declarations are checked as well. */
const OPTIONS = {
  target: "ES2023",
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  module: "NodeNext",
  moduleResolution: "NodeNext",
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  skipLibCheck: false,
};

/** A folder like `consumer` that its owner may write to, and must remove. */
export function copyConsumer(consumer: string): string {
  const folder = mkdtempSync(join(tmpdir(), "dom0-consumer-"));
  cpSync(consumer, folder, { recursive: true, verbatimSymlinks: true });
  return folder;
}

/**
 * Compile the `.ts` files of `programs` in `folder`, each beside its source.
 * @param options over those of the strict consumer.
 */
export function compile(
  folder: string,
  programs: ReadonlyMap<string, string>,
  options: Readonly<Record<string, unknown>> = {},
): Outcome {
  for (const [name, text] of programs) writeFileSync(join(folder, name), text);
  const compilerOptions = { ...OPTIONS, types: [], ...options };
  const config = { compilerOptions, files: [...programs.keys()] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(config));
  return runIn(folder, resolve("node_modules/.bin/tsc"), ["-p", ".", "--pretty", "false"]);
}

/** Run `command` in `folder`; it is stopped after a minute. */
export function runIn(
  folder: string,
  command: string,
  args: readonly string[],
  path: readonly string[] = [],
): Outcome {
  const PATH = [...path, process.env["PATH"]].join(":");
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    encoding: "utf8",
    timeout: 60_000,
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, PATH, NO_COLOR: "1" },
  });
  return { status, output: `${stdout}${stderr}` };
}
