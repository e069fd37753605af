/** Our store as a player of scripts, each to a pristine one. @module */
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreConnection } from "../../../src/xen/xenstore/connection.ts";
import type { DomainState, StoreHost } from "../../../src/xen/xenstore/domain-table.ts";
import { RingTransport } from "../../../src/xen/xenstore/ring-transport.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import {
  CLOSED,
  encode,
  octetsOf,
  PAGE_WORDS,
  type Player,
  type Received,
  type Step,
  textOf,
  type Who,
} from "./script.ts";
import { TestGuest } from "./test-guest.ts";

const NOTHING = new Uint8Array(0);
const RUN_STATES = { shutdown: "shutdown", resume: "running" } as const;

/** A pristine store for each script, with the behaviours of Xen 4.17. */
export class OurXenstored implements Player {
  play(steps: readonly Step[]): Promise<readonly Received[]> {
    const life = new StoreLife();
    return Promise.resolve(steps.map((step) => life.step(step)));
  }
}

/** A domain of the host. */
interface Domain {
  state: DomainState;
  readonly guest: TestGuest;
  /** The store's end of its ring, once it was introduced. */
  transport: RingTransport | null;
  isFrozen: boolean;
}

function newDomain(): Domain {
  return { state: "running", guest: new TestGuest(), transport: null, isFrozen: false };
}

/** One store, its clients and the domains of its host. */
export class StoreLife implements StoreHost {
  readonly store = new XenStore({ behaviour: XENSTORE_4_17, host: this });
  readonly #clients = new Map<Who, StoreConnection>();
  readonly #domains = new Map<number, Domain>();
  #received = new Map<Who, string>();
  /** Changes of domains are not told to the store. */
  #isHushed = false;

  stateOf(domid: number): DomainState {
    return domid === 0 ? "running" : (this.#domains.get(domid)?.state ?? "none");
  }

  introduce(session: StoreSession): "EINVAL" | null {
    if (session.domid === 0) return null;
    const domain = this.#domains.get(session.domid);
    if (domain === undefined) return "EINVAL";
    if (domain.transport?.connection.session !== session) {
      domain.transport = new RingTransport({ session, page: domain.guest.page, notify: () => {} });
    }
    return null;
  }

  release(domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain !== undefined) domain.transport = null;
  }

  /** @returns what everybody received. */
  step(step: Step): Received {
    this.#received = new Map();
    this.#play(step);
    this.#settle();
    return this.#received;
  }

  #play(step: Step): void {
    const { who } = step;
    switch (step.do) {
      case "connect":
        this.#connect(who);
        return;
      case "close":
        this.#close(who);
        return;
      case "ask":
        this.#send(who, octetsOf(encode(step.requests)));
        return;
      case "send":
        this.#send(who, octetsOf(step.octets));
        return;
      case "poke":
        this.#domains.get(who)?.guest.page.set(octetsOf(step.octets), step.at);
        return;
      case "freeze":
      case "thaw":
        this.#freeze(who, step.do === "freeze");
        return;
      case "hush":
      case "hear":
        this.#isHushed = step.do === "hush";
        if (!this.#isHushed) this.store.checkDomains();
        return;
      case "page":
        this.#show(who);
        return;
      case "create":
        if (this.#domains.has(who)) return;
        this.#domains.set(who, newDomain());
        return;
      default:
        this.#change(step.do, who);
    }
  }

  #freeze(domid: number, isFrozen: boolean): void {
    const domain = this.#domains.get(domid);
    if (domain !== undefined) domain.isFrozen = isFrozen;
  }

  #show(domid: number): void {
    const page = this.#domains.get(domid)?.guest.page;
    if (page !== undefined) this.#add(domid, textOf(page.subarray(...PAGE_WORDS)));
  }

  #send(who: Who, octets: Uint8Array): void {
    this.#clients.get(who)?.receive(octets);
    this.#domains.get(who)?.guest.send(octets);
  }

  /** Events go to and fro until nobody has anything to do. */
  #settle(): void {
    let isBusy = true;
    while (isBusy) {
      isBusy = false;
      for (const [domid, { guest, transport, isFrozen }] of this.#domains) {
        const hasPut = guest.put();
        transport?.poll();
        const taken = isFrozen ? NOTHING : guest.take();
        if (taken.length > 0) this.#add(domid, textOf(taken));
        isBusy ||= hasPut || taken.length > 0;
      }
    }
  }

  #change(what: "destroy" | "dying" | "shutdown" | "resume", domid: number): void {
    const domain = this.#domains.get(domid);
    if (domain === undefined) return;
    if (what === "destroy") this.#domains.delete(domid);
    else if (what === "dying") domain.state = what;
    else if (domain.state !== "dying") domain.state = RUN_STATES[what];
    if (what !== "resume" && !this.#isHushed) this.store.checkDomains();
  }

  #connect(who: Who): void {
    const session = this.#clients.has(who) ? null : this.store.connect();
    if (session === null) return;
    const connection = new StoreConnection({
      session,
      sink: (octets, length) => {
        this.#add(who, textOf(octets.subarray(0, length)));
        return length;
      },
      onClose: () => {
        if (this.#clients.delete(who)) this.#add(who, CLOSED);
      },
    });
    this.#clients.set(who, connection);
  }

  #close(who: Who): void {
    const connection = this.#clients.get(who);
    this.#clients.delete(who);
    connection?.close();
  }

  #add(who: Who, text: string): void {
    this.#received.set(who, (this.#received.get(who) ?? "") + text);
  }
}
