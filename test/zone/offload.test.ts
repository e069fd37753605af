import { describe, expect, it } from "vitest";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../../src/l2/ethernet.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { TCP, TCP_MIN_LENGTH } from "../../src/l4/tcp.ts";
import { type Ipv4Addr, parsePrefix } from "../../src/wire/addr.ts";
import { onesSum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";
import { EC2_2010, LINUX } from "../../src/xen/profile.ts";
import { Zone } from "../../src/zone/zone.ts";
import { written } from "../pcap/collect.ts";
import { dissect, hasWireshark, withFile } from "../pcap/wireshark.ts";
import { OUTSIDE } from "../support/hosts.ts";

const SEGMENT = 1460;
const IP = ETHERNET_LENGTH;
const AT = IP + IPV4_MIN_LENGTH;

/** A large segment of a connection that is being opened, with a blank checksum. */
function largeSegment(src: Ipv4Addr, dst: Ipv4Addr, payload: number): Uint8Array {
  const frame = new Uint8Array(AT + TCP_MIN_LENGTH + payload);
  const view = viewOf(frame);
  for (let at = AT + TCP_MIN_LENGTH; at < frame.length; at += 1) frame[at] = at * 7;
  IPV4.versionIhl.set(view, IP, 0x45);
  IPV4.totalLength.set(view, IP, frame.length - IP);
  IPV4.ttl.set(view, IP, 64);
  IPV4.flagsFragment.set(view, IP, 0x4000);
  IPV4.protocol.set(view, IP, Protocol.Tcp);
  IPV4.src.set(view, IP, src);
  IPV4.dst.set(view, IP, dst);
  sealHeader(view, IP);
  TCP.srcPort.set(view, AT, 40_000);
  TCP.dstPort.set(view, AT, 80);
  TCP.dataOffset.set(view, AT, 5);
  TCP.flags.set(view, AT, 0x02);
  TCP.window.set(view, AT, 5840);
  const sum = pseudoHeaderSum(src, dst, Protocol.Tcp, frame.length - AT);
  TCP.checksum.set(view, AT, onesSum(view, 0, 0, sum));
  return frame;
}

interface Seen {
  readonly on: string;
  readonly octets: Uint8Array;
}

/** A zone with two external domUs; what leaves Dom0, and what the second one gets. */
function stage(profile = EC2_2010) {
  const zone = new Zone({ profile, seed: 7 });
  zone.setSecurityGroup("default", [{ protocol: "tcp", source: parsePrefix("0.0.0.0/0") }]);
  const host = zone.addHost();
  zone.addInternetHost({ name: "www.example.com", address: OUTSIDE });
  const first = host.launch({ guest: "external" });
  const second = host.launch({ guest: "external" });
  const { router } = host.dom0;
  for (const { backend, privateAddress, mac } of [first, second]) {
    router.neighbors.addPermanent(backend.device, privateAddress, mac, 0);
  }
  const seen: Seen[] = [];
  zone.observe({
    received: (device, packet) => {
      const isIn = device === first.backend.device;
      if (isIn) seen.push({ on: "vif", octets: packet.octets().slice() });
    },
    transmitted: (device, packet) => {
      const isOut = device === host.dom0.uplink;
      if (isOut) seen.push({ on: "peth0", octets: packet.octets().slice() });
    },
    ended: () => undefined,
    step: () => undefined,
  });
  const got: Uint8Array[] = [];
  second.external?.onReceive((frame) => got.push(frame.slice()));
  const send = async (dst: Ipv4Addr, payload: number, segmentSize: number): Promise<void> => {
    const frame = largeSegment(first.privateAddress, dst, payload);
    writeEthernet(viewOf(frame), 0, host.dom0.profile.vifMac, first.mac, EtherType.Ipv4);
    expect(first.external?.transmit(frame, { hasBlankChecksum: true, segmentSize })).toBe(true);
    await zone.run({ until: zone.now + 3_000_000 });
  };
  const on = (name: string): Uint8Array[] =>
    seen.filter((one) => one.on === name && one.octets[23] === 6).map(({ octets }) => octets);
  return { zone, first, second, send, on, got };
}

const holds = (octets: Uint8Array): boolean => {
  const view = viewOf(octets);
  const src = IPV4.src.get(view, IP);
  const end = IP + IPV4.totalLength.get(view, IP);
  const pseudo = pseudoHeaderSum(src, IPV4.dst.get(view, IP), Protocol.Tcp, end - AT);
  return onesSum(view, AT, end, pseudo) === 0xffff;
};

describe.each([EC2_2010, LINUX])("what a domU leaves to Dom0, profile $name", (profile) => {
  it("is blank on its vif, and whole on peth0, translated", async () => {
    const { first, send, on } = stage(profile);
    await send(OUTSIDE, 100, 0);
    expect(on("vif").map(holds)).toEqual([false]);
    expect(on("peth0").map(holds)).toEqual([true]);
    const [frame] = on("peth0");
    expect(IPV4.src.get(viewOf(frame ?? new Uint8Array(40)), IP)).toBe(first.publicAddress);
  });

  it("crosses the vif in one frame of up to 65,535 octets, and peth0 in segments", async () => {
    const { zone, send, on } = stage(profile);
    const payload = 65_535 - AT - TCP_MIN_LENGTH;
    await send(OUTSIDE, payload, SEGMENT);
    expect(on("vif").map(({ length }) => length)).toEqual([65_535]);
    const pieces = on("peth0");
    expect(pieces).toHaveLength(Math.ceil(payload / SEGMENT));
    expect(pieces.every(holds)).toBe(true);
    expect(Math.max(...pieces.map(({ length }) => length))).toBe(1514);
    const octets = Buffer.concat(pieces.map((piece) => piece.subarray(AT + TCP_MIN_LENGTH)));
    expect(octets.length).toBe(payload);
    expect(zone.pool.live).toBe(0);
  });

  it.skipIf(!hasWireshark)("gives Wireshark no cause for complaint about peth0", async () => {
    const { send, on } = stage(profile);
    await send(OUTSIDE, 100, 0);
    await send(OUTSIDE, 20_000, SEGMENT);
    const file = written((writer) => {
      writer.addInterface({ name: "peth0" });
      on("peth0").forEach((octets, at) =>
        writer.writeFrame(0, at, viewOf(octets), 0, octets.length, 2, at),
      );
    });
    const fields = ["ip.checksum.status", "tcp.checksum.status"] as const;
    const said = withFile(file, (path) => dissect(path, fields));
    expect(said).toHaveLength(15);
    const good = { "ip.checksum.status": "1", "tcp.checksum.status": "1" };
    expect(said).toEqual(said.map(() => good));
  });

  it("reaches another domU of the host in one frame", async () => {
    const { zone, second, send, got } = stage(profile);
    await send(second.privateAddress, 20_000, SEGMENT);
    const large = got.filter((octets) => octets[23] === 6);
    expect(large.map(({ length }) => length)).toEqual([20_000 + AT + TCP_MIN_LENGTH]);
    expect(zone.pool.live).toBe(0);
  });
});
