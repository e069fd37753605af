import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { parseIpv4, parsePrefix } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { Hook, type HookContext, Verdict } from "../../src/l3/hooks.ts";
import { ICMP, IcmpType } from "../../src/l3/icmp.ts";
import { IPV4, Protocol, sealHeader, writeIpv4 } from "../../src/l3/ipv4.ts";
import { newRoute, RouteKind } from "../../src/l3/route-table.ts";
import { octetsOf } from "../l2/header-laws.ts";
import { Bench, type SentFrame } from "./bench.ts";

const GUEST = "12:31:39:00:a5:11";
const ASK_GATEWAY = octetsOf(`ffffffffffff 12313900a511 0806
  0001 0800 0604 0001 12313900a511 0afeaadf 000000000000 0afeaa01`);
const PROXIED = octetsOf(`12313900a511 feffffffffff 0806
  0001 0800 0604 0002 feffffffffff 0afeaa01 12313900a511 0afeaadf`);
const ASK_GUEST = octetsOf(`ffffffffffff feffffffffff 0806
  0001 0800 0604 0001 feffffffffff 0afea802 000000000000 0afeaadf`);
const PROBE = octetsOf(`feffffffffff 12313900a511 0800
  4500003c 12340000 0111eb9c 0afeaadf 04020202 a112829a 00282b0b
  40414243 44454647 48494a4b 4c4d4e4f 50515253 54555657 58595a5b 5c5d5e5f`);
const EXCEEDED = octetsOf(`12313900a511 feffffffffff 0800
  45c00058 4a010000 4001c706 0afea802 0afeaadf 0b00b11a 00000000
  4500003c 12340000 0111eb9c 0afeaadf 04020202 a112829a 00282b0b
  40414243 44454647 48494a4b 4c4d4e4f 50515253 54555657 58595a5b 5c5d5e5f`);
const AT = ETHERNET_LENGTH;

/** The seed document's host: one guest behind a host route, the world behind the uplink. */
function dom0(isKnown = true) {
  const bench = new Bench({ arp: { echoesProbeTarget: false, proxyDelay: 0 } });
  const vif = bench.addDevice("vif3.0", ["10.254.168.2/32"], { hasProxyArp: true });
  const uplink = bench.addDevice("peth0", ["216.182.232.10/20"], { mac: "02:00:00:00:00:02" });
  const { fib } = bench.router.addressing;
  const source = parseIpv4("10.254.168.2");
  fib.add(newRoute({ prefix: parsePrefix("10.254.170.223"), device: vif, source }));
  const gateway = parseIpv4("216.182.232.1");
  fib.add(newRoute({ prefix: parsePrefix("0.0.0.0/0"), device: uplink, gateway }));
  if (isKnown) bench.know(vif, "10.254.170.223", GUEST);
  bench.know(uplink, "216.182.232.1", "02:00:00:00:00:99");
  return { bench, vif, uplink };
}

/** The probe with some words changed, sealed again. */
function probeWith(change: (view: DataView) => void): Uint8Array {
  const octets = PROBE.slice();
  change(viewOf(octets));
  sealHeader(viewOf(octets), AT);
  return octets;
}

const setTtl =
  (ttl: number) =>
  (view: DataView): void =>
    IPV4.ttl.set(view, AT, ttl);
const setTarget =
  (dst: string) =>
  (view: DataView): void =>
    IPV4.dst.set(view, AT, parseIpv4(dst));

/** The frame with another IP identification, sealed for it: ours begins by chance. */
function withId(frame: SentFrame | undefined, id: number): Uint8Array | undefined {
  if (frame === undefined) return undefined;
  IPV4.id.set(viewOf(frame.octets), AT, id);
  sealHeader(viewOf(frame.octets), AT);
  return frame.octets;
}

