/** xenconsoled, as far as the store shows it: each domain's console gets a terminal. @module */
import type { StoreClient } from "../xenstore/client.ts";
import { domainPath } from "./device-path.ts";
import type { WatchQueue, Watching } from "./watch-queue.ts";

/** Terminals that are given out are `/dev/pts/0` on, the lowest free one each. */
export class ConsoleDaemon {
  readonly #queue: WatchQueue;
  readonly #domains = new Map<number, { readonly watching: Watching; terminal: number | null }>();
  readonly #taken = new Set<number>();

  constructor(queue: WatchQueue) {
    this.#queue = queue;
  }

  /** A domain is introduced. */
  add(domid: number): void {
    if (this.#domains.has(domid)) return;
    const path = `${domainPath(domid)}/console`;
    const watching = this.#queue.watch(path, () => this.#look(domid, path), `dom${domid}`);
    this.#domains.set(domid, { watching, terminal: null });
  }

  /** A domain is gone. */
  remove(domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    this.#domains.delete(domid);
    this.#queue.unwatch(domain.watching);
    if (domain.terminal !== null) this.#taken.delete(domain.terminal);
  }

  #look(domid: number, path: string): void {
    const client: StoreClient = this.#queue.client;
    const domain = this.#domains.get(domid);
    if (domain === undefined || domain.terminal !== null) return;
    if (client.find(`${path}/port`) === null || client.find(`${path}/ring-ref`) === null) return;
    let terminal = 0;
    while (this.#taken.has(terminal)) terminal += 1;
    this.#taken.add(terminal);
    domain.terminal = terminal;
    client.write(`${path}/tty`, `/dev/pts/${terminal}`);
  }
}
