/**
 * What Xen's own test programs of 2007 asked of a store (simple, directory, permissions), and
 * where 4.17 answers otherwise.
 * @module
 */
import { describe, expect, it } from "vitest";
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { sessionOf, WireClient } from "./wire.ts";
import { ERAS, VALUE, World } from "./world.ts";

describe.each(ERAS)("directories of Xen %s", (era, behaviour) => {
  it("begin with /tool/xenstored, nobody's but Dom0's", () => {
    const { dom0 } = new World(behaviour);
    expect([dom0.list("/tool"), dom0.permissions("/tool/xenstored")]).toEqual([
      ["xenstored"],
      ["n0"],
    ]);
  });

  it("are made on the way, with their directory's permissions and the guest as owner", () => {
    const world = new World(behaviour);
    world.dom0.setPermissions("/local/domain/1", ["n1", "r2"]);
    expect(world.guest(1).write("a/b", VALUE)).toBeNull();
    expect(world.dom0.permissions("/local/domain/1/a/b")).toEqual(["n1", "r2"]);
    world.dom0.mkdir("/x");
    world.dom0.setPermissions("/x", ["b0"]);
    expect(world.guest(2).mkdir("/x/y/z")).toBeNull();
    expect([world.dom0.permissions("/x/y"), world.dom0.permissions("/x")]).toEqual([
      ["b2"],
      ["b0"],
    ]);
  });

  it("are left alone by mkdir, and their contents go with them", () => {
    const { dom0 } = new World(behaviour);
    dom0.write("/d/e/f", "v");
    dom0.mkdir("/d");
    expect(dom0.read("/d/e/f")).toBe("v");
    dom0.rm("/d");
    expect([dom0.exists("/d/e/f"), dom0.exists("/d")]).toEqual([false, false]);
    expect(() => dom0.rm("/d/e")).toThrow("ENOENT");
    expect(() => dom0.rm("/")).toThrow("EINVAL");
  });

  it(`${era === "3.1" ? "hand out" : "refuse"} more names than 4,096 octets hold`, () => {
    const world = new World(behaviour);
    for (let i = 0; i < 300; i++) world.dom0.write(`/big/a-rather-long-name-${i}`, "");
    const client = new WireClient(sessionOf(world.store));
    const answer = client.ask(Operation.DIRECTORY, "/big\0");
    if (era === "3.1") expect(answer.split("\0")).toHaveLength(301);
    else expect(answer).toBe("E2BIG\0");
  });
});

describe.each(ERAS)("permissions of Xen %s", (era, behaviour) => {
  it("hide from a guest whether a node of others exists", () => {
    const world = new World(behaviour);
    world.dom0.write("/secret/x", "v");
    const guest = world.guest(1);
    expect(
      ["/secret/x", "/secret/y", "/nope", "/local/domain/2/x"].map((path) => guest.read(path)),
    ).toEqual(["EACCES", "EACCES", "EACCES", "EACCES"]);
    expect(guest.read("nope")).toBe("ENOENT");
  });

  it("give the letter's rights to whom they name, and the owner all", () => {
    const world = new World(behaviour);
    const [one, two] = [world.guest(1), world.guest(2)];
    const allowed = (entries: string[]): string =>
      [one, two]
        .map((guest) => {
          world.dom0.write("/p", "v");
          world.dom0.setPermissions("/p", entries);
          const reads = typeof guest.read("/p") !== "string";
          return `${reads ? "r" : "-"}${guest.write("/p", VALUE) === null ? "w" : "-"}`;
        })
        .join(" ");
    expect(["n0", "r0", "w0", "b0"].map((one_) => allowed([one_]))).toEqual([
      "-- --",
      "r- r-",
      "-w -w",
      "rw rw",
    ]);
    expect(allowed(["n1", "r2"])).toBe("rw r-");
    expect(allowed(["b0", "n1", "b1", "w2"])).toBe("-- -w");
  });

  it("are the owner's to change, but not to give away", () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    guest.write("mine", VALUE);
    expect(guest.setPermissions("mine", ["r1", "b2"])).toBeNull();
    expect(guest.setPermissions("mine", ["r2"])).toBe("EPERM");
    expect(guest.nameOf("EPERM")).toBe(era === "3.1" ? "EINVAL" : "EPERM");
    expect(world.guest(2).setPermissions("/local/domain/1/mine", ["b1"])).toBe("EACCES");
  });

  it("of a domain that does not exist", () => {
    const { dom0 } = new World(behaviour);
    dom0.write("/n", "");
    if (era === "3.1") {
      dom0.setPermissions("/n", ["n77"]);
      expect(dom0.permissions("/n")).toEqual(["n77"]);
    } else {
      expect(() => dom0.setPermissions("/n", ["n77"])).toThrow("ENOENT");
    }
  });

  it(`${era === "3.1" ? "pass on" : "do not pass on"} to the next domain of the number`, () => {
    const world = new World(behaviour);
    world.dom0.write("/n", "v");
    world.dom0.setPermissions("/n", ["n0", "r2"]);
    expect(world.guest(2).read("/n")).toEqual(VALUE);
    world.states.set(2, "none");
    world.store.checkDomains();
    world.start(2);
    expect(world.guest(2).read("/n")).toEqual(era === "3.1" ? VALUE : "EACCES");
  });
});