describe("Dom0's router", () => {
  it("proxies the gateway that exists nowhere", () => {
    const { bench, vif } = dom0();
    expect(bench.receive(vif, ASK_GATEWAY)).toEqual([{ on: "vif3.0", at: 0, octets: PROXIED }]);
  });

  it("answers a traceroute probe from its private address", () => {
    const { bench, vif } = dom0();
    const [answer] = bench.receive(vif, PROBE);
    expect(withId(answer, 0x4a01)).toEqual(EXCEEDED);
  });

  it("asks for the guest in the name of its private address", () => {
    const { bench, vif } = dom0(false);
    expect(bench.receive(vif, PROBE)).toEqual([{ on: "vif3.0", at: 0, octets: ASK_GUEST }]);
  });

  it("forwards to the gateway with one hop less, in a frame of its own", () => {
    const { bench, vif } = dom0();
    const [passed] = bench.receive(vif, probeWith(setTtl(9)));
    const expected = probeWith(setTtl(8));
    expected.set(octetsOf("020000000099 020000000002"));
    expect(passed).toEqual({ on: "peth0", at: 0, octets: expected });
  });

  it("reports the limit of the whole host, and none where there is none", () => {
    const count = (icmpGlobalLimit: { perSecond: number; burst: number } | null): number => {
      const bench = new Bench({ icmpGlobalLimit });
      const device = bench.addDevice("e0", ["10.0.0.1/8"]);
      for (let host = 2; host < 42; host += 1) {
        bench.know(device, `10.0.0.${host}`, GUEST);
        const from = (view: DataView): void => IPV4.src.set(view, AT, parseIpv4(`10.0.0.${host}`));
        bench.receive(device, probeWith(from));
      }
      return bench.sent.length;
    };
    expect(count(null)).toBe(40);
    const limited = count({ perSecond: 1000, burst: 10 });
    expect(limited).toBeGreaterThanOrEqual(5);
    expect(limited).toBeLessThan(40);
  });
});

describe("a packet that cannot go on", () => {
  const cases = [
    ["no route", "0.0.0.0/1", null, 0],
    ["an unreachable route", "4.0.0.0/8", RouteKind.Unreachable, 1],
    ["a prohibited route", "4.0.0.0/8", RouteKind.Prohibit, 13],
  ] as const;

  it.each(cases)("is answered: %s", (_what, prefix, kind, code) => {
    const { bench, vif } = dom0();
    const { fib } = bench.router.addressing;
    fib.remove(({ gateway }) => gateway !== null);
    if (kind !== null) fib.add(newRoute({ kind, prefix: parsePrefix(prefix) }));
    const [answer] = bench.receive(vif, probeWith(setTtl(9)));
    const view = viewOf(answer?.octets ?? new Uint8Array(60));
    expect(ICMP.type.get(view, AT + 20)).toBe(IcmpType.Unreachable);
    expect(ICMP.code.get(view, AT + 20)).toBe(code);
    expect(bench.pool.ends.get("route/unreachable")).toBe(1);
  });

  it("is lost without a word where a blackhole is or forwarding is off", () => {
    const { bench, vif } = dom0();
    const { fib } = bench.router.addressing;
    fib.add(newRoute({ kind: RouteKind.Blackhole, prefix: parsePrefix("4.0.0.0/8") }));
    expect(bench.receive(vif, probeWith(setTtl(9)))).toEqual([]);
    expect(bench.pool.ends.get("route/blackhole")).toBe(1);
    const deaf = bench.addDevice("deaf", [], { isForwarding: false });
    expect(bench.receive(deaf, probeWith(setTtl(9)))).toEqual([]);
    expect(bench.pool.ends.get("route/not-forwarding")).toBe(1);
  });

  it("waits for its neighbor, is reported after three questions, and never before", () => {
    const { bench, uplink } = dom0(false);
    const inbound = probeWith((view) => {
      setTtl(9)(view);
      setTarget("10.254.170.223")(view);
      IPV4.src.set(view, AT, parseIpv4("216.182.232.1"));
    });
    inbound.set(octetsOf("020000000002"));
    expect(bench.receive(uplink, inbound)).toEqual([{ on: "vif3.0", at: 0, octets: ASK_GUEST }]);
    const later = bench.advance(2.9 * SECOND);
    expect(later.map(({ octets }) => octets)).toEqual([ASK_GUEST, ASK_GUEST]);
    const [report, ...rest] = bench.advance(4 * SECOND);
    expect(rest).toEqual([]);
    expect(report?.on).toBe("peth0");
    expect(report?.octets.subarray(AT + 20, AT + 22)).toEqual(Uint8Array.of(3, 1));
    expect(bench.pool.live).toBe(0);
  });
});

