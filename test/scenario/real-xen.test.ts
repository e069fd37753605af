/**
 * The frames that two PV domUs sent on a real Xen 4.17 host, put into a Dom0 of that host's
 * topology,
 * bring out what that Dom0 sent: who is answered, with which octets, in which order.
 *
 * Left out, because they are no answers to what a domU or the outside sent:
 * - IPv6 router solicitations of Dom0's own kernel (the stack here is IPv4 alone);
 * - nothing else: the pings that the host's operator ran from Dom0 are sent from here too.
 * Masked: identifications of packets that the kernel made, times inside timestamps.
 * In the group "big" the second domU's end was not captured: its answers are taken from what Dom0
 * passed on, and its ARP replies are made up.
 */
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Instant } from "../../src/base/time.ts";
import { ARP, ARP_LENGTH, ArpOp, writeArp } from "../../src/l2/arp.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType, writeEthernet } from "../../src/l2/ethernet.ts";
import { IPV4, sealHeader } from "../../src/l3/ipv4.ts";
import { RouteKind } from "../../src/l3/route-table.ts";
import { formatIpv4, parseIpv4, parseMac, parsePrefix } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import { LINUX } from "../../src/xen/profile.ts";
import {
  type Answerer,
  framesOf,
  type Line,
  lines,
  play,
  proxyDraws,
  RecordedChance,
  Recorder,
  split,
  type Step,
  stepsFor,
  type TimedFrame,
} from "../support/replay.ts";

const CAPTURES = join(import.meta.dirname, "../../captures/real-xen");
/** The replay starts here, in microseconds since 1970: just before the first capture. */
const BASE = 1_795_334_750_000_000;
/**
 * A turn of the recorded kernel's timer wheel, in microseconds since 1970: probes and proxied
 * answers
 * lie 32 and 256 ms apart from here, and the ends of reachability 2,048 ms.
 */
const WHEEL = 1_795_334_748_932_000;
/**
 * What the kernel drew for the reachable time of vif1.0, vif2.0 and eth0, in ticks above the least,
 * 15 s, and five minutes later for vif1.0, eth0 and vif2.0 again. The probes leave 41.47 to 41.77
 * s,
 * 24 to 55 s and 14 to 32 s for the first three.
 */
const REACHABLE_TICKS = [26.6, 15, 5, 26.6, 5, 5, 15].map((seconds) => seconds * 250);

const OWN = parseIpv4("10.251.34.1");
const GATEWAY = parseIpv4("10.251.34.254");
const VIF_MAC = parseMac("fe:ff:ff:ff:ff:ff");
const ETH0_MAC = parseMac("00:30:48:aa:bb:01");
const D1 = { mac: parseMac("12:31:3b:00:00:05"), address: parseIpv4("10.251.34.5") };
const D2 = { mac: parseMac("12:31:3b:00:00:06"), address: parseIpv4("10.251.34.6") };

const age = BASE - WHEEL;
const recorded = (name: string): TimedFrame[] => framesOf(join(CAPTURES, `${name}.pcap`), BASE);

/** Put together from the recorded answers; the host's own file was not kept. */
const DHCPD_CONF = `authoritative; default-lease-time 86400; max-lease-time 86400;
subnet 10.251.34.0 netmask 255.255.254.0 {
  option routers 10.251.34.1; option broadcast-address 10.251.35.255;
  option domain-name "compute-1.internal"; option domain-name-servers 172.16.0.23;
  option ntp-servers 172.16.0.23; option interface-mtu 1500;
}
`;
const typeOf = ({ octets }: TimedFrame): number => ETHERNET.type.get(viewOf(octets), 0);
const isIpv4 = (frame: TimedFrame): boolean => typeOf(frame) === EtherType.Ipv4;

const join2 = (...lists: Line[]): Line => ({
  into: lists.flatMap(({ into }) => into),
  out: lists.flatMap(({ out }) => out),
});
const vif = (name: string): Line => split(recorded(name), VIF_MAC);
const uplink = (name: string): Line => {
  const { into, out } = split(recorded(name), ETH0_MAC);
  const isKept = (frame: TimedFrame): boolean => typeOf(frame) !== EtherType.Ipv6;
  return { into, out: out.filter(isKept) };
};

