/** From the text of a scenario to a plan, or to all that is wrong with it. @module */
import type { FaultOptions } from "../../sim/faults.ts";
import {
  canonical,
  formatPermission,
  type Permission,
  SecurityGroupError,
} from "../../xen/permission.ts";
import { nextHostName } from "../../zone/naming.ts";
import { InputError } from "../failure.ts";
import { checkScenario } from "./check.ts";
import { FaultList } from "./fault-list.ts";
import { faultTexts } from "./issue.ts";
import { type Action, EXPECTABLE, LIFE_KINDS, type Plan, type StepPlan } from "./plan.ts";
import { PUBLISHED_SCENARIO, SCENARIO, type Scenario } from "./schema.ts";
import type { Path } from "./path.ts";
import { SourceText } from "./source.ts";

type StepText = NonNullable<Scenario["steps"]>[number];
type FaultTexts = Omit<NonNullable<StepText["faults"]>, "of">;
type PermissionText = NonNullable<Scenario["securityGroups"]>[string][number];

/**
 * Read a scenario, YAML or JSON.
 * @param file its name, for messages.
 * @throws {InputError} with each fault as one line: file, line, key, what was expected.
 */
export function readScenario(file: string, text: string): Plan {
  const source = new SourceText(file, text);
  const { success, data, error } = SCENARIO.safeParse(source.value);
  if (!success) throw new InputError(faultTexts(source, error.issues, PUBLISHED_SCENARIO));
  const faults = new FaultList(source);
  const plan = planOf(source, data, faults);
  checkScenario(plan, data, faults);
  if (faults.texts.length > 0) throw new InputError(faults.texts);
  return plan;
}

function planOf(source: SourceText, scenario: Scenario, faults: FaultList): Plan {
  const { title, seed, profile, vifMac, until, hosts, internet = [], steps = [] } = scenario;
  const groups = Object.entries(scenario.securityGroups ?? {}).map(
    ([name, texts]) => [name, permissionsOf(texts, ["securityGroups", name], faults)] as const,
  );
  const names = hostNames(scenario);
  return {
    file: source.file,
    title: title ?? null,
    seed,
    profile,
    vifMac: vifMac ?? null,
    until: until ?? null,
    hosts: hosts.map((host, index) => ({
      ...host,
      name: names[index] ?? "",
      domains: host.domains ?? [],
    })),
    securityGroups: new Map(groups),
    internet,
    steps: steps.flatMap((step, index) => stepOf(step, index, source, faults)),
    lineOf: (host, domain) =>
      source.lineOf(domain === undefined ? ["hosts", host] : ["hosts", host, "domains", domain]),
  };
}

/** Hosts without a name are named as the zone does, apart from what others are called. */
function hostNames({ hosts, internet = [] }: Scenario): string[] {
  const taken = new Set([...hosts, ...internet].map(({ name }) => name));
  return hosts.map(({ name }, index) => {
    const own = name ?? nextHostName(index, (one) => taken.has(one));
    taken.add(own);
    return own;
  });
}

/** The step, or nothing if it does not say one thing to do. */
function stepOf(step: StepText, index: number, source: SourceText, faults: FaultList): StepPlan[] {
  const path = ["steps", index];
  const kinds = Object.keys(EXPECTABLE);
  const given = kinds.filter((kind) => Reflect.get(step, kind) !== undefined);
  if (given.length !== 1) {
    const got = given.length === 0 ? "none" : given.join(" and ");
    faults.add(path, `expected one action of ${kinds.join(", ")}, got ${got}`);
    return [];
  }
  const action = actionOf(step, path, faults);
  if (action === null) return [];
  const { at, says = null, expect = {} } = step;
  return [{ index, line: source.lineOf(path), at, says, action, expect: expectationOf(expect) }];
}

function expectationOf({
  replies,
  hops,
  received,
  dropped,
  state,
  domid,
}: NonNullable<StepText["expect"]>): StepPlan["expect"] {
  return {
    ...(replies === undefined ? {} : { replies }),
    ...(hops === undefined ? {} : { hops: hops.map((hop) => (hop === "*" ? null : hop)) }),
    ...(received === undefined ? {} : { received }),
    ...(dropped === undefined ? {} : { dropped }),
    ...(state === undefined ? {} : { state }),
    ...(domid === undefined ? {} : { domid }),
  };
}