describe("the hooks of a router", () => {
  it("see a packet in the order of its way, with the devices that are known by then", () => {
    const { bench, vif } = dom0();
    const seen: string[] = [];
    const note = (name: string) => ({
      name,
      onHook: (_packet: Packet, { input, output }: HookContext): Verdict => {
        seen.push(`${name} ${input?.name ?? "-"} ${output?.name ?? "-"}`);
        return Verdict.Accept;
      },
    });
    for (const [name, hook] of Object.entries(Hook)) {
      bench.router.hooks.register(hook, 0, note(name));
    }
    bench.receive(vif, probeWith(setTtl(9)));
    bench.receive(vif, probeWith(setTarget("10.254.168.2")));
    expect(seen).toEqual([
      "Prerouting vif3.0 -",
      "Forward vif3.0 peth0",
      "Postrouting vif3.0 peth0",
      "Prerouting vif3.0 -",
      "Input vif3.0 -",
      "Output - vif3.0",
      "Postrouting - vif3.0",
    ]);
  });

  it("may send a packet of this host elsewhere", () => {
    const { bench } = dom0();
    bench.router.hooks.register(Hook.Output, 0, {
      name: "elsewhere",
      onHook: (packet) => {
        IPV4.dst.set(packet.pool.view, packet.network, parseIpv4("10.254.170.223"));
        sealHeader(packet.pool.view, packet.network);
        return Verdict.Accept;
      },
    });
    send(bench, "4.2.2.2");
    expect(bench.sent.map(({ on }) => on)).toEqual(["vif3.0"]);
  });
});

/** Send a packet of the router's own. */
function send(bench: Bench, dst: string, device?: Parameters<Bench["receive"]>[0]): void {
  const packet = bench.pool.allocate(ETHERNET_LENGTH + 20);
  if (packet === null) throw new Error("the pool is exhausted");
  packet.network = packet.frame + ETHERNET_LENGTH;
  writeIpv4(packet, { protocol: Protocol.Icmp, dst: parseIpv4(dst) });
  bench.router.send(packet, bench.now, device ?? null);
}

describe("this host's own packets", () => {
  const sourceOf = ({ octets }: SentFrame): number => IPV4.src.get(viewOf(octets), AT);

  it("take the source that their route prefers", () => {
    const { bench } = dom0();
    send(bench, "10.254.170.223");
    send(bench, "4.2.2.2");
    expect(bench.sent.map(sourceOf)).toEqual([
      parseIpv4("10.254.168.2"),
      parseIpv4("216.182.232.10"),
    ]);
  });

  it("leave for a group or for all by the device that is named, in a group's frame", () => {
    const { bench, vif } = dom0();
    send(bench, "224.0.0.5", vif);
    send(bench, "255.255.255.255", vif);
    const targets = bench.sent.map(({ octets }) => octets.slice(0, 6));
    expect(targets).toEqual([octetsOf("01005e000005"), octetsOf("ffffffffffff")]);
    expect(bench.sent.map(({ on }) => on)).toEqual(["vif3.0", "vif3.0"]);
  });

  it("come back to this host if they are for it", () => {
    const { bench } = dom0();
    send(bench, "10.254.168.2");
    expect(bench.sent).toEqual([]);
    expect(bench.pool.ends.entries()).toEqual([["icmp/truncated", 1]]);
  });

  it("end where no route leads", () => {
    const { bench } = dom0();
    bench.router.addressing.fib.remove(({ gateway }) => gateway !== null);
    send(bench, "4.2.2.2");
    expect(bench.pool.ends.entries()).toEqual([["route/none", 1]]);
  });
});

describe("a device that goes away", () => {
  it("takes its addresses, routes, neighbors and what waits for it along", () => {
    const { bench, vif, uplink } = dom0(false);
    bench.receive(vif, PROBE);
    expect(bench.pool.live).toBe(1);
    bench.router.removeInterface(vif, 0);
    expect(bench.pool.live).toBe(0);
    expect([...bench.router.neighbors.entries()].map(({ device }) => device)).toEqual([uplink]);
    expect(bench.router.addressing.isLocal(parseIpv4("10.254.168.2"))).toBe(false);
    expect(bench.receive(vif, PROBE)).toEqual([]);
    expect(bench.pool.ends.get("device/no-stack")).toBe(1);
  });
});

describe("a stack's filters of frames", () => {
  it("judge before anything else is read, and say why they drop", () => {
    const { bench, vif } = dom0();
    const via = bench.router.addressing.interfaces.get(vif);
    via?.addFilter({ isArpOnly: true, judgeFrame: () => null });
    via?.addFilter({ isArpOnly: true, judgeFrame: () => "filter/arp-spoofed" });
    expect(bench.receive(vif, ASK_GATEWAY)).toEqual([]);
    expect(bench.pool.ends.entries()).toEqual([["filter/arp-spoofed", 1]]);
  });
});
