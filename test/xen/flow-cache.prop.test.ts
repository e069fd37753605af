import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { EC2_2010, LINUX, type Profile } from "../../src/xen/profile.ts";
import { FABRIC, FlowBench, frameOf, GUESTS, type Parts, type Talk } from "./flow-bench.ts";

const talk: fc.Arbitrary<Talk> = fc.record({
  guest: fc.nat(1),
  peer: fc.constantFrom(0, 0, 1, 2),
  protocol: fc.constantFrom(Protocol.Udp, Protocol.Udp, Protocol.Tcp),
  port: fc.constantFrom(40_000, 40_001),
});
/** Many talks between the same ends: their first frames take one way. */
const ports = fc.uniqueArray(fc.integer({ min: 39_995, max: 40_012 }), {
  minLength: 1,
  maxLength: 12,
});
const parts: fc.Arbitrary<Parts> = fc.record({
  isBack: fc.boolean(),
  flags: fc.constantFrom(
    ...[TcpFlag.Syn, TcpFlag.Syn | TcpFlag.Ack, TcpFlag.Ack, TcpFlag.Ack, TcpFlag.Ack],
    ...[TcpFlag.Ack | TcpFlag.Psh, TcpFlag.Fin | TcpFlag.Ack, TcpFlag.Rst],
  ),
  seq: fc.constantFrom(1, 2, 2, 3, 90_000),
  size: fc.constantFrom(0, 1, 22, 300, 1480),
  ttl: fc.constantFrom(64, 64, 64, 2, 1),
  tos: fc.constantFrom(0, 0, 16),
  fault: fc.constantFrom(
    ...["", "", "", "", "", "", "", "", "", "", "", "", "mac", "source"],
    ...["fragment", "checksum", "header", "padding", "zero"],
  ),
});

const RULES = [
  "-t mangle -A FORWARD -p udp -m length --length 100:400 -j DROP",
  "-t mangle -A FORWARD -m ttl --ttl-lt 3",
  "-t raw -A PREROUTING -p udp -m udp --sport 40000",
  "-I FORWARD -p udp -m limit --limit 1/s --limit-burst 2 -j ACCEPT",
  "-t mangle -A PREROUTING -p udp -m tos --tos 0x10 -j MARK --set-mark 1",
  "-I FORWARD -m mark --mark 1 -j DROP",
  "-I FORWARD -p tcp -m tcp --tcp-flags SYN SYN -j ACCEPT",
  "-I FORWARD -m mac --mac-source 12:31:39:00:A5:12 -j DROP",
  "-t nat -A POSTROUTING -o peth0 -p udp -j SNAT --to-source 216.182.232.10",
  "-I FORWARD -m conntrack --ctstate NEW -j ACCEPT",
  ...["-s", "-d"].map(
    (side) => `-I FORWARD ${side} 10.254.170.223 -p udp -m udp --sport 40003 -j DROP`,
  ),
  "-I FORWARD -p udp -m udp ! --sport 40000:40005 -j ACCEPT",
  "-I FORWARD -p udp -m multiport --dports 40001,40003:40008 -j DROP",
  "-I FORWARD -p udp -m multiport --ports 7,40002 -j ACCEPT",
  "-t mangle -A FORWARD -p udp -m mac --mac-source 12:31:39:00:A5:11 -m udp --dport 7:9",
  "-t mangle -A POSTROUTING -m conntrack --ctorigdstport 40004 -j DROP",
  "-t mangle -A FORWARD -m conntrack --ctstate DNAT",
  "-t raw -A PREROUTING -p udp -m udp --sport 40006:40007 -j NOTRACK",
  "-t nat -I POSTROUTING -o peth0 -p udp -j SNAT --to-source 216.182.232.10:3000-3004",
  "-t nat -I POSTROUTING -o peth0 -p udp -j SNAT --to-source 216.182.232.10:3000-3040 --random",
  "-t nat -I POSTROUTING -o peth0 -p udp -m udp --sport 40002 -j SNAT --to-source 75.101.160.8",
  "-t nat -I POSTROUTING -o peth0 -p tcp -j MASQUERADE",
  "-t nat -I PREROUTING -p udp -m udp --dport 7 -j DNAT --to-destination 93.184.216.35:9",
  "-t nat -I PREROUTING -p udp -j DNAT --to-destination 93.184.216.35-93.184.216.38",
  "-t nat -I PREROUTING -p udp -m udp --dport 40000:40006 -j DNAT --to-destination :40006",
  "-t nat -F PREROUTING",
  "-t nat -F POSTROUTING",
  "-F FORWARD",
  "-Z FORWARD",
  "-P FORWARD DROP",
  "-P FORWARD ACCEPT",
];

