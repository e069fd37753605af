import { describe, expect, it } from "vitest";
import { Jiffies } from "../../../src/base/jiffies.ts";
import { SECOND } from "../../../src/base/time.ts";
import { type Connections, ConnectionStatus, Existence } from "../../../src/l3/connections.ts";
import { Hook, type HookContext } from "../../../src/l3/hooks.ts";
import { RuleError } from "../../../src/filter/errors.ts";
import { RuleSet } from "../../../src/filter/rule-set.ts";
import { Cast, PacketPool } from "../../../src/wire/packet.ts";
import { packetOf } from "../facts.ts";
import { newRuleSet } from "../stand.ts";

const PARTS = {
  ...{ src: 0x0a00_0001, dst: 2, protocol: 17, tos: 0, ttl: 64, flagsFragment: 0, options: 0 },
  ...{ transport: new Uint8Array(8), sourceMac: 0 },
};
const PLACE = { input: "vif1.0", output: null, cast: Cast.Host, flowState: 3, mark: 0 };

const PASSED = "test/passed";
const OVER = "filter/dropped";
const HOT = "filter/malformed";

/** Connections by number, which is their source port; what is to be known of them is set. */
class Flows implements Connections {
  readonly limit = 100;
  readonly status = new Map<number, number>();
  readonly existences = new Map<number, Existence>();

  read = (): boolean => false;
  identify: Connections["identify"] = ({ flow }, _now, facts) => {
    facts.status = this.status.get(flow) ?? ConnectionStatus.Confirmed;
    facts.original.sourcePort = flow;
    return flow >= 0;
  };
  markOf = (): number => -1;
  setMark = (): void => undefined;
  existence: Connections["existence"] = ({ sourcePort }) =>
    this.existences.get(sourcePort) ?? Existence.Open;
}

/** Sends packets of connections of one host through a rule that matches more than two. */
function limiter(mask = 32) {
  const flows = new Flows();
  const { rules } = newRuleSet({ connections: flows, jiffies: new Jiffies() });
  const test = `-m connlimit --connlimit-above 2 --connlimit-mask ${mask}`;
  rules.command(`-A INPUT ${test} -j DROP`);
  const pool = new PacketPool({ slots: 1, largeSlots: 0 });
  return {
    flows,
    /** Why a packet at a time in seconds was dropped, if it was. */
    end(flow: number, second: number, src = PARTS.src): string {
      const packet = packetOf(pool, { ...PARTS, src }, PLACE);
      packet.flow = flow;
      const context = { hook: Hook.Input, packet, input: null, output: null, detail: "" };
      const heard: HookContext = { ...context, now: second * SECOND, reason: PASSED };
      rules.table("filter").onHook(packet, heard);
      pool.end(packet, "consumed", "test/asked", 0);
      return heard.reason;
    },
  };
}

