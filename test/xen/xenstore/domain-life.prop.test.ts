/** Domains come, go and are named in permissions, in any order, against a naive store. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  XENSTORE_3_1,
  XENSTORE_4_17,
  type XenstoreBehaviour,
} from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { octetsOf } from "../../../src/xen/xenstore/octets.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { DomainLifeModel, type LifeState } from "../../model/domain-life-model.ts";
import { sessionOf } from "./wire.ts";

const DOMIDS = [1, 2, 3];
const NAMES = ["a", "b", "c"];
const SPECIAL = ["@introduceDomain", "@releaseDomain"];

const domid = fc.constantFrom(...DOMIDS);
const step = fc.oneof(
  fc.record({
    do: fc.constant("xen" as const),
    domid,
    state: fc.constantFrom<LifeState | null>("running", "running", "shutdown", "dying", null),
  }),
  fc.record({ do: fc.constant("check" as const) }),
  fc.record({ do: fc.constant("introduce" as const), domid, gfn: fc.constantFrom(1, 1, 2) }),
  fc.record({ do: fc.constantFrom("release" as const, "resume" as const), domid }),
  fc.record({ do: fc.constantFrom("watch" as const, "break" as const), domid }),
  fc.record({
    do: fc.constant("give" as const),
    name: fc.constantFrom(...NAMES),
    owner: fc.constantFrom(0, ...DOMIDS),
    reader: fc.constantFrom(null, ...DOMIDS),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Both stores, and those who listen. */
class Pair {
  readonly model: DomainLifeModel;
  readonly store: XenStore;
  readonly dom0: StoreSession;
  readonly #listeners = new Map<StoreSession, string[]>();

  constructor(behaviour: XenstoreBehaviour) {
    const model = new DomainLifeModel(behaviour === XENSTORE_4_17);
    this.model = model;
    this.store = new XenStore({
      behaviour,
      host: {
        stateOf: (id) => (id === 0 ? "running" : (model.xen.get(id) ?? "none")),
        introduce: ({ domid: id }) => (id === 0 || model.xen.has(id) ? null : "EINVAL"),
        release: () => {},
      },
    });
    this.dom0 = sessionOf(this.store);
    new StoreClient(this.dom0).mkdir("/o");
    this.#listen(sessionOf(this.store), 0);
  }

  play(one: Step): void {
    const { model, dom0, store } = this;
    switch (one.do) {
      case "xen":
        if (one.state === null) model.xen.delete(one.domid);
        // A domain that dies does nothing else any more.
        else if (model.xen.get(one.domid) !== "dying") model.xen.set(one.domid, one.state);
        return;
      case "check":
        store.checkDomains();
        model.check();
        return;
      case "introduce":
        this.#same(dom0.introduce(one.domid, one.gfn, 1), model.introduce(one.domid, one.gfn));
        return;
      case "release":
        this.#same(dom0.release(one.domid), model.release(one.domid));
        return;
      case "resume":
        this.#same(dom0.resume(one.domid), model.resume(one.domid));
        return;
      case "watch": {
        const session = store.sessionOf(one.domid);
        if (session !== null && !session.isClosed) this.#listen(session, one.domid);
        return;
      }
      case "break":
        store.sessionOf(one.domid)?.close();
        model.breakOff(one.domid);
        return;
      default:
        this.#give(one);
    }
  }

  /** All that can be seen is the same. */
  compare(): void {
    for (const [session, events] of this.#listeners) {
      const told = session.takeEvents().map(({ path }) => path);
      expect(told).toEqual(events.splice(0));
    }
    const { model, dom0, store } = this;
    expect(dom0.list("/o")).toEqual(expect.arrayContaining([...model.nodes.keys()]));
    expect(dom0.list("/o")).toHaveLength(model.nodes.size);
    for (const one of DOMIDS) {
      expect(dom0.isIntroduced(one)).toBe(model.isIntroduced(one));
      const session = store.sessionOf(one);
      if (session === null || session.isClosed) continue;
      for (const name of NAMES) {
        const may = typeof session.read(`/o/${name}`) !== "string";
        expect(may, `${one} reads ${name}`).toBe(model.mayRead(one, name) ?? false);
      }
    }
  }

  #give({ name, owner, reader }: Step & { do: "give" }): void {
    const { model, dom0 } = this;
    const isNew = !model.nodes.has(name);
    const path = `/o/${name}`;
    if (isNew) dom0.write(path, octetsOf(""));
    const entries = [`n${owner}`, ...(reader === null ? [] : [`r${reader}`])];
    const refused = dom0.setPermissions(path, entries);
    this.#same(refused, model.give(name, owner, reader));
    if (isNew && refused !== null) dom0.rm(path);
  }

  #listen(session: StoreSession, id: number): void {
    for (const name of SPECIAL) if (session.watch(name, "t") === "EEXIST") return;
    session.takeEvents();
    this.#listeners.set(session, this.model.watch(id).events);
  }

  #same(found: string | null, expected: string): void {
    expect(found ?? "OK").toBe(expected);
  }
}

describe.each([
  ["3.1", XENSTORE_3_1],
  ["4.17", XENSTORE_4_17],
] as const)("domains of Xen %s", (_era, behaviour) => {
  it(
    "come, go, are heard of and lose their nodes as in the naive store",
    { timeout: 600_000 },
    () => {
      fc.assert(
        fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
          const pair = new Pair(behaviour);
          for (const one of steps) {
            pair.play(one);
            pair.compare();
          }
        }),
        { numRuns: 200 },
      );
    },
  );
});
