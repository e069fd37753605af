/**
 * Requests of the tx ring that are taken together: frames of one slot, of which nothing special is
 * said. Each kind of memory is read in a short loop of its own, so that what lies in no near cache
 * is waited for at once.
 * @module
 */
import { type Packet, SMALL_LENGTH as ImportedSMALL_LENGTH } from "../../wire/packet.ts";
import { ETHERNET_LENGTH as ImportedETHERNET_LENGTH } from "../../l2/ethernet.ts";
import {
  type DomainMemory,
  FRAME_OCTETS as ImportedFRAME_OCTETS,
  FRAME_SHIFT as ImportedFRAME_SHIFT,
} from "../hypervisor/domain-memory.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import { copyIntoSlot as ImportedcopyIntoSlot } from "./copy-octets.ts";
import type { BackRing } from "./shared-ring.ts";

// Constants of a module are folded into its code; imported ones are looked up at each use.
const SMALL_LENGTH = ImportedSMALL_LENGTH;
const ETHERNET_LENGTH = ImportedETHERNET_LENGTH;
const FRAME_OCTETS = ImportedFRAME_OCTETS;
const FRAME_SHIFT = ImportedFRAME_SHIFT;
const copyIntoSlot = ImportedcopyIntoSlot;
const DOM0 = 0;

/** Requests at a time, at most. */
export const BURST = 64;

// One room for all: an array that never changes is part of the code that works with it.
/** Octets of each frame. */
const sizes = new Int32Array(BURST);
/** Where each begins in the guest's memory. */
const places = new Int32Array(BURST);
const ids = new Int32Array(BURST);

/**
 * Room for some requests: what the ring and the guest's grants say of each, read once. Nothing lies
 * in it between {@link take} and the next {@link read}.
 */
export class TxBatch {
  /** Octets of each frame. */
  readonly sizes: Int32Array = sizes;
  /** Of all together. */
  octets = 0;

  /**
   * Read requests of `ring`, as many as are plain and whose frames `table` lets Dom0 read, at most
   * `most` of those that wait.
   * @returns how many.
   */
  read(ring: BackRing, table: GrantTable, most: number): number {
    const { words } = table.memory;
    const first = ring.requestConsumer;
    let octets = 0;
    let count = 0;
    for (; count < most; count += 1) {
      const at = ring.entryAt(first + count) >> 2;
      const reference = words[at] ?? 0;
      const place = words[at + 1] ?? 0;
      const ends = words[at + 2] ?? 0;
      const size = ends >>> 16;
      // The upper half of the place are flags.
      const isPlain = place >= 0 && place + size <= FRAME_OCTETS && size >= ETHERNET_LENGTH;
      if (!isPlain || size > SMALL_LENGTH) break;
      const gfn = table.frameFor(reference >>> 0, DOM0, false);
      if (gfn < 0) break;
      places[count] = (gfn << FRAME_SHIFT) + place;
      sizes[count] = size;
      octets += size;
      ids[count] = ends & 0xffff;
    }
    this.octets = octets;
    return count;
  }

  /**
   * Copy the first `count` frames out of `memory` into `packets` from index `to` on, and answer
   * the requests.
   */
  take(
    ring: BackRing,
    memory: DomainMemory,
    packets: readonly Packet[],
    to: number,
    count: number,
  ): void {
    const { words } = memory;
    for (let index = 0; index < count; index += 1) {
      const packet = packets[to + index];
      if (packet === undefined) break;
      const size = sizes[index] ?? 0;
      copyIntoSlot(memory, places[index] ?? 0, packet.pool, packet.frame, size);
    }
    ring.requestConsumer = (ring.requestConsumer + count) | 0;
    for (let index = 0; index < count; index += 1) {
      words[ring.reserve() >> 2] = ids[index] ?? 0;
    }
  }
}
