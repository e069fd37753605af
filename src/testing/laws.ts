/** Laws that hold of every frame and of the whole: what a property of yours may ask. @module */
import { viewOf } from "../wire/field.ts";
import type { PacketPool } from "../wire/packet.ts";
import { checkArp } from "../l2/arp.ts";
import { checkEthernet, ETHERNET, ETHERNET_LENGTH, EtherType } from "../l2/ethernet.ts";
import { checkIcmp } from "../l3/icmp.ts";
import { checkIpv4, headerLengthOf, IPV4, isFragment, Protocol } from "../l3/ipv4.ts";
import { checkTcp, checkTcpChecksum } from "../l4/tcp.ts";
import { checkUdp, checkUdpChecksum } from "../l4/udp.ts";

/**
 * What is wrong with a frame that a stack sent: lengths, versions, checksums.
 * @returns the reason of the first check that fails, or `null` for a sound frame.
 */
export function faultOf(frame: Uint8Array): string | null {
  const view = viewOf(frame);
  const wrong = checkEthernet(view, 0, frame.length);
  if (wrong !== null) return wrong;
  const type = ETHERNET.type.get(view, 0);
  if (type === EtherType.Arp) return checkArp(view, ETHERNET_LENGTH, frame.length);
  return type === EtherType.Ipv4 ? faultOfIpv4(view, ETHERNET_LENGTH, frame.length) : null;
}

/**
 * Conservation: every packet that was made has ended, once.
 * @returns what is missing, in words; `null` if nothing is. Ask when nothing is under way.
 */
export function leakOf(pool: PacketPool): string | null {
  const { allocated, ended } = pool;
  return allocated === ended ? null : `${allocated} packets were made, ${ended} ended`;
}

/** Matchers for vitest: `expect.extend(matchers)`. */
export const matchers = {
  /** `expect(frame).toBeSoundFrame()`. */
  toBeSoundFrame(frame: Uint8Array): { pass: boolean; message: () => string } {
    const fault = faultOf(frame);
    return {
      pass: fault === null,
      message: () => (fault === null ? "the frame is sound" : `the frame has ${fault}`),
    };
  },
};

function faultOfIpv4(view: DataView, at: number, frameEnd: number): string | null {
  const wrong = checkIpv4(view, at, frameEnd);
  if (wrong !== null || isFragment(view, at)) return wrong;
  const start = at + headerLengthOf(view, at);
  const end = at + IPV4.totalLength.get(view, at);
  const src = IPV4.src.get(view, at);
  const dst = IPV4.dst.get(view, at);
  switch (IPV4.protocol.get(view, at)) {
    case Protocol.Icmp:
      return checkIcmp(view, start, end);
    case Protocol.Udp:
      return checkUdp(view, start, end) ?? checkUdpChecksum(view, start, src, dst);
    case Protocol.Tcp:
      return checkTcp(view, start, end) ?? checkTcpChecksum(view, start, end, src, dst);
    default:
      return null;
  }
}
