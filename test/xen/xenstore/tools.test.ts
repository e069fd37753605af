/** Debian's xenstore-utils on our store print what they print on a real one. @module */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { hasTools, StoreListener } from "./listener.ts";
import { makeTree } from "./mktree.ts";
import { sessionOf } from "./wire.ts";

function golden(name: string): string {
  return readFileSync(new URL(`../../golden/xenstore/${name}`, import.meta.url), "latin1");
}

/** `[words, what they print]` of the recorded runs. */
function sections(text: string, heading: RegExp): [string, string][] {
  return text
    .split(heading)
    .slice(1)
    .map((part) => {
      const end = part.indexOf("\n");
      return [part.slice(0, end), part.slice(end + 1)];
    });
}

const TITLE = hasTools ? "Debian's tools" : "Debian's tools (skipped: no xenstore-utils)";

describe.skipIf(!hasTools)(`${TITLE} as Dom0`, () => {
  const store = new XenStore({ behaviour: XENSTORE_4_17 });
  const listener = new StoreListener(() => store.connect());
  beforeAll(async () => {
    makeTree(new StoreClient(sessionOf(store)));
    await listener.open();
  });
  afterAll(() => listener.close());

  it.each(sections(golden("xenstore-golden-ls.txt"), /^### /m))("print %s", async (title, text) => {
    const words = title.replace(/ \(.*/, "").split(" ").slice(1);
    const run = await listener.run("xenstore-ls", ...words);
    expect(run).toEqual({ text, status: 0 });
  });

  it("write, read, list, remove, and tell what is not there", async () => {
    expect(await listener.run("xenstore-write", "/t/a", "hello")).toEqual({ text: "", status: 0 });
    expect((await listener.run("xenstore-read", "/t/a")).text).toBe("hello\n");
    expect((await listener.run("xenstore-list", "/t")).text).toBe("a\n");
    expect((await listener.run("xenstore-chmod", "/t/a", "n0", "r5")).status).toBe(0);
    expect(new StoreClient(sessionOf(store)).permissions("/t/a")).toEqual(["n0", "r5"]);
    expect((await listener.run("xenstore-exists", "/t/a")).status).toBe(0);
    expect((await listener.run("xenstore-rm", "/t")).status).toBe(0);
    expect((await listener.run("xenstore-exists", "/t/a")).status).toBe(1);
    expect((await listener.run("xenstore-read", "/t/a")).text).toBe(
      "xenstore-read: couldn't read path /t/a\n",
    );
  });

  it("watch", async () => {
    const before = store.watches;
    const watching = listener.run("xenstore-watch", "-n", "2", "/w");
    const client = new StoreClient(sessionOf(store));
    for (let i = 0; i < 200 && store.watches === before; i++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    client.write("/w/x", "1");
    expect(await watching).toEqual({ text: "/w\n/w/x\n", status: 0 });
  });
});

describe.skipIf(!hasTools)(`${TITLE} as a guest`, () => {
  const store = new XenStore({ behaviour: XENSTORE_4_17 });
  const dom0 = new StoreClient(sessionOf(store));
  const listener = new StoreListener(() => store.connect({ domid: 171 }));
  beforeAll(async () => {
    makeTree(dom0);
    dom0.introduce(171, 1, 1);
    await listener.open();
  });
  afterAll(() => listener.close());

  it.each(sections(golden("xenstore-golden-guest.txt"), /^guest\$ /m))(
    "run %s",
    async (line, recorded) => {
      const [tool = "", ...words] = line.split(" ");
      const { text, status } = await listener.run(tool, ...words);
      expect(`${text}[exit ${status}]\n`).toBe(recorded);
    },
  );
});
