import { describe, expect, it } from "vitest";
import type { Host } from "../../src/guest/host.ts";
import type { Traceroute, TracerouteHop, TracerouteOptions } from "../../src/guest/traceroute.ts";
import { markOf } from "../../src/guest/traceroute-probe.ts";
import { Hook, HookPriority, Verdict } from "../../src/l3/hooks.ts";
import { ICMP, IcmpType } from "../../src/l3/icmp.ts";
import { newRoute, RouteKind } from "../../src/l3/route-table.ts";
import type { Router } from "../../src/l3/router.ts";
import { formatIpv4, type Ipv4Addr, parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { ROUTER_6 } from "../support/behaviour.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const FAR = parseIpv4("10.0.2.2");

/** A line of traceroute's output without its times. */
function lineOf({ ttl, answers }: TracerouteHop): string {
  const words = answers.map((answer) =>
    answer === null ? "*" : `${formatIpv4(answer.address)}${answer.mark}`,
  );
  return `${ttl} ${words.join(" ")}`;
}

interface Run {
  readonly traceroute: Traceroute;
  readonly lines: string[];
  readonly end: () => number;
}

function run(host: Host, now: number, options: TracerouteOptions): Run {
  const lines: string[] = [];
  let end = -1;
  const onHop = (hop: TracerouteHop): void => {
    lines.push(lineOf(hop));
  };
  const onDone = (_: Traceroute, at: number): void => {
    end = at;
  };
  const traceroute = host.traceroute({ onHop, onDone, ...options }, now);
  return { traceroute, lines, end: () => end };
}

interface Site {
  readonly net: Net;
  readonly near: Host;
  readonly far: Host;
  readonly gate: Router;
  readonly behind: Device | undefined;
}

/** near -- gate -- far, 100 us each way; everyone knows his neighbor. */
function site(behaviour = ROUTER_6): Site {
  const net = new Net();
  const near = net.host("near", "10.0.1.2/24", "10.0.1.1");
  const far = net.host("far", "10.0.2.2/24", "10.0.2.1");
  const addresses = ["10.0.1.1/24", "10.0.2.1/24"];
  const { router: gate, devices } = net.router("gate", addresses, { behaviour });
  const [front, behind] = devices;
  net.join(near.device, front);
  net.join(far.device, behind);
  near.ping({ target: FAR, count: 1 }, 0);
  net.run(SECOND);
  net.sent.length = 0;
  return { net, near, far, gate, behind };
}

/** When each frame of `near` was sent, from the first one on. */
function times(net: Net): number[] {
  const sent = net.sent.filter(({ from, hex }) => from === "near" && hex.slice(24, 28) === "0800");
  return sent.map(({ at }) => at - (sent[0]?.at ?? 0));
}

/** Let `router` send no ICMP error of `type`. */
function silence(router: Router, type: number, isSilent: (count: number) => boolean): void {
  let count = 0;
  router.hooks.register(Hook.Output, HookPriority.Filter, {
    name: "silence",
    onHook: (packet) => {
      if (ICMP.type.get(packet.pool.view, packet.transport) !== type) return Verdict.Accept;
      count += 1;
      return isSilent(count) ? Verdict.Drop : Verdict.Accept;
    },
  });
}

describe("traceroute", () => {
  it.each(["udp", "icmp"] as const)("finds the way by %s, and times each probe", (method) => {
    const { net, near } = site();
    const { traceroute, lines } = run(near, net.now, { target: FAR, method });
    net.run(SECOND);
    expect(lines).toEqual(["1 10.0.1.1 10.0.1.1 10.0.1.1", "2 10.0.2.2 10.0.2.2 10.0.2.2"]);
    expect(traceroute.hops.map(lineOf)).toEqual(lines);
    const rtts = traceroute.hops.map(({ answers }) => answers.map((answer) => answer?.rtt));
    expect(rtts).toEqual([
      [200, 200, 200],
      [400, 400, 400],
    ]);
    expect([traceroute.isReached, traceroute.failure, near.udp.size]).toEqual([true, null, 1]);
    expect(net.pool.live).toBe(0);
  });

  it("takes an answer by UDP for the end of the way", () => {
    const { net, near } = site();
    const { traceroute } = run(near, net.now, { target: FAR, port: 7, firstHop: 2, atOnce: 1 });
    net.run(SECOND);
    const [answer] = traceroute.hops[0]?.answers ?? [];
    expect(answer).toEqual({ address: FAR, rtt: 400, ttl: 63, type: null, code: 0, mark: "" });
    expect(traceroute.hops.map(({ ttl }) => ttl)).toEqual([2]);
  });

  // What traceroute 2.1.2 printed and sent through a Linux 6.18 router to an address of its own
  // second network that nobody has: eighteen probes, three hops of errors after three seconds.
  it("ends where a router says that nobody is there, as it did with a real one", () => {
    const { net, near } = site();
    const target = parseIpv4("10.0.2.99");
    const { traceroute, lines, end } = run(near, net.now, { target, maxHops: 6 });
    net.run(20 * SECOND);
    expect(lines).toEqual(["1 10.0.1.1 10.0.1.1 10.0.1.1", "2 10.0.1.1!H 10.0.1.1!H 10.0.1.1!H"]);
    expect(times(net)).toEqual([...Array<number>(16).fill(0), 200, 200]);
    const [, second] = traceroute.hops;
    expect(second?.answers[0]?.rtt).toBeGreaterThan(3 * SECOND);
    expect(second?.answers[0]?.rtt).toBeLessThan(3.1 * SECOND);
    expect(end() - SECOND).toBe(second?.answers[0]?.rtt);
    expect(traceroute.isReached).toBe(false);
  });

  // As above: sixteen at once, and the other eight when those have waited for five seconds.
  it("waits five seconds for silence, and then sends the rest", () => {
    const { net, near, gate } = site();
    const prefix = parsePrefix("10.9.9.9");
    gate.addressing.fib.add(newRoute({ prefix, kind: RouteKind.Blackhole }));
    const target = prefix.address;
    const { lines, end } = run(near, net.now, { target, maxHops: 8 });
    net.run(20 * SECOND);
    expect(lines).toEqual(Array.from({ length: 8 }, (_, index) => `${index + 1} * * *`));
    const later = Array<number>(8).fill(5 * SECOND);
    expect(times(net)).toEqual([...Array<number>(16).fill(0), ...later]);
    expect(end()).toBe(11 * SECOND);
  });

  it("gives up sooner what others of the hop, or of a later one, show to be lost", () => {
    const { net, near, gate } = site();
    silence(gate, IcmpType.TimeExceeded, (count) => count === 2 || count > 3);
    const here = run(near, net.now, { target: FAR });
    net.run(SECOND);
    expect(here.lines[0]).toBe("1 10.0.1.1 * 10.0.1.1");
    // Three times 200 us and a millisecond; poll waits whole ones, after the last answer.
    expect(here.end()).toBe(SECOND + 400 + 4000);
    const start = net.now;
    const near2 = run(near, start, { target: FAR, probesPerHop: 1 });
    net.run(SECOND);
    expect(near2.lines).toEqual(["1 *", "2 10.0.2.2"]);
    expect(near2.end()).toBe(start + 400 + 14_000);
    const patient = run(near, net.now, { target: FAR, probesPerHop: 1, near: 0, wait: SECOND });
    net.run(2 * SECOND);
    expect(patient.end()).toBe(start + SECOND + 400 + SECOND);
  });

  // As above, through a router that keeps six packets for a neighbor it looks for: the errors are
  // about the latest probes, and traceroute guesses, once the earlier ones have waited for five
  // seconds, where they belong.
  it.each([
    [{ probesPerHop: 1 }, 17, 1, 5],
    [{ probesPerHop: 3 }, 19, 3, 5],
    [{ probesPerHop: 2, method: "icmp" }, 18, 2, 5],
    [{ probesPerHop: 1, atOnce: 4 }, 5, 1, 3],
  ] as const)("with %o sends %i probes and puts late errors where they belong", (...row) => {
    const [options, sent, perHop, seconds] = row;
    const { neighbor } = ROUTER_6;
    const { net, near } = site({ ...ROUTER_6, neighbor: { ...neighbor, queueLimit: 6 } });
    const target = parseIpv4("10.0.2.99");
    const { traceroute, lines, end } = run(near, net.now, { target, ...options });
    net.run(20 * SECOND);
    const answers = (mark: string): string =>
      Array<string>(perHop).fill(`10.0.1.1${mark}`).join(" ");
    expect(lines).toEqual([`1 ${answers("")}`, `2 ${answers("!H")}`]);
    expect(times(net)).toHaveLength(sent);
    expect(Math.floor((end() - SECOND) / SECOND)).toBe(seconds);
    const rtts = traceroute.hops[1]?.answers.map((answer) => answer?.rtt ?? 0) ?? [];
    expect(rtts.every((rtt) => rtt > 3 * SECOND && rtt < 3.1 * SECOND)).toBe(true);
  });

  it.each([
    [RouteKind.Unreachable, "!H"],
    [RouteKind.Prohibit, "!X"],
  ])("marks what a route of kind %i refuses", (kind, mark) => {
    const { net, near, gate } = site();
    const prefix = parsePrefix("10.9.9.9");
    gate.addressing.fib.add(newRoute({ prefix, kind }));
    const options = { target: prefix.address, probesPerHop: 1, atOnce: 1 };
    const { lines } = run(near, net.now, options);
    net.run(20 * SECOND);
    expect(lines).toEqual([`1 10.0.1.1${mark}`]);
  });

  it("sends one after the other, and no faster, if it is told so", () => {
    const { net, near } = site();
    const options = { target: FAR, atOnce: 1, probesPerHop: 2, pause: SECOND, maxHops: 9 };
    const { lines } = run(near, net.now, options);
    net.run(20 * SECOND);
    expect(lines).toHaveLength(2);
    // Each answer wakes the program, which then waits whole milliseconds again.
    expect(times(net)).toEqual([0, SECOND + 200, 2 * SECOND + 400, 3 * SECOND + 800]);
  });

  it("fails where there is no route, and where no packet is free", () => {
    const net = new Net(1, 1);
    const host = net.host("host", "10.0.0.1/24");
    const lost = run(host, 0, { target: FAR });
    net.run(0);
    expect([lost.traceroute.failure, lost.end()]).toEqual(["no-route", 0]);
    net.pool.allocate(60);
    for (let index = 0; index < 4; index += 1) net.pool.allocate(60_000);
    const starved = run(host, 0, { target: parseIpv4("10.0.0.2"), method: "icmp" });
    net.run(0);
    expect([starved.traceroute.failure, starved.lines]).toEqual(["no-room", []]);
  });

  it("stops when it is told to, closes its sockets and hears no more", () => {
    const { net, near } = site();
    const { traceroute, lines } = run(near, net.now, { target: FAR });
    net.run(50);
    expect(near.udp.size).toBe(17);
    traceroute.stop(net.now);
    traceroute.stop(net.now);
    net.run(20 * SECOND);
    expect([lines, near.udp.size, near.toolCount]).toEqual([[], 1, 0]);
  });

  it("stops from within a callback, and sends no more", () => {
    const { net, near } = site();
    const onHop = (_: TracerouteHop, now: number): void => traceroute.stop(now);
    const traceroute = near.traceroute({ target: FAR, probesPerHop: 1, atOnce: 1, onHop }, net.now);
    net.run(20 * SECOND);
    expect([traceroute.hops.length, times(net).length, near.udp.size]).toEqual([1, 1, 1]);
  });

  it("goes on with the sockets that are left, and gives up where there is none", () => {
    const { net, near } = site();
    while (near.udp.size < 1023) near.udp.bind(0, null);
    const { traceroute, lines } = run(near, net.now, { target: FAR, probesPerHop: 1 });
    net.run(SECOND);
    expect([traceroute.failure, lines]).toEqual([null, ["1 10.0.1.1", "2 10.0.2.2"]]);
    near.udp.bind(0, null);
    const starved = run(near, net.now, { target: FAR });
    net.run(SECOND);
    expect([starved.traceroute.failure, starved.lines]).toEqual(["no-room", []]);
  });

  it("takes each answer once, and only those to its own probes", () => {
    const net = new Net();
    const near = net.host("near", "10.0.0.1/24");
    const far = net.host("far", "10.0.0.2/24");
    net.join(near.device, far.device, 100, { faults: { duplication: 1 } });
    const target: Ipv4Addr = parseIpv4("10.0.0.2");
    const first = run(near, 0, { target, probesPerHop: 1, atOnce: 2 });
    const second = run(near, 0, { target, probesPerHop: 1, atOnce: 2, method: "icmp" });
    const third = run(near, 0, { target, probesPerHop: 1, atOnce: 2, method: "icmp" });
    net.run(20 * SECOND);
    for (const { lines } of [first, second, third]) expect(lines).toEqual(["1 10.0.0.2"]);
  });

  it.each([
    [3, 0, "!N"],
    [3, 1, "!H"],
    [3, 2, "!P"],
    [3, 3, ""],
    [3, 4, "!F-1400"],
    [3, 5, "!S"],
    [3, 9, "!X"],
    [3, 10, "!X"],
    [3, 13, "!X"],
    [3, 14, "!V"],
    [3, 15, "!C"],
    [3, 77, "!<77>"],
    [11, 0, ""],
    [11, 1, "!<11-1>"],
    [12, 0, "!<12-0>"],
  ])("prints ICMP %i/%i as %j", (type, code, mark) => {
    expect(markOf(type, code, 1400)).toBe(mark);
  });

  it.each([
    { maxHops: 256 },
    { firstHop: 0 },
    { firstHop: 31 },
    { probesPerHop: 11 },
    { atOnce: 0 },
    { length: 27 },
    { port: 65_536 },
    { wait: 0 },
    { wait: Infinity },
    { here: -1 },
    { near: Number.NaN },
    { pause: -1 },
  ])("refuses %o", (options) => {
    const { near } = site();
    expect(() => near.traceroute({ target: FAR, ...options }, 0)).toThrow(Object.keys(options)[0]);
  });
});
