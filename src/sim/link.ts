/**
 * Links: join two devices full duplex, each direction with its own delay, rate, queue and faults.
 *
 * A frame waits until the frames before it have left, takes its serialisation time to leave, is
 * under way for the delay, and meets the faults where it arrives. Pulling the cable is
 * `attachCarrier(null)` on both devices; what is under way still arrives.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { type Duration, type Instant, NEVER } from "../base/time.ts";
import type { Carrier, Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { type FaultOptions, Faults } from "./faults.ts";
import { Lane, type Lanes, type Receiver } from "./lane.ts";
import type { Scheduler } from "./scheduler.ts";
import { Transmitter } from "./transmitter.ts";

/** What Ethernet sends around a frame: preamble 7, delimiter 1, check sequence 4, gap 12 octets. */
export const ETHERNET_FRAMING_OCTETS = 24;

/** One direction of a link. */
export interface WayOptions {
  /** Time under way, whole microseconds from 0; 0. Without delay, a frame is due in its instant. */
  readonly delay?: Duration;
  /** Bits a second, a whole number from 1 to 10^12; `null`, the default, for no bound. */
  readonly rateBps?: number | null;
  /** Octets that the rate counts besides the frame, from 0 to 2^16; 0. */
  readonly framingOctets?: number;
  /**
   * Frames that may wait while another is being sent, from 0 to 2^20; 1,000, as Linux's
   * `txqueuelen`. The next one is dropped. Nothing waits where no rate is set.
   */
  readonly queueLimit?: number;
  /** What may go wrong; `null`, the default, for nothing. */
  readonly faults?: FaultOptions | null;
}

/** What a link joins, and how. */
export interface LinkOptions {
  /** What carries the frames of all links of one scheduler. */
  readonly lanes: Lanes;
  readonly left: Device;
  readonly right: Device;
  /** From left to right. */
  readonly toRight?: WayOptions;
  /** From right to left; as `toRight`. */
  readonly toLeft?: WayOptions;
  /** Names the streams of chance, so it must differ from link to link; "<left>-<right>". */
  readonly name?: string;
  /** Seeds the faults: any integer below 2^53; 0. */
  readonly seed?: number;
}

/** Joins two devices: becomes the carrier of both. */
export class Link implements Carrier {
  readonly name: string;
  /** The direction from left to right. */
  readonly toRight: Way;
  /** The direction from right to left. */
  readonly toLeft: Way;
  readonly #left: Device;

  constructor({ lanes, left, right, toRight = {}, toLeft = toRight, name, seed = 0 }: LinkOptions) {
    this.name = name ?? `${left.name}-${right.name}`;
    this.#left = left;
    const { scheduler } = lanes;
    const setup = { lanes, seed };
    this.toRight = new Way(toRight, {
      ...setup,
      target: new Arrival(right, scheduler),
      stream: `${this.name}/right`,
    });
    this.toLeft = new Way(toLeft, {
      ...setup,
      target: new Arrival(left, scheduler),
      stream: `${this.name}/left`,
    });
    left.attachCarrier(this);
    right.attachCarrier(this);
  }

  carry(from: Device, packet: Packet, now: Instant): void {
    (from === this.#left ? this.toRight : this.toLeft).send(packet, now);
  }
}

/** Where frames arrive: a device, whose machine is asked for its deadline anew. */
class Arrival implements Receiver {
  readonly #device: Device;
  readonly #scheduler: Scheduler;

  constructor(device: Device, scheduler: Scheduler) {
    this.#device = device;
    this.#scheduler = scheduler;
  }

  receive(packet: Packet, now: Instant): void {
    this.#device.receive(packet, now);
    if (this.#device.machine !== null) this.#scheduler.reschedule(this.#device.machine);
  }

  toString(): string {
    return this.#device.name;
  }
}

interface WaySetup {
  readonly lanes: Lanes;
  readonly target: Receiver;
  readonly seed: number;
  readonly stream: string;
}

/** One direction: a queue, a wire, and what goes wrong on it. */
export class Way implements Receiver {
  /** Frames that were handed in. */
  carried = 0;
  /** Frames that found the queue full. */
  overflowed = 0;
  /** Frames that wait, are being sent or are under way; without those that faults hold back. */
  inFlight = 0;
  #faults: Faults | null;
  readonly #setup: WaySetup;
  readonly #lanes: Lanes;
  readonly #lane: Lane;
  readonly #delay: Duration;
  readonly #transmitter: Transmitter | null;
  readonly #framingOctets: number;
  readonly #target: Receiver;

  constructor(options: WayOptions, setup: WaySetup) {
    const { lanes, target } = setup;
    const { delay = 0, rateBps = null, framingOctets = 0 } = options;
    const { queueLimit = 1000, faults = null } = options;
    requireWhole("delay", delay, 0, Number.MAX_SAFE_INTEGER);
    requireWhole("rateBps", rateBps ?? 1, 1, 1e12);
    requireWhole("framingOctets", framingOctets, 0, 2 ** 16);
    requireWhole("queueLimit", queueLimit, 0, 2 ** 20);
    this.#lanes = lanes;
    this.#lane = rateBps === null ? lanes.of(delay) : new Lane(lanes.scheduler);
    this.#delay = delay;
    this.#transmitter = rateBps === null ? null : new Transmitter(rateBps, queueLimit);
    this.#framingOctets = framingOctets;
    this.#target = target;
    this.#setup = setup;
    this.#faults = this.#faultsOf(faults);
  }

  /** What goes wrong; `null` if nothing does. */
  get faults(): Faults | null {
    return this.#faults;
  }

  /**
   * Let other things go wrong from now on; `null` for nothing. The streams of chance start anew.
   */
  setFaults(options: FaultOptions | null): void {
    this.#faults = this.#faultsOf(options);
  }

  /** Frames that wait for others to be sent. */
  get waiting(): number {
    return this.#transmitter?.waiting(this.#lanes.scheduler.now) ?? 0;
  }

  /** Take in a frame. Takes ownership. */
  send(packet: Packet, now: Instant): void {
    assert(now === this.#lanes.scheduler.now, "a frame is sent at the instant of the scheduler");
    this.carried += 1;
    const octets = packet.length + this.#framingOctets;
    const departure = this.#transmitter === null ? now : this.#transmitter.send(octets, now);
    if (departure === NEVER) {
      this.overflowed += 1;
      packet.pool.end(packet, "dropped", "link/queue-full", now);
      return;
    }
    this.inFlight += 1;
    this.#lane.put(packet, this, departure + this.#delay);
  }

  receive(packet: Packet, now: Instant): void {
    this.inFlight -= 1;
    if (this.#faults === null) this.#target.receive(packet, now);
    else this.#faults.receive(packet, now);
  }

  toString(): string {
    return String(this.#target);
  }

  #faultsOf(options: FaultOptions | null): Faults | null {
    const { lanes, target, seed, stream } = this.#setup;
    return options === null
      ? null
      : new Faults(options, { scheduler: lanes.scheduler, target, seed, stream });
  }
}

function requireWhole(option: string, value: number, lower: number, upper: number): void {
  if (!Number.isInteger(value) || value < lower || value > upper) {
    throw new OptionError(option, value, `a whole number from ${lower} to ${upper}`);
  }
}
