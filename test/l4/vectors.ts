/**
 * Packets that a Linux 6.18 kernel sent, seen on the eth0 of the first domU of the recorded host
 * (captures: linux-kernel/domu-3.pcap); from the IP header on.
 * @module
 */
import { IPV4, headerLengthOf } from "../../src/l3/ipv4.ts";
import type { Ipv4Addr } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";

/** A packet, split where its transport header begins. */
export interface Vector {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly src: Ipv4Addr;
  readonly dst: Ipv4Addr;
  /** Of the transport header. */
  readonly at: number;
  readonly end: number;
}

function vector(hex: string): Vector {
  const bytes = Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
  const view = viewOf(bytes);
  const at = headerLengthOf(view, 0);
  const src = IPV4.src.get(view, 0);
  return { bytes, view, src, dst: IPV4.dst.get(view, 0), at, end: bytes.length };
}

/** Frame 47: a traceroute probe, 53837 to 33434. */
export const UDP_PROBE: Vector = vector(`
  4500003c332800000111 9ad10afeaadf5db8d822 d24d829a0028c9f8
  404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f`);
/** Frame 127: a SYN from port 50020 to 81. */
export const TCP_SYN: Vector = vector(`
  4500003c3c724000400692900afeaadf0afeaade c364005159f935b500000000a002faf03e160000
  020405b40402080ab1c09e17000000000103030a`);
/** Frame 128: the RST that refuses it, without options. */
export const TCP_RST: Vector = vector(`
  4500002800004000 3f06d0160afeaade0afeaadf 0051c3640000000059f935b650140000f0b10000`);
/** Frame 130: a SYN with ACK from port 80. */
export const TCP_SYN_ACK: Vector = vector(`
  4500003c000040003f06d0020afeaade0afeaadf 0050dc6cd49626bbc91f8152a012fe883cac0000
  020405b40402080a2c061350e3065c200103030a`);
/** Frame 132: five octets of data, "pong" and a line feed. */
export const TCP_DATA: Vector = vector(`
  4500003982254000 3f064de00afeaade0afeaadf 0050dc6cd49626bcc91f81528018004080df0000
  0101080a2c061350e3065c21 706f6e670a`);
