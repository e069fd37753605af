import { describe, expect, it } from "vitest";
import type { Ping, PingEvent, PingOptions } from "../../src/guest/ping.ts";
import type { Host } from "../../src/guest/host.ts";
import { IcmpType, sealIcmp, Unreachable } from "../../src/l3/icmp.ts";
import { newRoute } from "../../src/l3/route-table.ts";
import { formatIpv4, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const B = parseIpv4("10.0.0.2");
const NOBODY = parseIpv4("10.0.0.9");
const FAR = parseIpv4("10.0.2.2");

/** One line an event. */
function textOf(event: PingEvent): string {
  if (event.kind === "unsent") return `${event.sequence} unsent ${event.failure}`;
  const head = `${event.sequence} ${event.kind} ${formatIpv4(event.from)}`;
  if (event.kind === "error") return `${head} ${event.type}/${event.code} ${event.mtu}`;
  const { length, ttl, rtt, isDuplicate } = event;
  return `${head} ${length} ttl ${ttl} ${rtt}${isDuplicate ? " duplicate" : ""}`;
}

interface Run {
  readonly events: string[];
  readonly ping: Ping;
  /** When it was over; -1 before. */
  readonly end: () => number;
}

function run(host: Host, now: number, options: PingOptions): Run {
  const events: string[] = [];
  let end = -1;
  const onEvent = (event: PingEvent): void => {
    events.push(textOf(event));
  };
  const onDone = (_: Ping, at: number): void => {
    end = at;
  };
  const ping = host.ping({ onEvent, onDone, ...options }, now);
  return { events, ping, end: () => end };
}

/** Two hosts on one link of 100 us each way. */
function pair(): { net: Net; left: Host; right: Host } {
  const net = new Net();
  const left = net.host("left", "10.0.0.1/24");
  const right = net.host("right", "10.0.0.2/24");
  net.join(left.device, right.device);
  return { net, left, right };
}

/** A host, a router whose far side takes packets of 1,000 octets, and a host behind it. */
function routed(): { net: Net; near: Host; far: Host } {
  const net = new Net();
  const near = net.host("near", "10.0.1.2/24", "10.0.1.1");
  const far = net.host("far", "10.0.2.2/24", "10.0.2.1");
  const { devices } = net.router("gate", ["10.0.1.1/24", "10.0.2.1/24"], { mtus: [1500, 1000] });
  net.join(near.device, devices[0]);
  net.join(far.device, devices[1]);
  return { net, near, far };
}

describe("ping", () => {
  it("sends once a second and tells what each answer took", () => {
    const { net, left } = pair();
    const { events, ping, end } = run(left, 0, { target: B, count: 3 });
    net.run(10 * SECOND);
    // The first waits for ARP, in both directions.
    expect(events).toEqual([
      "1 reply 10.0.0.2 64 ttl 64 400",
      "2 reply 10.0.0.2 64 ttl 64 200",
      "3 reply 10.0.0.2 64 ttl 64 200",
    ]);
    expect([ping.transmitted, ping.received, ping.duplicates, ping.errors]).toEqual([3, 3, 0, 0]);
    expect([ping.minRtt, ping.maxRtt, ping.totalRtt, end()]).toEqual([200, 400, 800, 2_000_200]);
    expect(net.pool.live).toBe(0);
  });

  it("counts an answer that comes twice as a duplicate", () => {
    const net = new Net();
    const left = net.host("left", "10.0.0.1/24");
    const right = net.host("right", "10.0.0.2/24");
    net.join(left.device, right.device, 100, { faults: { duplication: 1 } });
    const { events, ping } = run(left, 0, { target: B, count: 2 });
    net.run(10 * SECOND);
    expect(ping.received).toBe(2);
    expect(ping.duplicates).toBeGreaterThan(0);
    expect(events.filter((text) => text.endsWith("duplicate"))).toHaveLength(ping.duplicates);
  });

  it("waits ten seconds for the first answer of all, or as long as it was told", () => {
    const { net, left } = pair();
    const patient = run(left, 0, { target: NOBODY, count: 1, mtuDiscovery: "dont" });
    const hasty = run(left, 0, { target: NOBODY, count: 1, timeout: 2 * SECOND });
    net.run(1);
    // The errors of the own stack would end them: this host hears none.
    left.router.neighbors.flush(left.device, net.now);
    net.run(20 * SECOND);
    expect([patient.end(), hasty.end()]).toEqual([10 * SECOND, 2 * SECOND]);
    expect(patient.events).toEqual([]);
  });

  it("waits for the last answer an interval, or twice the longest round trip", () => {
    const net = new Net();
    const left = net.host("left", "10.0.0.1/24");
    const right = net.host("right", "10.0.0.2/24");
    net.join(left.device, right.device, 300_000);
    const quick = run(left, 0, { target: B, count: 2, interval: 2 * SECOND });
    net.run(SECOND * 1.5);
    right.device.attachCarrier(null);
    net.run(20 * SECOND);
    // ARP made the first answer take 1.2 s: twice that is longer than the interval.
    expect(quick.events).toEqual(["1 reply 10.0.0.2 64 ttl 64 1200000"]);
    expect(quick.end()).toBe(2 * SECOND + 2_400_000);
  });

  it("hears that nobody is there, from its own stack and from a router", () => {
    const { net, near } = routed();
    const own = run(near, 0, { target: parseIpv4("10.0.1.9"), count: 1 });
    const behind = run(near, 0, { target: parseIpv4("10.0.2.9"), count: 2 });
    net.run(20 * SECOND);
    expect(own.events).toEqual(["1 error 10.0.1.2 3/1 0"]);
    expect(behind.events).toEqual(["1 error 10.0.1.1 3/1 0", "2 error 10.0.1.1 3/1 0"]);
    expect([behind.ping.errors, behind.ping.isDone]).toEqual([2, true]);
  });

  it("hears how large a packet may be, and says itself what its own link refuses", () => {
    const { net, near } = routed();
    const options = { target: FAR, count: 1, mtuDiscovery: "do" } as const;
    const path = run(near, 0, { ...options, size: 1100 });
    const own = run(near, 0, { ...options, size: 1473 });
    net.run(20 * SECOND);
    const tooBig = `3/${Unreachable.FragmentationNeeded}`;
    expect(path.events).toEqual([`1 error 10.0.1.1 ${tooBig} 1000`]);
    expect(own.events).toEqual(["1 unsent too-big"]);
    expect([own.ping.errors, own.end()]).toEqual([1, 0]);
  });

  it("goes through in fragments where it may", () => {
    const { net, near } = routed();
    const { events } = run(near, 0, { target: FAR, count: 1, size: 5000, mtuDiscovery: "dont" });
    net.run(SECOND);
    expect(events).toEqual(["1 reply 10.0.2.2 5008 ttl 63 800"]);
  });

  it("hears of a TTL that is too short, and reaches a router with it", () => {
    const { net, near } = routed();
    const { events } = run(near, 0, { target: FAR, count: 1, ttl: 1 });
    const gate = run(near, 0, { target: parseIpv4("10.0.1.1"), count: 1, ttl: 1 });
    net.run(SECOND);
    expect(events).toEqual([`1 error 10.0.1.1 ${IcmpType.TimeExceeded}/0 0`]);
    expect(gate.events).toHaveLength(1);
  });

  it("is told that there is no way, and gives up like a silent target", () => {
    const { net, left } = pair();
    const { events, ping, end } = run(left, 0, { target: FAR, count: 2 });
    net.run(20 * SECOND);
    expect(events).toEqual(["1 unsent no-route", "2 unsent no-route"]);
    expect([ping.transmitted, ping.errors, end()]).toEqual([2, 0, 11 * SECOND]);
  });

  it("stops when it is told to, and hears no more", () => {
    const { net, left } = pair();
    const { events, ping, end } = run(left, 0, { target: B });
    net.run(2.5 * SECOND);
    ping.stop(net.now);
    ping.stop(net.now + 1);
    net.run(60 * SECOND);
    expect([events.length, ping.transmitted, end()]).toEqual([3, 3, 2.5 * SECOND]);
    expect(left.toolCount).toBe(0);
  });

  it("tells who answered, though another was asked, and leaves other pings' answers alone", () => {
    const { net, left, right } = pair();
    // 10.0.0.9 leads to the host that is 10.0.0.2, which answers as itself.
    const prefix = parsePrefix("10.0.0.9/32");
    left.router.addressing.fib.add(newRoute({ prefix, gateway: B, device: left.device }));
    const first = run(left, 0, { target: B, count: 1, id: 1 });
    const second = run(left, 0, { target: B, count: 1, id: 2 });
    net.run(SECOND);
    expect([first.events.length, second.events.length]).toEqual([1, 1]);
    const reply = net.framesOf("right").find((hex) => hex.slice(68, 70) === "00") ?? "";
    const octets = new Uint8Array(Buffer.from(reply, "hex"));
    octets[39] = 3;
    sealIcmp(new DataView(octets.buffer), 34, octets.length);
    const third = run(left, net.now, { target: NOBODY, count: 1, id: 3 });
    const packet = net.pool.copyIn(octets);
    if (packet !== null) left.device.receive(packet, net.now);
    expect(third.events[0]).toMatch(/^1 reply 10\.0\.0\.2 64 ttl 64 /);
    expect(right.toolCount).toBe(0);
  });

  it.each([
    [15, false, null],
    [16, false, 200],
    [7, true, null],
    [8, true, 200],
  ])("of %i octets measures times if a time fits, on a 32-bit host %s", (size, isShort, rtt) => {
    const { net, left } = pair();
    run(left, 0, { target: B, count: 1 });
    net.run(SECOND);
    const { events } = run(left, net.now, { target: B, count: 1, size, hasShortTime: isShort });
    net.run(SECOND);
    expect(events).toEqual([`1 reply 10.0.0.2 ${size + 8} ttl 64 ${rtt}`]);
  });

  it("writes the time of day as the host's word size has it", () => {
    const net = new Net();
    // 2010-02-01 12:00:00.25
    const epoch = 1_265_025_600_250_000;
    const host = net.host("host", "10.0.0.1/24", null, { epoch });
    const { device, router } = host;
    router.neighbors.addPermanent(device, B, net.nextMac(), 0);
    const dataOf = (hex = ""): string => hex.slice(84, 84 + 48);
    host.ping({ target: B, count: 1 }, 0);
    host.ping({ target: B, count: 1, hasShortTime: true }, 0);
    net.run(0);
    const [long, short] = net.framesOf("host").map(dataOf);
    expect(long).toBe("40c2664b0000000090d00300000000001011121314151617");
    expect(short).toBe("40c2664b90d0030008090a0b0c0d0e0f1011121314151617");
  });

  it("counts sequences round, and the second round has no duplicates of the first", () => {
    const net = new Net(1, 64);
    const host = net.host("host", "127.0.0.9/8");
    const options = { target: parseIpv4("127.0.0.9"), count: 65_540, interval: 1000, size: 0 };
    const ping = host.ping(options, 0);
    net.run(70 * SECOND);
    expect([ping.received, ping.duplicates, ping.isDone]).toEqual([65_540, 0, true]);
  });

  it.each([
    { count: 0 },
    { interval: 500 },
    { interval: 0 },
    { size: 65_508 },
    { size: -1 },
    { id: 65_536 },
  ])("refuses %o", (options) => {
    const { left } = pair();
    expect(() => left.ping({ target: B, ...options }, 0)).toThrow(Object.keys(options)[0]);
    expect(left.toolCount).toBe(0);
  });
});
