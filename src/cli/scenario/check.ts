/**
 * What a scenario's parts say of each other: used names exist, and nothing is given twice.
 * @module
 */
import { EmulatorError } from "../../base/errors.ts";
import { checkRates } from "../../xen/toolstack/vif-rate.ts";
import { profileOf } from "../../xen/profile.ts";
import { hint } from "../suggest.ts";
import { isAddress } from "./address-text.ts";
import { checkIdentities } from "./check-identities.ts";
import type { FaultList } from "./fault-list.ts";
import { type Action, EXPECTABLE, type Plan, plannedDomains, type StepPlan } from "./plan.ts";
import type { Scenario } from "./schema.ts";
import type { Path } from "./path.ts";

type DomainText = NonNullable<Scenario["hosts"][number]["domains"]>[number];

/** Check a scenario whose values are sound each for itself. */
export function checkScenario(plan: Plan, scenario: Scenario, faults: FaultList): void {
  const names = checkIdentities(plan, faults);
  for (const { domain, path } of plannedDomains(plan)) {
    checkGroups(plan, domain, path, faults);
    checkPlug(domain, path, faults);
    checkRate(plan, domain, path, faults);
  }
  for (const step of plan.steps) checkStep(plan, step, names, faults);
  checkSources(scenario, faults);
}

/** Groups that let others in, from the start or by a step. */
function checkSources({ securityGroups = {}, steps = [] }: Scenario, faults: FaultList): void {
  const changed = steps.flatMap(({ securityGroup }, index) =>
    securityGroup === undefined
      ? []
      : [{ ...securityGroup, path: ["steps", index, "securityGroup", "permissions"] }],
  );
  const lists = [
    ...Object.entries(securityGroups).map(([name, permissions]) => ({
      name,
      permissions,
      path: ["securityGroups", name],
    })),
    ...changed,
  ];
  const known = ["default", ...new Set(lists.map(({ name }) => name))];
  for (const { permissions, path } of lists) {
    for (const [index, { source }] of permissions.entries()) {
      if (!("group" in source) || known.includes(source.group)) continue;
      const what = `there is no security group "${source.group}"`;
      faults.add([...path, index, "source", "group"], `${what}; ${hint(source.group, known)}`);
    }
  }
}

function checkGroups(plan: Plan, domain: DomainText, path: Path, faults: FaultList): void {
  const known = [...plan.securityGroups.keys(), "default"];
  for (const [index, name] of (domain.securityGroups ?? []).entries()) {
    if (known.includes(name)) continue;
    faults.add(
      [...path, "securityGroups", index],
      `there is no security group "${name}"; ${hint(name, known)}`,
    );
  }
}

/** Only where no simulated domU stands can something be plugged in. */
function checkPlug({ vif, guest }: DomainText, path: Path, faults: FaultList): void {
  if (vif === undefined || guest === "external") return;
  faults.add([...path, "vif"], "expected guest: external, for a simulated domU has the vif");
}

/** The toolstack of the time reads the vif's rate. */
function checkRate({ profile }: Plan, domain: DomainText, path: Path, faults: FaultList): void {
  try {
    checkRates(profileOf(profile).toolstack, [domain]);
  } catch (error) {
    if (!(error instanceof EmulatorError)) throw error;
    faults.add([...path, "rate"], error.message);
  }
}

function checkStep(plan: Plan, step: StepPlan, names: readonly string[], faults: FaultList): void {
  const { index, action, expect, at } = step;
  const path = ["steps", index];
  const { until } = plan;
  if (until !== null && at > until) faults.add([...path, "at"], `lies after the end of the run`);
  const possible = EXPECTABLE[action.kind];
  for (const key of Object.keys(expect)) {
    if (possible.some((one) => one === key)) continue;
    const instead =
      possible.length === 0
        ? "nothing can be expected of it"
        : `expected one of ${possible.join(", ")}`;
    faults.add([...path, "expect", key], `does not go with ${action.kind}; ${instead}`);
  }
  for (const reference of referencesOf(action, plan)) {
    const { key, name, among = names } = reference;
    if (among.includes(name)) continue;
    faults.add([...path, action.kind, ...key], `${reference.what}; ${hint(name, among)}`);
  }
}

interface Reference {
  readonly key: Path;
  readonly name: string;
  /** What is wrong if the name is not known. */
  readonly what: string;
  /** Names that will do; all of the scenario's if left out. */
  readonly among?: readonly string[];
}

/** The names that an action uses. */
function referencesOf(action: Action, plan: Plan): Reference[] {
  const domains = domainNames(plan, () => true);
  const domain = (name: string, ...key: string[]): Reference => ({
    key,
    name,
    what: `there is no domain "${name}"`,
    among: domains,
  });
  switch (action.kind) {
    case "ping":
    case "traceroute":
    case "udp": {
      const { from, to } = action;
      const simulated = domainNames(plan, ({ guest }) => guest !== "external");
      const among = [...simulated, ...plan.internet.map(({ name }) => name)];
      const what = `"${from}" is no simulated domain and no internet host`;
      const origin = { key: ["from"], name: from, what, among };
      if (isAddress(to)) return [origin];
      return [origin, { key: ["to"], name: to, what: `"${to}" is no name and no address` }];
    }
    case "send":
      return [domain(action.from, "from")];
    case "launch": {
      const what = `there is no host "${action.host}"`;
      return [
        { key: ["host"], name: action.host, what, among: plan.hosts.map(({ name }) => name) },
      ];
    }
    case "associate":
      return [domain(action.domain, "domain")];
    case "restore": {
      const { domain: name, host } = action;
      if (host === undefined) return [domain(name)];
      const what = `there is no host "${host}"`;
      const among = plan.hosts.map((one) => one.name);
      return [domain(name, "domain"), { key: ["host"], name: host, what, among }];
    }
    case "shutdown":
    case "reboot":
    case "crash":
    case "pause":
    case "unpause":
    case "save":
    case "disassociate":
      return [domain(action.domain)];
    case "securityGroup":
      return [];
    case "faults": {
      const machines = [...plan.hosts, ...plan.internet].map(({ name }) => name);
      const what = `there is no host, domain or internet host "${action.of}"`;
      return [{ key: ["of"], name: action.of, what, among: [...domains, ...machines] }];
    }
  }
}

function domainNames(plan: Plan, isWanted: (domain: DomainText) => boolean): string[] {
  const launched = plan.steps.flatMap(({ action }) =>
    action.kind === "launch" ? [action.domain] : [],
  );
  return [...plan.hosts.flatMap(({ domains }) => domains), ...launched].flatMap((domain) =>
    domain.name !== undefined && isWanted(domain) ? [domain.name] : [],
  );
}
