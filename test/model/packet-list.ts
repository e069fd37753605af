/** A pool of packets as a list: slots are counted, octets are copied. @module */

/** What the model remembers of a live packet. */
export interface ListedPacket {
  readonly id: number;
  readonly isLarge: boolean;
  /** What was written into it, and must still be there when it ends. */
  readonly octets: Uint8Array;
}

const SMALL = 1_982;
const LARGE = 65_598;

/** The naive reference of `PacketPool`. */
export class PacketList {
  readonly live: ListedPacket[] = [];
  readonly ends = new Map<string, number>();
  allocated = 0;
  ended = 0;
  exhausted = 0;
  readonly #free: { small: number; large: number };
  #ids = 0;

  constructor(slots: number, largeSlots: number) {
    this.#free = { small: slots, large: largeSlots };
  }

  /** @param original whose id goes on; `null` for an id of its own. */
  allocate(octets: Uint8Array, original: ListedPacket | null): ListedPacket | null {
    const isSmall = octets.length <= SMALL && this.#free.small > 0;
    if (!isSmall && (octets.length > LARGE || this.#free.large === 0)) {
      this.exhausted += 1;
      return null;
    }
    this.#free[isSmall ? "small" : "large"] -= 1;
    this.allocated += 1;
    if (original === null) this.#ids += 1;
    const packet = { id: original?.id ?? this.#ids, isLarge: !isSmall, octets };
    this.live.push(packet);
    return packet;
  }

  end(index: number, reason: string): void {
    for (const { isLarge } of this.live.splice(index, 1)) {
      this.#free[isLarge ? "large" : "small"] += 1;
      this.ended += 1;
      this.ends.set(reason, (this.ends.get(reason) ?? 0) + 1);
    }
  }
}
