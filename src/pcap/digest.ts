/** Digests: a capture as text, one line a frame, for people who review it. @module */
import { CaptureReader, type CaptureReaderOptions, readCapture } from "./capture-reader.ts";
import { type CaptureRecord, LINKTYPE_ETHERNET, nanosecondsOf } from "./record.ts";
import { summaryOf } from "./summary.ts";

/**
 * One line for `record`, without line end: seconds since `baseNs`, interface, direction, addresses,
 * summary, length (stored/on the wire if they differ), comment. Says the same for the same
 * frame at the same time, whatever stands around it.
 */
export function digestLine(record: CaptureRecord, baseNs: bigint): string {
  const { interface: at, octets, originalLength, direction, comment } = record;
  const nanoseconds = nanosecondsOf(record);
  const time = nanoseconds === null ? "-" : formatSeconds(nanoseconds - baseNs);
  const name = at.name === null || at.name === "" ? `if${at.id}` : plain(at.name);
  const way = direction === null ? "-" : direction === "inbound" ? "in" : "out";
  const summary =
    at.linkType === LINKTYPE_ETHERNET ? summaryOf(octets) : `link type ${at.linkType}`;
  const length =
    octets.length === originalLength
      ? String(originalLength)
      : `${octets.length}/${originalLength}`;
  const remark = comment === null ? "" : ` ${JSON.stringify(comment)}`;
  return `${time} ${name} ${way} ${summary} (${length})${remark}`;
}

/**
 * The digest of a whole file; times count from its first record. Each line ends with a line feed.
 * @throws {ParseError} if the file is no capture, damaged or cut off.
 */
export function digestOf(bytes: Uint8Array): string {
  const lines = new Digest();
  return readCapture(bytes)
    .records.map((record) => `${lines.line(record)}\n`)
    .join("");
}

/** A reader that gives `onLine` the digest of a file as it comes in, line by line. */
export function digestReader(
  onLine: (line: string) => void,
  limits: Omit<CaptureReaderOptions, "onRecord"> = {},
): CaptureReader {
  const lines = new Digest();
  return new CaptureReader({ ...limits, onRecord: (record) => onLine(lines.line(record)) });
}

/** Remembers when the first record was. */
class Digest {
  #baseNs: bigint | null = null;

  line(record: CaptureRecord): string {
    this.#baseNs ??= nanosecondsOf(record);
    return digestLine(record, this.#baseNs ?? 0n);
  }
}

/** Microseconds, or nanoseconds where there are some. */
function formatSeconds(nanoseconds: bigint): string {
  const sign = nanoseconds < 0n ? "-" : "";
  const digits = String(nanoseconds < 0n ? -nanoseconds : nanoseconds).padStart(10, "0");
  const fraction = digits.slice(-9);
  return `${sign}${digits.slice(0, -9)}.${fraction.replace(/000$/, "")}`;
}

/** A name as it is, quoted if it could be taken for more than one word. */
const plain = (name: string): string => (/^[!-~]+$/.test(name) ? name : JSON.stringify(name));
