import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { InputError } from "../../../src/cli/failure.ts";
import type { EventOf, RunEvent } from "../../../src/cli/scenario/events.ts";
import { type Played, playText } from "./play-text.ts";

function of<K extends RunEvent["event"]>({ events }: Played, kind: K): EventOf<K>[] {
  return events.filter((event): event is EventOf<K> => event.event === kind);
}

const ZONE = `
hosts:
  - domains:
      - { name: dom_2, securityGroups: [open], publicAddress: 75.101.160.7 }
      - { name: dom_4, securityGroups: [open] }
      - { name: dom_6, guest: external, mac: "12:31:39:00:A5:0D" }
securityGroups:
  open:
    - { protocol: icmp, source: 0.0.0.0/0 }
    - { protocol: udp, ports: 7, source: 0.0.0.0/0 }
internet:
  - { name: www, address: 93.184.216.34 }
  - { name: deaf, address: 93.184.216.35, serves: [] }
steps:
`;

/** An ARP request of dom_6 for a domU's address, under another domU's. */
const FORGED =
  "ffffffffffff 12313900a50d 0806 0001 0800 0604 0001 12313900a50d 0afeaa02 000000000000 0afeaa03";

describe("a run", () => {
  it("tells who is there, who got an address, and how packets ended", async () => {
    const played = await playText(`${ZONE}  - { at: 15s, shutdown: dom_4 }`);
    const [start] = played.events;
    expect(start).toMatchObject({
      event: "start",
      scenario: "s.yaml",
      seed: 1,
      hosts: [
        { name: "host-a", privateAddress: "10.254.168.2", externalAddress: "216.182.232.10" },
      ],
    });
    expect(of(played, "domain").map(({ name, guest }) => [name, guest])).toEqual([
      ["dom_2", "simulated"],
      ["dom_4", "simulated"],
      ["dom_6", "external"],
    ]);
    const leases = of(played, "lease").map(({ domain, address, server, seconds }) => {
      return [domain, [address, server, seconds]] as const;
    });
    expect(new Map(leases)).toEqual(
      new Map([
        ["dom_2", ["10.254.170.2", "169.254.1.0", 86_400]],
        ["dom_4", ["10.254.170.3", "169.254.1.0", 86_400]],
      ]),
    );
    const [end] = of(played, "end");
    expect(end).toMatchObject({ live: 0, failed: 0, held: 0, unreached: 0, isInterrupted: false });
    const counted = end?.ends.reduce((sum, { count }) => sum + count, 0) ?? 0;
    expect(counted + played.world.zone.pool.live).toBe(played.world.zone.pool.allocated);
  });

  it("is the same, octet for octet and event for event, for the same seed alone", async () => {
    const text = `${ZONE}  - { at: 15s, ping: { from: dom_2, to: dom_4 } }`;
    const [one, two, other] = [
      await playText(text),
      await playText(text),
      await playText(text, { seed: 2 }),
    ];
    expect(two.events).toEqual(one.events);
    expect(Buffer.compare(two.capture, one.capture)).toBe(0);
    expect(Buffer.compare(other.capture, one.capture)).not.toBe(0);
    expect(of(other, "start")[0]?.seed).toBe(2);
  });

  it("ends where it is told to, whatever was to come", async () => {
    const text = `${ZONE}  - { at: 15s, ping: { from: dom_2, to: dom_4 }, expect: { replies: 3 } }`;
    const played = await playText(text, { until: 16 * SECOND });
    const [end] = of(played, "end");
    expect(end).toMatchObject({ at: 16 * SECOND, unreached: 1, failed: 0, held: 0 });
    expect(played.failed).toBe(0);
  });

  it("ends a second after its last step is settled, not when a slice of it does", async () => {
    const played = await playText(`${ZONE}  - { at: 15s, udp: { from: dom_2, to: dom_4 } }`);
    // A second for echoes, one until it is judged, one more for the rest.
    expect(of(played, "settled")).toEqual([{ event: "settled", at: 17 * SECOND, step: 0 }]);
    expect(of(played, "end")[0]?.at).toBe(18 * SECOND);
  });

  it("ends at once when it is interrupted, and its capture is closed", async () => {
    const controller = new AbortController();
    const played = await playText(`${ZONE}  - { at: 15s, shutdown: dom_4 }`, {
      until: 100_000 * SECOND,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.event === "settled") controller.abort();
      },
    });
    expect(played.isInterrupted).toBe(true);
    expect(played.world.zone.now).toBeLessThan(100_000 * SECOND);
    // An interface statistics block is the last: type 5.
    const { capture } = played;
    const length = Buffer.from(capture).readUInt32LE(capture.length - 4);
    expect(Buffer.from(capture).readUInt32LE(capture.length - length)).toBe(5);
  });

  it("closes its capture even if a step cannot be done", async () => {
    const chunks: Uint8Array[] = [];
    let flushes = 0;
    const capture = {
      sink: (chunk: Uint8Array) => chunks.push(chunk.slice()),
      flush: async () => {
        flushes += 1;
        await Promise.resolve();
      },
    };
    const steps = ["shutdown: dom_4", "ping: { from: dom_4, to: dom_2 }"];
    const text = `${ZONE}${steps.map((step, at) => `  - { at: ${at}s, ${step} }`).join("\n")}`;
    const running = playText(text, { capture });
    await expect(running).rejects.toThrow(InputError);
    await expect(running).rejects.toThrow("s.yaml:16: steps[1].ping: dom_4 is not running");
    expect(flushes).toBeGreaterThan(0);
    expect(Buffer.concat(chunks).readUInt32LE(0)).toBe(0x0a0d0d0a);
  });
});

