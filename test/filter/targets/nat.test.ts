import { describe, expect, it } from "vitest";
import { Hook } from "../../../src/l3/hooks.ts";
import type { NatRange } from "../../../src/wire/nat-range.ts";
import { parseIpv4 } from "../../../src/wire/addr.ts";
import { Cast, PacketPool } from "../../../src/wire/packet.ts";
import { type Circumstances, deviceOf, type FrameParts, packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const peth0 = deviceOf("peth0");

const PARTS: FrameParts = {
  src: parseIpv4("10.254.170.223"),
  dst: parseIpv4("93.184.216.34"),
  protocol: 17,
  tos: 0,
  ttl: 64,
  flagsFragment: 0,
  options: 0,
  transport: Uint8Array.from([0x30, 0x39, 0, 53, 0, 8, 0, 0]),
  sourceMac: 1,
};
const PLACE: Circumstances = {
  input: "vif1.0",
  output: "peth0",
  cast: Cast.Host,
  flowState: 3,
  mark: 0,
};

interface Asked {
  readonly range: NatRange | null | "drop";
  readonly reason: string;
  readonly detail: string;
}

/** What the nat table with one more rule asks of translation. */
function select(rule: string, hook: Hook, place: Partial<Circumstances> = {}): Asked {
  const { rules } = newRuleSet();
  rules.command("-t nat -N own");
  rules.command(`-t nat ${rule}`);
  const pool = new PacketPool({ slots: 1, largeSlots: 0 });
  pool.isTracing = true;
  const packet = packetOf(pool, PARTS, { ...PLACE, ...place });
  const context = {
    ...{ hook, packet, now: 0, reason: "test/none" as const, detail: "" },
    input: deviceOf(packet.input?.name ?? null),
    output: deviceOf(packet.output?.name ?? null),
  };
  const range = rules.selectNat(packet, context);
  return { range, reason: context.reason, detail: context.detail };
}

const range = (parts: Partial<NatRange> & Pick<NatRange, "side">): NatRange => ({
  addresses: null,
  ports: null,
  isRandom: false,
  isPersistent: false,
  ...parts,
});
const address = (lower: string, upper = lower): NatRange["addresses"] => ({
  lower: parseIpv4(lower),
  upper: parseIpv4(upper),
});

describe("The nat table", () => {
  it.each<[string, Hook, NatRange | null]>([
    [
      "-A POSTROUTING -s 10.254.170.223 -o peth0 -j SNAT --to-source 75.101.160.7",
      Hook.Postrouting,
      range({ side: "source", addresses: address("75.101.160.7") }),
    ],
    [
      "-A POSTROUTING -p udp -j SNAT --to 1.1.1.1-1.1.1.9:1024-2047 --random --persistent",
      Hook.Postrouting,
      range({
        side: "source",
        addresses: address("1.1.1.1", "1.1.1.9"),
        ports: { lower: 1024, upper: 2047 },
        isRandom: true,
        isPersistent: true,
      }),
    ],
    [
      "-A INPUT -j SNAT --to 1.1.1.1 --random-fully",
      Hook.Input,
      range({ side: "source", addresses: address("1.1.1.1"), isRandom: true }),
    ],
    [
      "-A PREROUTING -p udp --dport 53 -j DNAT --to 10.0.0.53",
      Hook.Prerouting,
      range({ side: "destination", addresses: address("10.0.0.53") }),
    ],
    [
      "-A OUTPUT -p udp -j DNAT --to :5353",
      Hook.Output,
      range({ side: "destination", ports: { lower: 5353, upper: 5353 } }),
    ],
    [
      "-A POSTROUTING -p udp -o peth0 -j MASQUERADE --to-ports 100-200",
      Hook.Postrouting,
      {
        ...range({
          side: "source",
          addresses: address("216.182.232.10"),
          ports: { lower: 100, upper: 200 },
        }),
        ...(peth0 === null ? {} : { device: peth0 }),
      },
    ],
    [
      "-A PREROUTING -p udp -j REDIRECT --to-ports 5353",
      Hook.Prerouting,
      range({
        side: "destination",
        addresses: address("10.254.168.2"),
        ports: { lower: 5353, upper: 5353 },
      }),
    ],
    [
      "-A OUTPUT -j REDIRECT --random",
      Hook.Output,
      range({ side: "destination", addresses: address("127.0.0.1"), isRandom: true }),
    ],
    [
      "-A PREROUTING -j NETMAP --to 172.16.0.0/12",
      Hook.Prerouting,
      range({ side: "destination", addresses: address("172.24.216.34") }),
    ],
    [
      "-A POSTROUTING -j NETMAP --to 172.16.0.0/16",
      Hook.Postrouting,
      range({ side: "source", addresses: address("172.16.170.223") }),
    ],
    ["-A POSTROUTING -j ACCEPT", Hook.Postrouting, null],
    ["-A POSTROUTING -j SNAT --to 1.1.1.1", Hook.Prerouting, null],
    ["-A PREROUTING -s 1.1.1.1 -j DNAT --to 1.1.1.1", Hook.Prerouting, null],
    ["-A PREROUTING -j DNAT --to 1.1.1.1", Hook.Forward, null],
  ])("asks translation what its rules say: %s", (rule, hook, expected) => {
    expect(select(rule, hook).range).toEqual(expected);
  });

  it("drops where there is no address to translate to", () => {
    const lost = select("-A POSTROUTING -j MASQUERADE", Hook.Postrouting, { output: "vif2.0" });
    expect(lost).toEqual({
      range: "drop",
      reason: "filter/no-address",
      detail: "table nat, chain POSTROUTING, rule 1: -A POSTROUTING -j MASQUERADE",
    });
    const astray = select("-A PREROUTING -j REDIRECT", Hook.Prerouting, { input: "vif2.0" });
    expect(astray.reason).toBe("filter/no-address");
    const nowhere = select("-A POSTROUTING -j MASQUERADE", Hook.Postrouting, { output: null });
    expect(nowhere.range).toBe("drop");
  });

  it("drops malformed packets, and those that its policy forbids", () => {
    const { rules } = newRuleSet();
    rules.restore(
      "*nat\n:PREROUTING DROP [0:0]\n-A PREROUTING -p udp --dport 1 -j ACCEPT\nCOMMIT\n",
    );
    const pool = new PacketPool({ slots: 2, largeSlots: 0 });
    const context = { hook: Hook.Prerouting, input: null, output: null, now: 0, detail: "" };
    const reasons = [PARTS, { ...PARTS, transport: new Uint8Array(7) }].map((parts) => {
      const packet = packetOf(pool, parts, PLACE);
      const here = { ...context, packet, reason: "test/none" as const };
      return [rules.selectNat(packet, here), here.reason];
    });
    expect(reasons).toEqual([
      ["drop", "filter/policy"],
      ["drop", "filter/malformed"],
    ]);
  });

  it("asks nothing if it does not exist", () => {
    const { rules } = newRuleSet();
    const packet = packetOf(new PacketPool({ slots: 1, largeSlots: 0 }), PARTS, PLACE);
    const context = { hook: Hook.Prerouting, packet, input: null, output: null, now: 0 };
    expect(rules.selectNat(packet, { ...context, reason: "test/none", detail: "" })).toBeNull();
  });

  it.each(["MASQUERADE", "REDIRECT"])("refuses %s where nobody knows own addresses", (target) => {
    const { rules } = newRuleSet({ interfaceAddresses: null });
    const chain = target === "MASQUERADE" ? "POSTROUTING" : "PREROUTING";
    expect(() => rules.command(`-t nat -A ${chain} -j ${target}`)).toThrow("addresses of devices");
  });
});
