/** Nobody is given by chance what the scenario names for somebody else, whatever comes first. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SILENT } from "../../../src/base/log.ts";
import { InputError } from "../../../src/cli/failure.ts";
import type { RunEvent } from "../../../src/cli/scenario/events.ts";
import { play } from "../../../src/cli/scenario/play.ts";
import { readScenario } from "../../../src/cli/scenario/read.ts";
import { formatMac, parseIpv4 } from "../../../src/wire/addr.ts";
import { macFor } from "../../../src/zone/address-plan.ts";

const maybe = <T>(values: readonly T[]): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(undefined) }, fc.constantFrom(...values));

/** Values next to those that are drawn first. */
const NAMES = [36, 37, 38, 39, 40].map((last) => `dom_325049${last}`);
const PUBLIC = [7, 8, 9, 10].map((last) => `75.101.160.${last}`);
const LAST = [2, 3, 4, 5];
const BLOCKS = ["10.254.168", "10.254.172", "10.1.4"];

interface DomainText {
  name?: string;
  domid?: number;
  mac?: string;
  privateAddress?: string;
  publicAddress?: string | null;
  guest: "external";
}
interface HostText {
  name?: string;
  privateAddress?: string;
  externalAddress?: string;
  domains: DomainText[];
}

/** Without what is not given. */
function given<T extends object>(value: T): { [key in keyof T]: Exclude<T[key], undefined> } {
  return JSON.parse(JSON.stringify(value)) as { [key in keyof T]: Exclude<T[key], undefined> };
}

/** Of the /22 of 10.254.168.0 plus `block` times four. */
const domainOf = (block: string): fc.Arbitrary<DomainText> => {
  const [first = "", second = "", third = "0"] = block.split(".");
  const beside = LAST.map((last) => `${first}.${second}.${Number(third) + 2}.${last}`);
  return fc
    .record({
      name: maybe(NAMES),
      domid: maybe([1, 2, 3, 4]),
      mac: maybe(beside.map((address) => formatMac(macFor(parseIpv4(address))))),
      privateAddress: maybe(beside),
      publicAddress: maybe([...PUBLIC, null]),
      guest: fc.constant("external" as const),
    })
    .map((text) => given(text) as DomainText);
};

const host: fc.Arbitrary<HostText> = fc.constantFrom(...BLOCKS).chain((block) =>
  fc
    .record({
      name: maybe(["host-a", "host-b", "host-c"]),
      // Only in the block of hosts without one may it be left out.
      privateAddress:
        block === BLOCKS[0]
          ? maybe(LAST.map((last) => `${block}.${last}`))
          : fc.constantFrom(...LAST.map((last) => `${block}.${last}`)),
      externalAddress: maybe([10, 11, 12].map((last) => `216.182.232.${last}/20`)),
      domains: fc.array(domainOf(block), { maxLength: 3 }),
    })
    .map((text) => given(text) as HostText),
);

const LIVES = ["shutdown", "reboot", "save", "crash"] as const;

interface ScenarioText {
  readonly profile: string;
  readonly hosts: readonly HostText[];
  readonly internet: readonly { name: string; address: string }[];
  readonly steps: readonly object[];
}

const scenario: fc.Arbitrary<ScenarioText> = fc
  .record({
    profile: fc.constantFrom("ec2-2010", "linux"),
    hosts: fc.array(host, { minLength: 1, maxLength: 3 }),
    internet: fc.uniqueArray(
      fc.record({
        name: fc.constantFrom("www", "host-b", "ns"),
        address: fc.constantFrom("93.184.216.34", "93.184.216.1", "75.101.160.8", "10.254.170.3"),
      }),
      { maxLength: 2, selector: ({ name }) => name },
    ),
    launches: fc.array(
      fc.record({ on: fc.nat({ max: 2 }), domain: domainOf("10.254.168"), at: fc.nat({ max: 5 }) }),
      { maxLength: 3 },
    ),
    lives: fc.array(
      fc.record({
        kind: fc.constantFrom(...LIVES),
        of: fc.nat(),
        at: fc.integer({ min: 6, max: 9 }),
      }),
      { maxLength: 2 },
    ),
    associate: maybe(PUBLIC),
  })
  .map(({ profile, hosts, internet, launches, lives, associate }) => {
    const steps: object[] = launches.flatMap(({ on, domain, at }) => {
      const target = hosts[on % hosts.length];
      if (target?.name === undefined) return [];
      // A step's domain names no place, for the host may be elsewhere.
      const { privateAddress: _, ...rest } = domain;
      return [{ at: `${at}s`, launch: { host: target.name, ...rest } }];
    });
    const named = hosts.flatMap(({ domains }) => domains.flatMap(({ name }) => name ?? []));
    const ended = new Set<string>();
    for (const { kind, of, at } of lives) {
      const name = named[of % Math.max(named.length, 1)];
      if (name === undefined || ended.has(name)) continue;
      ended.add(name);
      steps.push({ at: `${at}s`, [kind]: name });
    }
    const [first] = named;
    if (associate !== undefined && first !== undefined) {
      steps.push({ at: "5500ms", associate: { domain: first, address: associate } });
    }
    return { profile, hosts, internet, steps };
  });

