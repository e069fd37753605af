/**
 * Debian's xenstored 4.17 on this computer, without a hypervisor: machine.c, preloaded, answers
 * what it asks of Xen, driver.c plays its clients and guests. xenstored is GPL-2 and runs as a
 * process of its own.
 * @module
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { setTimeout } from "node:timers/promises";
import { tmpdir } from "node:os";
import { join, resolve as pathOf } from "node:path";
import {
  CLOSED,
  encode,
  octetsOf,
  type Player,
  type Received,
  type Step,
  textOf,
} from "./script.ts";

/** Where Debian's package xen-utils-4.17 has its programs. */
export const XEN_PROGRAMS = "/usr/lib/xen-4.17/bin";
const XENSTORED = join(XEN_PROGRAMS, "xenstored");
/** Compiled programs lie elsewhere, so from the folder that npm runs them in. */
const SOURCES = ["machine.c", "loop.c", "driver.c"].map((name) =>
  pathOf("test/oracle/xenstored", name),
);

/** Commands of driver.c. */
const COMMANDS = {
  connect: 1,
  close: 2,
  create: 3,
  destroy: 4,
  shutdown: 5,
  resume: 6,
  dying: 7,
  send: 8,
  ask: 8,
  page: 10,
  poke: 11,
  freeze: 12,
  thaw: 13,
  hush: 14,
  hear: 15,
} as const;
const PATIENCE_MS = 30_000;
const NOTHING = new Uint8Array(0);
/** Octets that tell a closed connection. */
const CLOSED_LENGTH = 0xffff_ffff;

/** Why there can be no {@link RealXenstored} here; `null` if there can. */
export function missingForXenstored(): string | null {
  if (process.platform !== "linux") return "this is not Linux";
  if (!existsSync(XENSTORED)) return "no xen-utils-4.17";
  return spawnSync("gcc", ["--version"]).status === 0 ? null : "no gcc";
}

/** A folder of its own, with xenstored and its stand-in for the hypervisor. */
export class RealXenstored implements Player {
  /** Where the sockets of the open store lie. */
  readonly folder: string;
  readonly #process: ChildProcess;
  #said = "";

  private constructor(folder: string, xenstored: ChildProcess) {
    this.folder = folder;
    this.#process = xenstored;
    xenstored.stdout?.on("data", (chunk) => {
      this.#said += String(chunk);
    });
  }

  /** @param isPlain one xenstored to be measured, without the driver: it makes no stores. */
  static async open(isPlain = false): Promise<RealXenstored> {
    const folder = mkdtempSync(join(tmpdir(), "xenstored-"));
    const library = join(folder, "machine.so");
    const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-pthread"];
    const built = spawnSync("gcc", [...flags, "-o", library, ...SOURCES], { encoding: "utf8" });
    if (built.status !== 0) throw new Error(`gcc: ${built.stderr}`);
    const xenstored = spawn(XENSTORED, ["--no-fork"], {
      env: {
        XENSTORED_RUNDIR: folder,
        LD_PRELOAD: library,
        ...(isPlain ? { XENSTORED_PLAIN: "1" } : {}),
      },
      stdio: ["pipe", "pipe", "ignore"],
    });
    await once(xenstored.stdout, "data");
    return new RealXenstored(folder, xenstored);
  }

  /** The socket of the open store. */
  get socket(): string {
    return join(this.folder, "socket");
  }

  /** The ring of a created domain, as a stream: `XENSTORED_PATH` of a program inside it. */
  guestSocket(domid: number): string {
    return join(this.folder, `guest-${domid}`);
  }

  /** A pristine store; there is one at a time, so it waits for the end of the last. */
  async store(): Promise<RealStore> {
    const control = connect(join(this.folder, "control"));
    await once(control, "connect");
    return new RealStore(control);
  }

  async play(steps: readonly Step[]): Promise<readonly Received[]> {
    const store = await this.store();
    try {
      const received = await store.play(steps);
      if (received.length < steps.length) await this.#checkFault();
      return received;
    } finally {
      store.close();
    }
  }

  /** @throws {Error} if not xenstored died but what stands in for the hypervisor gave up. */
  async #checkFault(): Promise<void> {
    await setTimeout(20);
    if (this.#said !== "") throw new Error(this.#said);
  }

  close(): void {
    this.#process.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** One life of xenstored: from a store that is pristine to its end. */
export class RealStore implements Player {
  readonly #control: Socket;
  #pending: Buffer = Buffer.alloc(0);
  #wake: () => void = () => {};
  #hasEnded = false;

  constructor(control: Socket) {
    this.#control = control;
    control.on("data", (chunk) => {
      this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
      this.#wake();
    });
    control.on("close", () => {
      this.#hasEnded = true;
      this.#wake();
    });
    control.on("error", () => {});
  }

  /**
   * @returns what was received in each step. Fewer than `steps` if xenstored died of the first
   * that is missing: 4.17 does, if the target of a SET_TARGET dies and is introduced again.
   */
  async play(steps: readonly Step[]): Promise<readonly Received[]> {
    this.#control.write(Buffer.concat(steps.map(commandOf)));
    const answers: Received[] = [];
    for (;;) {
      for (let answer = this.#take(); answer !== null; answer = this.#take()) answers.push(answer);
      if (answers.length === steps.length || this.#hasEnded) return answers;
      const hasProgress = await this.#progress();
      if (!hasProgress) throw new Error(`no answer to ${JSON.stringify(steps[answers.length])}`);
    }
  }

  /** The end of this xenstored. */
  close(): void {
    this.#control.destroy();
  }

  /** @returns false if nothing came for long. */
  #progress(): Promise<boolean> {
    const timer = new AbortController();
    const progress = new Promise<boolean>((resolve) => {
      this.#wake = (): void => {
        timer.abort();
        resolve(true);
      };
    });
    const { signal } = timer;
    const end = setTimeout(PATIENCE_MS, false, { signal }).catch(() => true);
    return Promise.race([progress, end]);
  }

  /** The next answer; `null` if it is not complete yet. */
  #take(): Received | null {
    const bytes = this.#pending;
    if (bytes.length < 4) return null;
    const received = new Map<number, string>();
    let at = 4;
    for (let left = bytes.readUInt32LE(0); left > 0; left -= 1) {
      if (bytes.length < at + 8) return null;
      const who = bytes.readUInt32LE(at);
      const length = bytes.readUInt32LE(at + 4);
      at += 8;
      const end = length === CLOSED_LENGTH ? at : at + length;
      if (bytes.length < end) return null;
      const text = length === CLOSED_LENGTH ? CLOSED : textOf(bytes.subarray(at, end));
      received.set(who, (received.get(who) ?? "") + text);
      at = end;
    }
    this.#pending = bytes.subarray(at);
    return received;
  }
}

function commandOf(step: Step): Uint8Array {
  const octets = operandOf(step);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(COMMANDS[step.do], 0);
  head.writeUInt32LE(step.who, 4);
  head.writeUInt32LE(octets.length, 8);
  return Buffer.concat([head, octets]);
}

function operandOf(step: Step): Uint8Array {
  if (step.do === "ask") return octetsOf(encode(step.requests));
  if (step.do === "send") return octetsOf(step.octets);
  if (step.do === "poke") {
    const octets = Buffer.alloc(4 + step.octets.length);
    octets.writeUInt32LE(step.at);
    octets.write(step.octets, 4, "latin1");
    return octets;
  }
  return step.do === "shutdown" ? Uint8Array.of(step.reason, 0, 0, 0) : NOTHING;
}
