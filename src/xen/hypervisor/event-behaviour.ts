/** What event channels are, in either Xen. @module */

/** Each difference by its name. */
export interface EventBehaviour {
  /**
   * True: a domain may use the FIFO shape, 131,072 ports (Xen since 4.4), and kernels of the time
   * do. Then only a paused domain can be reset by another.
   */
  readonly hasFifo: boolean;
  /** Ports become valid by so many at once: as many as Xen's structure fits into a page. */
  readonly bucket: number;
  /** True: a free port has no mask that Xen clears, and no priority (`EACCES`). */
  readonly sparesFreePorts: boolean;
  /** Virtual interrupts that each processor has its own of. */
  readonly processorVirqs: readonly number[];
  /** The last port that the toolstack lets a domU have; `null`: all that its shape has. */
  readonly lastPort: number | null;
}

/** Xen 3.1: the two-level shape alone. */
export const EVENTS_3_1: EventBehaviour = {
  hasFifo: false,
  bucket: 128,
  sparesFreePorts: false,
  // Timer, debug, XenOprof; later XenPMU, too.
  processorVirqs: [0, 1, 7],
  lastPort: null,
};
/** Xen 4.17 with xl, which gives a domU 1,023 ports unless it is told (`max_event_channels`). */
export const EVENTS_4_17: EventBehaviour = {
  hasFifo: true,
  bucket: 64,
  sparesFreePorts: true,
  processorVirqs: [0, 1, 7, 13],
  lastPort: 1023,
};
