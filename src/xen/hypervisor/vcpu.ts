/** A virtual processor as the scheduler sees it. @module */
import type { Duration, Instant } from "../../base/time.ts";

/** State of one VCPU; owned by the scheduler. */
export interface Vcpu {
  readonly domid: number;
  readonly index: number;
  /** Processor time that it still wants, in microseconds; `Infinity` if it never blocks. */
  wanted: Duration;
  /** Processor time that it had. */
  used: Duration;
  /** 300 are one period of a processor. */
  credit: number;
  /** Until when its running is paid for. */
  paidUntil: Instant;
  /** See `Priority`. */
  priority: 0 | -1 | -2;
  isEarning: boolean;
  /** Over its cap: it does not run until the accounting lets it. */
  isParked: boolean;
  /** Its domain is paused or shut down. */
  isPaused: boolean;
  /** The processor where it waits or runs, or ran last. */
  cpu: number;
}

/** @returns a VCPU that wants nothing. */
export const newVcpu = (domid: number, index: number, cpu: number): Vcpu => ({
  domid,
  index,
  wanted: 0,
  used: 0,
  credit: 0,
  paidUntil: 0,
  priority: -1,
  isEarning: false,
  isParked: false,
  isPaused: false,
  cpu,
});

/** True if it may run. */
export const isRunnable = ({ wanted, isParked, isPaused }: Vcpu): boolean =>
  wanted > 0 && !isParked && !isPaused;
