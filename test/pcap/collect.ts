/** What the tests of captures share. @module */
import { PcapngWriter, type PcapngWriterOptions } from "../../src/pcap/pcapng-writer.ts";
import type { Sink } from "../../src/pcap/block-buffer.ts";

/** A sink that keeps what it gets, for it only borrows it. */
export class Collector {
  readonly chunks: Uint8Array[] = [];
  readonly sink: Sink = (chunk) => {
    this.chunks.push(chunk.slice());
  };

  get bytes(): Uint8Array {
    const bytes = new Uint8Array(this.chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    return bytes;
  }
}

/** The file that `write` writes. */
export function written(
  write: (writer: PcapngWriter) => void,
  options: Omit<PcapngWriterOptions, "sink"> = {},
): Uint8Array {
  const collector = new Collector();
  const writer = new PcapngWriter({ sink: collector.sink, ...options });
  write(writer);
  writer.close();
  return collector.bytes;
}

export const view = (octets: readonly number[] | Uint8Array): DataView =>
  new DataView(Uint8Array.from(octets).buffer);

export const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (octet) => octet.toString(16).padStart(2, "0")).join("");
