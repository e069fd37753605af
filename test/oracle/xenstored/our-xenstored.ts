/** Our store as a player of scripts, each to a pristine one. @module */
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreConnection } from "../../../src/xen/xenstore/connection.ts";
import type { DomainState, StoreHost } from "../../../src/xen/xenstore/domain-table.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import {
  CLOSED,
  encode,
  octetsOf,
  type Player,
  type Received,
  SOCKET,
  type Step,
  textOf,
  type Who,
} from "./script.ts";

/** A pristine store for each script, with the behaviours of Xen 4.17. */
export class OurXenstored implements Player {
  play(steps: readonly Step[]): Promise<readonly Received[]> {
    const life = new StoreLife();
    return Promise.resolve(steps.map((step) => life.step(step)));
  }
}

const RUN_STATES = { shutdown: "shutdown", resume: "running" } as const;

/** One store, its clients and the domains of its host. */
class StoreLife implements StoreHost {
  readonly #store = new XenStore({ behaviour: XENSTORE_4_17, host: this });
  readonly #connections = new Map<Who, StoreConnection>();
  readonly #domains = new Map<number, DomainState>([[0, "running"]]);
  #received = new Map<Who, string>();

  stateOf(domid: number): DomainState {
    return this.#domains.get(domid) ?? "none";
  }

  introduce(session: StoreSession): "EINVAL" | null {
    const { domid } = session;
    if (!this.#domains.has(domid)) return "EINVAL";
    if (this.#connections.get(domid)?.session !== session) this.#connect(domid, session);
    return null;
  }

  release(domid: number): void {
    this.#connections.delete(domid);
  }

  step(step: Step): Received {
    this.#received = new Map();
    this.#play(step);
    return this.#received;
  }

  #play(step: Step): void {
    const { who } = step;
    const connection = this.#connections.get(who);
    switch (step.do) {
      case "connect":
        if (connection === undefined) this.#connect(who, this.#store.connect());
        return;
      case "close":
        this.#connections.delete(who);
        connection?.close();
        return;
      case "ask":
        connection?.receive(octetsOf(encode(step.requests)));
        return;
      case "send":
        connection?.receive(octetsOf(step.octets));
        return;
      case "create":
        if (!this.#domains.has(who)) this.#domains.set(who, "running");
        return;
      default:
        this.#change(step.do, who);
    }
  }

  #change(what: "destroy" | "dying" | "shutdown" | "resume", domid: number): void {
    const state = this.#domains.get(domid);
    if (state === undefined) return;
    if (what === "destroy") this.#domains.delete(domid);
    else if (what === "dying") this.#domains.set(domid, what);
    else if (state !== "dying") this.#domains.set(domid, RUN_STATES[what]);
    if (what !== "resume") this.#store.checkDomains();
  }

  #connect(who: Who, session: StoreSession | null): void {
    if (session === null) return;
    const add = (text: string): void => {
      this.#received.set(who, (this.#received.get(who) ?? "") + text);
    };
    const connection = new StoreConnection({
      session,
      sink: (octets) => {
        add(textOf(octets));
        return octets.length;
      },
      onClose: () => {
        if (who < SOCKET || this.#connections.get(who) !== connection) return;
        this.#connections.delete(who);
        add(CLOSED);
      },
    });
    this.#connections.set(who, connection);
  }
}
