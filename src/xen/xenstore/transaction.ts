/** What both eras' transactions have in common. @module */
import type { Errno } from "./errno.ts";
import type { StoreView } from "./view.ts";

/** A view whose changes nobody else sees until it is committed. */
export interface Transaction extends StoreView {
  /**
   * Make all changes at once and tell the watchers, then be over, whatever the outcome.
   * @returns EAGAIN for a conflict, ENOMEM after a request that broke off, ENOSPC for too many
   *   nodes, or `null`.
   */
  commit(): Errno | null;
  /** Be over without a trace. */
  abort(): void;
}
