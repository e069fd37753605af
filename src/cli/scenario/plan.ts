/** A scenario ready to run: steps with one action each, in the order of the file. @module */
import type { Duration, Instant } from "../../base/time.ts";
import type { Ipv4Addr, Mac } from "../../wire/addr.ts";
import type { Reason } from "../../wire/packet.ts";
import type { FaultOptions } from "../../sim/faults.ts";
import type { Permission } from "../../xen/permission.ts";
import type { VmState } from "../../zone/vm.ts";
import type { ACTIONS, Scenario } from "./schema.ts";
import type { z } from "zod";

type Host = Scenario["hosts"][number];
/** A domain as the file describes it. */
export type DomainPlan = NonNullable<Host["domains"]>[number];
/** A host with a name and its domains. */
export type HostPlan = Omit<Host, "name" | "domains"> & {
  readonly name: string;
  readonly domains: readonly DomainPlan[];
};
/** A link as the file describes it. */
export type LinkPlan = NonNullable<Host["link"]>;
/** An internet host as the file describes it. */
export type InternetPlan = NonNullable<Scenario["internet"]>[number];

type Parsed<K extends keyof typeof ACTIONS> = z.output<(typeof ACTIONS)[K]>;

/** The kinds of {@link LifeAction}. */
export const LIFE_KINDS = ["reboot", "crash", "pause", "unpause", "save", "restore"] as const;

/** What happens to a domain that may live on. */
export interface LifeAction {
  readonly kind: (typeof LIFE_KINDS)[number];
  readonly domain: string;
  /** Where it is restored; left out: where it was saved. */
  readonly host?: string;
}

/** What a step does. */
export type Action =
  | ({ readonly kind: "ping" } & Parsed<"ping">)
  | ({ readonly kind: "traceroute" } & Parsed<"traceroute">)
  | ({ readonly kind: "udp" } & Parsed<"udp">)
  | ({ readonly kind: "send" } & Parsed<"send">)
  | { readonly kind: "launch"; readonly host: string; readonly domain: DomainPlan }
  | { readonly kind: "shutdown"; readonly domain: string }
  | LifeAction
  | { readonly kind: "associate"; readonly domain: string; readonly address: Ipv4Addr }
  | { readonly kind: "disassociate"; readonly domain: string }
  | {
      readonly kind: "securityGroup";
      readonly name: string;
      readonly permissions: readonly Permission[];
    }
  | { readonly kind: "faults"; readonly of: string; readonly faults: FaultOptions | null };

/** What must come of a step; absent keys say nothing. */
export interface Expectation {
  readonly replies?: number | undefined;
  /** `null` is nobody. */
  readonly hops?: readonly (Ipv4Addr | null)[] | undefined;
  readonly received?: number | undefined;
  readonly dropped?: Reason | undefined;
  readonly state?: VmState | undefined;
  readonly domid?: number | undefined;
}

/** One step. */
export interface StepPlan {
  /** Place in the file's list, from 0. */
  readonly index: number;
  /** Line in the file, from 1. */
  readonly line: number;
  readonly at: Instant;
  /** A heading for people; `null` for none. */
  readonly says: string | null;
  readonly action: Action;
  readonly expect: Expectation;
}

/** A whole scenario. */
export interface Plan {
  /** As the user named the file. */
  readonly file: string;
  readonly title: string | null;
  readonly seed: number;
  readonly profile: "ec2-2010" | "linux";
  /** `null` for the profile's. */
  readonly vifMac: Mac | null;
  /** `null` to run until all steps are done. */
  readonly until: Duration | null;
  readonly hosts: readonly HostPlan[];
  readonly securityGroups: ReadonlyMap<string, readonly Permission[]>;
  readonly internet: readonly InternetPlan[];
  readonly steps: readonly StepPlan[];
  /** The line, from 1, where a host or a domain of a host begins. */
  readonly lineOf: (host: number, domain?: number) => number;
}

/** The keys of {@link Expectation} that an action can meet. */
export const EXPECTABLE: Readonly<Record<Action["kind"], readonly (keyof Expectation)[]>> = {
  ping: ["replies", "received", "dropped"],
  traceroute: ["hops", "dropped"],
  udp: ["replies", "received", "dropped"],
  send: ["received", "dropped"],
  launch: ["state", "domid"],
  shutdown: [],
  reboot: ["state", "domid"],
  crash: ["state", "domid"],
  pause: ["state", "domid"],
  unpause: ["state", "domid"],
  save: ["state"],
  restore: ["state", "domid"],
  associate: [],
  disassociate: [],
  securityGroup: [],
  faults: [],
};

/** A domain that will be, and where. */
export interface PlannedDomain {
  /** The host in the plan; -1 for a launch on none. */
  readonly host: number;
  readonly domain: DomainPlan;
  /** Keys and indexes that lead to it in the file. */
  readonly path: readonly (string | number)[];
}

/** The domains that run from the start, then those that a step launches. */
export function plannedDomains({ hosts, steps }: Pick<Plan, "hosts" | "steps">): PlannedDomain[] {
  const started = hosts.flatMap(({ domains }, host) =>
    domains.map((domain, at) => ({ host, domain, path: ["hosts", host, "domains", at] })),
  );
  const launched = steps.flatMap(({ action, index }) => {
    if (action.kind !== "launch") return [];
    const host = hosts.findIndex(({ name }) => name === action.host);
    return [{ host, domain: action.domain, path: ["steps", index, "launch"] }];
  });
  return [...started, ...launched];
}
