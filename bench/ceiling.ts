/**
 * The straight-line ceiling: what one loop without layers can do for a frame. It checks a 64-octet
 * UDP frame, looks its flow up in an open-addressing table, writes new addresses and a lower TTL
 * with RFC 1624 and copies the frame out.
 * @module
 */
import { writeEthernet, EtherType } from "../src/l2/ethernet.ts";
import { checkIpv4, IPV4, Protocol } from "../src/l3/ipv4.ts";
import { type Mac, ipv4Of } from "../src/wire/addr.ts";
import { checksum } from "../src/wire/checksum.ts";
import { viewOf } from "../src/wire/field.ts";
import type { Case } from "./harness.ts";

const SLOT = 128;
const FRAME = 64;
/** Places of the table for each flow. */
const PLACES = 4;
const PUBLIC = 0x4b65_a007;

/** Flows of the small case, a power of two as their number always is. */
const FEW = 256;

/** The loop over the frames of `flows` flows, each in turn, one operation a frame. */
export function ceiling(flows: number = FEW): Case {
  const input = new Uint8Array(flows * SLOT);
  const output = new Uint8Array(flows * SLOT);
  const view = viewOf(input);
  const from = new Int32Array(input.buffer);
  const to = new Int32Array(output.buffer);
  const keys = new Int32Array(flows * PLACES);
  const last = keys.length - 1;
  for (let index = 0; index < flows; index += 1) {
    writeFrame(view, index * SLOT + 2, index);
    let slot = hash(view, index * SLOT + 16) & last;
    while (keys[slot] !== 0) slot = (slot + 1) & last;
    keys[slot] = hash(view, index * SLOT + 16);
  }
  let next = 0;
  return {
    name:
      flows === FEW
        ? "straight-line ceiling: parse, look up, rewrite, copy out"
        : `the same loop with ${flows} flows`,
    run: (count) => {
      for (let done = 0; done < count; done += 1) {
        const at = next * SLOT;
        next = (next + 1) & (flows - 1);
        forward(view, at + 16, keys);
        const word = at >>> 2;
        for (let offset = 0; offset < 20; offset += 1) to[word + offset] = from[word + offset] ?? 0;
      }
    },
  };
}

function forward(view: DataView, at: number, keys: Int32Array): void {
  if (checkIpv4(view, at, at + 50) !== null) return;
  const key = hash(view, at);
  const last = keys.length - 1;
  let slot = key & last;
  while (keys[slot] !== key) slot = (slot + 1) & last;
  const src = view.getUint32(at + 12);
  const translated = src === PUBLIC ? 0x0afe_aadf : PUBLIC;
  const difference = (~(src >>> 16) & 0xffff) + (~src & 0xffff);
  const added = (translated >>> 16) + (translated & 0xffff);
  const ttl = view.getUint8(at + 8);
  let sum = (~view.getUint16(at + 10) & 0xffff) + difference + added;
  view.setUint8(at + 8, ttl > 1 ? ttl - 1 : 64);
  sum += (ttl > 1 ? -256 : (64 - ttl) << 8) + 0xffff;
  sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(at + 10, ~((sum & 0xffff) + (sum >>> 16)) & 0xffff);
  let udp = (~view.getUint16(at + 26) & 0xffff) + difference + added;
  udp = (udp & 0xffff) + (udp >>> 16);
  view.setUint16(at + 26, ~((udp & 0xffff) + (udp >>> 16)) & 0xffff);
  view.setUint32(at + 12, translated);
}

function hash(view: DataView, at: number): number {
  const mixed = Math.imul(view.getUint32(at + 16) ^ view.getUint32(at + 20), 0x9e37_79b1);
  return (mixed ^ (mixed >>> 15)) | 1;
}

function writeFrame(view: DataView, at: number, index: number): void {
  const ip = at + 14;
  writeEthernet(view, at, 0xfe_ffff_ffff as Mac, 0x1231_3900 as Mac, EtherType.Ipv4);
  IPV4.versionIhl.set(view, ip, 0x45);
  IPV4.totalLength.set(view, ip, FRAME - 14);
  IPV4.ttl.set(view, ip, 64);
  IPV4.protocol.set(view, ip, Protocol.Udp);
  IPV4.src.set(view, ip, ipv4Of(0x0afe_aadf));
  IPV4.dst.set(view, ip, ipv4Of(0x5db8_d822 + (index >>> 14)));
  view.setUint16(ip + 20, 40_000 + (index & 0x3fff));
  view.setUint16(ip + 22, 7);
  view.setUint16(ip + 24, FRAME - 34);
  view.setUint16(ip + 26, 0x1234);
  IPV4.checksum.set(view, ip, checksum(view, ip, ip + 20));
}
