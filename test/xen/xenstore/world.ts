/** A store with guests, for tests. @module */
import {
  XENSTORE_3_1,
  XENSTORE_4_17,
  type XenstoreBehaviour,
} from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import type { DomainState } from "../../../src/xen/xenstore/domain-table.ts";
import { octetsOf } from "../../../src/xen/xenstore/octets.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { sessionOf } from "./wire.ts";

export const ERAS: readonly (readonly [string, XenstoreBehaviour])[] = [
  ["3.1", XENSTORE_3_1],
  ["4.17", XENSTORE_4_17],
];

/** A value like another. */
export const VALUE = octetsOf("v");

/** A store with guests 1 and 2 at home, and Xen's word on them. */
export class World {
  readonly states = new Map<number, DomainState>();
  readonly store: XenStore;
  readonly dom0: StoreClient;

  constructor(behaviour: XenstoreBehaviour) {
    this.store = new XenStore({
      behaviour,
      host: {
        stateOf: (domid) => this.states.get(domid) ?? "none",
        introduce: () => null,
        release: () => {},
      },
    });
    this.dom0 = new StoreClient(sessionOf(this.store));
    this.states.set(0, "running");
    for (const domid of [1, 2]) this.start(domid);
  }

  start(domid: number): void {
    this.states.set(domid, "running");
    this.dom0.write(`/local/domain/${domid}`, "");
    this.dom0.setPermissions(`/local/domain/${domid}`, [`n${domid}`]);
    this.dom0.introduce(domid, domid, 1);
  }

  guest(domid: number): StoreSession {
    const session = this.store.sessionOf(domid);
    if (session === null) throw new Error(`domain ${domid} is not introduced`);
    return session;
  }
}
