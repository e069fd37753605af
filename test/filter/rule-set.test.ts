import { beforeEach, describe, expect, it } from "vitest";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook, Hooks } from "../../src/l3/hooks.ts";
import type { Instant } from "../../src/base/time.ts";
import { Cast, type Packet, PacketPool } from "../../src/wire/packet.ts";
import { type Circumstances, deviceOf, type FrameParts, packetOf } from "./facts.ts";
import { newRuleSet } from "./stand.ts";

const SYN = Uint8Array.from([
  0x9c, 0x40, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0x20, 0, 0, 0, 0, 0,
]);
const PARTS: FrameParts = {
  src: 0x0a00_0001,
  dst: 0x0a00_0002,
  protocol: 6,
  tos: 0,
  ttl: 64,
  flagsFragment: 0,
  options: 0,
  transport: SYN,
  sourceMac: 0x0200_0000_0001,
};
const PLACE: Circumstances = {
  input: "vif1.0",
  output: "peth0",
  cast: Cast.Host,
  flowState: FlowState.New,
  mark: 0,
};

describe("A rule set on its hooks", () => {
  let pool: PacketPool;
  let hooks: Hooks;

  beforeEach(() => {
    pool = new PacketPool({ slots: 8, largeSlots: 0 });
    hooks = new Hooks();
  });

  const packet = (parts: Partial<FrameParts> = {}, place: Partial<Circumstances> = {}): Packet =>
    packetOf(pool, { ...PARTS, ...parts }, { ...PLACE, ...place });

  /** @returns the reason that it was dropped for, or `null`. */
  function pass(hook: Hook, one: Packet, now: Instant = 0): string | null {
    const before = new Map(pool.ends.entries());
    const { input, output } = one;
    const passed = hooks.pass(hook, one, input, output, now);
    if (passed !== null) pool.end(passed, "consumed", "test/passed", now);
    const ended = pool.ends.entries().find(([name, count]) => count !== (before.get(name) ?? 0));
    return ended?.[0] === "test/passed" ? null : (ended?.[0] ?? "none");
  }

  it("drops for the reason that a rule's comment gives", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command('-A FORWARD -s 10.0.0.1 -m comment --comment "for people" -j DROP');
    expect(pass(Hook.Forward, packet())).toBe("filter/dropped");
    rules.command('-I FORWARD -m comment --comment "anti-spoof/source-address" -j DROP');
    expect(pass(Hook.Forward, packet())).toBe("anti-spoof/source-address");
    rules.command("-R FORWARD 1 -m comment --comment sg/no-port -j REJECT");
    expect(pass(Hook.Forward, packet())).toBe("sg/no-port");
    rules.command("-F FORWARD");
    rules.command("-P FORWARD DROP");
    expect(pass(Hook.Forward, packet())).toBe("filter/policy");
    expect(pass(Hook.Input, packet())).toBeNull();
  });

  it("says table, chain, number and text of what dropped, but only while someone listens", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.restore(
      "*filter\n:own - [0:0]\n-A own -p tcp --dport 80 -j DROP\n-A FORWARD -j own\nCOMMIT\n",
    );
    const steps: string[] = [];
    const observer = {
      received: () => undefined,
      transmitted: () => undefined,
      ended: () => undefined,
      step: (_packet: Packet, place: string, what: string) => void steps.push(`${place}: ${what}`),
    };
    pool.observe(observer, false);
    pass(Hook.Forward, packet());
    expect(steps).toEqual([]);
    pool.observe(observer, true);
    pass(Hook.Forward, packet());
    pass(Hook.Forward, packet({ transport: SYN.slice(0, 19) }));
    rules.command("-F");
    rules.command("-P FORWARD DROP");
    pass(Hook.Forward, packet());
    const rule = "table filter, chain own, rule 1: -A own -p tcp -m tcp --dport 80 -j DROP";
    expect(steps).toEqual([
      `FORWARD: ${rule}`,
      `FORWARD: ${rule}: the header is cut short`,
      "FORWARD: table filter, chain FORWARD: policy DROP",
    ]);
  });

  it("asks raw, then mangle, then filter", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command("-w 5 -t filter -A OUTPUT -m mark --mark 3 -j DROP");
    rules.command("-t raw --wait -A OUTPUT -j MARK --or-mark 1");
    rules.command("-t mangle -A OUTPUT -m mark --mark 1 -j MARK --or-mark 2");
    expect(pass(Hook.Output, packet())).toBe("filter/dropped");
  });

  it("hangs on its hooks only while it is attached, and only with tables that there are", () => {
    const { rules } = newRuleSet();
    rules.command("-P FORWARD DROP");
    expect(pass(Hook.Forward, packet())).toBeNull();
    rules.attach(hooks);
    rules.attach(hooks);
    expect(pass(Hook.Forward, packet())).toBe("filter/policy");
    expect(rules.table("filter").chains[1]?.end.packets).toBe(1);
    rules.detach();
    expect(pass(Hook.Forward, packet())).toBeNull();
  });

  it("asks for fragments and devices before it looks at ports", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command("-A FORWARD -f -p tcp --dport 80 -j DROP");
    rules.command("-A FORWARD ! -i vif+ -p tcp --dport 80 -j DROP");
    const short = { transport: SYN.slice(0, 10) };
    expect(pass(Hook.Forward, packet(short))).toBeNull();
    rules.command("-A FORWARD -i vif1.0 -p tcp --dport 81 -j DROP");
    expect(pass(Hook.Forward, packet(short))).toBe("filter/malformed");
  });

  it("sends the packet of a goto back to where the jump before it stands", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.restore(
      [
        ...["*filter", ":FORWARD DROP [0:0]", ":a - [0:0]", ":b - [0:0]"],
        ...["-A FORWARD -j a", "-A FORWARD -m mark --mark 1 -j ACCEPT", "-A FORWARD -g b"],
        ...["-A FORWARD -j ACCEPT", "-A a -g b", "-A a -j ACCEPT"],
        ...["-A b -m mark --mark 9 -j MARK --set-mark 1", "COMMIT", ""],
      ].join("\n"),
    );
    expect(pass(Hook.Forward, packet({}, { mark: 9 }))).toBeNull();
    expect(pass(Hook.Forward, packet())).toBe("filter/policy");
  });

  it("knows whether connection tracking is needed", () => {
    const { rules } = newRuleSet();
    rules.command("-A INPUT -j DROP");
    expect(rules.usesConntrack).toBe(false);
    rules.command("-A INPUT -m state --state NEW");
    expect(rules.usesConntrack).toBe(true);
    rules.command("-F");
    expect(rules.usesConntrack).toBe(false);
    rules.table("nat");
    expect(rules.usesConntrack).toBe(false);
    rules.command("-t nat -A PREROUTING -j DNAT --to-destination 10.0.0.1");
    expect(rules.usesConntrack).toBe(true);
  });

  it("lets whoever rejects send a packet through the same chain", () => {
    const { rules } = newRuleSet({
      rejecter: {
        reject(_offender, how) {
          const answer = packet({ protocol: 1, transport: new Uint8Array(8) });
          expect([how, pass(Hook.Output, answer)]).toEqual(["icmp-host-prohibited", null]);
        },
      },
    });
    rules.attach(hooks);
    rules.restore(
      [
        ...["*filter", ":own - [0:0]", "-A OUTPUT -p icmp -j own", "-A OUTPUT -j own"],
        ...["-A own -p tcp -j REJECT --reject-with icmp-host-prohibited", "COMMIT", ""],
      ].join("\n"),
    );
    expect(pass(Hook.Output, packet())).toBe("filter/rejected");
    expect(rules.table("filter").list("OUTPUT")).toMatchObject([{ packets: 1 }, { packets: 2 }]);
  });

  it("logs with level and prefix, and goes on", () => {
    const { rules, heard } = newRuleSet();
    rules.attach(hooks);
    rules.command('-A FORWARD -p tcp -j LOG --log-level debug --log-prefix "new: "');
    expect(pass(Hook.Forward, packet())).toBeNull();
    expect(heard.logged).toEqual([
      {
        level: 7,
        line:
          "new: IN=vif1.0 OUT=peth0 MAC=02:00:00:00:01:00:02:00:00:00:00:01:08:00 " +
          "SRC=10.0.0.1 DST=10.0.0.2 LEN=40 TOS=0x00 PREC=0x00 TTL=64 ID=4660 PROTO=TCP " +
          "SPT=40000 DPT=80 WINDOW=8192 RES=0x00 SYN URGP=0 ",
      },
    ]);
    const { rules: silent } = newRuleSet({ log: null });
    silent.attach(new Hooks());
    silent.command("-A FORWARD -j LOG");
    expect(silent.save()).toContain("-A FORWARD -j LOG");
  });

  it("judges states by what conntrack says, and knows an unseen packet as invalid", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command("-A FORWARD -m state --state INVALID -j DROP");
    rules.command("-A FORWARD -m conntrack ! --ctstate RELATED,ESTABLISHED -j REJECT");
    const reasonFor = (flowState: number): string | null =>
      pass(Hook.Forward, packet({}, { flowState }));
    expect(reasonFor(FlowState.None)).toBe("filter/dropped");
    expect(reasonFor(FlowState.Invalid)).toBe("filter/dropped");
    expect(reasonFor(FlowState.New)).toBe("filter/rejected");
    expect(reasonFor(FlowState.Untracked)).toBe("filter/rejected");
    expect(reasonFor(FlowState.EstablishedReply)).toBeNull();
    expect(reasonFor(FlowState.Related)).toBeNull();
  });

  it("compares marks of 32 bits under a mask", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command("-A FORWARD -m mark --mark 0x80000000/0xf0000000 -j DROP");
    rules.command("-A FORWARD -m mark ! --mark 0x1/0x1 -j REJECT");
    const reasonFor = (mark: number): string | null => pass(Hook.Forward, packet({}, { mark }));
    expect(reasonFor(0x8000_0001)).toBe("filter/dropped");
    expect(reasonFor(0x9000_0001)).toBeNull();
    expect(reasonFor(0x9000_0000)).toBe("filter/rejected");
  });

  it("asks what addresses are, of one device or of all", () => {
    const asked: string[] = [];
    const { rules } = newRuleSet({
      addressTypes: {
        typeOf(address, device) {
          asked.push(device?.name ?? "all");
          return address === PARTS.src ? 2 : 1;
        },
      },
    });
    rules.attach(hooks);
    rules.command("-A FORWARD -m addrtype --src-type LOCAL ! --dst-type LOCAL -j DROP");
    rules.command("-I FORWARD -m addrtype --dst-type LOCAL --limit-iface-in -j DROP");
    rules.command("-I FORWARD -m addrtype --dst-type LOCAL --limit-iface-out -j DROP");
    expect(pass(Hook.Forward, packet())).toBe("filter/dropped");
    expect(asked).toEqual(["peth0", "vif1.0", "all", "all"]);
  });

  it("sees no Ethernet address of packets that this host made", () => {
    const { rules } = newRuleSet();
    rules.attach(hooks);
    rules.command("-A FORWARD -m mac ! --mac-source 00:00:00:00:00:01 -j DROP");
    expect(pass(Hook.Forward, packet())).toBe("filter/dropped");
    expect(pass(Hook.Forward, packet({}, { input: null }))).toBeNull();
    const bare = packet();
    bare.frame = bare.network;
    bare.input = deviceOf("vif1.0");
    expect(pass(Hook.Forward, bare)).toBeNull();
  });
});
