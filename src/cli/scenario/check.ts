/**
 * What a scenario's parts say of each other: used names exist, and nothing is given twice.
 * @module
 */
import { EmulatorError } from "../../base/errors.ts";
import { formatIpv4, formatMac, type Ipv4Addr, ipv4Of } from "../../wire/addr.ts";
import { placeOf } from "../../zone/address-plan.ts";
import { checkRates } from "../../xen/toolstack/vif-rate.ts";
import { profileOf } from "../../xen/profile.ts";
import { faultAt } from "../failure.ts";
import { hint } from "../suggest.ts";
import { keyOf } from "./issue.ts";
import { type Action, EXPECTABLE, type Plan, type StepPlan } from "./plan.ts";
import type { Scenario } from "./schema.ts";
import type { Path, SourceText } from "./source.ts";

interface Fault {
  readonly line: number;
  readonly text: string;
}

type Hosts = Scenario["hosts"];
type DomainText = NonNullable<Hosts[number]["domains"]>[number];

/** Collects what is wrong, with its place. */
export class FaultList {
  readonly #source: SourceText;
  readonly #faults: Fault[] = [];

  constructor(source: SourceText) {
    this.#source = source;
  }

  add(path: Path, message: string): void {
    const line = this.#source.lineOf(path);
    this.#faults.push({
      line,
      text: faultAt({ file: this.#source.file, line }, keyOf(path), message),
    });
  }

  /** In the order of their lines. */
  get texts(): string[] {
    return this.#faults.toSorted((left, right) => left.line - right.line).map(({ text }) => text);
  }

  /** For messages about another place. */
  placeOf(path: Path): string {
    return `${keyOf(path)} on line ${this.#source.lineOf(path)}`;
  }
}

/** Values of one kind that may be given once. */
class Unique {
  readonly #faults: FaultList;
  readonly #places = new Map<string, Path>();

  constructor(faults: FaultList) {
    this.#faults = faults;
  }

  add(value: string, path: Path): void {
    const other = this.#places.get(value);
    if (other === undefined) this.#places.set(value, path);
    else this.#faults.add(path, `${value} is taken by ${this.#faults.placeOf(other)}`);
  }

  get values(): string[] {
    return [...this.#places.keys()];
  }
}

/** Check a scenario whose values are sound each for itself. */
export function checkScenario(plan: Plan, scenario: Scenario, faults: FaultList): void {
  const names = new Unique(faults);
  const addresses = new Unique(faults);
  const macs = new Unique(faults);
  const plugs = new Unique(faults);
  const place = (path: Path, address: Ipv4Addr | undefined | null): void => {
    if (address !== undefined && address !== null) addresses.add(formatIpv4(address), path);
  };
  for (const [index, host] of scenario.hosts.entries()) {
    const path = ["hosts", index];
    names.add(plan.hosts[index]?.name ?? "", [...path, "name"]);
    place([...path, "privateAddress"], host.privateAddress);
    place([...path, "externalAddress"], host.externalAddress?.address);
    checkDomids(host.domains ?? [], path, faults);
  }
  for (const [index, { name, address }] of (scenario.internet ?? []).entries()) {
    names.add(name, ["internet", index, "name"]);
    place(["internet", index, "address"], address);
  }
  for (const { domain, path, host } of allDomains(scenario)) {
    if (domain.name !== undefined) names.add(domain.name, [...path, "name"]);
    if (domain.mac !== undefined) macs.add(formatMac(domain.mac), [...path, "mac"]);
    place([...path, "privateAddress"], domain.privateAddress?.address);
    place([...path, "publicAddress"], domain.publicAddress);
    checkGroups(plan, domain, path, faults);
    checkPlug(domain, path, faults);
    checkRate(plan, domain, path, faults);
    if (domain.vif !== undefined) plugs.add(domain.vif.listen, [...path, "vif", "listen"]);
    checkPlace(domain, path, host, faults);
  }
  for (const step of plan.steps) checkStep(plan, step, names.values, faults);
  checkSources(scenario, faults);
}

interface PlacedDomain {
  readonly domain: DomainText;
  readonly path: Path;
  readonly host: Hosts[number] | null;
}

/** Those that run from the start, then those that a step launches. */
function allDomains({ hosts, steps = [] }: Scenario): PlacedDomain[] {
  const started = hosts.flatMap((host, index) =>
    (host.domains ?? []).map((domain, at) => ({
      domain,
      path: ["hosts", index, "domains", at],
      host,
    })),
  );
  const launched = steps.flatMap(({ launch }, index) => {
    if (launch === undefined) return [];
    const host = hosts.find(({ name }) => name === launch.host) ?? null;
    return [{ domain: launch, path: ["steps", index, "launch"], host }];
  });
  return [...started, ...launched];
}

function checkDomids(domains: readonly DomainText[], path: Path, faults: FaultList): void {
  const domids = new Unique(faults);
  for (const [index, { domid }] of domains.entries()) {
    if (domid !== undefined) domids.add(String(domid), [...path, "domains", index, "domid"]);
  }
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

/** A domU's address lies in a block of its host, and says no other length than the block has. */
function checkPlace(
  { privateAddress }: DomainText,
  path: Path,
  host: PlacedDomain["host"],
  faults: FaultList,
): void {
  if (privateAddress === undefined) return;
  const { address, length } = privateAddress;
  const own = [...path, "privateAddress"];
  const text = formatIpv4(address);
  const { length: planned } = placeOf(address);
  if (length !== 32 && length !== planned) {
    faults.add(
      own,
      `expected ${text}/${planned}, as the address plan has it, got ${text}/${length}`,
    );
  }
  const dom0 = host?.privateAddress;
  if (dom0 === undefined) return;
  const base = ipv4Of(dom0 & ~0x3ff);
  const isBeside = ipv4Of(address & ~0x3ff) === base && ((address >>> 8) & 3) > 0;
  if (isBeside) return;
  const blocks = `${formatIpv4(ipv4Of(base + 0x100))}/24 or ${formatIpv4(ipv4Of(base + 0x200))}/23`;
  faults.add(own, `expected an address of the host's blocks ${blocks}, got ${text}`);
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
    case "shutdown":
    case "reboot":
    case "crash":
    case "pause":
    case "unpause":
    case "save":
    case "restore":
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

/** True for a text that can only be meant as an IPv4 address, and is one. */
export function isAddress(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
