/** Our store behind unix sockets, for programs: Dom0's, and a guest's. @module */
import { StoreListener } from "../../xen/xenstore/listener.ts";
import { StoreLife } from "./our-xenstored.ts";
import type { Step } from "./script.ts";

/** A store that has played a script, and listens. */
export class OurSockets {
  readonly #dom0: StoreListener;
  readonly #guest: StoreListener;

  /** @param domid of the guest that has a socket; introduced by `steps`. */
  constructor(steps: readonly Step[], domid: number) {
    const { store } = playedLife(steps);
    this.#dom0 = new StoreListener(() => store.connect());
    this.#guest = new StoreListener(() => store.connect({ domid }));
  }

  get socket(): string {
    return this.#dom0.path;
  }

  get guestSocket(): string {
    return this.#guest.path;
  }

  async open(): Promise<void> {
    await Promise.all([this.#dom0.open(), this.#guest.open()]);
  }

  async close(): Promise<void> {
    await Promise.all([this.#dom0.close(), this.#guest.close()]);
  }
}

function playedLife(steps: readonly Step[]): StoreLife {
  const life = new StoreLife();
  for (const step of steps) life.step(step);
  return life;
}
