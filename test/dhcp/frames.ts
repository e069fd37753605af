/** Frames around DHCP messages, and the frames of recorded exchanges. */
import { readFileSync } from "node:fs";
import type { RawReply } from "../../src/dhcp/dhcpd-reply.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol } from "../../src/l3/ipv4.ts";
import { UDP, UDP_LENGTH } from "../../src/l4/udp.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import type { Ipv4Addr, Mac } from "../../src/wire/addr.ts";
import { checksum, pseudoHeaderSum } from "../../src/wire/checksum.ts";
import { viewOf } from "../../src/wire/field.ts";

/** A UDP datagram in its frame. */
export interface Datagram {
  readonly frame: Uint8Array;
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly payload: Uint8Array;
}

/** @returns the datagram in a frame, or `null` if there is none. */
export function datagramOf(frame: Uint8Array): Datagram | null {
  const view = viewOf(frame);
  const ip = ETHERNET_LENGTH;
  if (frame.length < ip + IPV4_MIN_LENGTH + UDP_LENGTH) return null;
  if (ETHERNET.type.get(view, 0) !== EtherType.Ipv4) return null;
  if (IPV4.protocol.get(view, ip) !== Protocol.Udp) return null;
  const udp = ip + headerLengthOf(view, ip);
  const end = udp + UDP.length.get(view, udp);
  if (end > frame.length) return null;
  return {
    frame,
    source: IPV4.src.get(view, ip),
    destination: IPV4.dst.get(view, ip),
    sourcePort: UDP.srcPort.get(view, udp),
    destinationPort: UDP.dstPort.get(view, udp),
    payload: frame.slice(udp + UDP_LENGTH, end),
  };
}

/** The datagrams of a recorded file that came from or went to the port of a DHCP server. */
export function exchangeOf(path: string): Datagram[] {
  return readCapture(new Uint8Array(readFileSync(path))).records.flatMap(({ octets }) => {
    const datagram = datagramOf(octets);
    const isOfServer = datagram?.sourcePort === 67 || datagram?.destinationPort === 67;
    return datagram !== null && isOfServer ? [datagram] : [];
  });
}

/** What a frame says besides its datagram. */
export type Envelope = Omit<RawReply, "transport" | "device" | "payload">;

/** A datagram in an Ethernet frame with all its checksums. */
export function frameOf(payload: Uint8Array, envelope: Envelope, sourceMac: Mac): Uint8Array {
  const { source, destination, sourcePort, destinationPort } = envelope;
  const udp = ETHERNET_LENGTH + IPV4_MIN_LENGTH;
  const frame = new Uint8Array(udp + UDP_LENGTH + payload.length);
  const view = viewOf(frame);
  ETHERNET.dst.set(view, 0, envelope.destinationMac);
  ETHERNET.src.set(view, 0, sourceMac);
  ETHERNET.type.set(view, 0, EtherType.Ipv4);
  const ip = ETHERNET_LENGTH;
  IPV4.versionIhl.set(view, ip, 0x45);
  IPV4.tos.set(view, ip, envelope.tos);
  IPV4.totalLength.set(view, ip, frame.length - ip);
  IPV4.id.set(view, ip, envelope.id);
  IPV4.ttl.set(view, ip, envelope.ttl);
  IPV4.protocol.set(view, ip, Protocol.Udp);
  IPV4.src.set(view, ip, source);
  IPV4.dst.set(view, ip, destination);
  IPV4.checksum.set(view, ip, checksum(view, ip, udp));
  const length = frame.length - udp;
  UDP.srcPort.set(view, udp, sourcePort);
  UDP.dstPort.set(view, udp, destinationPort);
  UDP.length.set(view, udp, length);
  frame.set(payload, udp + UDP_LENGTH);
  const pseudo = pseudoHeaderSum(source, destination, Protocol.Udp, length);
  UDP.checksum.set(view, udp, checksum(view, udp, frame.length, pseudo));
  return frame;
}
