/** Runs the built and packed command, as a user does. */
import { spawn, spawnSync } from "node:child_process";
import { join } from "node:path";
import { inject } from "vitest";

export const MAIN = join(inject("packed").consumer, "node_modules/dom0/dist/cli/main.js");

export interface Run {
  /** `null` if a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunSetup {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Run `dom0` to its end, at most a minute. */
export function dom0(args: readonly string[], { cwd, input = "", env = {} }: RunSetup = {}): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 2 ** 26,
    input,
    env: { PATH: process.env["PATH"], ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  return { status, stdout, stderr };
}

/** Run a line of bash in which `dom0` is the command. */
export function shell(line: string, cwd: string): Run {
  const text = `set -o pipefail; dom0() { "${process.execPath}" "${MAIN}" "$@"; }; ${line}`;
  const { status, stdout, stderr } = spawnSync("bash", ["-c", text], {
    cwd,
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr };
}

/**
 * Start `dom0`, send it `signal` once it has printed `sign` on standard output.
 * @returns how it ended.
 */
export async function interrupted(
  args: readonly string[],
  sign: string,
  signal: NodeJS.Signals,
): Promise<Run> {
  const child = spawn(process.execPath, [MAIN, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let stdout = "";
  let stderr = "";
  let isSent = false;
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    if (!isSent && stdout.includes(sign)) isSent = child.kill(signal);
  });
  const status = await new Promise<number | null>((resolve) => {
    const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve(code);
    });
  });
  return { status, stdout, stderr };
}