describe.each(ERAS)("quotas of Xen %s", (era, behaviour) => {
  it("let a guest have 129 watches and eleven transactions", () => {
    const guest = new World(behaviour).guest(1);
    for (let i = 0; i < 129; i++) expect(guest.watch("x", `${i}`)).toBeNull();
    expect(guest.watch("x", "more")).toBe("E2BIG");
    for (let i = 0; i < 11; i++) expect(guest.start()).toBe(i + 1);
    expect(guest.start()).toBe("ENOSPC");
  });

  it("let a guest own a thousand nodes", () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    const home = era === "3.1" ? 1 : 2;
    let made = 0;
    while (guest.write(`${made % 20}/${made}`, VALUE) === null) made++;
    const owned = new Set<string>();
    for (const name of world.dom0.list("/local/domain/1")) {
      owned.add(name);
      for (const below of world.dom0.list(`/local/domain/1/${name}`)) owned.add(`${name}/${below}`);
    }
    expect(owned.size).toBe(1000 - (home - 1));
    expect(guest.write("more", VALUE)).toBe(era === "3.1" ? "ENOENT" : "ENOSPC");
    expect(world.dom0.session.write("/local/domain/1/more", VALUE)).toBeNull();
  });

  it("keep a guest's node below 2,048 octets, its children's names among them", () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    const header = era === "3.1" ? 12 : 24;
    const fits = 2047 - header - 8;
    expect(guest.write("big", new Uint8Array(fits))).toBeNull();
    expect(guest.write("big", new Uint8Array(fits + 1))).toBe("ENOSPC");
    let made = 0;
    while (guest.write(`q/${made}`, VALUE) === null) made++;
    // 10 names of one digit, 90 of two, the others of three, and a NUL after each.
    expect(made).toBe(100 + Math.floor((2047 - header - 8 - 20 - 270) / 4));
    if (era === "4.17") expect(made).toBe(531);
  });

  it("know entries of SET_PERMS", () => {
    const guest = new World(behaviour).guest(1);
    guest.write("x", VALUE);
    const six = ["n1", "r0", "r2", "r0", "r2", "r0"];
    expect(guest.setPermissions("x", six.slice(0, 5))).toBeNull();
    expect(guest.setPermissions("x", six)).toBe(era === "3.1" ? null : "ENOSPC");
  });
});

describe.each(ERAS)("domains of Xen %s", (era, behaviour) => {
  it(`${era === "3.1" ? "leave" : "take"} their nodes when they go`, () => {
    const world = new World(behaviour);
    world.dom0.write("/shared/of-1", "");
    world.dom0.setPermissions("/shared/of-1", ["n1"]);
    world.dom0.write("/shared/of-1/x", "");
    world.dom0.release(1);
    expect(world.dom0.list("/shared")).toEqual(era === "3.1" ? ["of-1"] : []);
    expect(world.dom0.exists("/local/domain/1")).toBe(era === "3.1");
  });

  it("are Dom0's business", () => {
    const guest = new World(behaviour).guest(1);
    expect([
      guest.introduce(3, 1, 1),
      guest.release(2),
      guest.resume(2),
      guest.setTarget(1, 2),
      guest.control(["check"]),
    ]).toEqual(Array(5).fill("EACCES"));
    expect(guest.isIntroduced(2)).toBe(era === "3.1" ? true : "EACCES");
  });

  it("answer nothing more once they are gone", () => {
    const world = new World(behaviour);
    const guest = world.guest(1);
    world.dom0.release(1);
    expect([guest.isClosed, guest.read("x"), world.store.sessionOf(1)]).toEqual([
      true,
      "EIO",
      null,
    ]);
    expect(world.dom0.session.release(1)).toBe("ENOENT");
  });

  it("know the operations of their time", () => {
    const world = new World(behaviour);
    const client = new WireClient(sessionOf(world.store));
    const answers = [19, 20, 21, 22, 23].map((type) => client.ask(type, "1\x002\0"));
    expect(answers).toEqual(
      era === "3.1"
        ? Array(5).fill("ENOSYS\0")
        : ["OK\0", "ENOSYS\0", "OK\0", "ENOENT\0", "ENOSYS\0"],
    );
  });
});

describe("SET_TARGET of Xen 4.17", () => {
  it("gives a domain the rights of another", () => {
    const world = new World(XENSTORE_4_17);
    expect(world.guest(1).read("/local/domain/2")).toBe("EACCES");
    world.dom0.setTarget(1, 2);
    expect(world.guest(1).write("/local/domain/2/x", VALUE)).toBeNull();
    expect(world.dom0.permissions("/local/domain/2/x")).toEqual(["n1"]);
  });
});