type Step =
  | {
      readonly kind: "frames";
      readonly talk: Talk;
      readonly isBurst: boolean;
      readonly all: readonly Parts[];
    }
  | {
      readonly kind: "openings";
      readonly talk: Talk;
      readonly isBurst: boolean;
      readonly one: Parts;
      readonly ports: readonly number[];
    }
  | {
      readonly kind: "mixed";
      readonly talk: Talk;
      readonly isAnswered: boolean;
      readonly all: readonly (readonly [port: number, one: Parts])[];
    }
  | { readonly kind: "wait"; readonly duration: number }
  | { readonly kind: "rule"; readonly isGateway: boolean; readonly rule: string }
  | { readonly kind: "move"; readonly guest: number }
  | { readonly kind: "forget" }
  | { readonly kind: "watch"; readonly isWatched: boolean }
  | { readonly kind: "delete"; readonly isGateway: boolean; readonly place: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("frames" as const),
      talk,
      isBurst: fc.boolean(),
      all: fc
        .array(fc.tuple(parts, fc.integer({ min: 1, max: 5 })), { minLength: 1, maxLength: 4 })
        .map((each) => each.flatMap(([one, times]) => Array.from({ length: times }, () => one))),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("openings" as const),
      talk,
      isBurst: fc.boolean(),
      one: parts,
      ports,
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("mixed" as const),
      talk,
      isAnswered: fc.boolean(),
      all: fc
        .array(
          fc.tuple(fc.integer({ min: 40_000, max: 40_005 }), parts, fc.integer({ min: 1, max: 4 })),
          {
            minLength: 2,
            maxLength: 12,
          },
        )
        .map((each) =>
          each.flatMap(([port, one, times]) =>
            Array.from({ length: times }, (): [number, Parts] => [port, one]),
          ),
        ),
    }),
  },
  fc.record({
    kind: fc.constant("wait" as const),
    duration: fc.constantFrom(1, 3 * SECOND, 29 * SECOND, 40 * SECOND, 200 * SECOND),
  }),
  fc.record({
    kind: fc.constant("rule" as const),
    isGateway: fc.boolean(),
    rule: fc.constantFrom(...RULES),
  }),
  fc.record({ kind: fc.constant("move" as const), guest: fc.nat(1) }),
  fc.record({ kind: fc.constant("forget" as const) }),
  fc.record({
    kind: fc.constant("watch" as const),
    isWatched: fc.constantFrom(true, false, false, false),
  }),
  fc.record({
    kind: fc.constant("delete" as const),
    isGateway: fc.boolean(),
    place: fc.nat(5),
  }),
);

function play(bench: FlowBench, profile: Profile, one: Step): void {
  const { dom0 } = bench;
  switch (one.kind) {
    case "frames":
      if (one.isBurst) {
        bench.receiveBurst(one.all.map((each) => frameOf(one.talk, each, profile.vifMac)));
      } else {
        for (const each of one.all) bench.receive(...frameOf(one.talk, each, profile.vifMac));
      }
      break;
    case "openings": {
      const frames = one.ports.map((port) =>
        frameOf({ ...one.talk, port }, one.one, profile.vifMac),
      );
      if (one.isBurst) bench.receiveBurst(frames);
      else for (const frame of frames) bench.receive(...frame);
      break;
    }
    case "mixed": {
      const frames = one.all.map(([port, each]) =>
        frameOf({ ...one.talk, port }, { ...each, isBack: false }, profile.vifMac),
      );
      bench.receiveBurst(frames);
      if (!one.isAnswered) break;
      for (const [port, each] of one.all) {
        bench.receive(...frameOf({ ...one.talk, port }, { ...each, isBack: true }, profile.vifMac));
      }
      bench.receiveBurst(frames);
      break;
    }
    case "wait":
      bench.wait(one.duration);
      break;
    case "rule":
      (one.isGateway ? dom0.gatewayFirewall : dom0.firewall).iptables(one.rule);
      break;
    case "move": {
      const { mac, own } = GUESTS[one.guest] ?? { mac: FABRIC, own: ipv4Of(0) };
      const moved = bench.sent.length % 2 === 0 ? FABRIC : mac;
      dom0.router.neighbors.confirm(bench.device(one.guest), own, moved, true, true, bench.now);
      break;
    }
    case "forget":
      dom0.firewall.conntrack?.flush();
      break;
    case "watch":
      bench.watch(one.isWatched);
      break;
    case "delete": {
      const { conntrack } = one.isGateway ? dom0.gatewayFirewall : dom0.firewall;
      const entry = conntrack?.entries(bench.now)[one.place];
      if (entry !== undefined) conntrack?.delete(entry.handle);
      break;
    }
  }
}

/** The same host with so small a table that connections are given up and refused. */
const crowded = (profile: Profile): Profile => {
  const { flows } = profile;
  const conntrack = { ...flows.conntrack, limit: 9, buckets: 8 };
  return { ...profile, flows: { ...flows, conntrack } };
};

/** What a slot bears that nobody has used. */
const UNTOUCHED = new FlowBench(LINUX, true).fresh();

describe.each([
  ["ec2-2010", EC2_2010],
  ["linux", LINUX],
  ["ec2-2010, crowded", crowded(EC2_2010)],
  ["linux, crowded", crowded(LINUX)],
])("the flow cache of a host like %s", (_, profile) => {
  it("leaves no trace but time", () => {
    let hits = 0;
    let openingHits = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40, size: "max" }), (steps) => {
        const benches = [new FlowBench(profile, true), new FlowBench(profile, false)];
        for (const bench of benches) for (const one of steps) play(bench, profile, one);
        const [cached, asked] = benches.map((bench) => bench.state());
        expect(cached).toEqual(asked);
        for (const bench of benches) {
          bench.watch(false);
          expect(bench.fresh()).toEqual(UNTOUCHED);
        }
        hits += benches[0]?.hits ?? 0;
        openingHits += benches[0]?.openingHits ?? 0;
        expect(benches[1]?.hits).toBe(0);
        expect(benches[1]?.openingHits).toBe(0);
      }),
      { numRuns: 80 },
    );
    expect(hits).toBeGreaterThan(1000);
    expect(openingHits).toBeGreaterThan(500);
  });
});
