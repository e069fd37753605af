/** The folder that a server's sockets and disks are in: the user's, or a fresh one. @module */
import { mkdtempSync, rmdirSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { SocketError } from "../../backend/socket-error.ts";
import { openUnixListener, type UnixListener } from "../../backend/unix-listener.ts";
import { explained } from "../capture-file.ts";
import { faultAt, InputError } from "../failure.ts";

/** Whoever listens there has the folder; a killed run's is taken over. */
const LOCK = "dom0.lock";

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
    if (path === null) return new StateFolder(mkdtempSync(join(tmpdir(), "dom0-")), null);
    const whole = resolve(path);
    const fault = (message: string): InputError =>
      new InputError([faultAt({ file: path, line: 0 }, "--state", message)]);
    await explained(path, () => mkdir(whole, { recursive: true, mode: 0o700 })).catch(
      async (error: unknown) => {
        const found = await stat(whole).catch(() => null);
        throw found === null || found.isDirectory() ? error : fault("is a file, expected a folder");
      },
    );
    try {
      const onConnection = (socket: { destroy(): unknown }): void => void socket.destroy();
      return new StateFolder(
        whole,
        await openUnixListener({ path: join(whole, LOCK), onConnection }),
      );
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