function xenHost(draws: readonly number[]) {
  const pool = new PacketPool();
  const profile = { ...LINUX, router: { ...LINUX.router, jiffies: { hz: 250, age } } };
  const dom0 = new Dom0({
    name: "lab",
    pool,
    profile,
    chance: new RecordedChance(
      new Map([
        [200, [...draws]],
        [7500, [...REACHABLE_TICKS]],
      ]),
    ),
    privateAddress: OWN,
    uplink: {
      name: "eth0",
      mac: ETH0_MAC,
      address: OWN,
      length: 23,
      gateway: GATEWAY,
      hasProxyArp: true,
    },
    routers: 1,
    hasNat: false,
    hasAntiSpoof: false,
    hasSecurityGroups: false,
    dhcpdConf: DHCPD_CONF,
    dhcpdStartTime: 0,
    midnightOffset: BASE % 86_400_000_000,
  });
  dom0.addRoute({
    prefix: parsePrefix("203.0.113.0/24"),
    gateway: GATEWAY,
    mtu: 1400,
    isMtuLocked: true,
  });
  dom0.addRoute({ prefix: parsePrefix("192.0.2.0/24"), kind: RouteKind.Unreachable });
  dom0.addRoute({ prefix: parsePrefix("198.51.100.0/24"), kind: RouteKind.Prohibit });
  const launch = (domid: number, { mac, address }: typeof D1): Device =>
    dom0.addVif(
      {
        domid,
        domain: `d${domid}`,
        mac,
        addresses: [address],
        hostName: `ip-${formatIpv4(address).replaceAll(".", "-")}`,
      },
      0,
    ).device;
  const vif1 = launch(1, D1);
  const vif2 = launch(2, D2);
  const recorder = new Recorder();
  for (const device of [vif1, vif2, dom0.uplink]) recorder.attach(device);
  return { pool, dom0, vif1, vif2, eth0: dom0.uplink, recorder };
}

type Host = ReturnType<typeof xenHost>;

/**
 * The operator's own pings: echo requests that Dom0 sent by itself. The first one met an empty
 * neighbor table (Dom0 asked by broadcast for an address that it knew), so it had been flushed.
 */
function operatorPings({ pool, dom0, vif1 }: Host, out: readonly TimedFrame[]): Step[] {
  const isPing = (frame: TimedFrame): boolean =>
    isIpv4(frame) &&
    IPV4.src.get(viewOf(frame.octets), ETHERNET_LENGTH) === OWN &&
    frame.octets[34] === 8;
  return out.filter(isPing).map(({ at, octets }, index) => ({
    // The first one waited for ARP, so it was sent before it was seen.
    at: index === 0 ? at - 9000 : at,
    act: (now: Instant) => {
      if (index === 0) dom0.router.neighbors.flush(vif1, now);
      const packet = pool.copyIn(octets);
      if (packet === null) return;
      packet.network = packet.frame + ETHERNET_LENGTH;
      packet.transport = packet.network + 20;
      dom0.router.send(packet, now);
    },
  }));
}

/** Each group began with empty neighbor tables: Dom0 asked by broadcast for what it knew before. */
function operatorFlush({ dom0, vif1, eth0 }: Host, at: Instant): Step {
  const flush = (now: Instant): void => {
    for (const device of [vif1, eth0]) dom0.router.neighbors.flush(device, now);
  };
  return { at, act: flush };
}

/**
 * The operator's test of a small MTU towards the second domU: Dom0 reported 1,400 for one packet
 * that
 * fitted before and after. How it was set is not recorded; a route's MTU does it.
 */
function operatorMtu({ dom0, vif2 }: Host, from: Instant): Step[] {
  const { fib } = dom0.router.addressing;
  const set = (mtu: number | null) => (): void => {
    const old = [...fib.main].find(({ device }) => device === vif2);
    if (old === undefined) return;
    fib.remove((route) => route === old);
    fib.add({ ...old, mtu });
  };
  return [
    { at: from + 20_000_000, act: set(1400) },
    { at: from + 30_000_000, act: set(null) },
  ];
}

