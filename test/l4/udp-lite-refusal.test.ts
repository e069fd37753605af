import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { Host } from "../../src/guest/host.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { type Ends, udpLite } from "../nat/packets.ts";
import { frameOf } from "../oracle/world-octets.ts";
import { HOST_2_6_18, HOST_6 } from "../support/behaviour.ts";

const OWN = "02:00:00:00:00:01";
const PEER = "02:00:00:00:00:02";
const ends: Ends = { src: "10.0.0.2", dst: "10.0.0.1", srcPort: 4000, dstPort: 53 };
const toAll: Ends = { ...ends, dst: "10.0.0.255" };
const datagram = (coverage = 0, way = ends): Uint8Array =>
  udpLite(way, new Uint8Array(9).fill(3), coverage, Protocol.UdpLite);

/** Type and code of the errors that a host sends for a packet. */
function errorsOf(packet: Uint8Array, behaviour = HOST_6): (number | undefined)[][] {
  const pool = new PacketPool({ slots: 16, largeSlots: 0 });
  const chance = new Prng(1);
  const host = new Host({ name: "host", mac: parseMac(OWN), pool, behaviour, chance });
  host.configure({ address: parseIpv4(ends.dst), length: 24, gateway: null }, 0);
  const { device, router } = host;
  router.neighbors.addPermanent(device, parseIpv4(ends.src), parseMac(PEER), 0);
  const errors: (number | undefined)[][] = [];
  device.attachCarrier({
    carry: (_from, sent, now) => {
      const octets = sent.octets();
      errors.push([octets[34], octets[35]]);
      pool.end(sent, "delivered", "test/recorded", now);
    },
  });
  const came = pool.copyIn(frameOf(OWN, PEER, 0x0800, packet));
  if (came === null) throw new RangeError("the pool is exhausted");
  device.receive(came, 0);
  return errors;
}

describe("a datagram of UDP-Lite for nobody", () => {
  it.each([0, 8, 12, 17])("is refused by its port if it covers %i octets", (coverage) => {
    expect(errorsOf(datagram(coverage))).toEqual([[3, 3]]);
  });

  it("is refused whatever its uncovered octets are, and no other", () => {
    for (let at = 8; at < 17; at += 1) {
      const broken = datagram(12).fill(4, 20 + at, 21 + at);
      expect(errorsOf(broken)).toEqual(at < 12 ? [] : [[3, 3]]);
    }
  });

  it("is not answered if it has UDP's sum, no sum, or went to all", () => {
    expect(errorsOf(udpLite(ends, new Uint8Array(9)))).toEqual([]);
    expect(errorsOf(datagram().fill(0, 26, 28))).toEqual([]);
    expect(errorsOf(datagram(0, toAll))).toEqual([]);
  });

  it("is of an unknown protocol to 2.6.18", () => {
    expect(errorsOf(datagram(), HOST_2_6_18)).toEqual([[3, 2]]);
  });
});
