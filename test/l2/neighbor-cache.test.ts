import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Instant, SECOND } from "../../src/base/time.ts";
import { ipv4Of, MAC_BROADCAST, macOf, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { type NeighborBehaviour, NeighborCache } from "../../src/l2/neighbor-cache.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";

const DEVICE = new Device({ name: "vif1.0", mac: parseMac("fe:ff:ff:ff:ff:ff") });
const GUEST = ipv4Of(0x0afe_aadf);
const AT = macOf(0x1231_3900_a511);
/** An entry stays reachable for thirty seconds here. */
const MIDDLE = { below: (bound: number): number => bound / 2 };

function setup(behaviour: NeighborBehaviour) {
  const pool = new PacketPool({ slots: 16, largeSlots: 0 });
  const events: string[] = [];
  const cache = new NeighborCache({
    host: {
      solicit: (_device, _target, dst, _packet, now) => {
        const to = dst === MAC_BROADCAST ? "all" : "it";
        events.push(`${(now / SECOND).toFixed(0)} s: ask ${to}`);
      },
      output: (_device, packet, _header, now) => {
        events.push(`${(now / SECOND).toFixed(0)} s: send`);
        pool.end(packet, "delivered", "test/sent", now);
      },
      unreachable: (packet, now) => {
        events.push(`${(now / SECOND).toFixed(0)} s: unreachable`);
        pool.end(packet, "discarded", "test/unreachable", now);
      },
    },
    behaviour,
    jiffies: new Jiffies({ hasCoarseLevels: false }),
    chance: MIDDLE,
  });
  const send = (now: Instant): void => {
    const packet = pool.allocate(60);
    if (packet === null) throw new Error("the pool is exhausted");
    packet.nextHop = GUEST;
    cache.send(DEVICE, packet, now);
  };
  const advance = (to: Instant): void => {
    while (cache.nextDeadline() <= to) cache.expire(cache.nextDeadline());
  };
  return { pool, events, cache, send, advance };
}

describe("a neighbor that nobody knows", () => {
  it("is asked for three times, and then every packet that waits is unreachable", () => {
    const { events, send, advance } = setup(LINUX.router.neighbor);
    send(0);
    send(0);
    advance(10 * SECOND);
    const asked = ["0 s: ask all", "1 s: ask all", "2 s: ask all"];
    expect(events).toEqual([...asked, "3 s: unreachable", "3 s: unreachable"]);
  });

  it("keeps three packets in 2010, the oldest lost", () => {
    const { pool, events, cache, send } = setup(EC2_2010.router.neighbor);
    for (let sent = 0; sent < 5; sent += 1) send(0);
    expect(pool.ends.entries()).toEqual([["neighbor/queue-full", 2]]);
    cache.learn(DEVICE, GUEST, AT, SECOND);
    expect(events).toEqual(["1 s: send", "1 s: send", "1 s: send"]);
  });

  it("is asked for at the next tick only, in 2010", () => {
    const { cache, send } = setup(EC2_2010.router.neighbor);
    send(0);
    expect(cache.nextDeadline()).toBe(4000);
  });
});

describe("a neighbor that was learned", () => {
  it("is used at once, asked again after five seconds, three times, then forgotten", () => {
    const { events, cache, send, advance } = setup(LINUX.router.neighbor);
    cache.learn(DEVICE, GUEST, AT, 0);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("STALE");
    send(0);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("DELAY");
    advance(20 * SECOND);
    expect(events).toEqual(["0 s: send", "5 s: ask it", "6 s: ask it", "7 s: ask it"]);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("FAILED");
  });

  it("is reachable for half a minute once it answers", () => {
    const { events, cache, send, advance } = setup(LINUX.router.neighbor);
    send(0);
    cache.confirm(DEVICE, GUEST, AT, true, false, SECOND);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("REACHABLE");
    advance(30 * SECOND);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("REACHABLE");
    advance(32 * SECOND);
    expect(cache.find(DEVICE, GUEST)?.state).toBe("STALE");
    expect(events).toEqual(["0 s: ask all", "1 s: send"]);
  });

  it("keeps its address for a second against another answer, unless that is gratuitous", () => {
    const { cache } = setup(LINUX.router.neighbor);
    cache.learn(DEVICE, GUEST, AT, 0);
    cache.confirm(DEVICE, GUEST, macOf(7), true, false, SECOND);
    expect(cache.find(DEVICE, GUEST)?.mac).toBe(AT);
    cache.confirm(DEVICE, GUEST, macOf(7), true, true, SECOND);
    expect(cache.find(DEVICE, GUEST)?.mac).toBe(7);
    cache.confirm(DEVICE, GUEST, macOf(8), false, false, 2 * SECOND + 1);
    expect(cache.find(DEVICE, GUEST)?.mac).toBe(8);
  });
});

describe("a permanent neighbor", () => {
  it("is never asked for, never changes and survives a flush", () => {
    const { events, cache, send, advance } = setup(LINUX.router.neighbor);
    send(0);
    cache.addPermanent(DEVICE, GUEST, AT, 0);
    cache.learn(DEVICE, GUEST, macOf(7), SECOND);
    cache.confirm(DEVICE, GUEST, macOf(7), true, true, SECOND);
    advance(60 * SECOND);
    send(60 * SECOND);
    cache.flush(DEVICE, 60 * SECOND);
    expect(cache.find(DEVICE, GUEST)).toMatchObject({ state: "PERMANENT", mac: AT });
    expect(events).toEqual(["0 s: ask all", "0 s: send", "60 s: send"]);
  });
});

describe("the bounds of the cache", () => {
  it("are a number of entries: a full one of busy neighbors loses the packet", () => {
    const pool = new PacketPool({ slots: 4, largeSlots: 0 });
    const host = { solicit: () => {}, output: () => {}, unreachable: () => {} };
    const { neighbor: behaviour } = LINUX.router;
    const options = { host, behaviour, jiffies: new Jiffies(), chance: MIDDLE, limit: 1 };
    const cache = new NeighborCache(options);
    cache.addPermanent(DEVICE, ipv4Of(1), AT, 0);
    const packet = pool.allocate(60);
    if (packet !== null) cache.send(DEVICE, packet, 0);
    expect(pool.ends.entries()).toEqual([["neighbor/table-full", 1]]);
    cache.learn(DEVICE, GUEST, AT, 0);
    expect(cache.size).toBe(1);
  });

  it("forget a flushed neighbor and what waits for it", () => {
    const { pool, cache, send } = setup(LINUX.router.neighbor);
    send(0);
    cache.flush(DEVICE, 0);
    expect(cache.size).toBe(0);
    expect(cache.nextDeadline()).toBe(Infinity);
    expect(pool.ends.entries()).toEqual([["neighbor/removed", 1]]);
  });
});
