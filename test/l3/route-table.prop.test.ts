import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ipv4Addr, ipv4Of, maskOf, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { Fib, newRoute, type Route, RouteKind, RouteTable } from "../../src/l3/route-table.ts";
import { RouteList } from "../model/route-list.ts";
import { Step } from "../support/step.ts";

const DEVICES = ["e0", "e1"].map(
  (name) => new Device({ name, mac: parseMac("02:00:00:00:00:01") }),
);
const [FIRST] = DEVICES;

/** Addresses that often share leading bits. */
const address = fc
  .tuple(fc.constantFrom(0x0a00_0000, 0x0a01_0000, 0xc0a8_0000), fc.nat({ max: 0x1ff }))
  .map(([base, low]) => ipv4Of(base + low));
const length = fc.constantFrom(0, 1, 8, 15, 16, 23, 24, 30, 31, 32);
const kind = fc.constantFrom(
  RouteKind.Unicast,
  RouteKind.Unicast,
  RouteKind.Unreachable,
  RouteKind.Local,
  RouteKind.Broadcast,
);
const route = fc
  .record({ address, length, kind, metric: fc.nat({ max: 2 }), on: fc.constantFrom(...DEVICES) })
  .map(({ address: at, length: bits, kind: which, metric, on }) =>
    newRoute({
      kind: which,
      prefix: { address: ipv4Of(at & maskOf(bits)), length: bits },
      metric,
      device: which === RouteKind.Unreachable ? null : on,
    }),
  );

type Table = RouteTable | Fib | RouteList | TwoLists;

const steps = (look: (table: Table) => unknown) => [
  route.map((one) => new Step<Table & object, Table>(`add(${name(one)})`, (t) => t.add(one), look)),
  address.map((dst) => new Step<Table & object, Table>(`find(${dst})`, (t) => t.find(dst), look)),
  fc
    .tuple(address, fc.constantFrom(...DEVICES))
    .map(
      ([dst, by]) =>
        new Step<Table & object, Table>(`findBy(${dst})`, (t) => t.findBy(dst, by), look),
    ),
  fc
    .tuple(length, fc.nat({ max: 2 }))
    .map(
      ([bits, metric]) =>
        new Step<Table & object, Table>(
          `remove(/${bits} metric ${metric})`,
          (t) => t.remove((one) => one.prefix.length === bits && one.metric === metric),
          look,
        ),
    ),
];

const name = ({ prefix, metric, kind: which }: Route): string =>
  `${prefix.address}/${prefix.length} ${which} metric ${metric}`;

/** In the order of `ip route`. */
const inOrder = (routes: readonly Route[]): Route[] =>
  routes.toSorted(
    (left, right) =>
      left.prefix.address - right.prefix.address ||
      right.prefix.length - left.prefix.length ||
      left.metric - right.metric,
  );

describe("a route table", () => {
  it("is the naive list, whatever is added, removed and asked", () => {
    const look = (table: Table): unknown => {
      if (table instanceof RouteList) return inOrder(table.all);
      return table instanceof RouteTable ? [...table] : null;
    };
    fc.assert(
      fc.property(fc.commands(steps(look), { maxCommands: 80, size: "max" }), (commands) => {
        fc.modelRun(() => ({ model: new RouteList(), real: new RouteTable() }), commands);
      }),
      { numRuns: 80 },
    );
  });
});

/** Two lists in the order in which Linux asks its tables. */
class TwoLists {
  readonly local = new RouteList();
  readonly main = new RouteList();

  add(one: Route): boolean {
    return (isLocal(one) ? this.local : this.main).add(one);
  }

  remove(matches: (one: Route) => boolean): number {
    return this.local.remove(matches) + this.main.remove(matches);
  }

  find(dst: Ipv4Addr): Route | null {
    return this.local.find(dst) ?? this.main.find(dst);
  }

  findBy(dst: Ipv4Addr, device: Device): Route | null {
    return this.local.findBy(dst, device) ?? this.main.findBy(dst, device);
  }
}

const isLocal = (one: Route): boolean =>
  one.kind === RouteKind.Local || one.kind === RouteKind.Broadcast;

describe("both tables", () => {
  it("are the naive lists behind their cache: no change leaves an old decision", () => {
    const look = (table: Table): unknown => {
      if (table instanceof TwoLists) return [inOrder(table.local.all), inOrder(table.main.all)];
      return table instanceof Fib ? [[...table.local], [...table.main]] : null;
    };
    fc.assert(
      fc.property(fc.commands(steps(look), { maxCommands: 80, size: "max" }), (commands) => {
        fc.modelRun(() => ({ model: new TwoLists(), real: new Fib() }), commands);
      }),
      { numRuns: 80 },
    );
  });

  it("know this host's own addresses, and take every other for unicast", () => {
    fc.assert(
      fc.property(
        fc.array(route, { maxLength: 20, size: "max" }),
        fc.nat({ max: 2 ** 32 - 1 }),
        (routes, any) => {
          const fib = new Fib();
          const list = new RouteList();
          for (const one of routes) {
            fib.add(one);
            if (isLocal(one)) list.add(one);
          }
          const asked = [any, ...routes.map(({ prefix }) => prefix.address)].map(ipv4Of);
          for (const one of asked) {
            const isAll = one === 0 || one === 0xffff_ffff;
            const isGroup = Math.floor(one / 2 ** 28) === 14;
            const known = list.find(one)?.kind ?? RouteKind.Unicast;
            const expected = isGroup ? RouteKind.Multicast : known;
            expect(fib.kindOf(one)).toBe(isAll ? RouteKind.Broadcast : expected);
          }
        },
      ),
    );
  });
});

describe("a route with nothing said", () => {
  it("is an administrator's unicast route, on the link if it has a device and no gateway", () => {
    const prefix = { address: ipv4Of(0), length: 0 };
    expect(newRoute({ prefix, device: FIRST ?? null })).toMatchObject({
      kind: RouteKind.Unicast,
      scope: "link",
      metric: 0,
      origin: "boot",
      mtu: null,
    });
    const gateway = ipv4Of(1);
    expect(newRoute({ prefix, device: FIRST ?? null, gateway }).scope).toBe("global");
    expect(newRoute({ prefix, kind: RouteKind.Prohibit })).toMatchObject({
      device: null,
      scope: "global",
    });
  });
});
