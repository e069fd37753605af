/**
 * Facts of xenstored's source of 2007, function by function, where no live one can be asked
 * (tools/xenstore of Xen 3.1: xenstored_core.c, _watch.c, _transaction.c, _domain.c).
 * @module
 */
import { describe, expect, it } from "vitest";
import { XENSTORE_3_1, XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { RING, RingTransport } from "../../../src/xen/xenstore/ring-transport.ts";
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";
import { viewOf } from "../../../src/wire/field.ts";
import { encode, sessionOf, WireClient } from "./wire.ts";
import { VALUE, World } from "./world.ts";

const [RELEASED, INTRODUCED] = ["@releaseDomain", "@introduceDomain"];

/** Dom0 on the socket, as octets. */
const wireOf = (world: World): WireClient => new WireClient(sessionOf(world.store));
/** A guest, as octets. */
const guestWire = (world: World, domid: number): WireClient => new WireClient(world.guest(domid));
const paths = (session: StoreSession): string[] => session.takeEvents().map(({ path }) => path);

/** What `world` says of special names from now on. */
function specials(world: World): () => string[] {
  const session = sessionOf(world.store);
  for (const name of [RELEASED, INTRODUCED]) session.watch(name, "t");
  session.takeEvents();
  return () => paths(session);
}

describe("process_message of 2007", () => {
  it("looks for the transaction before anything else", () => {
    const wire = guestWire(new World(XENSTORE_3_1), 1);
    for (const type of [Operation.READ, Operation.INTRODUCE, Operation.WATCH, 19, 99]) {
      expect(wire.ask(type, "", 7)).toBe("ENOENT\0");
    }
  });

  it("knows nothing from 19 on, nor what only a server sends", () => {
    const wire = wireOf(new World(XENSTORE_3_1));
    for (const type of [15, 16, 19, 20, 21, 22, 128]) {
      expect(wire.ask(type, "1\0")).toBe("ENOSYS\0");
    }
  });

  it("wants one word that ends with the payload", () => {
    const wire = wireOf(new World(XENSTORE_3_1));
    const { READ, DIRECTORY, GET_PERMS, MKDIR, RM } = Operation;
    for (const type of [READ, DIRECTORY, GET_PERMS, MKDIR, RM]) {
      for (const text of ["", "/tool", "/tool\0x", "/tool\0\0"]) {
        expect(wire.ask(type, text), `${type} ${text}`).toBe("EINVAL\0");
      }
    }
  });

  it("leaves out what comes after the words of WRITE and SET_PERMS", () => {
    const wire = wireOf(new World(XENSTORE_3_1));
    expect(wire.ask(Operation.WRITE, "/w")).toBe("EINVAL\0");
    expect(wire.ask(Operation.WRITE, "/w\0a\0b")).toBe("OK\0");
    expect(wire.ask(Operation.READ, "/w\0")).toBe("a\0b");
    expect(wire.ask(Operation.SET_PERMS, "/w\0r0\0n")).toBe("OK\0");
    expect(wire.ask(Operation.GET_PERMS, "/w\0")).toBe("r0\0");
    for (const text of ["", "/w", "/w\0", "/w\0r0"]) {
      expect(wire.ask(Operation.SET_PERMS, text)).toBe("EINVAL\0");
    }
  });

  it("wants two words of WATCH and UNWATCH", () => {
    const wire = wireOf(new World(XENSTORE_3_1));
    for (const text of ["", "/w\0", "/w\0t", "/w\0t\0u\0"]) {
      expect(wire.ask(Operation.WATCH, text)).toBe("EINVAL\0");
      expect(wire.ask(Operation.UNWATCH, text)).toBe("EINVAL\0");
    }
    expect(wire.ask(Operation.WATCH, "/w\0t\0u")).toBe("OK\0");
  });

  it("judges words before privilege, and a port before the domain", () => {
    const world = new World(XENSTORE_3_1);
    const [guest, dom0] = [guestWire(world, 1), wireOf(world)];
    expect(guest.ask(Operation.INTRODUCE, "3\x001\0")).toBe("EINVAL\0");
    expect(guest.ask(Operation.INTRODUCE, "3\x001\x000\0")).toBe("EACCES\0");
    expect(dom0.ask(Operation.INTRODUCE, "3\x001\x000\0")).toBe("EINVAL\0");
    for (const type of [Operation.RELEASE, Operation.RESUME]) {
      expect(["", "0\0", "x\0", "3\0"].map((text) => guest.ask(type, text))).toEqual([
        "EINVAL\0",
        "EINVAL\0",
        "EINVAL\0",
        "EACCES\0",
      ]);
      expect(dom0.ask(type, "3\0")).toBe("ENOENT\0");
    }
  });

  it("lets anybody ask who is introduced, and takes itself for there", () => {
    const wire = guestWire(new World(XENSTORE_3_1), 1);
    const asked = ["0\0", "2\0", "3\0", "32752\0"].map((domid) =>
      wire.ask(Operation.IS_DOMAIN_INTRODUCED, domid),
    );
    expect(asked).toEqual(["T\0", "T\0", "F\0", "T\0"]);
  });
});

describe("a read-only client of 2007", () => {
  it("writes and introduces nothing, but may release and resume", () => {
    const world = new World(XENSTORE_3_1);
    const session = world.store.connect({ isReadonly: true });
    if (session === null) throw new Error("no room");
    expect([session.write("/x", VALUE), session.introduce(3, 1, 1)]).toEqual(["EACCES", "EACCES"]);
    expect(session.setPermissions("/tool", ["r0"])).toBe("EACCES");
    expect([session.resume(1), session.release(1)]).toEqual([null, null]);
    expect(world.dom0.isIntroduced(1)).toBe(false);
    session.close();
    expect(session.release(2)).toBe("EIO");
  });
});

describe("a broken connection of a domain", () => {
  const poke = (world: World): string[] => {
    const events = specials(world);
    const page = new Uint8Array(4096);
    const ends: string[] = [];
    const transport = new RingTransport({
      session: world.guest(1),
      page,
      notify: () => {},
      onClose: (reason) => ends.push(reason),
    });
    RING.requestProducer.set(viewOf(page), 0, 5000);
    transport.poll();
    expect(ends).toEqual(["store/ring-index"]);
    return events();
  };

  it("is the domain's end in 3.1, as a RELEASE would be", () => {
    const world = new World(XENSTORE_3_1);
    world.guest(1).watch("x", "t");
    expect(poke(world)).toEqual([RELEASED]);
    expect([world.dom0.isIntroduced(1), world.store.watches]).toEqual([false, 2]);
    const events = specials(world);
    world.dom0.introduce(1, 9, 2);
    expect(events()).toEqual([INTRODUCED]);
    expect(world.guest(1).write("again", VALUE)).toBeNull();
  });

  it("leaves it introduced and silent in 4.17", () => {
    const world = new World(XENSTORE_4_17);
    expect(poke(world)).toEqual([]);
    expect(world.dom0.isIntroduced(1)).toBe(true);
  });

  it("comes of a request that nobody can keep, too", () => {
    const world = new World(XENSTORE_3_1);
    const events = specials(world);
    const wire = guestWire(world, 2);
    const header = encode(Operation.READ, "").slice();
    viewOf(header).setUint32(12, 2 ** 31, true);
    wire.connection.receive(header);
    expect(events()).toEqual([RELEASED]);
  });
});

describe("domain_cleanup", () => {
  it.each([XENSTORE_3_1, XENSTORE_4_17])("has the latest domain first: %#", (behaviour) => {
    // A release that comes later tells of the shutdowns that were noticed before it.
    const world = new World(behaviour);
    const events = specials(world);
    world.states.set(1, "none").set(2, "shutdown");
    world.store.checkDomains();
    expect(events()).toEqual([RELEASED]);
    world.start(1);
    world.start(3);
    events();
    world.states.set(1, "shutdown").set(3, "none");
    world.store.checkDomains();
    expect(events()).toEqual([RELEASED, RELEASED]);
  });
});

describe("watches of 2007", () => {
  it("take special names of any kind and length", () => {
    const session = new World(XENSTORE_3_1).guest(1);
    const name = `@${"x".repeat(5000)}`;
    expect([session.watch(name, "t"), session.watch("@", "t")]).toEqual([null, null]);
    expect(paths(session)).toEqual([name, "@"]);
    const later = new World(XENSTORE_4_17).guest(1);
    expect([
      later.watch(`@${"x".repeat(2047)}`, "t"),
      later.watch(`@${"x".repeat(2048)}`, "t"),
    ]).toEqual([null, "EINVAL"]);
  });

  it("begin with an event that the request's transaction judges", () => {
    const world = new World(XENSTORE_3_1);
    world.dom0.write("/hidden", "v");
    const guest = world.guest(1);
    const wire = new WireClient(guest);
    expect(wire.ask(Operation.TRANSACTION_START, "\0")).toBe("1\0");
    world.dom0.setPermissions("/hidden", ["n0", "r1"]);
    const told = (transaction: number, token: string): string[] =>
      wire.send(Operation.WATCH, `/hidden\0${token}\0`, transaction).map(({ text }) => text);
    // Before the change nobody might read it; the transaction still has it so.
    expect(told(1, "then")).toEqual(["OK\0"]);
    expect(told(0, "now")).toEqual(["OK\0", "/hidden\0now\0"]);
    expect(told(2, "none")).toEqual(["ENOENT\0"]);
  });

  it("hear of all that is watched below a node that goes, there or not", () => {
    const world = new World(XENSTORE_3_1);
    const session = sessionOf(world.store);
    world.dom0.write("/d/e", "v");
    for (const path of ["/", "/d/e", "/d/none", "/d"]) session.watch(path, "t");
    session.takeEvents();
    world.dom0.rm("/d");
    expect(paths(session)).toEqual(["/d", "/d/e", "/d/none", "/d"]);
    world.dom0.rm("/d");
    expect(paths(session)).toEqual([]);
  });

  it("tell a guest of a change only of what it can read, or can know to be gone", () => {
    const world = new World(XENSTORE_3_1);
    const guest = world.guest(1);
    guest.watch("/", "t");
    guest.takeEvents();
    world.dom0.write("/secret", "v");
    world.dom0.write("/local/domain/1/x", "v");
    world.dom0.setPermissions("/local/domain/1/x", ["n0"]);
    expect(paths(guest)).toEqual(["/local/domain/1/x"]);
    world.dom0.rm("/local/domain/1/x");
    world.dom0.rm("/secret");
    expect(paths(guest)).toEqual(["/local/domain/1/x"]);
  });
});

describe("transactions of 2007", () => {
  it("fail after any change outside, and after a commit without one", () => {
    const { dom0, store } = new World(XENSTORE_3_1);
    const other = new StoreClient(sessionOf(store));
    const start = (client: StoreClient): number => {
      const id = client.session.start();
      if (typeof id === "string") throw new Error(id);
      return id;
    };
    const outcome = (change: () => void): string | null => {
      const id = start(dom0);
      change();
      return dom0.session.end(id, true);
    };
    other.write("/a/b", "v");
    const changes = [
      () => other.write("/z", "v"),
      () => other.mkdir("/y"),
      () => other.setPermissions("/z", ["n0"]),
      () => other.rm("/z"),
      () => void other.session.end(start(other), true),
    ];
    expect(changes.map(outcome)).toEqual(changes.map(() => "EAGAIN"));
    const harmless = [
      () => other.mkdir("/y"),
      () => other.rm("/none"),
      () => void other.session.write("relative", VALUE),
      () => void other.session.end(start(other), false),
      () => other.introduce(9, 1, 1),
      () => other.release(9),
      () => other.watch("/a", "t"),
    ];
    expect(harmless.map(outcome)).toEqual(harmless.map(() => null));
  });

  it("tell of each node once, as its first change was", () => {
    const { dom0, store } = new World(XENSTORE_3_1);
    dom0.write("/d/e", "v");
    const session = sessionOf(store);
    for (const path of ["/d", "/d/e"]) session.watch(path, "t");
    session.takeEvents();
    dom0.transaction((client) => {
      client.write("/d", "2");
      client.write("/x", "1");
      client.rm("/d");
    });
    // A write, then a removal: what is below is not told.
    expect(paths(session)).toEqual(["/d"]);
  });

  it("keep their number after a bad word of their end, and want one of their own", () => {
    const wire = wireOf(new World(XENSTORE_3_1));
    expect(wire.ask(Operation.TRANSACTION_START, "whatever")).toBe("1\0");
    expect(wire.ask(Operation.TRANSACTION_START, "\0", 1)).toBe("EBUSY\0");
    expect(["T", "x\0", ""].map((word) => wire.ask(Operation.TRANSACTION_END, word, 1))).toEqual([
      "EINVAL\0",
      "EINVAL\0",
      "EINVAL\0",
    ]);
    expect(wire.ask(Operation.TRANSACTION_END, "T\0", 0)).toBe("ENOENT\0");
    expect(wire.ask(Operation.TRANSACTION_END, "T\0", 1)).toBe("OK\0");
    expect(wire.ask(Operation.TRANSACTION_END, "T\0", 1)).toBe("ENOENT\0");
  });

  it("credit no guest without nodes with those that it makes and removes inside", () => {
    const world = new World(XENSTORE_3_1);
    const guest = world.guest(1);
    world.dom0.setPermissions("/local/domain/1", ["b0"]);
    const useless = (): void => {
      const id = guest.start();
      if (typeof id === "string") throw new Error(id);
      guest.write("a", VALUE, id);
      guest.rm("a", id);
      expect(guest.end(id, true)).toBeNull();
    };
    for (let i = 0; i < 1000; i++) {
      useless();
      // With a node of its own outside, the removal counts.
      if (i === 0) expect(guest.write("own", VALUE)).toBeNull();
      if (i === 0) useless();
      if (i === 0) expect(guest.rm("own")).toBeNull();
    }
    expect(guest.write("a", VALUE)).toBeNull();
  });
});

describe("quotas of 2007", () => {
  it("tell a guest that its new node is not there when it has too many", () => {
    const world = new World(XENSTORE_3_1);
    const guest = world.guest(1);
    const leaf = (i: number): string => `d${i % 25}/${i}`;
    // With 25 directories a thousand: its home is from before it was introduced, so not counted.
    for (let i = 0; i < 975; i++) expect(guest.write(leaf(i), VALUE)).toBeNull();
    expect([guest.write("more", VALUE), guest.mkdir("more")]).toEqual(["ENOENT", "ENOENT"]);
    expect(guest.write(leaf(5), VALUE)).toBeNull();
    // What Dom0 makes in its home is the guest's, and nobody asks about quotas.
    world.dom0.write("/local/domain/1/by-dom0", "v");
    expect(guest.rm(leaf(5))).toBeNull();
    expect(guest.write("again", VALUE)).toBe("ENOENT");
    expect(guest.rm(leaf(6))).toBeNull();
    expect(guest.write("again", VALUE)).toBeNull();
  });

  it("let a guest remove nothing from a directory that is too large for it", () => {
    const world = new World(XENSTORE_3_1);
    world.dom0.write("/local/domain/1", "v".repeat(3000));
    world.dom0.write("/local/domain/1/x", "v");
    expect(world.guest(1).rm("x")).toBe("EINVAL");
    expect(world.dom0.read("/local/domain/1/x")).toBe("v");
  });
});

describe("INTRODUCE anew in 2007", () => {
  it("wants the same frame, and never the domain's own", () => {
    const world = new World(XENSTORE_3_1);
    const events = specials(world);
    expect(world.dom0.session.introduce(1, 2, 5)).toBe("EINVAL");
    expect(world.dom0.session.introduce(1, 1, 5)).toBeNull();
    expect(events()).toEqual([]);
  });

  it("does not forget that the domain shut down, as RESUME does", () => {
    const world = new World(XENSTORE_3_1);
    const events = specials(world);
    const shutDown = (): string[] => {
      world.states.set(1, "shutdown");
      world.store.checkDomains();
      return events();
    };
    expect(shutDown()).toEqual([RELEASED]);
    world.dom0.introduce(1, 1, 2);
    expect(shutDown()).toEqual([]);
    world.dom0.resume(1);
    expect(shutDown()).toEqual([RELEASED]);
  });
});
