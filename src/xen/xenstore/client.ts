/** The store for the parts of a host that run beside it: libxenstore without a wire. @module */
import { type Errno, StoreError } from "./errno.ts";
import { octetsOf, textOf } from "./octets.ts";
import { formatPermission } from "./permission.ts";
import type { StoreEvent } from "./event-queue.ts";
import type { StoreSession } from "./session.ts";

/** How often {@link StoreClient.transaction} tries before it gives up. */
const ATTEMPTS = 1000;

/**
 * Asks on behalf of one session. Values are text of one octet a character. Events wait until their
 * owner takes them: no code of a watcher ever runs inside the call that made the change.
 * @throws {StoreError} from each operation that the store refuses, with the errno that a client of
 *   the era would see.
 */
export class StoreClient {
  readonly session: StoreSession;
  readonly #transaction: number;

  constructor(session: StoreSession, transaction = 0) {
    this.session = session;
    this.#transaction = transaction;
  }

  /** The value of the node at `path`. */
  read(path: string): string {
    return textOf(this.readOctets(path));
  }

  /** The value as octets of the caller's own. */
  readOctets(path: string): Uint8Array {
    return this.#value(this.session.read(path, this.#transaction), "read", path).slice();
  }

  /** The value, or `null` where there is no such node or it may not be read. */
  find(path: string): string | null {
    const value = this.session.read(path, this.#transaction);
    if (typeof value !== "string") return textOf(value);
    if (value === "ENOENT" || value === "EACCES") return null;
    throw this.#error(value, "read", path);
  }

  exists(path: string): boolean {
    return this.find(path) !== null;
  }

  /** Set the value; the node and its directories are made if need be. */
  write(path: string, value: string | Uint8Array): void {
    const octets = typeof value === "string" ? octetsOf(value) : value.slice();
    this.#done(this.session.write(path, octets, this.#transaction), "write", path);
  }

  /** Write several values below `path`, in their order. */
  writeAll(path: string, values: Readonly<Record<string, string>>): void {
    for (const [name, value] of Object.entries(values)) this.write(`${path}/${name}`, value);
  }

  mkdir(path: string): void {
    this.#done(this.session.mkdir(path, this.#transaction), "mkdir", path);
  }

  /** Remove the node and all below it; nothing happens if it alone is missing. */
  rm(path: string): void {
    this.#done(this.session.rm(path, this.#transaction), "rm", path);
  }

  /** As {@link rm}; nothing happens if directories above it are missing either. */
  rmIfThere(path: string): void {
    const refused = this.session.rm(path, this.#transaction);
    if (refused !== "ENOENT") this.#done(refused, "rm", path);
  }

  /** The names of the children, in the order of their making. */
  list(path: string): string[] {
    const names = this.session.list(path, this.#transaction);
    if (typeof names === "string") throw this.#error(names, "list", path);
    return names;
  }

  /** As GET_PERMS answers: `["n0", "r5"]`, the owner first. */
  permissions(path: string): string[] {
    const held = this.session.permissions(path, this.#transaction);
    if (typeof held === "string") throw this.#error(held, "permissions of", path);
    return held.map(formatPermission);
  }

  /** As SET_PERMS takes them: `["n0", "r5"]`, the owner first. */
  setPermissions(path: string, entries: readonly string[]): void {
    const refused = this.session.setPermissions(path, entries, this.#transaction);
    this.#done(refused, "set permissions of", path);
  }

  /** Hear of changes at or below `path`; the first event waits at once. */
  watch(path: string, token: string): void {
    this.#done(this.session.watch(path, token), "watch", path);
  }

  unwatch(path: string, token: string): void {
    this.#done(this.session.unwatch(path, token), "unwatch", path);
  }

  /** All events since the last call, in their order. */
  takeEvents(): readonly StoreEvent[] {
    return this.session.takeEvents();
  }

  /**
   * Do `work` in a transaction, again if another's change came in between: it must have no other
   * effect. What it throws aborts the transaction and is thrown on.
   */
  transaction<T>(work: (client: StoreClient) => T): T {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const id = this.session.start(this.#transaction);
      if (typeof id === "string") throw this.#error(id, "start", "transaction");
      let isDone = false;
      try {
        const result = work(new StoreClient(this.session, id));
        isDone = true;
        const refused = this.session.end(id, true);
        if (refused === null) return result;
        if (refused !== "EAGAIN") throw this.#error(refused, "end", "transaction");
      } finally {
        if (!isDone) this.session.end(id, false);
      }
    }
    throw this.#error("EAGAIN", "end", "transaction");
  }

  /** INTRODUCE: its ring page is in frame `gfn`, its event channel is `port`. */
  introduce(domid: number, gfn: number, port: number): void {
    this.#done(this.session.introduce(domid, gfn, port), "introduce", `domain ${domid}`);
  }

  /** RELEASE: the domain is gone. */
  release(domid: number): void {
    this.#done(this.session.release(domid), "release", `domain ${domid}`);
  }

  /** RESUME: the domain runs again after a shutdown. */
  resume(domid: number): void {
    this.#done(this.session.resume(domid), "resume", `domain ${domid}`);
  }

  /** SET_TARGET: `domid` acts for `target`. */
  setTarget(domid: number, target: number): void {
    this.#done(this.session.setTarget(domid, target), "set target of", `domain ${domid}`);
  }

  isIntroduced(domid: number): boolean {
    const answer = this.session.isIntroduced(domid);
    if (typeof answer === "string") throw this.#error(answer, "look for", `domain ${domid}`);
    return answer;
  }

  #value(answer: Uint8Array | Errno, operation: string, path: string): Uint8Array {
    if (typeof answer === "string") throw this.#error(answer, operation, path);
    return answer;
  }

  #done(refused: Errno | null, operation: string, path: string): void {
    if (refused !== null) throw this.#error(refused, operation, path);
  }

  #error(errno: Errno, operation: string, path: string): StoreError {
    return new StoreError(this.session.nameOf(errno), operation, path);
  }
}
