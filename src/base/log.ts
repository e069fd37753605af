/**
 * Structured logs: pino's interface, silent unless the user hands in a logger of their own.
 * @module
 */
import { type Logger, pino } from "pino";

/** A logger of pino, or one that looks like it. */
export type { Logger };

/** A logger that says nothing: the library's default. */
export const SILENT: Logger = pino({ level: "silent", enabled: false });
