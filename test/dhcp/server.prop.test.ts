import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { type DhcpdProfile, ISC_3_0_5, ISC_4_4_3 } from "../../src/dhcp/dhcpd-profile.ts";
import { BROADCAST_FLAG, DhcpType } from "../../src/dhcp/message.ts";
import { findOption, Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { type Ipv4Addr, ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { Bench, octetsOf, type Said } from "./server-bench.ts";

const PROFILES = [ISC_3_0_5, ISC_4_4_3];
const POOLS = `authoritative; ping-check off; default-lease-time 5; max-lease-time 8;
  min-lease-time 2; abandon-lease-time 4;
  shared-network vifs {
    subnet 10.254.168.0 netmask 255.255.255.0 { }
    subnet 10.254.170.0 netmask 255.255.254.0 {
      range 10.254.170.10 10.254.170.12;
      pool { range dynamic-bootp 10.254.170.20 10.254.170.21; allow unknown-clients; }
    }
  }
  subnet 10.253.0.0 netmask 255.255.0.0 { range 10.253.0.10 10.253.0.11; }
  host dom_1 { hardware ethernet 02:00:00:00:00:00; fixed-address 10.254.170.223, 10.253.0.9; }`;
const MASKS = new Map([
  [parseIpv4("255.255.255.0"), parseIpv4("10.254.168.0")],
  [parseIpv4("255.255.254.0"), parseIpv4("10.254.170.0")],
  [parseIpv4("255.255.0.0"), parseIpv4("10.253.0.0")],
]);
const HOSTS = 6;
const AGENTS = ["0.0.0.0", "0.0.0.0", "10.254.170.1", "10.253.0.1"].map(parseIpv4);

/** What a host knows of its network. */
class Host {
  readonly mac: string;
  readonly id: readonly RawOption[];
  /** Offered, but not yet given. */
  offered: Ipv4Addr | null = null;
  held: Ipv4Addr | null = null;
  until = 0;

  constructor(index: number) {
    this.mac = `02:00:00:00:00:0${index}`;
    this.id = index % 2 === 0 ? [] : [rawOption(Option.ClientIdentifier, Uint8Array.of(index))];
  }

  holds(now: number): Ipv4Addr | null {
    return this.held !== null && now < this.until ? this.held : null;
  }
}

interface Step {
  readonly host: number;
  readonly act: "discover" | "request" | "renew" | "reboot" | "release" | "decline";
  readonly wait: number;
  readonly agent: Ipv4Addr;
  readonly flags: number;
  readonly seconds: number;
}
const step: fc.Arbitrary<Step> = fc.record({
  host: fc.nat(HOSTS - 1),
  act: fc.constantFrom(
    "discover",
    "discover",
    "request",
    "request",
    "renew",
    "reboot",
    "release",
    "decline",
  ),
  wait: fc.constantFrom(0, 0, 1, 2, 5),
  agent: fc.constantFrom(...AGENTS),
  flags: fc.constantFrom(0, BROADCAST_FLAG),
  seconds: fc.nat(10),
});

/** What a host says; `null` if it has nothing to say. */
function sayingOf({ act, agent, flags, seconds }: Step, host: Host, now: number): Said | null {
  const time = rawOption(Option.LeaseTime, seconds);
  const said = { mac: host.mac, flags, giaddr: agent };
  const held = host.holds(now);
  const wanted = act === "request" ? host.offered : host.held;
  if (act === "discover") return { ...said, type: DhcpType.Discover, options: [time, ...host.id] };
  if (wanted === null) return null;
  const asked = rawOption(Option.RequestedAddress, wanted);
  switch (act) {
    case "request":
    case "reboot":
      return { ...said, type: DhcpType.Request, options: [asked, time, ...host.id] };
    case "decline":
      return { ...said, type: DhcpType.Decline, options: [asked, ...host.id] };
    case "renew":
      if (held === null) return null;
      return { ...said, type: DhcpType.Request, ciaddr: held, options: [time, ...host.id] };
    case "release":
      if (held === null) return null;
      return { ...said, type: DhcpType.Release, ciaddr: held, options: host.id };
  }
}

/** Let a host act, and learn from the answer. */
function play(bench: Bench, host: Host, each: Step): void {
  const said = sayingOf(each, host, bench.now);
  if (said === null) return;
  const heard = bench.hear(said);
  if (each.act === "release" || each.act === "decline") host.held = null;
  if (heard.reply === null) return;
  const { options, yiaddr } = heard.message;
  const type = findOption(options, Option.MessageType);
  if (type === DhcpType.Offer) host.offered = yiaddr;
  if (type === DhcpType.Nak) host.held = null;
  if (type !== DhcpType.Ack) return;
  host.held = yiaddr;
  host.offered = null;
  host.until = bench.now + (findOption(options, Option.LeaseTime) ?? 0) * SECOND;
  const mask = findOption(options, Option.SubnetMask) ?? ipv4Of(0);
  expect(ipv4Of(yiaddr & mask)).toBe(MASKS.get(mask));
}

function walk(profile: DhcpdProfile, steps: readonly Step[]): void {
  const bench = new Bench(POOLS, { profile });
  const hosts = Array.from({ length: HOSTS }, (_, index) => new Host(index));
  for (const each of steps) {
    bench.wait(each.wait);
    const host = hosts[each.host];
    if (host !== undefined) play(bench, host, each);
    const held = hosts.map((one) => one.holds(bench.now)).filter((address) => address !== null);
    expect(new Set(held).size).toBe(held.length);
  }
}

describe.each([
  ["3.0.5", ISC_3_0_5],
  ["4.4.3", ISC_4_4_3],
] as const)("dhcpd %s", (_, profile) => {
  it("gives no address to two hosts at a time, and each in the subnet that it names", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        walk(profile, steps);
      }),
      { numRuns: 60 },
    );
  });
});

describe("A server", () => {
  it("answers any octets without a throw", () => {
    const benches = PROFILES.map((profile) => new Bench(POOLS, { profile }));
    const code = fc.constantFrom(1, 12, 50, 51, 52, 53, 54, 55, 57, 61, 81, 82, 118, 119, 121, 255);
    const part = fc
      .tuple(code, fc.uint8Array({ maxLength: 9 }))
      .map(([one, octets]) => [one, octets.length, ...octets]);
    const patch = fc.record({ at: fc.nat(240), octets: fc.uint8Array({ maxLength: 4 }) });
    const cut = fc.option(fc.nat(400), { freq: 8 });
    const wild = fc.record({
      type: fc.nat(9),
      parts: fc.array(part, { maxLength: 8 }),
      patches: fc.array(patch, { maxLength: 3 }),
      cut,
      source: fc.nat(0xffff_ffff).map(ipv4Of),
    });
    fc.assert(
      fc.property(wild, ({ type, parts, patches, cut: length, source }) => {
        const octets = new Uint8Array(400);
        octets.set(octetsOf({ mac: "02:00:00:00:00:01", type }));
        octets.set(parts.flat(), 243);
        for (const { at, octets: changed } of patches) octets.set(changed, at);
        for (const { server } of benches) {
          const input = { device: "vif1.0", octets: octets.subarray(0, length ?? 400), source };
          const { reply } = server.receive(input, 0);
          expect(reply?.payload.length ?? 300).toBeGreaterThanOrEqual(300);
        }
      }),
      { numRuns: 500 },
    );
  });
});
