import { describe, expect, it } from "vitest";
import { ProbeTable, type TracerouteAnswer } from "../../src/guest/traceroute-probe.ts";
import { UdpProbing } from "../../src/guest/traceroute-udp.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const PATIENCE = { wait: 5 * SECOND, here: 3, near: 10 };

/** An answer from host `who`, whose packet came in with `ttl`; marked if it ends the way. */
const answerOf = (who: number, ttl: number, mark = ""): TracerouteAnswer => ({
  address: ipv4Of(who),
  rtt: 1000,
  ttl,
  type: mark === "" ? 11 : 3,
  code: mark === "" ? 0 : 1,
  mark,
});

type Slot = TracerouteAnswer | "final" | "lost" | "open" | "unsent";

/** A table of sent probes in these states; "final" is the end without a mark. */
function tableOf(perHop: number, slots: readonly Slot[]): ProbeTable {
  const table = new ProbeTable(Math.ceil(slots.length / perHop), perHop, PATIENCE);
  slots.forEach((slot, index) => {
    const probe = table.probes[index];
    if (probe === undefined || slot === "unsent") return;
    probe.sentAt = 0;
    probe.isDone = slot !== "open";
    if (slot === "final") {
      probe.answer = { ...answerOf(99, 60), type: 0 };
      probe.isFinal = true;
    } else if (typeof slot !== "string") {
      probe.answer = slot;
      probe.isFinal = slot.mark !== "";
    }
  });
  return table;
}

/** Where the marked answer stands after probe `index` was given up. */
function settled(perHop: number, index: number, slots: readonly Slot[]): number {
  const table = tableOf(perHop, slots);
  table.settle(index);
  return table.probes.findIndex(({ answer }) => answer !== null && answer.mark !== "");
}

describe("a late error", () => {
  const near = answerOf(1, 64);
  const error = answerOf(1, 64, "!H");

  it("moves to the lost probe if who sent it answered before", () => {
    expect(settled(1, 1, [near, "lost", "open", error])).toBe(1);
    // Even if its TTL tells of a place far behind.
    expect(settled(1, 1, [near, "lost", "open", answerOf(1, 40, "!H")])).toBe(1);
    const table = tableOf(1, [near, "lost", "open", error]);
    table.settle(1);
    expect(table.probes[1]?.isFinal).toBe(true);
    expect(table.probes[3]).toMatchObject({ answer: null, isDone: false, isFinal: false });
    // It was sent long ago, so it is neither sent again nor waited for.
    expect(table.expiryOf(3, table.probes[3]?.sentAt ?? 0)).toBeLessThan(0);
  });

  it("moves within its hop, whoever sent it", () => {
    const other = answerOf(2, 64, "!X");
    expect(settled(3, 1, [error, "lost", other, "open", "open", "open"])).toBe(0);
    expect(settled(3, 3, [near, near, near, "lost", "open", other])).toBe(3);
    expect(settled(2, 1, [error, "lost", "open", other])).toBe(0);
  });

  it("moves by the hops that its TTL tells of", () => {
    const [one, two] = [answerOf(1, 64), answerOf(2, 63)];
    // 62 of 64 came over three hops: it stands at the third.
    expect(settled(1, 2, [one, two, "lost", "open", answerOf(3, 62, "!H")])).toBe(2);
    expect(settled(1, 2, [one, two, "lost", "open", answerOf(3, 61, "!H")])).toBe(4);
    // A way back that is longer: one hop behind who answered over two hops at hop one.
    const far = answerOf(1, 254);
    expect(settled(1, 1, [far, "lost", "open", answerOf(3, 253, "!H")])).toBe(1);
    expect(settled(1, 1, [far, "lost", "open", answerOf(3, 252, "!H")])).toBe(3);
    // 126 of 128 came over three hops; before the third it does not move.
    expect(settled(1, 1, ["lost", "lost", "open", answerOf(3, 126, "!H")])).toBe(3);
    expect(settled(1, 2, ["lost", "lost", "lost", answerOf(3, 126, "!H")])).toBe(2);
  });

  it("stays if the hop is none of the last, or a nearer answer came from the way", () => {
    expect(settled(2, 1, [near, "lost", "open", error])).toBe(3);
    expect(settled(2, 1, ["lost", "lost", "open", error])).toBe(3);
    expect(settled(1, 1, [near, "lost", near, error])).toBe(3);
    expect(settled(1, 1, [near, "lost", "lost", error])).toBe(3);
    expect(settled(1, 1, [near, "lost", "unsent", error])).toBe(3);
  });

  it("is none if it says what an end of the way is to say", () => {
    const table = tableOf(1, [near, "lost", "open", "final"]);
    table.settle(1);
    expect(table.probes.map(({ isFinal }) => isFinal)).toEqual([false, false, false, true]);
  });
});

describe("a probe's patience", () => {
  it("is that of its hop, then that of the next that answered, then all of it", () => {
    const slow = { ...answerOf(1, 64), rtt: 9000 };
    expect(tableOf(2, [slow, "open", "open", slow]).expiryOf(1, 7)).toBe(7 + 30_000);
    expect(tableOf(2, ["open", "open", "open", slow]).expiryOf(1, 7)).toBe(7 + 100_000);
    expect(tableOf(2, ["open", "open", "unsent", slow]).expiryOf(1, 7)).toBe(7 + 5 * SECOND);
    const instant = { ...answerOf(1, 64), rtt: 0 };
    expect(tableOf(2, [instant, "open"]).expiryOf(1, 7)).toBe(7 + 5 * SECOND);
    const slowest = { ...answerOf(1, 64), rtt: 4 * SECOND };
    expect(tableOf(2, [slowest, "open"]).expiryOf(1, 7)).toBe(7 + 5 * SECOND);
    expect(tableOf(1, ["open", slowest]).expiryOf(0, 7)).toBe(7 + 5 * SECOND);
  });
});

describe("probing by UDP", () => {
  it("tells once of each probe, however often it is answered", () => {
    const net = new Net();
    const near = net.host("near", "10.0.0.1/24");
    const far = net.host("far", "10.0.0.2/24");
    net.join(near.device, far.device, 100, { faults: { duplication: 1 } });
    const target = parseIpv4("10.0.0.2");
    let told = 0;
    const onNews = (): void => {
      told += 1;
    };
    const probing = new UdpProbing({ host: near, target, length: 28, tos: 0, port: 0, onNews });
    expect([probing.send(0, 1, 0), probing.send(1, 1, 0)]).toEqual([null, null]);
    net.run(SECOND);
    expect([told, probing.hasNews]).toEqual([1, true]);
    expect(probing.take().map(({ index, type, code }) => [index, type, code])).toEqual([
      [0, 3, 3],
      [1, 3, 3],
    ]);
    expect([probing.hasNews, probing.take()]).toEqual([false, []]);
    probing.close();
  });
});
