/** Any requests of several clients at once, against the naive store. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  XENSTORE_3_1,
  XENSTORE_4_17,
  type XenstoreBehaviour,
} from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { XenstoreModel } from "../../model/xenstore-model.ts";
import type { ModelAnswer, ModelClient } from "../../model/xenstore-parts.ts";
import { encode, sessionOf, WireClient } from "./wire.ts";

/** Small enough that a short run meets each. */
const QUOTAS = { nodes: 5, watches: 2, transactions: 1, nodeSize: 90, permissions: 2 } as const;

const PATHS = [
  "/",
  "/a",
  "/a/b",
  "/a/b/c",
  "/a/d",
  "/a/b/c/d/e",
  "/local/domain/1",
  "/local/domain/1/x",
  "/local/domain/2",
  "x",
  "x/y",
  "/tool/xenstored",
];
const BAD_PATHS = ["/a/", "/a//b", "", "/a b", "/a.b"];
const PERMISSIONS = [
  ["n0"],
  ["r0"],
  ["b0"],
  ["n1"],
  ["b1"],
  ["r2"],
  ["n0", "r1"],
  ["n0", "b1"],
  ["w1", "r2"],
  ["n2", "b1"],
  ["n0", "r1", "b2"],
];

interface Step {
  readonly what: keyof typeof RUN;
  readonly who: number;
  readonly path: string;
  readonly text: string;
  readonly entries: string[];
  /** The number of a transaction, 0 most often. */
  readonly id: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  what: fc.constantFrom(
    "read",
    "list",
    "permissions",
    "write",
    "write",
    "mkdir",
    "rm",
    "setPermissions",
    "watch",
    "unwatch",
    "start",
    "commit",
    "commit",
    "abort",
  ),
  who: fc.nat(3),
  path: fc.oneof(
    { weight: 12, arbitrary: fc.constantFrom(...PATHS) },
    { weight: 1, arbitrary: fc.constantFrom(...BAD_PATHS) },
  ),
  text: fc.constantFrom("", "v", "t", "x".repeat(40), "y".repeat(70)),
  entries: fc.constantFrom(...PERMISSIONS),
  id: fc.constantFrom(0, 0, 1, 1, 2),
});

type Run = (client: Pair, step: Step) => readonly [real: string, model: ModelAnswer];

/** A client of both. */
interface Pair {
  readonly model: ModelClient;
  readonly store: XenstoreModel;
  readonly ask: (type: number, text: string, id: number) => string;
  /** The events since the last call. */
  readonly events: () => string[];
}

const RUN = {
  read: ({ ask, store, model }, { path, id }) => [
    ask(Operation.READ, `${path}\0`, id),
    store.read(model, path, id),
  ],
  list: ({ ask, store, model }, { path, id }) => [
    ask(Operation.DIRECTORY, `${path}\0`, id),
    store.list(model, path, id, "children"),
  ],
  permissions: ({ ask, store, model }, { path, id }) => [
    ask(Operation.GET_PERMS, `${path}\0`, id),
    store.list(model, path, id, "permissions"),
  ],
  write: ({ ask, store, model }, { path, text, id }) => [
    ask(Operation.WRITE, `${path}\0${text}`, id),
    store.write(model, path, text, id),
  ],
  mkdir: ({ ask, store, model }, { path, id }) => [
    ask(Operation.MKDIR, `${path}\0`, id),
    store.mkdir(model, path, id),
  ],
  rm: ({ ask, store, model }, { path, id }) => [
    ask(Operation.RM, `${path}\0`, id),
    store.rm(model, path, id),
  ],
  setPermissions: ({ ask, store, model }, { path, entries, id }) => [
    ask(Operation.SET_PERMS, [path, ...entries, ""].join("\0"), id),
    store.setPermissions(model, path, entries, id),
  ],
  watch: ({ ask, store, model }, { path, text }) => [
    ask(Operation.WATCH, `${path}\0${text}\0`, 0),
    store.watch(model, path, text),
  ],
  unwatch: ({ ask, store, model }, { path, text }) => [
    ask(Operation.UNWATCH, `${path}\0${text}\0`, 0),
    store.unwatch(model, path, text),
  ],
  start: ({ ask, store, model }, { id }) => [
    ask(Operation.TRANSACTION_START, "\0", id),
    store.start(model, id),
  ],
  commit: ({ ask, store, model }, { id }) => [
    ask(Operation.TRANSACTION_END, "T\0", id),
    store.end(model, id, true),
  ],
  abort: ({ ask, store, model }, { id }) => [
    ask(Operation.TRANSACTION_END, "F\0", id),
    store.end(model, id, false),
  ],
} satisfies Record<string, Run>;