describe("-m connlimit", () => {
  it("counts each connection once, however many packets it has", () => {
    const { end } = limiter();
    const seen = [1, 1, 2, 1, 2, 3, 1].map((flow, second) => end(flow, second));
    expect(seen).toEqual([...Array<string>(5).fill(PASSED), OVER, OVER]);
  });

  it("forgets what is closed or gone", () => {
    const { end, flows } = limiter();
    for (const flow of [1, 2]) end(flow, flow);
    expect(end(3, 3)).toBe(OVER);
    flows.existences.set(1, Existence.Closed);
    expect(end(3, 4)).toBe(PASSED);
    flows.existences.set(2, Existence.None);
    expect(end(4, 5)).toBe(PASSED);
    expect(end(5, 6)).toBe(OVER);
  });

  it("looks at what is left at each packet of a confirmed connection, up to its own", () => {
    const { end, flows } = limiter();
    for (const flow of [1, 2, 3]) end(flow, 1);
    flows.existences.set(3, Existence.Closed);
    expect(end(2, 2)).toBe(OVER);
    flows.existences.set(1, Existence.Closed);
    expect(end(2, 2)).toBe(PASSED);
  });

  it("counts first packets of one tick without a look, even twice", () => {
    const { end, flows } = limiter();
    flows.status.set(7, 0).set(8, 0);
    flows.existences.set(7, Existence.None).set(8, Existence.None);
    expect([end(7, 1), end(7, 1.001), end(8, 1.002)]).toEqual([PASSED, PASSED, OVER]);
    expect(end(8, 1.004)).toBe(PASSED);
  });

  it("keeps both of what came twice if one was let through", () => {
    const { end, flows } = limiter();
    flows.status.set(7, 0);
    end(7, 1);
    end(7, 1);
    flows.status.delete(7);
    expect(end(8, 2)).toBe(OVER);
  });

  it("does not list what was assured elsewhere, and looks at the others once a tick", () => {
    const { end, flows } = limiter();
    for (const flow of [1, 2]) end(flow, 1);
    flows.status.set(9, ConnectionStatus.Confirmed | ConnectionStatus.Assured);
    expect(end(9, 2)).toBe(PASSED);
    expect(end(3, 2)).toBe(OVER);
    flows.existences.set(1, Existence.Closed);
    expect(end(9, 2)).toBe(OVER);
    expect(end(9, 2.004)).toBe(PASSED);
  });

  it("drops what is assured where no connection is left", () => {
    const { end, flows } = limiter();
    end(1, 1);
    flows.existences.set(1, Existence.Closed);
    flows.status.set(1, ConnectionStatus.Confirmed | ConnectionStatus.Assured);
    expect([end(1, 2), end(1, 3)]).toEqual([HOT, HOT]);
    expect(end(2, 4)).toBe(PASSED);
    flows.status.set(3, ConnectionStatus.Confirmed | ConnectionStatus.Assured);
    expect(end(3, 4, 0x0a00_0002)).toBe(PASSED);
  });

  it("takes out at most 65 gone connections at a time", () => {
    const { end, flows } = limiter(0);
    const all = Array.from({ length: 68 }, (_, at) => at);
    for (const flow of all) end(flow, 1);
    for (const flow of all) flows.existences.set(flow, Existence.None);
    expect(end(100, 2)).toBe(OVER);
    expect(end(101, 3)).toBe(PASSED);
  });

  it("looks again within a tick once 64 have come", () => {
    const { end, flows } = limiter(0);
    end(0, 1);
    const all = Array.from({ length: 64 }, (_, at) => 1 + at);
    for (const flow of all) flows.status.set(flow, 0);
    for (const flow of all) flows.existences.set(flow, Existence.None);
    const seen = all.map((flow) => end(flow, 1));
    expect(seen.flatMap((reason, at) => (reason === PASSED ? [at] : []))).toEqual([0, 63]);
  });

  // The two that docs/deviations.md tells of; a kernel may do otherwise.
  it("keeps an address without connections, whoever else comes, while it lists little", () => {
    const { end, flows } = limiter();
    flows.existences.set(1, Existence.None);
    end(1, 1);
    flows.status.set(1, ConnectionStatus.Confirmed | ConnectionStatus.Assured);
    for (let other = 2; other < 90; other += 1) {
      end(other, other, other);
      expect(end(1, other)).toBe(HOT);
    }
  });

  it("has one processor: what never became a connection is not counted a tick later", () => {
    const { end, flows } = limiter();
    for (const flow of [7, 8]) flows.existences.set(flow, Existence.None);
    for (const flow of [7, 8]) flows.status.set(flow, 0);
    expect([end(7, 1), end(8, 1)]).toEqual([PASSED, PASSED]);
    expect([end(1, 1.004), end(2, 1.004)]).toEqual([PASSED, PASSED]);
    expect(end(3, 1.004)).toBe(OVER);
  });

  it("forgets the addresses of gone connections when it lists too much", () => {
    const { end, flows } = limiter();
    for (let at = 0; at < 1000; at += 1) {
      flows.existences.set(at, Existence.None);
      end(at, at, at);
    }
    flows.status.set(5, ConnectionStatus.Confirmed | ConnectionStatus.Assured);
    // The kernel would still have an empty list, and take that for a lack of memory.
    expect(end(5, 1001, 5)).toBe(PASSED);
  });

  it("is refused where nobody knows connections", () => {
    const rules = new RuleSet();
    for (const words of [
      "-A INPUT -m connlimit --connlimit-upto 1",
      "-A INPUT -m connmark --mark 1",
      "-A INPUT -m conntrack --ctdir REPLY",
      "-A INPUT -j CONNMARK --set-mark 1",
    ]) {
      expect(() => rules.command(words)).toThrow(RuleError);
    }
    rules.command("-A INPUT -m conntrack --ctstate NEW");
  });
});
