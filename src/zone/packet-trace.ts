/**
 * The way of each packet in words, kept for a bounded number of packets: what `explain` answers.
 * @module
 */
import { BoundedMap } from "../base/bounded-map.ts";
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Fate, Observer, Packet, Reason } from "../wire/packet.ts";

/** One step on a packet's way. */
export interface TraceStep {
  readonly at: Instant;
  /** A device, a router's part, a hook. */
  readonly where: string;
  readonly what: string;
}

/** How a packet ended. */
export interface TraceEnd {
  readonly at: Instant;
  readonly fate: Fate;
  readonly reason: Reason;
}

/** All that is known of a packet. Fragments and copies share an id, and so a trace. */
export interface PacketStory {
  readonly id: number;
  readonly steps: readonly TraceStep[];
  /** In the order in which the packet, its copies and fragments ended. */
  readonly ends: readonly TraceEnd[];
}

interface Story extends PacketStory {
  readonly steps: TraceStep[];
  readonly ends: TraceEnd[];
}

/** Steps of one packet that are kept; a packet that loops stops being told. */
const STEP_LIMIT = 256;

/** Watches packets and remembers what happened to them. */
export class PacketTrace implements Observer {
  readonly #stories: BoundedMap<number, Story>;
  readonly #nameOf: (device: Device) => string;

  /** @param limit packets that are remembered; @param nameOf how a device is called in steps. */
  constructor(limit: number, nameOf: (device: Device) => string) {
    this.#stories = new BoundedMap(limit);
    this.#nameOf = nameOf;
  }

  /** Stories of all packets that are remembered, the oldest first. */
  *stories(): IterableIterator<PacketStory> {
    for (const [, story] of this.#stories) yield story;
  }

  /**
   * Hand over and forget the stories of packets that have ended: for who tells them all, however
   * many there are. What a copy or a fragment does later begins a new story of the same id.
   */
  *takeEnded(): IterableIterator<PacketStory> {
    for (const [id, story] of this.#stories) {
      if (story.ends.length === 0) continue;
      this.#stories.delete(id);
      yield story;
    }
  }

  find(id: number): PacketStory | null {
    return this.#stories.get(id) ?? null;
  }

  received(device: Device, packet: Packet, now: Instant): void {
    this.#tell(packet, this.#nameOf(device), `in, ${packet.length} octets`, now);
  }

  transmitted(device: Device, packet: Packet, now: Instant): void {
    this.#tell(packet, this.#nameOf(device), `out, ${packet.length} octets`, now);
  }

  ended(packet: Packet, fate: Fate, reason: Reason, now: Instant): void {
    const { ends } = this.#story(packet.id);
    if (ends.length < STEP_LIMIT) ends.push({ at: now, fate, reason });
  }

  step(packet: Packet, place: string, what: string, now: Instant): void {
    this.#tell(packet, place, what, now);
  }

  #tell(packet: Packet, where: string, what: string, now: Instant): void {
    const { steps } = this.#story(packet.id);
    if (steps.length < STEP_LIMIT) steps.push({ at: now, where, what });
  }

  #story(id: number): Story {
    const known = this.#stories.get(id);
    if (known !== undefined) return known;
    const story: Story = { id, steps: [], ends: [] };
    this.#stories.set(id, story);
    return story;
  }
}