/** What the second domU must have sent for Dom0 to pass it on so. */
function passedOn(out: readonly TimedFrame[]): TimedFrame[] {
  const isFromD2 = (frame: TimedFrame): boolean =>
    isIpv4(frame) && IPV4.src.get(viewOf(frame.octets), ETHERNET_LENGTH) === D2.address;
  return out.filter(isFromD2).map(({ at, octets }) => {
    const copy = octets.slice();
    const view = viewOf(copy);
    writeEthernet(view, 0, VIF_MAC, D2.mac, EtherType.Ipv4);
    IPV4.ttl.set(view, ETHERNET_LENGTH, IPV4.ttl.get(view, ETHERNET_LENGTH) + 1);
    sealHeader(view, ETHERNET_LENGTH);
    return { at: at - 100, octets: copy };
  });
}

/** The second domU answers questions for its address while its end was not captured. */
const answerAsD2 = (from: Instant, device: Device): Answerer => ({
  device,
  answer: (sent, now) => {
    const view = viewOf(sent);
    const isQuestion = ETHERNET.type.get(view, 0) === EtherType.Arp && now >= from;
    if (!isQuestion || ARP.op.get(view, ETHERNET_LENGTH) !== ArpOp.Request) return null;
    const octets = new Uint8Array(ETHERNET_LENGTH + ARP_LENGTH);
    const { mac, address } = D2;
    writeEthernet(viewOf(octets), 0, VIF_MAC, mac, EtherType.Arp);
    writeArp(viewOf(octets), ETHERNET_LENGTH, ArpOp.Reply, mac, address, VIF_MAC, OWN);
    return octets;
  },
});

describe("a recorded Xen host", () => {
  it("is answered as its Dom0 answered in the arp, icmp and big captures", () => {
    const first = join2(vif("arp-vif1.0"), vif("icmp-vif1.0"), vif("big-vif1.0"));
    const second = vif("icmp-vif2.0");
    const outside = join2(uplink("icmp-ext0"), uplink("big-ext0"));
    const host = xenHost(proxyDraws([first, second, outside], new Set([OWN]), age));
    const { dom0, vif1, vif2, eth0, recorder } = host;
    const unseen = passedOn(vif("big-vif1.0").out);
    const bigFrom = recorded("big-vif1.0")[0]?.at ?? 0;
    const icmpUntil = recorded("icmp-ext0").at(-1)?.at ?? 0;
    const steps = [
      ...stepsFor(vif1, first.into),
      ...stepsFor(vif2, [...second.into, ...unseen]),
      ...stepsFor(eth0, outside.into),
      ...operatorPings(host, [...first.out, ...second.out]),
      ...operatorMtu(host, bigFrom),
      operatorFlush(host, bigFrom - 1000),
    ];
    play(host.pool, dom0, steps, recorder, answerAsD2(bigFrom, vif2));
    const own = new Set([OWN]);
    const sent = (device: Device): TimedFrame[] => recorder.frames.get(device) ?? [];
    const isSeen = ({ at }: TimedFrame): boolean => at < bigFrom;
    expect(lines(sent(vif1), own)).toEqual(lines(first.out, own));
    expect(lines(sent(vif2).filter(isSeen), own)).toEqual(lines(second.out, own));
    const isCaptured = ({ at }: TimedFrame): boolean => at < icmpUntil || at >= bigFrom;
    expect(lines(sent(eth0).filter(isCaptured), own)).toEqual(lines(outside.out, own));
  });

  it("is answered as its dhcpd answered in the dhcp capture", () => {
    const line = vif("dhcp-vif1.0");
    const host = xenHost([]);
    play(host.pool, host.dom0, stepsFor(host.vif1, line.into), host.recorder);
    const sent = host.recorder.frames.get(host.vif1) ?? [];
    expect(lines(sent, new Set([OWN]))).toEqual(lines(line.out, new Set([OWN])));
  });
});
