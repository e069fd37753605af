/**
 * The last steps of a packet in a stack, from its size to its frame: fragments, large segments,
 * blank checksums (Linux `ip_finish_output`, `dev_queue_xmit`).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH, type EthernetTemplate } from "../l2/ethernet.ts";
import type { RouterBehaviour } from "./behaviour.ts";
import { completeChecksum, hasChecksumField } from "./blank-checksum.ts";
import { fragment, type FragmentSink, isTooBig } from "./fragment.ts";
import type { IcmpReporter } from "./icmp-reporter.ts";
import { IPV4 } from "./ipv4.ts";
import type { Segmenter } from "./segmenter.ts";

/** Sends what is routed. */
export class Egress {
  /** Cuts large segments; `null` for a stack that passes them on whole or not at all. */
  segmenter: Segmenter | null = null;
  readonly #behaviour: RouterBehaviour;
  readonly #reporter: IcmpReporter;

  constructor(behaviour: RouterBehaviour, reporter: IcmpReporter) {
    this.#behaviour = behaviour;
    this.#reporter = reporter;
  }

  /** True if DF forbids what the size of `packet` demands. */
  isTooBig(packet: Packet): boolean {
    if (packet.segmentSize === 0) return isTooBig(packet);
    const { view } = packet.pool;
    return this.#mustBeCut(packet) && IPV4.dontFragment.get(view, packet.network) === 1;
  }

  /** Bring `packet` to the size of its route and hand what comes of it to `sink`. */
  fit(packet: Packet, sink: FragmentSink, now: Instant): void {
    const { largestFragment, pathMtu, segmentSize } = packet;
    const keepsSize = largestFragment > 0 && this.#behaviour.refragmentsToLargest;
    const limit = keepsSize ? Math.min(largestFragment, pathMtu) : pathMtu;
    const fits =
      segmentSize > 0
        ? !this.#mustBeCut(packet)
        : packet.end - packet.network <= limit && !keepsSize;
    if (fits) sink(packet, now);
    else if (this.isTooBig(packet)) {
      this.#reporter.tooBig(packet, now);
      packet.pool.end(packet, "discarded", "ipv4/too-big", now);
    } else if (segmentSize > 0 && this.segmenter !== null) {
      this.segmenter.cut(packet, (piece, at) => this.fit(piece, sink, at), now);
    } else {
      completeChecksum(packet);
      fragment(packet, limit, sink, now);
    }
  }

  /** Send `packet` in a new frame that begins with `header`. Takes ownership. */
  transmit(device: Device, packet: Packet, header: EthernetTemplate, now: Instant): void {
    if (packet.segmentSize > 0 && !device.takesLargeSegments && this.segmenter !== null) {
      const send = (piece: Packet, at: Instant): void => this.#leave(device, piece, header, at);
      this.segmenter.cut(packet, send, now);
    } else this.#leave(device, packet, header, now);
  }

  #leave(device: Device, packet: Packet, header: EthernetTemplate, now: Instant): void {
    if (packet.hasBlankChecksum) {
      if (!hasChecksumField(packet)) {
        packet.pool.end(packet, "discarded", "ipv4/blank-checksum", now);
        return;
      }
      if (!device.takesBlankChecksums) completeChecksum(packet);
    }
    packet.frame = packet.network - ETHERNET_LENGTH;
    header.write(packet.pool.view, packet.frame);
    device.transmit(packet, now);
  }

  /** True for a large segment whose pieces are too long for its route. */
  #mustBeCut(packet: Packet): boolean {
    const longest = this.segmenter?.longest(packet) ?? packet.end - packet.network;
    return this.#behaviour.checksSegments && longest > packet.pathMtu;
  }
}
