/**
 * One frame's requests on the tx ring, read and judged slot by slot: extra information, then the
 * slots that go on (netback's `netbk_get_extras` and `netbk_count_requests`).
 * @module
 */
import type { Reason } from "../../wire/packet.ts";
import { ETHERNET_LENGTH } from "../../l2/ethernet.ts";
import { FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { GrantTable } from "../hypervisor/grant-table.ts";
import type { NetbackBehaviour } from "./netif-behaviour.ts";
import { EXTRA_MORE, ExtraType, GSO_TCPV4, highHalf, lowHalf, TxFlag } from "./netif.ts";
import type { BackRing } from "./shared-ring.ts";

/** A frame may fill all slots of the ring before it is refused. */
const MOST_SLOTS = 256;
/** `XEN_NETIF_GSO_TYPE_TCPV6`. */
const GSO_TCPV6 = 2;

/** Reads a frame's requests; used again for the next frame. */
export class TxRequest {
  /** Octets of the whole frame, as its first slot says. */
  size = 0;
  /** Of the first slot. */
  flags = 0;
  /** Slots with data that are sound. */
  slots = 0;
  /** Slots with data that are to be answered, if the frame is refused. */
  answers = 0;
  /** Slots with extra information. */
  extras = 0;
  /** The greatest kind of extra information; 0 for none. */
  extraType = 0;
  /** Payload octets of each segment; 0 for a frame that is one. */
  segmentSize = 0;
  /** Slots of any kind that were read. */
  taken = 0;
  /** True: the vif is to be disabled. */
  isFatal = false;
  /** Slots whose grants failed, after {@link locate}. */
  failures = 0;
  readonly #references = new Int32Array(MOST_SLOTS);
  readonly #places = new Int32Array(MOST_SLOTS);
  readonly #ends = new Int32Array(MOST_SLOTS);
  readonly #lengths = new Int32Array(MOST_SLOTS);
  readonly #addresses = new Int32Array(MOST_SLOTS);

  /**
   * Take a frame's requests off `ring`, of which `left` may be taken, the first three words read
   * already. @returns `null` if the frame may be copied; or why it is refused.
   */
  read(
    ring: BackRing,
    words: Int32Array,
    reference: number,
    place: number,
    ends: number,
    left: number,
    behaviour: NetbackBehaviour,
  ): Reason | null {
    this.size = highHalf(ends);
    this.flags = highHalf(place);
    this.slots = 0;
    this.extras = 0;
    this.extraType = 0;
    this.segmentSize = 0;
    this.isFatal = false;
    this.failures = 0;
    this.#put(reference, place, ends, this.size);
    this.answers = 1;
    ring.take();
    this.taken = 1;
    const reason =
      this.#readExtras(ring, words, left, behaviour) ??
      this.#readSlots(ring, words, left, behaviour) ??
      this.#judge(behaviour);
    this.isFatal ||= reason === "netback/page" && behaviour.disablesMalformed;
    return reason;
  }

  /** Find the frames that are granted to `by`; {@link failures} counts those that are not. */
  locate(table: GrantTable, by: number): void {
    this.failures = 0;
    for (let slot = 0; slot < this.slots; slot += 1) {
      const gfn = table.frameFor((this.#references[slot] ?? 0) >>> 0, by, false);
      if (gfn < 0) this.failures += 1;
      const offset = lowHalf(this.#places[slot] ?? 0);
      this.#addresses[slot] = gfn < 0 ? -1 : (gfn << FRAME_SHIFT) + offset;
    }
  }

  /** The octet of the guest's memory where a slot's data begin; -1 if they are not granted. */
  addressOf(slot: number): number {
    return this.#addresses[slot] ?? -1;
  }

  hasFailed(slot: number): boolean {
    return this.addressOf(slot) < 0;
  }

  /** Octets of a slot; the first one's are what the others leave. */
  lengthOf(slot: number): number {
    return this.#lengths[slot] ?? 0;
  }

  idOf(slot: number): number {
    return lowHalf(this.#ends[slot] ?? 0);
  }

  #put(reference: number, place: number, ends: number, length: number): void {
    const { slots } = this;
    this.#references[slots] = reference;
    this.#places[slots] = place;
    this.#ends[slots] = ends;
    this.#lengths[slots] = length;
    this.slots = slots + 1;
  }

  #readExtras(
    ring: BackRing,
    words: Int32Array,
    left: number,
    { lastExtraType, disablesMalformed }: NetbackBehaviour,
  ): Reason | null {
    for (let more = (this.flags & TxFlag.ExtraInfo) !== 0; more;) {
      if (this.taken >= left) return this.#fail("netback/extra-missing", disablesMalformed);
      const at = ring.take() >> 2;
      const head = words[at] ?? 0;
      const tail = words[at + 1] ?? 0;
      this.taken += 1;
      this.extras += 1;
      const type = head & 0xff;
      if (type === 0 || type > lastExtraType) {
        return this.#fail("netback/extra-type", disablesMalformed);
      }
      this.extraType = Math.max(this.extraType, type);
      if (type === ExtraType.Gso) {
        const gsoType = tail & 0xff;
        const isKnown = gsoType === GSO_TCPV4 || (gsoType === GSO_TCPV6 && disablesMalformed);
        this.segmentSize = highHalf(head);
        if (this.segmentSize === 0 || !isKnown) {
          // Judged when the slots behind are known: they are answered, too.
          this.segmentSize = -1;
        }
      }
      more = ((head >>> 8) & EXTRA_MORE) !== 0;
    }
    return null;
  }

  #readSlots(
    ring: BackRing,
    words: Int32Array,
    left: number,
    behaviour: NetbackBehaviour,
  ): Reason | null {
    const { slotLimit, fatalSlots, disablesMalformed, overlooksSecondSlot } = behaviour;
    const isMalice = (): boolean => fatalSlots !== null && this.answers > fatalSlots;
    const overlooked = (reason: Reason): Reason | null =>
      overlooksSecondSlot && this.answers === 1 ? null : reason;
    let wrong: Reason | null = null;
    let rest = this.size;
    for (let more = (this.flags & TxFlag.MoreData) !== 0; more;) {
      if (this.taken >= left) {
        const reason = overlooked("netback/slot-missing");
        return reason === null ? null : this.#fail(reason, disablesMalformed);
      }
      if (isMalice()) return this.#fail("netback/slots", true);
      if (this.answers > slotLimit) {
        if (fatalSlots === null) return "netback/slots";
        wrong ??= "netback/slots";
      }
      const at = ring.entryAt(ring.requestConsumer) >> 2;
      const reference = words[at] ?? 0;
      const place = words[at + 1] ?? 0;
      const ends = words[at + 2] ?? 0;
      const length = highHalf(ends);
      if (wrong === null && length > rest) {
        if (!disablesMalformed) return overlooked("netback/size");
        wrong = "netback/size";
      }
      ring.take();
      this.taken += 1;
      if (wrong === null) {
        this.#put(reference, place, ends, length);
        rest -= length;
      } else this.#ends[this.answers] = ends;
      this.answers += 1;
      if (lowHalf(place) + length > FRAME_OCTETS) return "netback/page";
      more = (highHalf(place) & TxFlag.MoreData) !== 0;
    }
    this.#lengths[0] = rest;
    return wrong;
  }

  #judge({ disablesMalformed }: NetbackBehaviour): Reason | null {
    const first = this.lengthOf(0);
    if (first < ETHERNET_LENGTH) return "netback/too-short";
    if (lowHalf(this.#places[0] ?? 0) + first > FRAME_OCTETS) return "netback/page";
    return this.segmentSize < 0 ? this.#fail("netback/extra-gso", disablesMalformed) : null;
  }

  #fail(reason: Reason, isFatal: boolean): Reason {
    this.isFatal = isFatal;
    return reason;
  }
}
