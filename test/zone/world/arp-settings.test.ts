/** What the settings of ARP do; test/oracle compares them with a kernel. */
import { describe, expect, it } from "vitest";
import { parseIpv4, parseMac } from "../../../src/wire/addr.ts";
import { arpCodec } from "../../../src/l2/arp.ts";
import { ETHERNET_LENGTH, EtherType } from "../../../src/l2/ethernet.ts";
import { summaryOf } from "../../../src/pcap/summary.ts";
import { RouterWorld } from "../../../src/zone/world/router-world.ts";
import { query } from "../../nat/packets.ts";
import { frameOf } from "../../oracle/world-octets.ts";

const MAC = "02:00:00:00:00:00";
const PEER = "12:31:39:00:00:00";
const NOBODY = "00:00:00:00:00:00";

/** A router with two links, and a second network on the first. */
function routerOf(settings: Readonly<Record<string, number>>): RouterWorld {
  const sysctl = Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [`net.ipv4.conf.e0.${key}`, value]),
  );
  return new RouterWorld({
    interfaces: {
      e0: {
        mac: MAC,
        addresses: ["10.1.2.1/24", "10.1.200.1/24"],
        neighbors: { "10.1.2.2": PEER },
      },
      e1: { mac: "02:00:00:00:00:01", addresses: ["10.2.2.1/24"] },
    },
    sysctl: { "net.ipv4.neigh.default.proxy_delay": 0, ...sysctl },
  });
}

/** True if who has `spa` on e0 is told of `tpa`. */
function isTold(settings: Readonly<Record<string, number>>, spa: string, tpa: string): boolean {
  const message = arpCodec.encode({
    ...{ htype: 1, ptype: EtherType.Ipv4, hlen: 6, plen: 4, op: 1 },
    ...{ sha: parseMac(PEER), spa: parseIpv4(spa) },
    ...{ tha: parseMac(NOBODY), tpa: parseIpv4(tpa) },
  });
  const router = routerOf(settings);
  router.receive("e0", frameOf("ff:ff:ff:ff:ff:ff", PEER, EtherType.Arp, message));
  return router.sent("e0").length > 0;
}

const HOST = "10.1.2.2";

describe("the settings of ARP", () => {
  it.each([
    [{}, HOST, "10.2.2.1", true],
    [{ arp_ignore: 1 }, HOST, "10.2.2.1", false],
    [{ arp_ignore: 1 }, HOST, "10.1.200.1", true],
    [{ arp_ignore: 2 }, HOST, "10.1.200.1", false],
    [{ arp_ignore: 2 }, HOST, "10.1.2.1", true],
    [{ arp_ignore: 2 }, "0.0.0.0", "10.1.200.1", true],
    [{ arp_ignore: 1 }, "0.0.0.0", "10.2.2.1", false],
    [{ arp_ignore: 3 }, HOST, "10.2.2.1", true],
    [{ arp_ignore: 8 }, HOST, "10.1.2.1", false],
    [{ arp_filter: 0 }, "10.2.2.9", "10.1.2.1", true],
    [{ arp_filter: 1 }, "10.2.2.9", "10.1.2.1", false],
    [{ arp_filter: 1 }, HOST, "10.1.2.1", true],
    [{ proxy_arp_pvlan: 0 }, HOST, "10.1.2.9", false],
    [{ proxy_arp_pvlan: 1 }, HOST, "10.1.2.9", true],
    [{ route_localnet: 0 }, HOST, "127.0.0.1", false],
    [{ route_localnet: 1 }, HOST, "127.0.0.1", true],
  ])("%j: %s is told of %s: %s", (settings, sender, target, expected) => {
    expect(isTold(settings, sender, target)).toBe(expected);
  });

  it.each([
    [0, "10.2.2.1"],
    [1, "10.1.2.1"],
    [2, "10.1.2.1"],
  ])("arp_announce %i: a question for an answer of e1's address comes from %s", (value, said) => {
    const router = routerOf({ arp_announce: value });
    const ask = query({ src: "10.1.2.3", dst: "10.2.2.1", srcPort: 7, dstPort: 0 }, 8);
    router.receive("e0", frameOf(MAC, PEER, EtherType.Ipv4, ask));
    const [asked] = router.sent("e0");
    const { spa } = arpCodec.decode(asked?.octets ?? new Uint8Array(64), ETHERNET_LENGTH);
    expect(spa).toBe(parseIpv4(said));
  });

  it.each([
    [{ accept_local: 0 }, "10.1.2.1", false],
    [{ accept_local: 1 }, "10.1.2.1", true],
    [{ accept_local: 1, rp_filter: 1 }, "10.1.2.1", true],
    [{ accept_local: 1, rp_filter: 1 }, "10.2.2.1", false],
    [{ accept_local: 1, rp_filter: 2 }, "10.2.2.1", true],
  ])("%j: a packet from the own address %s goes on: %s", (settings, src, goesOn) => {
    const router = routerOf(settings);
    const ask = query({ src, dst: "10.2.2.2", srcPort: 7, dstPort: 0 }, 8);
    router.receive("e0", frameOf(MAC, PEER, EtherType.Ipv4, ask));
    expect(router.sent("e1")).toHaveLength(Number(goesOn));
  });

  it("route_localnet lets 127.0.0.1 be asked, and answer", () => {
    const answers = [0, 1].map((value) => {
      const router = routerOf({ route_localnet: value });
      const ask = query({ src: HOST, dst: "127.0.0.1", srcPort: 7, dstPort: 0 }, 8);
      router.receive("e0", frameOf(MAC, PEER, EtherType.Ipv4, ask));
      return router.sent("e0").map(({ octets }) => summaryOf(octets));
    });
    expect(answers[0]).toEqual([]);
    expect(answers[1]?.[0]).toContain("127.0.0.1 > 10.1.2.2");
  });
});
