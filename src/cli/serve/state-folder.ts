/** The folder that a server's sockets and disks are in: the user's, or a fresh one. @module */
import { rmdirSync } from "node:fs";
import { mkdtemp, readdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { makeFolder } from "../../backend/make-folder.ts";
import { SocketError } from "../../backend/socket-error.ts";
import { openUnixListener, removeStale, type UnixListener } from "../../backend/unix-listener.ts";
import { explained } from "../capture-file.ts";
import { faultAt, InputError } from "../failure.ts";

/** Whoever listens there has the folder; a killed run's is taken over. */
const LOCK = "dom0.lock";

/** Sockets as servers name them: of a host, a domain, a vif. */
const SOCKET = /^(.+-)?(xenstore(-dom\d+)?|vif\d+\.\d+)\.sock$/;

/** Remove what a killed run left, also what this one will not have; what is not that, stays. */
async function sweep(folder: string): Promise<void> {
  const names = (await readdir(folder)).filter((name) => SOCKET.test(name));
  const leave = (error: unknown): void => {
    if (!(error instanceof SocketError)) throw error;
  };
  await Promise.all(names.map((name) => removeStale(join(folder, name)).catch(leave)));
}

/** A new folder where temporary files go. */
const freshFolder = async (): Promise<string> =>
  explained(tmpdir(), () => mkdtemp(join(tmpdir(), "dom0-")));

/** One server's folder, which nobody else serves from meanwhile. */
export class StateFolder {
  readonly #path: string;
  /** `null` for a fresh folder: nobody else knows it. */
  readonly #lock: UnixListener | null;

  private constructor(path: string, lock: UnixListener | null) {
    this.#path = path;
    this.#lock = lock;
    if (lock === null) process.on("exit", this.#remove);
  }

  /**
   * Take the folder `path`, which is made if it is not there; without, a fresh one.
   * @throws {InputError} if it is no folder, cannot be written to, or another server has it.
   */
  static async open(path: string | null): Promise<StateFolder> {
    if (path === null) return new StateFolder(await freshFolder(), null);
    const whole = resolve(path);
    const fault = (message: string): InputError =>
      new InputError([faultAt({ file: path, line: 0 }, "--state", message)]);
    // A variable without a value would make it the folder where we stand.
    if (path === "") throw new InputError(["--state: expected a folder, got nothing"]);
    const isFolder = await explained(path, async () => {
      makeFolder(whole);
      return (await stat(whole)).isDirectory();
    });
    if (!isFolder) throw fault("is a file, expected a folder");
    try {
      const onConnection = (socket: { destroy(): unknown }): void => void socket.destroy();
      const lock = await openUnixListener({ path: join(whole, LOCK), onConnection });
      await sweep(whole);
      return new StateFolder(whole, lock);
    } catch (error) {
      if (!(error instanceof SocketError)) throw error;
      if (error.isTaken) throw fault("another dom0 serves from this folder");
      throw fault(error.message);
    }
  }

  /** The path of a file of it. */
  pathOf(name: string): string {
    return join(this.#path, name);
  }

  /** Let others have it; a fresh one goes. */
  async close(): Promise<void> {
    await this.#lock?.close();
    if (this.#lock !== null) return;
    process.off("exit", this.#remove);
    this.#remove();
  }

  /** What is in it was removed by those who made it; what else is there stays. */
  readonly #remove = (): void => {
    try {
      rmdirSync(this.#path);
    } catch {
      // Somebody put something there: it is not ours to remove.
    }
  };
}
