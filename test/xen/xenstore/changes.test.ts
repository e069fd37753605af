/**
 * What Xen's own test programs of 2007 asked of a store (watch, transaction), and where 4.17
 * answers otherwise.
 * @module
 */
import { describe, expect, it } from "vitest";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { sessionOf, WireClient } from "./wire.ts";
import { ERAS, VALUE, World } from "./world.ts";

describe.each(ERAS)("watches of Xen %s", (era, behaviour) => {
  const events = (session: StoreSession): string[] =>
    session.takeEvents().map(({ path, token }) => `${path} ${token}`);

  it("fire at once, for what is below, and for what is removed above", () => {
    const world = new World(behaviour);
    const watcher = sessionOf(world.store);
    watcher.watch("/a/b", "t");
    const heard = [
      () => {},
      () => world.dom0.write("/a/b/c", ""),
      () => world.dom0.write("/a", ""),
      () => world.dom0.setPermissions("/a/b", ["r0"]),
      () => world.dom0.rm("/a"),
    ].map((change) => {
      change();
      return events(watcher);
    });
    expect(heard).toEqual([["/a/b t"], ["/a/b/c t"], [], ["/a/b t"], ["/a/b t"]]);
  });

  it(`that wait ${era === "3.1" ? "wait twice" : "are not repeated"}`, () => {
    const world = new World(behaviour);
    const watcher = sessionOf(world.store);
    watcher.watch("/a", "t");
    for (let i = 0; i < 3; i++) world.dom0.write("/a", `${i}`);
    expect(events(watcher)).toHaveLength(era === "3.1" ? 4 : 1);
  });

  it(`below a removed node ${era === "3.1" ? "fire" : "do not fire"} if nothing was there`, () => {
    const world = new World(behaviour);
    world.dom0.write("/a", "");
    const watcher = sessionOf(world.store);
    watcher.watch("/a/never", "t");
    watcher.takeEvents();
    world.dom0.rm("/a");
    expect(events(watcher)).toEqual(era === "3.1" ? ["/a/never t"] : []);
  });

  it("tell a guest in its own words, and nothing of what it may not read", () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    guest.watch("device", "d");
    guest.watch("/local/domain/1/device", "e");
    guest.watch("/other", "o");
    guest.takeEvents();
    world.dom0.write("/local/domain/1/device/vbd", "");
    world.dom0.write("/other", "");
    expect(events(guest)).toEqual(["device/vbd d", "/local/domain/1/device/vbd e"]);
  });

  it(`tell guests ${era === "3.1" ? "of" : "nothing of"} domains that come and go`, () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    guest.watch("@introduceDomain", "i");
    guest.watch("@releaseDomain", "r");
    expect(events(guest)).toEqual(["@introduceDomain i", "@releaseDomain r"]);
    world.start(3);
    world.dom0.release(3);
    const heard = ["@introduceDomain i", "@releaseDomain r"];
    expect(events(guest)).toEqual(era === "3.1" ? heard : []);
    world.dom0.watch("@introduceDomain", "i");
    world.dom0.takeEvents();
    world.start(3);
    expect(events(world.dom0.session)).toEqual(["@introduceDomain i"]);
  });

  it("hear of a shutdown once, until it is resumed", () => {
    const world = new World(behaviour);
    world.dom0.watch("@releaseDomain", "r");
    world.dom0.takeEvents();
    world.states.set(1, "shutdown");
    const count = (): number => {
      world.store.checkDomains();
      return world.dom0.takeEvents().length;
    };
    expect([count(), count()]).toEqual([1, 0]);
    world.dom0.resume(1);
    expect([count(), count()]).toEqual([1, 0]);
    world.states.set(1, "none");
    expect([count(), count()]).toEqual([1, 0]);
    expect(world.store.sessionOf(1)).toBeNull();
  });

  it("answer with OK first, then the event", () => {
    const world = new World(behaviour);
    const client = new WireClient(sessionOf(world.store));
    expect(client.send(Operation.WATCH, "/a\0t\0").map((one) => one.text)).toEqual([
      "OK\0",
      "/a\0t\0",
    ]);
    expect(client.send(Operation.WRITE, "/a\0").map((one) => one.text)).toEqual([
      "/a\0t\0",
      "OK\0",
    ]);
    expect(client.ask(Operation.WATCH, "/a\0t\0")).toBe("EEXIST\0");
    expect(client.ask(Operation.UNWATCH, "/a\0u\0")).toBe("ENOENT\0");
    expect(client.ask(Operation.WATCH, "device\0t\0")).toBe(era === "3.1" ? "EINVAL\0" : "OK\0");
  });
});

