/** What block drivers of different kernels do differently. @module */
import { BlockStatus } from "./blkif.ts";

/** Named behaviours of a block back end, and of a front end of its time. */
export interface BlockBehaviour {
  /** `WRITE_BARRIER` is known; the node `feature-barrier` says so. */
  readonly hasBarrier: boolean;
  /** `FLUSH_DISKCACHE` is known; the node `feature-flush-cache` says so. */
  readonly hasFlush: boolean;
  /** `DISCARD` is known to either end (since 3.2); the node `feature-discard` says so. */
  readonly hasDiscard: boolean;
  /** Answer to an operation that is not known. */
  readonly unknownStatus: number;
  /**
   * A front end that claims more requests than a ring holds is not served again. Without it the
   * back end goes on with whatever stands on the ring.
   */
  readonly haltsOnOverrun: boolean;
  /** A ring that was in use goes on where its responses end; without it, at 0. */
  readonly resumesRing: boolean;
  /**
   * A front end that connects anew after a restore asks again for what has no answer. "shadow": all
   * in the order of its list of requests, then what had no place on the ring. "kind": reads and
   * writes in that order, what had no place, and last what holds no data, from the list's end.
   */
  readonly recovery: "shadow" | "kind";
  /** Segments of an indirect request, for either end at most; 0: there is none (before 3.11). */
  readonly indirectSegments: { readonly back: number; readonly front: number };
  /** Grants that a back end keeps mapped for a front end that uses them again; 0: none. */
  readonly persistentGrants: number;
  /** A front end lets its back end only read what it is to write. */
  readonly grantsReadonly: boolean;
}

/**
 * Linux 2.6.18-xen of RHEL 5. EC2 2010: no front end saw `feature-barrier` or
 * `feature-flush-cache` there (consoles quoted in the AWS forums).
 */
export const BLOCKS_2618: BlockBehaviour = {
  hasBarrier: false,
  hasFlush: false,
  hasDiscard: false,
  unknownStatus: BlockStatus.error,
  haltsOnOverrun: false,
  resumesRing: false,
  recovery: "shadow",
  indirectSegments: { back: 0, front: 0 },
  persistentGrants: 0,
  grantsReadonly: true,
};

/** Linux 6.x. */
export const BLOCKS_6: BlockBehaviour = {
  hasBarrier: true,
  hasFlush: true,
  hasDiscard: true,
  unknownStatus: BlockStatus.notSupported,
  haltsOnOverrun: true,
  resumesRing: true,
  recovery: "kind",
  indirectSegments: { back: 256, front: 32 },
  persistentGrants: 1056,
  grantsReadonly: false,
};
