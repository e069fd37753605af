import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { Prng } from "../../src/base/prng.ts";
import { type Instant, MILLISECOND, SECOND } from "../../src/base/time.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { Peers } from "../../src/l3/peers.ts";

const newPeers = (limit?: number): Peers => new Peers(new Jiffies(), new Prng(1), undefined, limit);

/** Instants that ascend, most of them close together. */
const instants = fc
  .array(fc.constantFrom(0, 0, 5, 90, 400, 1000, 3000, 9000, 15_000), {
    minLength: 1,
    maxLength: 80,
    size: "max",
  })
  .map((gaps) => {
    let now = 0;
    return gaps.map((gap) => {
      now += gap * MILLISECOND;
      return now;
    });
  });
const address = fc.nat({ max: 2 }).map(ipv4Of);

describe("reports to one peer", () => {
  it("are six at once and one a second, and not fewer", () => {
    fc.assert(
      fc.property(instants, (all) => {
        const peers = newPeers();
        // In microseconds of credit, of which a report costs a second.
        let [tokens, last]: [number, Instant] = [6 * SECOND, 0];
        for (const now of all) {
          tokens = Math.min(tokens + now - last, 6 * SECOND);
          last = now;
          const isDue = tokens >= SECOND;
          if (isDue) tokens -= SECOND;
          expect(peers.mayReport(ipv4Of(1), now)).toBe(isDue);
        }
      }),
    );
  });

  it("come from one bucket with refusals, which hold five of its tokens", () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { maxLength: 12, size: "max" }), (kinds) => {
        const peers = newPeers();
        let left = 6;
        for (const isRefusal of kinds) {
          if (isRefusal) left = Math.min(left, 5);
          const asked = isRefusal ? peers.mayRefuse(ipv4Of(1), 0) : peers.mayReport(ipv4Of(1), 0);
          expect(asked).toBe(left > 0);
          left = Math.max(left - 1, 0);
        }
      }),
    );
  });

  it("do not count against another peer", () => {
    fc.assert(
      fc.property(fc.array(address, { maxLength: 40, size: "max" }), (asked) => {
        const peers = newPeers();
        const sent = new Map<number, number>();
        for (const one of asked) {
          const before = sent.get(one) ?? 0;
          expect(peers.mayReport(one, 0)).toBe(before < 6);
          sent.set(one, before + 1);
        }
      }),
    );
  });
});

describe("redirects to one peer", () => {
  it("come ever more slowly, nine at most, until it is quiet for long", () => {
    fc.assert(
      fc.property(instants, (all) => {
        const peers = newPeers();
        let sent = 0;
        let last = -Infinity;
        for (const now of all) {
          const silence = now - last;
          if (silence > 20 * MILLISECOND * 2 ** 10) sent = 0;
          const isOver = sent >= 9;
          const isDue = !isOver && (sent === 0 || silence > 20 * MILLISECOND * 2 ** sent);
          expect(peers.mayRedirect(ipv4Of(1), now)).toBe(isDue);
          if (isDue) {
            sent += 1;
            peers.noteRedirect(ipv4Of(1), now);
          }
          if (isDue || isOver) last = now;
        }
      }),
    );
  });
});

describe("identifications", () => {
  it("count up by one for each peer, from a start of its own, and begin again after 65,535", () => {
    fc.assert(
      fc.property(fc.array(address, { maxLength: 40, size: "max" }), (asked) => {
        const peers = newPeers();
        const last = new Map<number, number>();
        for (const one of asked) {
          const id = peers.nextId(one, 0);
          const before = last.get(one);
          if (before !== undefined) expect(id).toBe((before + 1) % 0x10000);
          expect(id >= 0 && id < 0x10000).toBe(true);
          last.set(one, id);
        }
      }),
    );
    const peers = newPeers();
    const ids = Array.from({ length: 0x10001 }, () => peers.nextId(ipv4Of(1), 0));
    expect(new Set(ids).size).toBe(0x10000);
    expect(ids.at(-1)).toBe(ids[0]);
  });
});

it("forgets the peer that was met first when there are too many", () => {
  const peers = newPeers(2);
  for (let asked = 0; asked < 6; asked += 1) peers.mayReport(ipv4Of(1), 0);
  expect(peers.mayReport(ipv4Of(1), 0)).toBe(false);
  peers.mayReport(ipv4Of(2), 0);
  peers.mayReport(ipv4Of(3), 0);
  expect(peers.mayReport(ipv4Of(1), 0)).toBe(true);
});