describe.each(ERAS)("transactions of Xen %s", (era, behaviour) => {
  it("see their own changes, others only after the commit", () => {
    const { store, dom0 } = new World(behaviour);
    const other = sessionOf(store);
    const id = other.start();
    expect(id).toBe(1);
    other.write("/t", VALUE, 1);
    expect([other.read("/t", 1), dom0.exists("/t")]).toEqual([VALUE, false]);
    dom0.watch("/t", "t");
    dom0.takeEvents();
    expect(other.end(1, true)).toBeNull();
    expect([dom0.read("/t"), dom0.takeEvents().length]).toEqual(["v", 1]);
  });

  it("have the errors of the protocol", () => {
    const { store } = new World(behaviour);
    const session = sessionOf(store);
    expect([session.start(), session.start(), session.start(1)]).toEqual([1, 2, "EBUSY"]);
    expect([session.end(7, true), session.read("/", 7)]).toEqual(["ENOENT", "ENOENT"]);
    expect([session.end(1, false), session.end(1, false), session.start()]).toEqual([
      null,
      "ENOENT",
      3,
    ]);
    const client = new WireClient(sessionOf(store));
    client.send(Operation.TRANSACTION_START, "\0");
    expect(client.ask(Operation.TRANSACTION_END, "X\0", 1)).toBe("EINVAL\0");
    expect(client.ask(Operation.TRANSACTION_END, "T\0", 1)).toBe("OK\0");
  });

  /** `[inside, outside, whether 4.17 finds a conflict]` */
  const conflicts: [string, (one: StoreClient) => void, (other: StoreClient) => void, boolean][] = [
    ["a blind write", (one) => one.write("/c/x", "1"), (other) => other.write("/c/x", "2"), true],
    ["siblings", (one) => one.write("/c/new", ""), (other) => other.write("/c/too", ""), true],
    ["a read value", (one) => one.read("/c/x"), (other) => other.write("/c/x", "2"), true],
    ["a list and a new child", (one) => one.list("/c"), (other) => other.write("/c/n", ""), true],
    ["a list and a child's value", (one) => one.list("/c"), (o) => o.write("/c/x", "2"), false],
    ["a removal", (one) => one.read("/c/x"), (other) => other.rm("/c/x"), true],
    ["rights", (one) => one.read("/c/x"), (o) => o.setPermissions("/c/x", ["r0"]), true],
    ["other nodes", (one) => one.write("/c/x", "1"), (other) => other.write("/e", ""), false],
    ["nothing inside", () => {}, (other) => other.write("/c/x", "2"), false],
  ];
  it.each(conflicts)("and a conflict over %s", (_what, inside, outside, isConflict) => {
    const { store, dom0 } = new World(behaviour);
    dom0.write("/c/x", "0");
    const session = sessionOf(store);
    const id = session.start();
    expect(id).toBe(1);
    inside(new StoreClient(session, 1));
    outside(dom0);
    expect(session.end(1, true)).toBe(era === "3.1" || isConflict ? "EAGAIN" : null);
  });

  it(`${era === "3.1" ? "keep" : "do not keep"} what was there at their start`, () => {
    const { store, dom0 } = new World(behaviour);
    dom0.write("/c", "v");
    const session = sessionOf(store);
    session.start();
    dom0.rm("/c");
    expect(session.read("/c", 1)).toEqual(era === "3.1" ? VALUE : "ENOENT");
  });
});