describe("expectations", () => {
  it("hold, and say what came", async () => {
    const played = await playText(`${ZONE}
  - { at: 12s, ping: { from: dom_2, to: dom_4, count: 2 }, expect: { replies: 2, received: 2 } }
  - { at: 17s, ping: { from: dom_4, to: www, count: 1 } }
  - at: 20s
    traceroute: { from: dom_4, to: www }
    expect: { hops: [10.254.168.2, 216.182.232.10] }
  - { at: 30s, udp: { from: www, to: dom_2, payload: hello }, expect: { replies: 1, received: 1 } }
  - at: 35s
    send: { from: dom_6, frame: ${FORGED} }
    expect: { received: 0, dropped: anti-spoof/arp-sender-address }
`);
    expect(of(played, "judgement").filter(({ holds }) => !holds)).toEqual([]);
    expect(of(played, "end")[0]).toMatchObject({ held: 7, failed: 0 });
  });

  it("fail with what came instead, each by itself", async () => {
    const played = await playText(`${ZONE}
  - at: 15s
    udp: { from: dom_2, to: deaf }
    expect: { replies: 1, received: 0, dropped: link/lost }
  - { at: 20s, traceroute: { from: dom_2, to: www }, expect: { hops: [10.254.168.9, "*"] } }
`);
    expect(of(played, "judgement").map(({ key, actual, holds }) => [key, actual, holds])).toEqual([
      ["replies", 0, false],
      ["received", 1, false],
      ["dropped", ["udp/port-unreachable"], false],
      ["hops", ["10.254.168.2", "216.182.232.10"], false],
    ]);
    expect(played.failed).toBe(4);
  });
});

describe("links", () => {
  it("have the delay, the rate and the faults that the scenario gives", async () => {
    const played = await playText(`
hosts:
  - link: { delay: 2ms }
    domains:
      - name: dom_2
        securityGroups: [open]
        link: { delay: 5ms, bitsPerSecond: 100000 }
securityGroups: { open: [{ protocol: icmp, source: 0.0.0.0/0 }] }
internet:
  - { name: www, address: 93.184.216.34, link: { delay: 7ms } }
steps:
  - { at: 15s, ping: { from: www, to: dom_2, count: 3, size: 86 } }
`);
    // 128 octets at 100 kbit/s are 10.24 ms; each link is crossed twice.
    const [ping] = of(played, "ping");
    expect(ping?.minRttUs).toBe(2 * (7000 + 2000 + 5000 + 10_240));
  });
});