function actionOf(step: StepText, path: Path, faults: FaultList): Action | null {
  const { ping, traceroute, udp, send, launch, shutdown, associate, securityGroup } = step;
  if (ping !== undefined) return { kind: "ping", ...ping };
  if (traceroute !== undefined) return { kind: "traceroute", ...traceroute };
  if (udp !== undefined) return { kind: "udp", ...udp };
  if (send !== undefined) return { kind: "send", ...send };
  if (launch !== undefined) {
    const { host, ...domain } = launch;
    return { kind: "launch", host, domain };
  }
  if (shutdown !== undefined) return { kind: "shutdown", domain: shutdown };
  for (const kind of LIFE_KINDS) {
    const text = step[kind];
    if (text === undefined) continue;
    return typeof text === "string" ? { kind, domain: text } : { kind, ...text };
  }
  if (associate !== undefined) return { kind: "associate", ...associate };
  if (step.disassociate !== undefined) return { kind: "disassociate", domain: step.disassociate };
  if (step.faults !== undefined) {
    const { of, ...given } = step.faults;
    return { kind: "faults", of, faults: faultsOf(given) };
  }
  if (securityGroup === undefined) return null;
  const { name, permissions } = securityGroup;
  const own = [...path, "securityGroup", "permissions"];
  return { kind: "securityGroup", name, permissions: permissionsOf(permissions, own, faults) };
}

/** Faults as links take them; `null` if a text gives none. */
export function faultsOf(given: Readonly<FaultTexts>): FaultOptions | null {
  const { loss = 0, corruption = 0, duplication = 0, reordering = 0, holdBack } = given;
  if (loss + corruption + duplication + reordering === 0) return null;
  const shares = { loss, corruption, duplication, reordering };
  return holdBack === undefined ? shares : { ...shares, holdBack };
}

function permissionsOf(
  texts: readonly PermissionText[],
  path: Path,
  faults: FaultList,
): Permission[] {
  const said = new Map<string, number>();
  return texts.flatMap((text, index) => {
    const permission = permissionOf(text, [...path, index], faults);
    if (permission === null) return [];
    try {
      const one = canonical(permission);
      const words = formatPermission(one);
      const before = said.get(words);
      if (before !== undefined) faults.add([...path, index], `says again what [${before}] says`);
      said.set(words, index);
      return [one];
    } catch (error) {
      if (!(error instanceof SecurityGroupError)) throw error;
      faults.add([...path, index], error.message);
      return [];
    }
  });
}

function permissionOf(text: PermissionText, path: Path, faults: FaultList): Permission | null {
  const { protocol, ports, type, code, source } = text;
  const refuse = (key: string, message: string): null => {
    faults.add([...path, key], message);
    return null;
  };
  if ("group" in source) {
    const extra = ["protocol", "ports", "type", "code"].find(
      (key) => Reflect.get(text, key) !== undefined,
    );
    if (extra === undefined) return { group: source.group };
    return refuse(extra, "does not go with a group as source: its members may send everything");
  }
  if (protocol === undefined) return refuse("protocol", "is missing, expected tcp, udp or icmp");
  if (protocol === "icmp") {
    if (ports !== undefined) return refuse("ports", "does not go with icmp; it has type and code");
    if (type === undefined && code === undefined) return { protocol, source };
    return { protocol, source, icmp: { type: type ?? -1, code: code ?? -1 } };
  }
  const extra = type === undefined ? "code" : "type";
  if (type !== undefined || code !== undefined) {
    return refuse(extra, `does not go with ${protocol}; only icmp has it`);
  }
  if (ports === undefined) return { protocol, source };
  const range = rangeOf(ports);
  if (range !== null) return { protocol, source, ports: range };
  return refuse("ports", `expected a port or a range such as 8000-8080, got "${ports}"`);
}

/** "80", 80 or "8000-8080"; `null` if it goes backwards or beyond 65,535. */
function rangeOf(ports: number | string): { lower: number; upper: number } | null {
  const [first = "", last = first] = String(ports).split("-");
  const lower = Number(first);
  const upper = Number(last);
  return lower <= upper && upper <= 65_535 ? { lower, upper } : null;
}
