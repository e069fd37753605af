/** Captures as somebody records them on the links of a world, for tests. @module */
import { viewOf } from "../../../src/wire/field.ts";
import { PcapngWriter } from "../../../src/pcap/pcapng-writer.ts";
import { MAC_ZERO } from "../../../src/wire/addr.ts";
import { concat } from "../../oracle/world-octets.ts";

/** A frame on a link. */
export interface CapturedFrame {
  /** Microseconds after 2010-02-01T00:00:00Z. */
  readonly at: number;
  readonly interface: string;
  readonly octets: Uint8Array;
  /** `epb_flags`; 0. */
  readonly flags?: number;
}

/** A pcapng of `frames`, its interfaces in the order in which they occur. */
export function captureOf(frames: readonly CapturedFrame[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  const writer = new PcapngWriter({ sink: (chunk) => chunks.push(chunk.slice()) });
  const ids = new Map<string, number>();
  for (const [index, { at, interface: name, octets, flags = 0 }] of frames.entries()) {
    const id = ids.get(name) ?? writer.addInterface({ name, mac: MAC_ZERO });
    ids.set(name, id);
    writer.writeFrame(id, at, viewOf(octets), 0, octets.length, flags, index + 1);
  }
  writer.close();
  return concat(...chunks);
}
