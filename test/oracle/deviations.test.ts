/** What the oracle does not ask for because it differs: docs/deviations.md, From Linux. */
import { describe, expect, it } from "vitest";
import { ARP_LENGTH, ArpOp, writeArp } from "../../src/l2/arp.ts";
import { MAC_ZERO, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { onesSum } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import { icmpError, ipv4, query, udp } from "../nat/packets.ts";
import { readPacket } from "./packet-reading.ts";
import { concat, distort, frameOf, icmpOf, packetOf } from "./world-octets.ts";

const ROUTER = "02:00:00:00:00:00";
const PEER = "12:31:39:00:00:00";
const OWN = "10.1.2.1";
const HOST = "10.1.2.2";

function routerOf(mtu: number, iptables = "", seed = 1): RouterWorld {
  const e0 = { mac: ROUTER, mtu, addresses: [`${OWN}/24`], neighbors: { [HOST]: PEER } };
  const far = { "10.2.2.2": PEER };
  const e1 = { mac: "02:00:00:00:00:01", addresses: ["10.2.2.1/24"], neighbors: far };
  const sysctl = { "net.ipv4.ip_forward": 1 };
  return new RouterWorld({ interfaces: { e0, e1 }, sysctl, iptables }, { seed });
}

/** Who has `target`? Asked by {@link PEER}. */
function writeQuestion(sender: string, target: string): Uint8Array {
  const octets = new Uint8Array(ARP_LENGTH);
  const [spa, tpa] = [parseIpv4(sender), parseIpv4(target)];
  writeArp(viewOf(octets), 0, ArpOp.Request, parseMac(PEER), spa, MAC_ZERO, tpa);
  return octets;
}

/** What the router sends for a packet that comes in by e0. */
function answers(router: RouterWorld, packet: Uint8Array) {
  router.receive("e0", frameOf(ROUTER, PEER, 0x0800, packet));
  return router.sent().flatMap(({ octets }) => readPacket(octets) ?? []);
}

describe("where the kernel and the emulated router differ, the latter", () => {
  it("does not learn the path MTU of its own answers", () => {
    const router = routerOf(1500);
    const ends = { src: HOST, dst: OWN, srcPort: 7, dstPort: 0 };
    const ask = (): number[] =>
      answers(router, query(ends, 8, new Uint8Array(1400))).map(({ packet }) => packet.length);
    expect(ask()).toEqual([1428]);
    const answer = query({ ...ends, src: OWN, dst: HOST }, 0, new Uint8Array(1400));
    const error = icmpError(HOST, OWN, answer).subarray(20, 120);
    const rest = Uint8Array.of(0, 0, 576 >> 8, 576 & 255);
    const tooBig = icmpOf(3, 4, concat(rest, error.subarray(8)));
    answers(router, ipv4(HOST, OWN, 1, tooBig));
    expect(ask()).toEqual([1428]);
  });

  it("never tells of the loopback network where arp_ignore is 3", () => {
    const e0 = { mac: ROUTER, mtu: 1500, addresses: [`${OWN}/24`], neighbors: { [HOST]: PEER } };
    const asked = (arpIgnore: number): number => {
      const sysctl = {
        "net.ipv4.conf.all.route_localnet": 1,
        "net.ipv4.conf.e0.accept_local": 1,
        "net.ipv4.conf.e0.arp_ignore": arpIgnore,
      };
      const router = new RouterWorld({ interfaces: { e0 }, sysctl }, { seed: 1 });
      const question = writeQuestion("127.0.0.1", "127.0.0.1");
      router.receive("e0", frameOf("ff:ff:ff:ff:ff:ff", PEER, 0x0806, question));
      return router.sent().length;
    };
    expect([0, 3].map(asked)).toEqual([1, 0]);
  });

  it("draws ports by its seed", () => {
    const rules = "*nat\n-A POSTROUTING -p udp -j MASQUERADE --random\nCOMMIT\n";
    const ends = { src: HOST, dst: "10.2.2.2", srcPort: 4000, dstPort: 53 };
    const drawn = (seed: number): number[] =>
      answers(routerOf(1500, rules, seed), udp(ends)).map(({ payload }) =>
        viewOf(payload).getUint16(0),
      );
    expect(drawn(1)).toHaveLength(1);
    expect(drawn(1)).toEqual(drawn(1));
    expect(new Set([1, 2, 3, 4].flatMap(drawn)).size).toBe(4);
  });

  it("cuts a timestamp reply that does not fit, and all of it arrives", () => {
    // A route to be recorded, with room for nine addresses.
    const options = Uint8Array.of(7, 39, 4, ...new Uint8Array(36), 0);
    const payload = icmpOf(13, 0, Uint8Array.of(0, 7, 0, 1, ...new Uint8Array(12)));
    const header = { tos: 0, id: 1, flagsFragment: 0, ttl: 64, protocol: 1, options };
    const packet = packetOf({ ...header, src: HOST, dst: OWN, payload });
    const pieces = answers(routerOf(68), packet).map((piece) => piece.payload);
    expect(pieces.map(({ length }) => length)).toEqual([8, 8, 4]);
    const reply = concat(...pieces);
    expect([...reply.subarray(0, 2), ...reply.subarray(4, 12)]).toEqual([
      ...[14, 0, 0, 7, 0, 1, 0, 0, 0, 0],
    ]);
    expect(onesSum(viewOf(reply), 0, 20)).toBe(0xffff);
  });

  it("is not asked about SCTP that a defect makes of another protocol", () => {
    // Seed 20058: an echo request whose protocol became SCTP's, and a rule that tracks.
    const defect = { octet: 9, by: 1 ^ 132, isSealed: true };
    const protocols = [false, true].map((hasSctp) => {
      const packet = query({ src: HOST, dst: OWN, srcPort: 7, dstPort: 0 }, 8);
      distort(packet, defect, hasSctp);
      return packet[9];
    });
    expect(protocols).toEqual([1, 132]);
  });
});
