import { describe, expect, it } from "vitest";
import { Protocol } from "../../src/l3/ipv4.ts";
import { TcpFlag } from "../../src/l4/tcp.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { compareWays, type FlowBench, frameOf, type Parts, type Talk } from "./flow-bench.ts";

const TALK: Talk = { guest: 0, peer: 0, protocol: Protocol.Udp, port: 40_000 };
const PARTS: Parts = { isBack: false, flags: 0, seq: 1, size: 22, ttl: 64, tos: 0, fault: "" };
const FIRST_PORT = 40_000;

describe.each([EC2_2010, LINUX])("ways of first packets on a host like $name", (profile) => {
  const compare = (act: (bench: FlowBench) => void): FlowBench => compareWays(profile, act);
  const send = (bench: FlowBench, talk: Partial<Talk>, parts: Partial<Parts> = {}): void =>
    bench.receive(...frameOf({ ...TALK, ...talk }, { ...PARTS, ...parts }, profile.vifMac));
  const open = (bench: FlowBench, count: number, parts: Partial<Parts> = {}): void => {
    for (let port = FIRST_PORT; port < FIRST_PORT + count; port += 1) send(bench, { port }, parts);
  };

  it("are taken by all between the same ends, through both routers", () => {
    const { openingHits, sent } = compare((bench) => {
      open(bench, 20);
      bench.receiveBurst(
        Array.from({ length: 20 }, (_, index) =>
          frameOf({ ...TALK, port: 41_000 + index }, PARTS, profile.vifMac),
        ),
      );
    });
    expect(sent).toHaveLength(40);
    // The first frame waits for a neighbor, the way of the second one is noted.
    expect(openingHits).toBe(2 * 38);
  });

  it("are taken by connections of TCP, and by those that come in", () => {
    const { openingHits } = compare((bench) => {
      const syn = { protocol: Protocol.Tcp };
      for (let port = FIRST_PORT; port < FIRST_PORT + 5; port += 1) {
        send(bench, { ...syn, port }, { flags: TcpFlag.Syn });
      }
      open(bench, 5, { isBack: true });
    });
    expect(openingHits).toBe(4 * 3);
  });

  it("part where a rule tells ports apart", () => {
    const { openingHits } = compare((bench) => {
      bench.dom0.firewall.iptables("-I FORWARD -p udp -m udp --sport 40003:40005 -j DROP");
      open(bench, 12);
    });
    // Of nine that pass, one waits; one on each side of the range is noted, and one beyond.
    expect(openingHits).toBe(9 - 1 - 2 + (9 - 1 - 1));
  });

  it("part where translation gives one port, as the rules behind see that one", () => {
    const { dom0 } = compare((bench) => {
      const { gatewayFirewall } = bench.dom0;
      gatewayFirewall.iptables(
        "-t nat -I PREROUTING -i peth0 -p udp -j DNAT --to-destination 10.254.170.223:40006",
      );
      gatewayFirewall.iptables("-I FORWARD -p udp -m udp --dport 40006 -j ACCEPT");
      open(bench, 12, { isBack: true });
    });
    expect(dom0.gateway.hooks.paths.openingHits).toBeGreaterThan(6);
  });

  it("are not where a rule asks for a port that translation has changed since", () => {
    const { sent } = compare((bench) => {
      const { gatewayFirewall } = bench.dom0;
      gatewayFirewall.iptables(
        "-t nat -I PREROUTING -i gw0 -p udp -j DNAT --to-destination 93.184.216.34:9",
      );
      gatewayFirewall.iptables("-I FORWARD -m conntrack --ctorigdstport 11 -j DROP");
      for (const peerPort of [7, 8, 6, 12, 13, 11, 14]) send(bench, { peerPort });
    });
    expect(sent).toHaveLength(6);
  });

  it("part where a rule asks whether the destination was changed", () => {
    const { sent } = compare((bench) => {
      const { gatewayFirewall } = bench.dom0;
      gatewayFirewall.iptables(
        "-t nat -I PREROUTING -i gw0 -p udp -j DNAT --to-destination 93.184.216.34:7",
      );
      gatewayFirewall.iptables("-I FORWARD -m conntrack --ctstate DNAT");
      for (const peerPort of [8, 9, 10, 7, 11]) send(bench, { port: FIRST_PORT, peerPort });
    });
    expect(sent).toHaveLength(5);
  });

  it("are not for masquerading, which must know the device", () => {
    const { openingHits } = compare((bench) => {
      bench.dom0.gatewayFirewall.iptables("-t nat -I POSTROUTING -o peth0 -j MASQUERADE");
      open(bench, 10);
    });
    // The first router knows ways, the second one none.
    expect(openingHits).toBe(8);
  });

  it("drop what finds no port that is free, as its whole way would", () => {
    const { openingHits } = compare((bench) => {
      const range = "-p udp -j SNAT --to-source 216.182.232.10:3000-3003";
      bench.dom0.gatewayFirewall.iptables(`-t nat -I POSTROUTING -o peth0 ${range}`);
      open(bench, 10);
      expect(bench.sent).toHaveLength(4);
    });
    expect(openingHits).toBeGreaterThan(9);
  });

  it("end when rules change", () => {
    const { sent } = compare((bench) => {
      open(bench, 4);
      bench.dom0.firewall.iptables("-I FORWARD -p udp -m udp --sport 40005 -j DROP");
      for (const port of [40_004, 40_005, 40_006]) send(bench, { port });
      bench.dom0.firewall.iptables("-D FORWARD 1");
      send(bench, { port: 40_005 });
    });
    expect(sent).toHaveLength(4 + 2 + 1);
  });

  // A reset ends what nobody answered, and opens nothing: found by the property with seed 11.
  it("are not noted from a packet whose entry is gone", () => {
    const { sent } = compare((bench) => {
      const tcp = { protocol: Protocol.Tcp };
      send(bench, tcp, { isBack: true, flags: TcpFlag.Syn });
      send(bench, tcp, { isBack: true, flags: TcpFlag.Rst });
      send(bench, tcp, { isBack: true, flags: TcpFlag.Syn });
      send(bench, tcp, { flags: TcpFlag.Syn });
    });
    expect(sent.length).toBeLessThan(2);
  });
});