/** Two clients of the socket and two guests, in both stores. */
function pairs(behaviour: XenstoreBehaviour): Pair[] {
  const isModern = behaviour === XENSTORE_4_17;
  // 3.1 counts what it did not make: the naive store could not say why it refuses then.
  const nodes = isModern ? QUOTAS.nodes : 1000;
  const quotas = { ...QUOTAS, nodes };
  const store = new XenStore({
    behaviour: { ...behaviour, quotas: { ...behaviour.quotas, ...quotas } },
  });
  const model = new XenstoreModel({ isModern, header: behaviour.nodeHeader, quotas });
  const dom0 = new StoreClient(sessionOf(store));
  const modelDom0 = model.connect(0, true);
  for (const domid of [1, 2]) {
    const home = `/local/domain/${domid}`;
    dom0.write(home, "");
    dom0.setPermissions(home, [`n${domid}`]);
    dom0.introduce(domid, 1, 1);
    model.write(modelDom0, home, "", 0);
    model.setPermissions(modelDom0, home, [`n${domid}`], 0);
  }
  return [null, null, 1, 2].map((domid) => {
    const session = domid === null ? sessionOf(store) : store.sessionOf(domid);
    if (session === null) throw new Error("not introduced");
    const wire = new WireClient(session);
    const ask = (type: number, text: string, id: number): string => {
      wire.connection.receive(encode(type, text, id));
      const messages = wire.take();
      const answer = messages.find((one) => one.type !== Operation.WATCH_EVENT);
      pending.push(...messages.filter((one) => one !== answer).map((one) => one.text));
      if (answer === undefined) return "";
      return answer.type === Operation.ERROR ? answer.text.slice(0, -1) : `=${answer.text}`;
    };
    const pending: string[] = [];
    return {
      model: model.connect(domid ?? 0, domid === null),
      store: model,
      ask,
      events: () => [...pending.splice(0), ...wire.take().map((one) => one.text)],
    };
  });
}

const none = { path: "/", text: "", entries: ["n0"], id: 0 };
const home = { ...none, path: "/local/domain/2" };
/** Seed 424243: in 4.17 a guest removes its home in a transaction; Dom0 did so before (EIO). */
const REMOVED_TWICE: Step[] = [
  { ...none, what: "start", who: 3 },
  { ...home, what: "read", who: 3, id: 1 },
  { ...home, what: "rm", who: 0 },
  { ...home, what: "rm", who: 3, id: 1 },
  { ...none, what: "commit", who: 3, id: 1 },
];

describe.each([
  ["3.1", XENSTORE_3_1],
  ["4.17", XENSTORE_4_17],
] as const)("the store of Xen %s", (_era, behaviour) => {
  it("answers and tells any clients what the naive one does", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }), (steps) => {
        const clients = pairs(behaviour);
        for (const one of steps) {
          const client = clients[one.who];
          if (client === undefined) continue;
          const run: Run = RUN[one.what];
          const [real, model] = run(client, one);
          expect(real).toBe(model);
          for (const each of clients) expect(each.events()).toEqual(each.model.events.splice(0));
        }
      }),
      { numRuns: 200, examples: [[REMOVED_TWICE]] },
    );
  });
});
