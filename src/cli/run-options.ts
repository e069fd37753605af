/** What commands that play a scenario are told. @module */
import type { Duration } from "../base/time.ts";

/** Levels of `--log-level`, from silence to everything. */
export const LOG_LEVELS = ["silent", "error", "warn", "info", "debug", "trace"] as const;
/** One of {@link LOG_LEVELS}. */
export type LogLevel = (typeof LOG_LEVELS)[number];

/** Options of `demo`, `run` and `explain`. */
export interface RunOptions {
  readonly seed?: number;
  readonly until?: Duration;
  readonly json?: boolean;
  readonly logLevel: LogLevel;
}

/** Options of `serve`. */
export interface ServeOptions extends RunOptions {
  /** The folder of sockets and disks; a fresh one that goes with the program if left out. */
  readonly state?: string;
  readonly pcapng?: string;
  /** Every domain has XenStore on a socket of its own as well. */
  readonly guestXenstore?: boolean;
}

/** Options of `demo` and `run`. */
export interface CapturingOptions extends RunOptions {
  readonly pcapng?: string;
  readonly state?: boolean;
}
