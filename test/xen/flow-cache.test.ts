import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { UDP } from "../../src/l4/udp.ts";
import { viewOf } from "../../src/wire/field.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import {
  compareWays,
  FABRIC,
  type FlowBench,
  frameOf,
  GUESTS,
  type Parts,
  type Talk,
} from "./flow-bench.ts";

const UDP_TALK: Talk = { guest: 0, peer: 0, protocol: Protocol.Udp, port: 40_000 };
const TCP_TALK: Talk = { ...UDP_TALK, protocol: Protocol.Tcp };
const PARTS: Parts = { isBack: false, flags: 0, seq: 1, size: 22, ttl: 64, tos: 0, fault: "" };
const [GUEST] = GUESTS;

describe.each([EC2_2010, LINUX])("known ways on a host like $name", (profile) => {
  const compare = (act: (bench: FlowBench) => void): FlowBench => compareWays(profile, act);
  const send = (bench: FlowBench, talk: Talk, parts: Partial<Parts> = {}): void =>
    bench.receive(...frameOf(talk, { ...PARTS, ...parts }, profile.vifMac));
  /** Known both ways: each of the entry's states asks for the whole way once more. */
  const establish = (bench: FlowBench, talk: Talk): void => {
    for (let time = 0; time < 4; time += 1) {
      send(bench, talk);
      send(bench, talk, { isBack: true });
      bench.wait(3 * SECOND);
    }
  };

  it("are taken by every frame of an established flow, through both routers", () => {
    const { hits, sent } = compare((bench) => {
      establish(bench, UDP_TALK);
      const before = bench.hits;
      for (let time = 0; time < 10; time += 1) send(bench, UDP_TALK, { isBack: time % 2 > 0 });
      if (before > 0) expect(bench.hits - before).toBe(20);
    });
    expect(hits).toBeGreaterThan(20);
    expect(sent).toHaveLength(18);
  });

  it("end with their entries", () => {
    compare((bench) => {
      establish(bench, UDP_TALK);
      bench.wait(200 * SECOND);
      send(bench, UDP_TALK, { isBack: true });
      const [entry] = bench.dom0.gatewayFirewall.conntrack?.entries(bench.now) ?? [];
      expect(entry).toMatchObject({ hasReply: false, original: { srcPort: 7 } });
      send(bench, UDP_TALK);
    });
  });

  it("lead nowhere once the neighbor must be asked again", () => {
    compare((bench) => {
      establish(bench, UDP_TALK);
      bench.wait(100 * SECOND);
      send(bench, UDP_TALK, { isBack: true });
      bench.wait(10 * SECOND);
      send(bench, UDP_TALK, { isBack: true });
      expect(bench.sent.filter((line) => line.includes("0806"))).not.toHaveLength(0);
    });
  });

  it("are taken by frames that come in a burst, and change with those before them", () => {
    const parts: Partial<Parts>[] = [
      ...[{}, {}, { isBack: true }, { fault: "checksum" }, { ttl: 2 }, { ttl: 1 }, { size: 0 }],
      ...Array.from({ length: 70 }, (_, index) => ({ isBack: index % 3 === 0, ttl: 64 - index })),
    ];
    const { hits } = compare((bench) => {
      establish(bench, UDP_TALK);
      for (let time = 0; time < 3; time += 1) {
        bench.receiveBurst(
          parts.map((one) => frameOf(UDP_TALK, { ...PARTS, ...one }, profile.vifMac)),
        );
        if (time === 0) bench.dom0.firewall.conntrack?.flush();
        if (time === 1) bench.wait(200 * SECOND);
      }
    });
    expect(hits).toBeGreaterThan(2 * 60);
  });

  it("lead through both routers again once one of them has forgotten them", () => {
    const { hits } = compare((bench) => {
      establish(bench, UDP_TALK);
      for (let time = 0; time < 8; time += 1) {
        const firewall = time % 2 === 0 ? bench.dom0.gatewayFirewall : bench.dom0.firewall;
        if (time % 3 === 0) firewall.iptables("-P FORWARD ACCEPT");
        if (time % 3 === 1) firewall.conntrack?.flush();
        for (let frame = 0; frame < 4; frame += 1) {
          send(bench, UDP_TALK, { isBack: frame % 2 > 0 });
          bench.wait(SECOND);
        }
      }
    });
    expect(hits).toBeGreaterThan(40);
  });

  it("follow a neighbor that has moved", () => {
    compare((bench) => {
      establish(bench, UDP_TALK);
      const { router } = bench.dom0;
      const device = bench.device(0);
      if (GUEST === undefined) throw new Error("there are two domUs");
      router.neighbors.confirm(device, GUEST.own, FABRIC, true, true, bench.now);
      send(bench, UDP_TALK, { isBack: true });
      expect(bench.sent.at(-1)).toContain("vif1.0 020000000099");
    });
  });

  it("are for steady connections: the whole way sees how a connection ends", () => {
    const { hits } = compare((bench) => {
      send(bench, TCP_TALK, { flags: TcpFlag.Syn, seq: 1, size: 0 });
      send(bench, TCP_TALK, { isBack: true, flags: TcpFlag.Syn | TcpFlag.Ack, seq: 1, size: 0 });
      for (let seq = 2; seq < 12; seq += 1) send(bench, TCP_TALK, { flags: TcpFlag.Ack, size: 0 });
      const text = (): string => bench.dom0.firewall.conntrack?.text(bench.now) ?? "";
      expect(text()).toContain("ESTABLISHED");
      send(bench, TCP_TALK, { flags: TcpFlag.Fin | TcpFlag.Ack, size: 0 });
      expect(text()).toContain("FIN_WAIT");
      send(bench, TCP_TALK, { flags: TcpFlag.Ack, seq: 2, size: 0 });
    });
    expect(hits).toBeGreaterThan(0);
  });

  it("are not for a connection that begins again", () => {
    compare((bench) => {
      send(bench, TCP_TALK, { flags: TcpFlag.Syn, seq: 1, size: 0 });
      send(bench, TCP_TALK, { isBack: true, flags: TcpFlag.Syn | TcpFlag.Ack, seq: 1, size: 0 });
      for (let time = 0; time < 5; time += 1) send(bench, TCP_TALK, { flags: TcpFlag.Ack });
      // A current kernel believes a reset that stands right behind what was acknowledged alone.
      const seq = profile === LINUX ? 2 : 1;
      send(bench, TCP_TALK, { flags: TcpFlag.Rst, seq, size: 0 });
      const text = (): string => bench.dom0.firewall.conntrack?.text(bench.now) ?? "";
      expect(text()).toContain("CLOSE");
      send(bench, TCP_TALK, { flags: TcpFlag.Syn, seq: 90_000, size: 0 });
      expect(text()).toContain("SYN_SENT");
    });
  });

  it("send a UDP checksum that becomes zero as the profile does", () => {
    const view = viewOf(frameOf(UDP_TALK, PARTS, profile.vifMac)[1]);
    const bench = compare((one) => {
      establish(one, UDP_TALK);
      send(one, UDP_TALK);
      const translated = viewOf(Uint8Array.from(Buffer.from(one.lastOctets, "hex")));
      // A larger word of data makes the checksum smaller by as much.
      const word = UDP.checksum.get(translated, 34);
      send(one, UDP_TALK, { word });
    });
    const octets = viewOf(Uint8Array.from(Buffer.from(bench.lastOctets, "hex")));
    expect(IPV4.src.get(octets, 14)).not.toBe(IPV4.src.get(view, 14));
    expect(UDP.checksum.get(octets, 34)).toBe(profile === LINUX ? 0xffff : 0);
  });
});
