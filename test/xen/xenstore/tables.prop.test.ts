/** The store's tables beside plain maps. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  EMPTY,
  namesOf,
  newNode,
  withChild,
  withoutChild,
} from "../../../src/xen/xenstore/node.ts";
import { NodeTable, type Snapshot } from "../../../src/xen/xenstore/node-table.ts";
import { PathMap } from "../../../src/xen/xenstore/path-map.ts";
import { ROOT_PERMISSIONS } from "../../../src/xen/xenstore/permission.ts";
import type { StoreNode } from "../../../src/xen/xenstore/node.ts";

const PATHS = ["/a", "/b", "/c", "/d"];

describe("the table of nodes", () => {
  it("shows each snapshot what was there when it was opened", () => {
    const action = fc.record({
      what: fc.constantFrom("set", "set", "delete", "open", "close"),
      path: fc.constantFrom(...PATHS),
      which: fc.nat(5),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
        const table = new NodeTable();
        const model = new Map<string, StoreNode>();
        const open: { snapshot: Snapshot; copy: Map<string, StoreNode> }[] = [];
        for (const { what, path, which } of actions) {
          if (what === "set") {
            const node = newNode(path, ROOT_PERMISSIONS, EMPTY, EMPTY, table.next());
            table.set(node);
            model.set(path, node);
          } else if (what === "delete") {
            table.delete(path);
            model.delete(path);
          } else if (what === "open") {
            open.push({ snapshot: table.open(), copy: new Map(model) });
          } else {
            const closed = open.splice(which % Math.max(1, open.length), 1)[0];
            if (closed !== undefined) table.close(closed.snapshot);
          }
          for (const one of PATHS) {
            expect(table.get(one)).toBe(model.get(one));
            for (const { snapshot, copy } of open) {
              expect(table.getAt(snapshot, one)).toBe(copy.get(one));
            }
          }
          expect(table.size).toBe(model.size);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("a map of paths that come and go", () => {
  it("has what was set and not deleted, over many sweeps", () => {
    const map = new PathMap<{ readonly n: number }>();
    const model = new Map<string, { readonly n: number }>();
    for (let n = 0; n < 20_000; n++) {
      const key = `/${(n * 7919) % 3000}`;
      if (n % 3 === 0) expect(map.delete(key)).toBe(model.delete(key));
      else {
        map.set(key, { n });
        model.set(key, { n });
      }
      if (n % 1000 === 0) for (const [path, value] of model) expect(map.get(path)).toEqual(value);
    }
    expect(map.size).toBe(model.size);
    for (let n = 0; n < 3000; n++) map.delete(`/${n}`);
    expect([map.size, map.get("/1")]).toEqual([0, undefined]);
  });
});

describe("the names of children", () => {
  it("are kept in order, each removed by its own name alone", () => {
    const name = fc.constantFrom("a", "ab", "abc", "b", "ba", "c-1", "c-10");
    fc.assert(
      fc.property(fc.uniqueArray(name), name, (names, gone) => {
        let children: Uint8Array = EMPTY;
        for (const one of names) children = withChild(children, one);
        expect(namesOf(children)).toEqual(names);
        const left = withoutChild(children, gone);
        expect(left === null ? null : namesOf(left)).toEqual(
          names.includes(gone) ? names.filter((one) => one !== gone) : null,
        );
      }),
    );
  });
});
