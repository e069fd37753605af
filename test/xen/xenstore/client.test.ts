/** The store as the parts of a host use it. @module */
import { describe, expect, it } from "vitest";
import {
  XENSTORE_3_1,
  XENSTORE_4_17,
  type XenstoreBehaviour,
} from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { StoreError } from "../../../src/xen/xenstore/errno.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { sessionOf } from "./wire.ts";

const ERAS: readonly (readonly [string, XenstoreBehaviour])[] = [
  ["3.1", XENSTORE_3_1],
  ["4.17", XENSTORE_4_17],
];

describe.each(ERAS)("a client of Xen %s's store", (_era, behaviour) => {
  const clientOf = (store: XenStore): StoreClient => new StoreClient(sessionOf(store));

  it("reads what was written, with the directories in between", () => {
    const client = clientOf(new XenStore({ behaviour }));
    client.write("/a/b/c", "v");
    expect([client.read("/a/b/c"), client.read("/a/b"), client.list("/a")]).toEqual([
      "v",
      "",
      ["b"],
    ]);
  });

  it("lists children in the order of their making", () => {
    const client = clientOf(new XenStore({ behaviour }));
    for (const name of ["z", "a", "m"]) client.write(`/d/${name}`, "");
    client.rm("/d/a");
    client.write("/d/a", "");
    expect(client.list("/d")).toEqual(["z", "m", "a"]);
  });

  it("throws the errno of what it cannot do", () => {
    const client = clientOf(new XenStore({ behaviour }));
    expect(() => client.read("/nope")).toThrow(new StoreError("ENOENT", "read", "/nope"));
    expect(client.find("/nope")).toBeNull();
  });

  it("queues events until they are taken", () => {
    const store = new XenStore({ behaviour });
    const [writer, watcher] = [clientOf(store), clientOf(store)];
    watcher.watch("/a", "t");
    writer.write("/a/b", "1");
    writer.write("/b", "1");
    expect(watcher.takeEvents()).toEqual([
      { path: "/a", token: "t" },
      { path: "/a/b", token: "t" },
    ]);
    expect(watcher.takeEvents()).toEqual([]);
  });

  it("does a transaction again after a conflict", () => {
    const store = new XenStore({ behaviour });
    const [one, other] = [clientOf(store), clientOf(store)];
    one.write("/n", "0");
    let attempts = 0;
    one.transaction((inside) => {
      const value = inside.read("/n");
      if (attempts++ === 0) other.write("/n", "5");
      inside.write("/n", `${Number(value) + 1}`);
    });
    expect([attempts, other.read("/n")]).toEqual([2, "6"]);
  });

  it("aborts a transaction whose work throws", () => {
    const store = new XenStore({ behaviour });
    const client = clientOf(store);
    const work = (): void =>
      client.transaction((inside) => {
        inside.write("/n", "1");
        throw new Error("no");
      });
    expect(work).toThrow("no");
    expect([client.exists("/n"), client.session.openTransactions]).toEqual([false, 0]);
  });

  it("speaks as a guest over the session that INTRODUCE made", () => {
    const store = new XenStore({ behaviour });
    const dom0 = clientOf(store);
    dom0.write("/local/domain/5/name", "dom_5");
    dom0.setPermissions("/local/domain/5", ["n5"]);
    dom0.setPermissions("/local/domain/5/name", ["n5"]);
    dom0.introduce(5, 1, 1);
    const session = store.sessionOf(5);
    expect(session).not.toBeNull();
    if (session === null) return;
    const guest = new StoreClient(session);
    expect(guest.read("name")).toBe("dom_5");
    expect(() => guest.list("/local/domain")).toThrow("EACCES");
    guest.write("data/x", "1");
    expect(dom0.permissions("/local/domain/5/data/x")).toEqual(["n5"]);
  });
});
