/** A unix socket in front of sessions, for Debian's own tools. @module */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StoreConnection } from "../../../src/xen/xenstore/connection.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";

/** Debian's xenstore-utils are here. */
export const hasTools = spawnSync("xenstore-ls", ["--help"]).error === undefined;

/** What a tool printed, standard error among it, and its exit status. */
export interface ToolRun {
  readonly text: string;
  readonly status: number;
}

/** Each connection becomes one of `sessions()`. */
export class StoreListener {
  readonly #folder = mkdtempSync(join(tmpdir(), "dom0-store-"));
  readonly #server: Server;

  constructor(sessions: () => StoreSession | null) {
    this.#server = createServer((socket) => {
      const session = sessions();
      if (session === null) {
        socket.destroy();
        return;
      }
      const connection = new StoreConnection({
        session,
        sink: (octets, length) => {
          socket.write(octets.slice(0, length));
          return length;
        },
        onClose: () => socket.end(),
      });
      socket.on("data", (octets) => connection.receive(octets));
      socket.on("error", () => connection.close());
      socket.on("close", () => connection.close());
    });
  }

  get path(): string {
    return join(this.#folder, "socket");
  }

  async open(): Promise<void> {
    this.#server.listen(this.path);
    await once(this.#server, "listening");
  }

  /** Run a tool of xenstore-utils against this socket until it ends. */
  async run(tool: string, ...words: string[]): Promise<ToolRun> {
    const child = this.start(tool, ...words);
    let text = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("latin1").on("data", (part: string) => {
        text += part;
      });
    }
    await once(child, "close");
    return { text, status: child.exitCode ?? -1 };
  }

  start(tool: string, ...words: string[]): ChildProcess {
    return spawn(tool, words, {
      env: { ...process.env, XENSTORED_PATH: this.path },
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    await closed;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
