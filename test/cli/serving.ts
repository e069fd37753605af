/** Starts `dom0 serve` as a user does, and other programs beside it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { onTestFinished } from "vitest";
import { newFolder } from "../backend/folder.ts";
import { MAIN } from "./dom0.ts";

/** What the ready line of `--json` says. */
export interface Ready {
  readonly ready: true;
  readonly xenstore: string;
  readonly xenstores?: Readonly<Record<string, string>>;
  readonly vifs?: Readonly<Record<string, string>>;
  readonly guestXenstores?: Readonly<Record<string, string>>;
}

/** How a program ended. */
export interface Ended {
  /** `null` if a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A server that is ready. */
export class Serving {
  readonly ready: Ready;
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;

  private constructor(ready: Ready, child: ChildProcess, ended: Promise<Ended>) {
    this.ready = ready;
    this.#child = child;
    this.#ended = ended;
  }

  /**
   * Start `dom0 serve --json` with further words, and wait for its ready line. Whatever ends it,
   * nothing of a fresh folder stays.
   */
  static async start(...words: readonly string[]): Promise<Serving> {
    const child = spawn(process.execPath, [MAIN, "serve", "--json", ...words], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, TMPDIR: newFolder() },
    });
    let stdout = "";
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const ended = new Promise<Ended>((resolve) => {
      child.on("close", (status) => resolve({ status, stdout, stderr }));
    });
    onTestFinished(async () => {
      child.kill("SIGKILL");
      await ended;
    });
    const line = await new Promise<string>((resolve, reject) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        stdout += text;
        const end = stdout.indexOf("\n");
        if (end >= 0) resolve(stdout.slice(0, end));
      });
      void ended.then(() => reject(new Error(`it ended before it was ready: ${stderr}`)));
    });
    return new Serving(JSON.parse(line) as Ready, child, ended);
  }

  /** The path of the socket of a vif. */
  vif(name: string): string {
    return pathOf(this.ready.vifs?.[name] ?? "");
  }

  get xenstore(): string {
    return pathOf(this.ready.xenstore);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** How it ended, once it did. */
  get ended(): Promise<Ended> {
    return this.#ended;
  }

  /** End it by `signal`. */
  async stop(signal: NodeJS.Signals = "SIGINT"): Promise<Ended> {
    this.kill(signal);
    return this.#ended;
  }
}

/** The path of "unix:PATH". */
export const pathOf = (address: string): string => address.replace(/^unix:/, "");

/** Run a program to its end, at most half a minute, while this one goes on. */
export async function runBeside(
  program: string,
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return new Promise((resolve) => {
    const options = {
      timeout: 30_000,
      encoding: "latin1",
      maxBuffer: 2 ** 24,
      env: { PATH: process.env["PATH"], ...env },
    } as const;
    const child = execFile(program, [...words], options, (_error, stdout, stderr) => {
      resolve({ status: child.exitCode, stdout, stderr });
    });
  });
}

/** Run `dom0` beside this program. */
export async function dom0Beside(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return runBeside(process.execPath, [MAIN, ...words], env);
}