const launchesOf = ({ steps }: ScenarioText): (DomainText & { host: string })[] =>
  steps.flatMap((step) => ("launch" in step ? [step.launch as DomainText & { host: string }] : []));

/** Names that are given to two: kind and value, in no order. */
function clashesOf(text: ScenarioText): Set<string> {
  const seen = new Set<string>();
  const clashes = new Set<string>();
  const note = (kind: string, value: string | number | null | undefined): void => {
    if (value === undefined || value === null) return;
    const key = `${kind} ${String(value).replace(/\/\d+$/, "")}`;
    if (seen.has(key)) clashes.add(String(value).replace(/\/\d+$/, ""));
    seen.add(key);
  };
  for (const { name, privateAddress, externalAddress } of text.hosts) {
    note("name", name);
    note("address", privateAddress);
    note("address", externalAddress);
  }
  for (const { name, address } of text.internet) {
    note("name", name);
    note("address", address);
  }
  const started = text.hosts.flatMap(({ domains }, index) =>
    domains.map((domain) => ({ on: index, ...domain })),
  );
  const launched = launchesOf(text).map(({ host: on, ...domain }) => ({
    on: text.hosts.findIndex(({ name }) => name === on),
    ...domain,
  }));
  for (const domain of [...started, ...launched]) {
    note("name", domain.name);
    note("mac", domain.mac);
    note("address", domain.privateAddress);
    note(`domid of ${domain.on}`, domain.domid);
  }
  for (const { associate } of text.steps as { associate?: { address: string } }[]) {
    const address = associate?.address;
    if (address !== undefined && seen.has(`address ${address}`)) clashes.add(address);
  }
  for (const { publicAddress } of [...started, ...launched]) note("address", publicAddress);
  return clashes;
}

/** @returns what the reader says, a line each; `null` if it is content. */
function faultsOf(text: string): string[] | null {
  try {
    readScenario("s.yaml", text);
    return null;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return error.message.split("\n");
  }
}

const twice = (values: readonly unknown[]): unknown[] =>
  values.filter((value, index) => value !== null && values.indexOf(value) !== index);

describe("what a scenario names", () => {
  it("is refused exactly where two have it, with the line and the key of the second", () => {
    fc.assert(
      fc.property(scenario, (scene) => {
        const text = JSON.stringify(scene, null, 1);
        const clashes = clashesOf(scene);
        const faults = faultsOf(text) ?? [];
        const told = new Set(faults.map((fault) => / (\S+) is taken by /.exec(fault)?.[1]));
        expect(told, faults.join("\n")).toEqual(clashes);
        for (const fault of faults) {
          const [, line = "", key = "", value = ""] =
            /^s\.yaml:(\d+): \S*?(\w+): (\S+) is taken/.exec(fault) ?? [];
          const there = text.split("\n")[Number(line) - 1] ?? "";
          expect(there, fault).toContain(`"${key}"`);
          expect(there, fault).toContain(value);
        }
      }),
      { numRuns: 300 },
    );
  });

  it(
    "is its owner's, and what others are given is nobody else's",
    { timeout: 120_000 },
    async () => {
      await fc.assert(
        fc.asyncProperty(
          scenario.filter((scene) => clashesOf(scene).size === 0),
          async (scene) => {
            const events: RunEvent[] = [];
            const { world, failed } = await play({
              plan: readScenario("s.yaml", JSON.stringify(scene)),
              seed: null,
              until: 12_000_000,
              capture: null,
              traceLimit: 0,
              log: SILENT,
              signal: new AbortController().signal,
              onEvent: (event) => events.push(event),
            });
            expect(failed).toBe(0);
            const told = events.flatMap((event) => (event.event === "domain" ? [event] : []));
            const wanted = [...scene.hosts.flatMap(({ domains }) => domains), ...launchesOf(scene)];
            expect(told).toHaveLength(wanted.length);
            for (const { name, mac, privateAddress, publicAddress, domid } of wanted) {
              const own = told.filter(
                (one) =>
                  (name === undefined || one.name === name) &&
                  (mac === undefined || one.mac === mac) &&
                  (privateAddress === undefined || one.privateAddress === privateAddress) &&
                  (publicAddress === undefined || one.publicAddress === publicAddress) &&
                  (domid === undefined || one.vif === `vif${domid}.0`),
              );
              expect(own.length).toBeGreaterThan(0);
            }
            const hosts = [...world.hosts];
            const running = hosts.flatMap(({ domains }) => [...domains]);
            const addresses = [
              ...hosts.flatMap(({ dom0 }) => [dom0.privateAddress, dom0.externalAddress]),
              ...[...world.internet].map(([, { configuration }]) => configuration?.address ?? null),
              ...running.flatMap((one) => [one.privateAddress, one.publicAddress]),
            ];
            expect(twice(addresses)).toEqual([]);
            expect(twice(running.map(({ mac }) => mac))).toEqual([]);
            expect(twice(told.map(({ name }) => name))).toEqual([]);
            expect(twice(hosts.map(({ name }) => name))).toEqual([]);
            for (const { dom0, domains } of hosts) {
              const block = dom0.privateAddress >>> 10;
              expect([...domains].filter((one) => one.privateAddress >>> 10 !== block)).toEqual([]);
            }
          },
        ),
        { numRuns: 40 },
      );
    },
  );
});
