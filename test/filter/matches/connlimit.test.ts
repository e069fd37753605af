import { describe, expect, it } from "vitest";
import { Jiffies } from "../../../src/base/jiffies.ts";
import { SECOND } from "../../../src/base/time.ts";
import { ConnectionStatus, type Connections } from "../../../src/l3/connections.ts";
import { Hook, Verdict } from "../../../src/l3/hooks.ts";
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

/** Connections by number; all are confirmed, and open until they are closed. */
class Flows implements Connections {
  readonly limit = 4;
  readonly closed = new Set<number>();

  read: Connections["read"] = ({ flow }, _now, facts) => {
    facts.status = ConnectionStatus.Confirmed;
    return flow >= 0;
  };
  markOf = (): number => -1;
  setMark = (): void => undefined;
  isOpen = (flow: number): boolean => flow >= 0 && !this.closed.has(flow);
}

/** Sends packets of connections of one host through a rule that drops those above two. */
function limiter(): { flows: Flows; isDropped: (flow: number, second: number) => boolean } {
  const flows = new Flows();
  const { rules } = newRuleSet({ connections: flows, jiffies: new Jiffies() });
  rules.command("-A INPUT -m connlimit --connlimit-above 2 -j DROP");
  const pool = new PacketPool({ slots: 1, largeSlots: 0 });
  return {
    flows,
    isDropped(flow, second) {
      const packet = packetOf(pool, PARTS, PLACE);
      packet.flow = flow;
      const context = { hook: Hook.Input, packet, input: null, output: null };
      const verdict = rules.table("filter").onHook(packet, {
        ...{ ...context, now: second * SECOND, reason: "test/none", detail: "" },
      });
      pool.end(packet, "consumed", "test/asked", 0);
      return verdict === Verdict.Drop;
    },
  };
}

describe("-m connlimit", () => {
  it("counts each connection once, however many packets it has", () => {
    const { isDropped } = limiter();
    const seen = [1, 1, 2, 1, 2, 3, 1].map((flow, second) => isDropped(flow, second));
    expect(seen).toEqual([false, false, false, false, false, true, true]);
  });

  it("forgets a connection once it is closed", () => {
    const { isDropped, flows } = limiter();
    for (const flow of [1, 2]) isDropped(flow, flow);
    expect(isDropped(3, 3)).toBe(true);
    flows.closed.add(1);
    expect(isDropped(3, 4)).toBe(false);
  });

  it("counts a packet of no connection until the next look", () => {
    const { isDropped } = limiter();
    isDropped(1, 1);
    isDropped(2, 2);
    expect(isDropped(-1, 3)).toBe(true);
    expect(isDropped(2, 4)).toBe(true);
    expect(isDropped(5, 5)).toBe(true);
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
