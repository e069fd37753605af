/** What becomes of a zone's domains. @module */
import type { Instant } from "../base/time.ts";
import type { Domain } from "./domain.ts";
import type { ZoneHost } from "./zone-host.ts";

/** Something became of a domain. */
export type DomainEvent = {
  readonly host: ZoneHost;
  readonly domain: Domain;
  readonly now: Instant;
} & (
  | {
      /**
       * `started`: it runs in another Xen domain, after a restart or a restore; `paused` and
       * `unpaused`; `halted`: nothing of its guest runs any more; `ended`: nothing of it is left.
       */
      readonly kind: "started" | "paused" | "unpaused" | "halted" | "ended";
    }
  | {
      /** It crashed: its memory goes into a file of Dom0. Borrowed until return. */
      readonly kind: "dumped";
      readonly path: string;
      readonly memory: Uint8Array;
    }
);
