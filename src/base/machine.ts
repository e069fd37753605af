/** What the scheduler drives. @module */
import type { Instant } from "./time.ts";

/** A thing with deadlines: it never sleeps, it is told the time. */
export interface Machine {
  /** When {@link expire} has work next; `NEVER` for none. Cheap: asked after every event. */
  nextDeadline(): Instant;
  /** Do all work that is due at or before `now`. */
  expire(now: Instant): void;
}
