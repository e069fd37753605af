/** Errors of the one who asks for domains. @module */
import { EmulatorError } from "../../base/errors.ts";

/** Why Xen, or the toolstack on it, refuses. */
export type DomainErrorCode =
  | "no-memory"
  | "no-domid"
  | "no-domain"
  | "domid-in-use"
  | "name-in-use"
  | "domain-state"
  | "no-device"
  | "device-in-use"
  | "device-failed";

/** A request about a domain or its devices that cannot be met. */
export class DomainError extends EmulatorError {
  declare readonly code: DomainErrorCode;

  /** @param expected what would have been met, as a noun. */
  constructor(code: DomainErrorCode, value: unknown, expected: string) {
    super(code, value, `expected ${expected}, got ${String(value)}`);
  }
}
