/**
 * What differs between the network drivers of 2.6.18-xen (drivers/xen/netback, netfront) and of a
 * current Linux (drivers/net/xen-netback, xen-netfront.c).
 * @module
 */
import type { JiffiesOptions } from "../../base/jiffies.ts";
import { type Duration, MILLISECOND, SECOND } from "../../base/time.ts";
import { ExtraType } from "./netif.ts";

/** What waits in Dom0 for a guest that posts no buffers. */
export interface GuestQueueBehaviour {
  /**
   * What the limit counts. "frames": the device's queue (`txqueuelen`), which holds while the ring
   * has no room for the largest frame and the front end said that it will tell of new buffers
   * (`feature-rx-notify`), and is emptied all at once when the time is over. "octets": the driver's
   * own queue, while the ring has no room for the next frame; each frame has its time.
   */
  readonly counts: "frames" | "octets";
  readonly limit: number;
  readonly drainTime: Duration;
  /** "octets": a frame's time where the front end does not tell of new buffers. */
  readonly pollTime: Duration;
  /**
   * "octets": a front end that tells of new buffers and has too few for the next frame so long
   * since it took one has no carrier (`rx_stall_timeout`); `null`: it always has (before 3.18).
   */
  readonly stallTime: Duration | null;
}

/** Named behaviours of a back end. */
export interface NetbackBehaviour {
  readonly jiffies: JiffiesOptions;
  /** Slots behind the first one with data that a frame may fill. */
  readonly slotLimit: number;
  /** So many are malice; `null`: no number is. */
  readonly fatalSlots: number | null;
  /** True: what no sound driver sends ends the vif (since XSA-39, 3.8); false: the frame alone. */
  readonly disablesMalformed: boolean;
  /** True: what is wrong with the second slot, and it alone, is not seen (before 3.2). */
  readonly overlooksSecondSlot: boolean;
  /** Extra information that is known has no greater number. */
  readonly lastExtraType: number;
  /** Octets that credit may always add up to; `null`: as many as the next frame has. */
  readonly leastBurst: number | null;
  /** True: periods of credit begin anew when a front end connects (since 3.16). */
  readonly restartsCredit: boolean;
  /** True: a blank checksum that is none of TCP or UDP ends the frame here, not where it leaves. */
  readonly checksBlanks: boolean;
  /** True: a frame for a guest that takes blank checksums may have one. */
  readonly sendsBlanks: boolean;
  /** True: the status of a failed copy is the grant table's, for its slot alone. */
  readonly tellsGrantStatus: boolean;
  readonly queue: GuestQueueBehaviour;
}

/** Named behaviours of a front end. */
export interface NetfrontBehaviour {
  /** The first id of a tx request; 256 are in use. */
  readonly firstTxId: number;
  /** Slots of the tx ring that stay free, for one frame of any size. */
  readonly txReserve: number;
  /** Buffers that are posted: from `least` to `most`, half of the target at a time; or all. */
  readonly rxTarget: { readonly least: number; readonly most: number } | null;
}

/** 65,536 / 4,096 + 2. */
const MAX_SKB_FRAGS = 18;

/** Linux 2.6.18-xen, HZ 250. */
export const NETBACK_2618: NetbackBehaviour = {
  jiffies: { hz: 250, hasCoarseLevels: false },
  slotLimit: MAX_SKB_FRAGS,
  fatalSlots: null,
  disablesMalformed: false,
  overlooksSecondSlot: true,
  lastExtraType: ExtraType.Gso,
  leastBurst: null,
  restartsCredit: false,
  checksBlanks: false,
  sendsBlanks: true,
  tellsGrantStatus: false,
  queue: {
    counts: "frames",
    limit: 32,
    drainTime: 500 * MILLISECOND,
    pollTime: 0,
    stallTime: null,
  },
};

/** Linux 6.1. `sendsBlanks` is what the recorded host's vif2.0 shows. */
export const NETBACK_6: NetbackBehaviour = {
  jiffies: { hz: 250, hasCoarseLevels: true },
  slotLimit: MAX_SKB_FRAGS,
  fatalSlots: 20,
  disablesMalformed: true,
  overlooksSecondSlot: false,
  lastExtraType: ExtraType.Xdp,
  leastBurst: 131_072,
  restartsCredit: true,
  checksBlanks: true,
  sendsBlanks: false,
  tellsGrantStatus: true,
  queue: {
    counts: "octets",
    limit: 128 * 4096,
    drainTime: 10 * SECOND,
    pollTime: 30 * MILLISECOND,
    stallTime: 60 * SECOND,
  },
};

/** netfront of 2.6.18-xen. */
export const NETFRONT_2618: NetfrontBehaviour = {
  firstTxId: 1,
  txReserve: MAX_SKB_FRAGS + 2,
  rxTarget: { least: 64, most: 256 },
};

/** xen-netfront of Linux 6.1. */
export const NETFRONT_6: NetfrontBehaviour = { firstTxId: 0, txReserve: 19, rxTarget: null };