describe("steps", () => {
  it("change permissions for domains that run", async () => {
    const { events } = await playText(`${ZONE}
  - { at: 15s, ping: { from: www, to: dom_2, count: 1 }, expect: { replies: 1 } }
  - { at: 18s, securityGroup: { name: open, permissions: [] } }
  - at: 19s
    ping: { from: www, to: dom_2, count: 1 }
    expect: { dropped: security-group/no-permission }
`);
    expect(events.filter((event) => event.event === "judgement" && !event.holds)).toEqual([]);
  });

  it("move a public address to a domain, whoever had it", async () => {
    const played = await playText(`${ZONE}
  - { at: 15s, associate: { domain: dom_4, address: 75.101.160.7 } }
  - { at: 16s, udp: { from: www, to: dom_4 }, expect: { replies: 1 } }
  - { at: 18s, disassociate: dom_4 }
  - { at: 19s, udp: { from: www, to: 75.101.160.7 }, expect: { replies: 0, received: 0 } }
`);
    expect(of(played, "judgement").filter(({ holds }) => !holds)).toEqual([]);
    expect(of(played, "reply").map(({ from }) => from)).toEqual(["75.101.160.7"]);
  });

  it("break links and mend them", async () => {
    const ping = (at: number): string =>
      `  - { at: ${at}s, ping: { from: dom_4, to: dom_2, count: 2 }, expect: { replies: 2 } }`;
    const played = await playText(
      [
        ZONE,
        ping(12),
        "  - { at: 17s, faults: { of: dom_2, loss: 1 } }",
        "  - { at: 18s, udp: { from: dom_4, to: dom_2 }, expect: { dropped: link/lost } }",
        "  - { at: 30s, faults: { of: dom_2 } }",
        ping(31),
      ].join("\n"),
    );
    expect(of(played, "judgement").map(({ holds }) => holds)).toEqual([true, true, true]);
    expect(of(played, "step").map(({ words }) => words)).toEqual(
      expect.arrayContaining([
        "the link of dom_2 loses 100 % of its frames",
        "the link of dom_2 is sound",
      ]),
    );
  });

  it("do not count what comes back to its sender as received", async () => {
    const played = await playText(`${ZONE}
  - { at: 15s, ping: { from: dom_2, to: 75.101.160.7 }, expect: { replies: 3, received: 0 } }
`);
    expect(of(played, "judgement").map(({ holds }) => holds)).toEqual([true, true]);
  });

  it("launch domains, whose packets then count", async () => {
    const played = await playText(`${ZONE}
  - { at: 5s, launch: { host: host-a, name: dom_8, domid: 77, securityGroups: [open] } }
  - { at: 30s, ping: { from: dom_2, to: dom_8, count: 1 }, expect: { replies: 1, received: 1 } }
`);
    const [, , , launched] = of(played, "domain");
    expect(launched).toMatchObject({ step: 0, name: "dom_8", vif: "vif77.0", at: 5 * SECOND });
    expect(of(played, "lease").map(({ domain }) => domain)).toContain("dom_8");
    expect(played.failed).toBe(0);
  });

  it("send raw frames of simulated domUs too", async () => {
    const played = await playText(`${ZONE}
  - { at: 15s, send: { from: dom_2, frame: ${FORGED} }, expect: { dropped: anti-spoof/source-mac } }
`);
    const [send] = of(played, "send");
    const drop = of(played, "drop").find(({ step }) => step === 0);
    expect(send).toMatchObject({ octets: 42, packet: drop?.packet });
    expect(drop).toMatchObject({ device: "vif1.0", fate: "dropped" });
    expect(played.failed).toBe(0);
  });

  it("that a vif does not take are told so: longer than its MTU allows", async () => {
    const frame = "00".repeat(1515);
    const played = await playText(
      `${ZONE}  - { at: 15s, send: { from: dom_6, frame: "${frame}" } }`,
    );
    expect(of(played, "send")[0]).toMatchObject({ packet: null, octets: 1515 });
  });

  it("know the outside address of a name outside, and the private one inside", async () => {
    const played = await playText(`${ZONE}
  - { at: 15s, ping: { from: www, to: dom_2, count: 1 } }
  - { at: 18s, ping: { from: dom_4, to: dom_2, count: 1 } }
  - { at: 21s, ping: { from: dom_4, to: host-a, count: 1 } }
  - { at: 24s, ping: { from: www, to: host-a, count: 1 } }
`);
    expect(of(played, "ping").map(({ target }) => target)).toEqual([
      "75.101.160.7",
      "10.254.170.2",
      "10.254.168.2",
      "216.182.232.10",
    ]);
  });
});
