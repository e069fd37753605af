/**
 * What a run tells, in its order: the lines of `--json`, and what the story is told from. Keys are
 * stable. `at` is in microseconds since the start of the run, times that end in `Us` are too.
 * @module
 */
import type { Fate, Reason } from "../../wire/packet.ts";
import type { DomainEvent } from "../../zone/domain-event.ts";
import type { VmState } from "../../zone/vm.ts";
import type { Action } from "./plan.ts";

/** A probe's answer: who, after how long, and traceroute's mark ("!H", or empty). */
export interface HopAnswer {
  readonly address: string;
  readonly rttUs: number;
  readonly mark: string;
}

/** How often packets ended for one reason. */
export interface EndCount {
  readonly fate: Fate;
  readonly reason: Reason;
  readonly count: number;
}

/** How an expectation turned out. */
export interface Judgement {
  /** A key of {@link Expectation}: "replies". */
  readonly key: string;
  readonly expected: unknown;
  readonly actual: unknown;
  readonly holds: boolean;
}

/** Something that happened. */
export type RunEvent =
  | {
      readonly event: "start";
      readonly at: number;
      readonly scenario: string;
      readonly title: string | null;
      readonly seed: number;
      readonly profile: string;
      readonly hosts: readonly {
        readonly name: string;
        readonly privateAddress: string;
        readonly externalAddress: string;
      }[];
      /** The router between hosts and internet. */
      readonly fabric: string;
      readonly internet: readonly { readonly name: string; readonly address: string }[];
    }
  | {
      /** A domain was launched, at the start or by a step. */
      readonly event: "domain";
      readonly at: number;
      readonly step: number | null;
      readonly host: string;
      readonly name: string;
      readonly instanceId: string;
      readonly vif: string;
      readonly mac: string;
      readonly privateAddress: string;
      readonly publicAddress: string | null;
      readonly securityGroups: readonly string[];
      readonly guest: "simulated" | "external";
    }
  | {
      /**
       * Something became of a domain. `started`: it runs in another Xen domain, behind another vif;
       * `paused` and `unpaused`; `halted`: its guest runs no more; `ended`: nothing of it is left;
       * `dumped`: its core went into a file.
       */
      readonly event: "life";
      readonly at: number;
      /** The step that it belongs to; `null` for none. */
      readonly step: number | null;
      readonly name: string;
      readonly what: DomainEvent["kind"];
      readonly state: VmState;
      readonly domid: number;
      readonly vif: string;
      /** Of the core; `null` for none. */
      readonly path: string | null;
    }
  | {
      /** A domU was given an address, or more time for it, by DHCP. */
      readonly event: "lease";
      readonly at: number;
      readonly domain: string;
      readonly address: string;
      readonly server: string | null;
      /** `null` for ever. */
      readonly seconds: number | null;
      readonly packet: number;
    }
  | {
      /** A step began. */
      readonly event: "step";
      readonly at: number;
      readonly step: number;
      readonly says: string | null;
      readonly action: Action["kind"];
      /** Who acts, on what, in words. */
      readonly words: string;
    }
  | {
      readonly event: "reply";
      readonly at: number;
      readonly step: number;
      readonly from: string;
      /** Of a ping; 0 for an echo of a datagram. */
      readonly sequence: number;
      readonly ttl: number;
      /** `null` where the data are too short to hold a time. */
      readonly rttUs: number | null;
    }
  | {
      readonly event: "ping";
      readonly at: number;
      readonly step: number;
      readonly target: string;
      readonly transmitted: number;
      readonly received: number;
      readonly duplicates: number;
      readonly errors: number;
      /** Of the last answer; `null` without one. */
      readonly ttl: number | null;
      readonly minRttUs: number | null;
      readonly avgRttUs: number | null;
      readonly maxRttUs: number | null;
    }
  | {
      readonly event: "traceroute";
      readonly at: number;
      readonly step: number;
      readonly target: string;
      readonly isReached: boolean;
      readonly hops: readonly {
        readonly ttl: number;
        readonly answers: readonly (HopAnswer | null)[];
      }[];
    }
  | {
      readonly event: "udp";
      readonly at: number;
      readonly step: number;
      readonly target: string;
      readonly port: number;
      readonly received: number;
      readonly replies: number;
    }
  | {
      /** A raw frame was sent. `packet` is `null` if the vif did not take it. */
      readonly event: "send";
      readonly at: number;
      readonly step: number;
      readonly packet: number | null;
      readonly octets: number;
      readonly summary: string;
    }
  | {
      /** A packet was dropped by a rule, or discarded as unusable. */
      readonly event: "drop";
      readonly at: number;
      readonly packet: number;
      /** The step that it belongs to; `null` for none. */
      readonly step: number | null;
      readonly fate: Fate;
      readonly reason: Reason;
      /** Where: a vif, an uplink, a machine, or one of Dom0's routers; `null` if nobody knows. */
      readonly device: string | null;
      readonly summary: string;
    }
  | ({
      readonly event: "judgement";
      readonly at: number;
      readonly step: number;
      /** Line of the step in the scenario. */
      readonly line: number;
    } & Judgement)
  | {
      /** All that a step brought about is known: nothing more will be told of it. */
      readonly event: "settled";
      readonly at: number;
      readonly step: number;
    }
  | {
      readonly event: "end";
      readonly at: number;
      readonly isInterrupted: boolean;
      readonly packets: number;
      readonly live: number;
      readonly ends: readonly EndCount[];
      readonly held: number;
      readonly failed: number;
      /** Steps that the end of the run came before. */
      readonly unreached: number;
    };

/** One kind of {@link RunEvent}. */
export type EventOf<K extends RunEvent["event"]> = Extract<RunEvent, { readonly event: K }>;
