/**
 * Large TCP segments as a guest with offload sends them, and a router that forwards them.
 * @module
 */
import fc from "fast-check";
import { writeEthernet, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { blankChecksum } from "../../src/l3/blank-checksum.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { TCP, TCP_MIN_LENGTH } from "../../src/l4/tcp.ts";
import { TCP_SEGMENTER } from "../../src/l4/tcp-segmentation.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { Bench, type SentFrame } from "../l3/bench.ts";

/** A frame, and how its sender wants it cut up. */
export interface LargeSegment {
  readonly frame: Uint8Array;
  /** 0 for a segment that is one. */
  readonly segmentSize: number;
}

const NEAR = "02:00:00:00:00:01";

/** From 10.0.0.2 to 10.0.1.2; the checksum is blank and, now and then, wrong in itself. */
export const largeSegment = (): fc.Arbitrary<LargeSegment> =>
  fc
    .record({
      id: fc.nat(0xffff),
      tos: fc.nat(0xff),
      ttl: fc.integer({ min: 1, max: 255 }),
      dontFragment: fc.boolean(),
      flags: fc.nat(0xff),
      seq: fc.oneof(fc.nat(0xffff_ffff), fc.constant(0xffff_f000)),
      options: fc.nat(10),
      segmentSize: fc.oneof(fc.constantFrom(536, 1448, 1460), fc.integer({ min: 200, max: 1500 })),
      pieces: fc.oneof(fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 40 })),
      last: fc.nat(1499),
      salt: fc.nat(0xff),
      error: fc.constantFrom(0, 0, 0, 1),
      isLarge: fc.constantFrom(true, true, true, false),
    })
    .map((drawn) => {
      const { segmentSize, options, isLarge } = drawn;
      const headers = IPV4_MIN_LENGTH + TCP_MIN_LENGTH + 4 * options;
      const most = 65_535 - headers;
      const wanted = segmentSize * (drawn.pieces - 1) + 1 + (drawn.last % segmentSize);
      const payload = isLarge ? Math.min(wanted, most) : drawn.last % (1501 - headers);
      const frame = new Uint8Array(ETHERNET_LENGTH + headers + payload);
      const view = viewOf(frame);
      for (let at = ETHERNET_LENGTH; at < frame.length; at += 1) frame[at] = at * 7 + drawn.salt;
      const ip = ETHERNET_LENGTH;
      writeEthernet(view, 0, parseMac(NEAR), parseMac("02:00:00:00:00:0a"), EtherType.Ipv4);
      IPV4.versionIhl.set(view, ip, 0x45);
      IPV4.tos.set(view, ip, drawn.tos);
      IPV4.totalLength.set(view, ip, frame.length - ip);
      IPV4.id.set(view, ip, drawn.id);
      IPV4.flagsFragment.set(view, ip, drawn.dontFragment ? 0x4000 : 0);
      IPV4.ttl.set(view, ip, drawn.ttl);
      IPV4.protocol.set(view, ip, Protocol.Tcp);
      IPV4.src.set(view, ip, parseIpv4("10.0.0.2"));
      IPV4.dst.set(view, ip, parseIpv4("10.0.1.2"));
      sealHeader(view, ip);
      const tcp = ip + IPV4_MIN_LENGTH;
      TCP.seq.set(view, tcp, drawn.seq);
      TCP.dataOffset.set(view, tcp, (TCP_MIN_LENGTH + 4 * options) / 4);
      TCP.flags.set(view, tcp, drawn.flags);
      const bench = new Bench();
      const packet = bench.pool.copyIn(frame);
      if (packet === null) throw new Error("the pool is exhausted");
      place(packet);
      blankChecksum(packet);
      const sum = TCP.checksum.get(packet.pool.view, packet.transport);
      TCP.checksum.set(view, tcp, (sum + drawn.error) & 0xffff);
      return { frame, segmentSize: isLarge ? segmentSize : 0 };
    });

function place(packet: Packet): void {
  packet.network = packet.frame + ETHERNET_LENGTH;
  packet.transport = packet.network + IPV4_MIN_LENGTH;
}

/** A router like the kernel's in gso_kernel.py. */
export class SegmentRouter {
  readonly bench = new Bench();
  readonly near: Device;
  readonly far: Device;

  /** @param mtu of the device by which frames leave. */
  constructor(mtu: number) {
    const { bench } = this;
    this.near = bench.addDevice("near", ["10.0.0.1/24"], { mac: NEAR });
    this.far = bench.addDevice("far", ["10.0.1.1/24"], { mac: "02:00:00:00:00:02", mtu });
    bench.know(this.near, "10.0.0.2", "02:00:00:00:00:0a");
    bench.know(this.far, "10.0.1.2", "02:00:00:00:00:0b");
    bench.router.setSegmenter(TCP_SEGMENTER);
  }

  /** `segment` comes in with a blank checksum. @returns what left. */
  forward({ frame, segmentSize }: LargeSegment): SentFrame[] {
    const { bench } = this;
    const before = bench.sent.length;
    const packet = bench.pool.copyIn(frame);
    if (packet === null) throw new Error("the pool is exhausted");
    packet.hasBlankChecksum = true;
    packet.segmentSize = segmentSize;
    this.near.receive(packet, bench.now);
    return bench.sent.slice(before);
  }
}
