/** Our store behind unix sockets, as `dom0 serve` opens them: Dom0's, and a guest's. @module */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RealTime } from "../../../src/backend/real-time.ts";
import type { UnixListener } from "../../../src/backend/unix-listener.ts";
import { openXenstoreSocket } from "../../../src/backend/xenstore-socket.ts";
import { SILENT } from "../../../src/base/log.ts";
import { Scheduler } from "../../../src/sim/scheduler.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { StoreLife } from "./our-xenstored.ts";
import type { Step } from "./script.ts";

/** A store that has played a script, and listens. */
export class OurSockets {
  readonly socket: string;
  readonly guestSocket: string;
  readonly #folder: string;
  readonly #listeners: UnixListener[] = [];
  readonly #realTime = new RealTime({
    scheduler: new Scheduler(),
    onError: (error) => {
      throw error;
    },
  });

  private constructor(folder: string) {
    this.#folder = folder;
    this.socket = join(folder, "socket");
    this.guestSocket = join(folder, "guest");
  }

  /** @param domid of the guest that has a socket; introduced by `steps`. */
  static async open(steps: readonly Step[], domid: number): Promise<OurSockets> {
    const life = new StoreLife();
    for (const step of steps) life.step(step);
    const sockets = new OurSockets(mkdtempSync(join(tmpdir(), "our-xenstored-")));
    sockets.#realTime.start();
    await sockets.#listen(sockets.socket, () => life.store.connect());
    await sockets.#listen(sockets.guestSocket, () => life.store.connect({ domid }));
    return sockets;
  }

  async close(): Promise<void> {
    for (const listener of this.#listeners) await listener.close();
    this.#realTime.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #listen(path: string, connect: () => StoreSession | null): Promise<void> {
    const options = { path, connect, realTime: this.#realTime, log: SILENT };
    this.#listeners.push(await openXenstoreSocket(options));
  }
}
