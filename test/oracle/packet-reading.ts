/** What a far end reads in a frame that the router sent. @module */
import { formatIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../../src/l3/ipv4.ts";
import { TCP, tcpHeaderLengthOf } from "../../src/l4/tcp.ts";

/** An IPv4 packet. */
export interface Reading {
  readonly src: string;
  readonly dst: string;
  readonly protocol: number;
  /** The whole packet. */
  readonly packet: Uint8Array;
  /** What lies behind the IP header. */
  readonly payload: Uint8Array;
  /** True for all but whole packets and first fragments. */
  readonly isLaterFragment: boolean;
}

/** The packet in a frame; `null` if it is not IPv4. */
export function readPacket(frame: Uint8Array): Reading | null {
  const view = viewOf(frame);
  if (frame.length < ETHERNET_LENGTH + IPV4_MIN_LENGTH) return null;
  if (ETHERNET.type.get(view, 0) !== EtherType.Ipv4) return null;
  const at = ETHERNET_LENGTH;
  const end = at + IPV4.totalLength.get(view, at);
  return {
    src: formatIpv4(IPV4.src.get(view, at)),
    dst: formatIpv4(IPV4.dst.get(view, at)),
    protocol: IPV4.protocol.get(view, at),
    packet: frame.subarray(at, end),
    payload: frame.subarray(at + headerLengthOf(view, at), end),
    isLaterFragment: IPV4.fragmentOffset.get(view, at) > 0,
  };
}

/** A TCP segment. */
export interface SegmentReading {
  readonly ports: readonly [source: number, target: number];
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  /** Octets of data. */
  readonly length: number;
}

/** @returns `null` if it is too short to be one. */
export function readSegment({ protocol, payload }: Reading): SegmentReading | null {
  if (protocol !== Protocol.Tcp || payload.length < 20) return null;
  const view = viewOf(payload);
  return {
    ports: [view.getUint16(0), view.getUint16(2)],
    seq: TCP.seq.get(view, 0),
    ack: TCP.ack.get(view, 0),
    flags: TCP.flags.get(view, 0),
    length: Math.max(payload.length - tcpHeaderLengthOf(view, 0), 0),
  };
}
