import { describe, expect, it } from "vitest";
import { FlowState } from "../../../src/l3/flow-state.ts";
import { Hook, Hooks } from "../../../src/l3/hooks.ts";
import { Protocol } from "../../../src/l3/ipv4.ts";
import { Cast, type Packet, PacketPool } from "../../../src/wire/packet.ts";
import { RuleError } from "../../../src/filter/errors.ts";
import { RuleSet } from "../../../src/filter/rule-set.ts";
import { deviceOf, type FrameParts, packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const PARTS: FrameParts = {
  ...{ src: 0x0a00_0001, dst: 0x0a00_0002, protocol: Protocol.Udp, tos: 0, ttl: 64 },
  ...{ flagsFragment: 0, options: 0, sourceMac: 0x0200_0000_0001 },
  transport: Uint8Array.of(0, 53, 0, 80, 0, 12, 0, 0, 1, 2, 3, 4),
};
const PLACE = { input: "vif1.0", output: null, cast: Cast.Host, mark: 0 };

/** Send one packet through the raw table, and follow it. */
function pass(
  text: string,
  flowState: number = FlowState.None,
): {
  packet: Packet | null;
  steps: string[];
  heard: ReturnType<typeof newRuleSet>["heard"];
} {
  const { rules, heard } = newRuleSet();
  rules.restore(`*raw\n${text}\nCOMMIT\n`);
  const hooks = new Hooks();
  rules.attach(hooks);
  const pool = new PacketPool({ slots: 1, largeSlots: 0 });
  const steps: string[] = [];
  const nothing = (): void => undefined;
  pool.observe(
    {
      ...{ received: nothing, transmitted: nothing, ended: nothing },
      step: (_packet, place, what) => void steps.push(`${place} ${what}`),
    },
    true,
  );
  const sent = packetOf(pool, PARTS, { ...PLACE, flowState });
  const packet = hooks.pass(Hook.Prerouting, sent, deviceOf("vif1.0"), null, 0);
  return { packet, steps, heard };
}

describe("TRACE", () => {
  it("makes every rule that the packet meets a step, and a line of the kernel's log", () => {
    const { steps, heard } = pass(
      [
        ":own - [0:0]",
        "-A PREROUTING -j TRACE",
        "-A PREROUTING -p tcp -j DROP",
        "-A PREROUTING -p udp -j own",
        "-A own -s 10.0.0.1",
      ].join("\n"),
    );
    expect(steps).toEqual([
      "PREROUTING TRACE: raw:PREROUTING:rule:3 -p udp -j own",
      "PREROUTING TRACE: raw:own:rule:1 -s 10.0.0.1/32",
      "PREROUTING TRACE: raw:own:return:2",
      "PREROUTING TRACE: raw:PREROUTING:policy:4 ACCEPT",
    ]);
    expect(heard.logged).toHaveLength(4);
    expect(heard.logged[0]?.level).toBe(4);
    const line = heard.logged[0]?.line ?? "";
    expect(line).toMatch(/^TRACE: raw:PREROUTING:rule:3 IN=vif1\.0 OUT= MAC=.* SRC=10\.0\.0\.1 /);
    expect(line).toMatch(/ PROTO=UDP SPT=53 DPT=80 LEN=12 $/);
  });

  it("calls a rule that always decides the end of its chain, as the kernel does", () => {
    const { steps } = pass("-A PREROUTING -j TRACE\n-A PREROUTING -j ACCEPT");
    expect(steps[0]).toBe("PREROUTING TRACE: raw:PREROUTING:policy:2 -j ACCEPT");
    expect(steps[1]).toContain("table raw, chain PREROUTING, rule 2: -A PREROUTING -j ACCEPT");
    expect(steps).toHaveLength(2);
  });
});

describe("NOTRACK and CT --notrack", () => {
  it.each(["NOTRACK", "CT --notrack"])("keep connection tracking from looking: %s", (target) => {
    const { packet } = pass(`-A PREROUTING -j ${target}`);
    expect(packet?.flowState).toBe(FlowState.Untracked);
  });

  it("leave a packet alone that has a state: an answer of this host", () => {
    const { packet } = pass("-A PREROUTING -j NOTRACK", FlowState.RelatedReply);
    expect(packet?.flowState).toBe(FlowState.RelatedReply);
  });
});

describe("NFLOG", () => {
  it("hands on as many octets as it says, at most the packet's", () => {
    const { heard } = pass(
      [
        "-A PREROUTING -j NFLOG",
        '-A PREROUTING -j NFLOG --nflog-group 3 --nflog-prefix "to see" --nflog-size 28',
        "-A PREROUTING -j NFLOG --nflog-size 100 --nflog-threshold 9",
      ].join("\n"),
    );
    expect(heard.copied).toEqual([
      { group: 0, prefix: "", threshold: 0, octets: 32 },
      { group: 3, prefix: "to see", threshold: 0, octets: 28 },
      { group: 0, prefix: "", threshold: 9, octets: 32 },
    ]);
  });

  it("is refused where nobody takes copies", () => {
    const rules = new RuleSet();
    expect(() => rules.command("-A INPUT -j NFLOG")).toThrow(RuleError);
  });
});
