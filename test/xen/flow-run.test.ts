import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { compareWays, type FlowBench, frameOf, type Parts, type Talk } from "./flow-bench.ts";

const UDP: Talk = { guest: 0, peer: 0, protocol: Protocol.Udp, port: 40_000 };
const TCP: Talk = { ...UDP, protocol: Protocol.Tcp };
const PARTS: Parts = { isBack: false, flags: 0, seq: 1, size: 22, ttl: 64, tos: 0, fault: "" };

describe.each([EC2_2010, LINUX])("runs of one flow on a host like $name", (profile) => {
  const compare = (act: (bench: FlowBench) => void): FlowBench => compareWays(profile, act);
  const frame = (talk: Talk, parts: Partial<Parts>): [number, Uint8Array] =>
    frameOf(talk, { ...PARTS, ...parts }, profile.vifMac);
  const establish = (bench: FlowBench, ...talks: readonly Talk[]): void => {
    for (let time = 0; time < 4; time += 1) {
      for (const talk of talks) bench.receive(...frame(talk, {}));
      for (const talk of talks) bench.receive(...frame(talk, { isBack: true }));
      bench.wait(3 * SECOND);
    }
  };
  /** `count` frames together, of which the one in the middle is other. */
  const burst = (bench: FlowBench, talk: Talk, count: number, middle: Partial<Parts>): void =>
    bench.receiveBurst(
      Array.from({ length: count }, (_, index) => {
        const usual: Partial<Parts> = { size: 22 + (index % 5), ttl: 64 - (index % 3) };
        return frame(talk, index === count >> 1 ? middle : usual);
      }),
    );

  it("pass both routers together", () => {
    const { hits, sent } = compare((bench) => {
      establish(bench, UDP);
      const before = bench.hits;
      burst(bench, UDP, 150, {});
      if (before > 0) expect(bench.hits - before).toBe(2 * 150);
    });
    expect(hits).toBeGreaterThan(300);
    expect(sent).toHaveLength(8 + 150);
  });

  it.each<Partial<Parts>>([
    ...["mac", "source", "checksum", "zero", "padding", "fragment", "header"].map((fault) => ({
      fault,
    })),
    ...[{ ttl: 3 }, { ttl: 2 }, { ttl: 1 }, { size: 1480 }, { size: 0 }, { isBack: true }],
  ])("part where a frame is other: %o", (middle) => {
    const { sent } = compare((bench) => {
      establish(bench, UDP);
      burst(bench, UDP, 20, middle);
      burst(bench, UDP, 9, middle);
    });
    expect(sent.length).toBeGreaterThanOrEqual(8 + 19 + 8);
  });

  it("are of many flows that take turns", () => {
    const talks = Array.from({ length: 24 }, (_, index) => ({ ...UDP, port: 40_000 + index }));
    const { sent } = compare((bench) => {
      establish(bench, ...talks);
      const frames = Array.from({ length: 150 }, (_, index) => {
        const talk = talks[index % talks.length] ?? UDP;
        return frame(talk, { size: 22 + (index % 5) });
      });
      const before = bench.hits;
      bench.receiveBurst(frames);
      if (before > 0) expect(bench.hits - before).toBe(2 * frames.length);
      const { conntrack } = bench.dom0.gatewayFirewall;
      const forgotten = conntrack?.entries(bench.now)[3];
      expect(conntrack?.delete(forgotten?.handle ?? -1)).toBe(true);
      bench.receiveBurst(frames);
      const ended = bench.dom0.firewall.conntrack?.entries(bench.now)[9];
      expect(bench.dom0.firewall.conntrack?.delete(ended?.handle ?? -1)).toBe(true);
      bench.receiveBurst(frames);
    });
    expect(sent).toHaveLength(24 * 8 + 3 * 150);
  });

  it.each([false, true])("hear of an answer while they leave, answered before: %o", (isOld) => {
    const { sent } = compare((bench) => {
      for (let time = 0; time < 4; time += 1) {
        bench.receive(...frame(UDP, {}));
        if (isOld) bench.receive(...frame(UDP, { isBack: true }));
      }
      const { uplink } = bench.dom0;
      const { carrier } = uplink;
      let count = 0;
      uplink.attachCarrier({
        carry: (from, packet, now) => {
          carrier?.carry(from, packet, now);
          count += 1;
          if (count === 3) bench.receive(...frame(UDP, { isBack: true }));
        },
      });
      burst(bench, UDP, 20, {});
    });
    expect(sent).toHaveLength((isOld ? 8 : 4) + 20 + 1);
  });

  it("are of datagrams: each segment of TCP is followed", () => {
    const { hits } = compare((bench) => {
      bench.receive(...frame(TCP, { flags: TcpFlag.Syn, size: 0 }));
      const answer = { isBack: true, flags: TcpFlag.Syn | TcpFlag.Ack, size: 0 };
      bench.receive(...frame(TCP, answer));
      for (let time = 0; time < 10; time += 1) {
        bench.receive(...frame(TCP, { flags: TcpFlag.Ack, size: 0 }));
      }
      bench.receiveBurst(
        Array.from({ length: 30 }, (_, index) =>
          frame(TCP, { flags: TcpFlag.Ack, seq: index === 20 ? 900_000 : 1, size: 10 }),
        ),
      );
    });
    expect(hits).toBeGreaterThan(30);
  });

  it("go nowhere while a neighbor must be asked", () => {
    compare((bench) => {
      establish(bench, UDP);
      for (const seconds of [20, 40, 60, 100, 10, 3]) {
        bench.wait(seconds * SECOND);
        burst(bench, UDP, 12, {});
        bench.receive(...frame(UDP, { isBack: true }));
      }
      expect(bench.sent.filter((line) => line.includes("0806"))).not.toHaveLength(0);
    });
  });

  it("are asked about one by one where the second router has forgotten them", () => {
    compare((bench) => {
      establish(bench, UDP);
      burst(bench, UDP, 12, {});
      bench.dom0.gatewayFirewall.conntrack?.flush();
      burst(bench, UDP, 12, {});
      burst(bench, UDP, 12, {});
      expect(bench.dom0.gatewayFirewall.conntrack?.entries(bench.now)).toHaveLength(1);
      bench.dom0.firewall.conntrack?.flush();
      burst(bench, UDP, 12, {});
      expect(bench.sent).toHaveLength(8 + 4 * 12);
    });
  });

  it.each<[Partial<Packet>, string]>([
    [{ mark: 7 }, "-m mark --mark 7"],
    [{ flow: 3, flowState: FlowState.Invalid }, "-m conntrack --ctstate INVALID"],
  ])("bear no notes of another stack where the second router is asked: %o", (notes, match) => {
    compare((bench) => {
      const { gatewayFirewall } = bench.dom0;
      gatewayFirewall.iptables("-t mangle -A FORWARD -m conntrack --ctstate ESTABLISHED -j ACCEPT");
      gatewayFirewall.iptables(`-t mangle -A FORWARD ${match} -j DROP`);
      establish(bench, UDP);
      burst(bench, UDP, 12, {});
      gatewayFirewall.conntrack?.flush();
      const frames = Array.from({ length: 12 }, () => frame(UDP, {}));
      const before = bench.hits;
      bench.receiveBurst(frames, (packet) => Object.assign(packet, { isNoted: true }, notes));
      if (before > 0) expect(bench.hits).toBeGreaterThanOrEqual(before + 12);
      expect(bench.sent).toHaveLength(8 + 2 * 12);
    });
  });
});
