/** Plays a capture to the router of a world, piece by piece, in the time of its frames. @module */
import { EmulatorError } from "../../base/errors.ts";
import { type Duration, type Instant, SECOND } from "../../base/time.ts";
import { CaptureReader } from "../../pcap/capture-reader.ts";
import { type CaptureRecord, LINKTYPE_ETHERNET, nanosecondsOf } from "../../pcap/record.ts";
import type { RouterWorld } from "../../zone/world/router-world.ts";
import { faultAt, InputError } from "../failure.ts";

/** How a capture is played. */
export interface ReplayOptions {
  /** The capture's name, for messages. */
  readonly file: string;
  /** Makes the router; called with the first frame's time in microseconds since 1970. */
  readonly open: (epoch: number) => RouterWorld;
  /** Frames from then on, in microseconds after the first, are not played; `null` plays all. */
  readonly until: Duration | null;
}

/** Time after the last frame in which a router asks for its neighbors, and gives up. */
const SETTLING: Duration = 4 * SECOND;

/** One capture on its way through one router. */
export class Replay {
  /** Frames that came in. */
  frames = 0;
  /** Frames that the capture says left: whoever recorded it saw both directions. */
  passedOver = 0;
  /** Frames that found no room in the router. */
  lost = 0;
  readonly #options: ReplayOptions;
  readonly #reader: CaptureReader;
  #world: RouterWorld | null = null;
  #names: ReadonlySet<string> = new Set();
  #baseNs = 0n;
  #last: Instant = 0;
  #read = 0;
  #isOver = false;

  constructor(options: ReplayOptions) {
    this.#options = options;
    this.#reader = new CaptureReader({ onRecord: (record) => this.#play(record) });
  }

  /** The router; the one of an empty capture before the first frame. */
  get world(): RouterWorld {
    return this.#world ?? this.#open(0n);
  }

  /** True once a frame came after the run's end. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Play what is whole in the next piece of the file. @throws {InputError}. */
  push(chunk: Uint8Array): void {
    this.#explained(() => this.#reader.push(chunk));
  }

  /** The file is over, as is wanted: nothing may be missing. @throws {InputError}. */
  end(): void {
    this.#explained(() => this.#reader.close());
  }

  /** Let the time after the last frame pass. */
  settle(): void {
    this.world.expire(this.#options.until ?? this.#last + SETTLING);
  }

  #play(record: CaptureRecord): void {
    this.#read += 1;
    if (this.#isOver) return;
    if (record.direction === "outbound") {
      this.passedOver += 1;
      return;
    }
    const nanoseconds = nanosecondsOf(record);
    if (nanoseconds === null) return this.#refuse("has no time");
    const world = this.#world ?? this.#open(nanoseconds);
    const name = this.#interfaceOf(record);
    const at = Number((nanoseconds - this.#baseNs) / 1000n);
    if (nanoseconds < this.#baseNs || at < this.#last) {
      return this.#refuse(`is earlier than the one before; "reordercap" sorts a capture`);
    }
    if (!Number.isSafeInteger(at)) return this.#refuse("comes centuries after the first");
    if (record.octets.length < record.originalLength) {
      const { octets, originalLength } = record;
      return this.#refuse(`was cut off: ${octets.length} of ${originalLength} octets are there`);
    }
    if (this.#options.until !== null && at > this.#options.until) {
      this.#isOver = true;
      return;
    }
    this.#last = at;
    this.frames += 1;
    if (world.receive(name, record.octets, at) === 0) this.lost += 1;
  }

  /** By which of the world's interfaces the frame comes in. */
  #interfaceOf({ interface: from }: CaptureRecord): string {
    const known = [...this.#names].join(", ");
    if (from.linkType !== LINKTYPE_ETHERNET) {
      return this.#refuse(`has link type ${from.linkType}, expected 1, which is Ethernet`);
    }
    if (from.name === null) {
      return this.#refuse(`is of an interface without a name, expected one of ${known}`);
    }
    if (this.#names.has(from.name)) return from.name;
    return this.#refuse(`comes in by "${from.name}", expected one of ${known}`);
  }

  #open(nanoseconds: bigint): RouterWorld {
    const epoch = nanoseconds / 1000n;
    this.#baseNs = epoch * 1000n;
    this.#world = this.#options.open(Number(epoch));
    this.#names = new Set(this.#world.interfaces);
    return this.#world;
  }

  #refuse(message: string): never {
    const place = { file: this.#options.file, line: 0 };
    throw new InputError([faultAt(place, `frame ${this.#read}`, message)]);
  }

  #explained(work: () => void): void {
    try {
      work();
    } catch (error) {
      if (!(error instanceof EmulatorError) || error instanceof InputError) throw error;
      throw new InputError([faultAt({ file: this.#options.file, line: 0 }, "", error.message)]);
    }
  }
}
