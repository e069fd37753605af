import fc from "fast-check";
import { expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { Networks } from "../../src/dhcp/dhcpd-networks.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { type Lease, LeaseTable, type Tenancy } from "../../src/dhcp/lease-table.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { LeaseList } from "../model/lease-list.ts";

const FIRST = parseIpv4("10.0.0.10");
const COUNT = 5;
const networks = new Networks(
  parseDhcpdConf("subnet 10.0.0.0 netmask 255.0.0.0 { range 10.0.0.10 10.0.0.14; }"),
);
const CLIENTS = [1, 2, 3].map((octet) => Uint8Array.of(octet));

/** What a random walk does: time passes before each step. */
type Move =
  | { readonly kind: "offer" | "give" | "release" | "abandon"; readonly lease: number }
  | { readonly kind: "expire" }
  | { readonly kind: "restart" };
interface Step {
  readonly move: Move;
  readonly wait: number;
  readonly client: number;
  readonly seconds: number;
}

const move: fc.Arbitrary<Move> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("offer", "give", "give", "release", "abandon"),
    lease: fc.nat(COUNT - 1),
  }),
  fc.constant<Move>({ kind: "expire" }),
  fc.constant<Move>({ kind: "restart" }),
);
const step: fc.Arbitrary<Step> = fc.record({
  move,
  wait: fc.nat(3 * SECOND),
  client: fc.nat(2),
  seconds: fc.nat(5),
});

function leaseAt(table: LeaseTable, index: number): Lease {
  const lease = table.findByAddress(ipv4Of(FIRST + index));
  if (lease === null) throw new Error("no such lease");
  return lease;
}

/** The change that a client's message makes. */
function changeOf(
  { move: { kind }, client, seconds }: Step,
  lease: Lease,
  now: number,
): Partial<Tenancy> {
  const time = Math.floor(now / SECOND);
  return {
    state: kind === "offer" ? lease.state : "active",
    starts: time,
    ends: time + 1 + seconds,
    heard: time,
    clientId: CLIENTS[client] ?? null,
    hardware: { htype: 1, octets: Uint8Array.of(client) },
    hostName: Uint8Array.of(client),
    agent: [[1, Uint8Array.of(client)]],
  };
}

it("gives, takes back and forgets as the naive list does", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), (steps) => {
      let table = new LeaseTable(networks);
      const list = new LeaseList(table.leases());
      let now = 0;
      for (const each of steps) {
        now += each.wait;
        const { move: what } = each;
        table.expire(now);
        list.expire(now);
        if (what.kind === "restart") {
          const next = new LeaseTable(networks);
          next.inherit(table, now);
          table = next;
          continue;
        }
        if (what.kind !== "expire") {
          const lease = leaseAt(table, what.lease);
          if (what.kind === "release") {
            table.release(lease, now);
            list.release(lease.address, now);
          } else if (what.kind === "abandon") {
            table.abandon(lease, each.seconds + 1, now);
            list.abandon(lease.address, each.seconds + 1, now);
          } else {
            const change = changeOf(each, lease, now);
            table.update(lease, change, now);
            list.update(lease.address, change);
          }
        }
        for (const lease of table.leases()) {
          const { state, ends, clientId, hostName, agent } = list.find(lease.address) ?? {};
          expect(lease).toMatchObject({ state, ends, clientId, hostName, agent });
        }
        expect(table.nextDeadline()).toBe(list.nextDeadline());
        for (const client of CLIENTS) {
          const own = table.findByClientId(client).map(({ address }) => address);
          expect(own.sort((one, other) => one - other)).toEqual(list.ofClientId(client));
        }
        const [share] = networks.shares;
        if (share === undefined) throw new Error("no network");
        const free = table.findFree(share, () => true, now)?.address ?? null;
        if (!steps.some(({ move: { kind } }) => kind === "restart")) {
          expect(free).toBe(list.findFree(now));
        }
      }
    }),
    { numRuns: 150 },
  );
});

it("has no more leases than its limit", () => {
  expect(() => new LeaseTable(networks, { limit: COUNT - 1 })).toThrow("limit");
  expect(() => new LeaseTable(networks, { limit: -1 })).toThrow("limit");
  expect(new LeaseTable(networks, { limit: COUNT }).size).toBe(COUNT);
});
