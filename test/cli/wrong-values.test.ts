/** No wrong value at any place of a scenario or a world is taken, hangs, or is told badly. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SILENT } from "../../src/base/log.ts";
import { SECOND } from "../../src/base/time.ts";
import { InputError } from "../../src/cli/failure.ts";
import { readWorld } from "../../src/cli/router/read.ts";
import { play } from "../../src/cli/scenario/play.ts";
import { readScenario } from "../../src/cli/scenario/read.ts";
import { type Path, placesOf, replacedText, type Schema, wrongAt } from "./wrong-values.ts";

const FAULTS = {
  loss: 0.1,
  corruption: 0,
  duplication: 0.1,
  reordering: 0.1,
  holdBack: "2ms",
};

const DOMAIN = {
  domid: 3,
  mac: "12:31:39:00:A5:11",
  privateAddress: "10.254.170.223/23",
  publicAddress: "75.101.160.7",
  securityGroups: ["web", "default"],
  guest: "external",
  link: {
    delay: "1ms",
    bitsPerSecond: 1_000_000_000,
    ...FAULTS,
  },
  rate: "10Mb/s@50ms",
  onReboot: "preserve",
  onCrash: "destroy",
  volumes: [{ device: "sdf", path: "/dev/gnbd89", gib: 1 }],
  vif: { listen: "unix:/tmp/vif3.sock" },
  instanceStore: true,
};

const PERMISSIONS = [
  { protocol: "tcp", ports: 80, source: "0.0.0.0/0" },
  { protocol: "icmp", type: 8, code: 0, source: "10.0.0.0/8" },
  { source: { group: "web" } },
];

const SCENARIO = {
  title: "all that can be said",
  seed: 7,
  profile: "ec2-2010",
  vifMac: "FE:FF:FF:FF:FF:FF",
  until: "40s",
  hosts: [
    {
      name: "host-a",
      privateAddress: "10.254.168.2",
      externalAddress: "216.182.232.10/20",
      link: DOMAIN.link,
      ebtables: "*filter\n-A INPUT -p IPv6 -j DROP\n",
      domains: [{ name: "dom_1", ...DOMAIN }, { name: "dom_2" }, { name: "dom_3" }],
    },
  ],
  securityGroups: {
    web: PERMISSIONS,
  },
  internet: [{ name: "www", address: "93.184.216.34", serves: ["echo"], link: DOMAIN.link }],
  steps: [
    {
      at: "1s",
      says: "a heading",
      ping: { from: "dom_2", to: "www", count: 2, size: 100, interval: "200ms" },
      expect: { replies: 0, received: 0, dropped: "a/b" },
    },
    {
      at: "2s",
      traceroute: { from: "dom_2", to: "www", method: "icmp" },
      expect: { hops: ["10.254.168.2", "*"] },
    },
    { at: "2s", udp: { from: "dom_2", to: "www", port: 7, payload: "hallo" } },
    { at: "3s", send: { from: "dom_1", frame: "ffffffffffff 12313900a511 0806" } },
    {
      at: "3s",
      launch: {
        host: "host-a",
        name: "dom_9",
        ...DOMAIN,
        domid: 9,
        mac: "12:31:39:00:A5:12",
        privateAddress: "10.254.170.99",
        publicAddress: "75.101.160.99",
        vif: { listen: "unix:/tmp/vif9.sock" },
        volumes: [{ device: "sdg", path: "/dev/gnbd90", gib: 1 }],
      },
      expect: { state: "running", domid: 9 },
    },
    { at: "4s", pause: "dom_2" },
    { at: "5s", unpause: "dom_2" },
    { at: "6s", save: "dom_2" },
    { at: "7s", restore: "dom_2" },
    { at: "7s", save: "dom_3" },
    { at: "8s", restore: { domain: "dom_3", host: "host-a" } },
    { at: "8s", associate: { domain: "dom_2", address: "75.101.160.50" } },
    { at: "9s", disassociate: "dom_2" },
    { at: "10s", securityGroup: { name: "web", permissions: PERMISSIONS } },
    { at: "11s", faults: { of: "dom_2", ...FAULTS } },
    { at: "12s", reboot: "dom_2" },
    { at: "13s", crash: "dom_1" },
    { at: "14s", shutdown: "dom_3" },
  ],
};

const WORLD = {
  profile: "linux",
  interfaces: {
    eth0: {
      mac: "02:00:00:00:00:01",
      mtu: 1500,
      addresses: ["10.1.0.1/24 brd +"],
      proxyArp: true,
      neighbors: { "10.1.0.9": "02:00:00:00:00:09" },
    },
  },
  routes: ["192.0.2.0/24 via 10.1.0.9"],
  sysctl: { "net.ipv4.conf.all.rp_filter": 0 },
  iptables: "*filter\n-A FORWARD -j ACCEPT\nCOMMIT\n",
  ebtables: "*filter\n-A INPUT -p IPv6 -j DROP\n",
};

/** What a file is read by. @throws {InputError} for what is wrong with it. */
type Reader = (text: string) => void;

const READERS: Readonly<Record<string, Reader>> = {
  scenario: (text) => void readScenario("s.yaml", text),
  world: (text) => void readWorld("s.yaml", text)({ traceLimit: 0, sentLimit: 0, packetSlots: 1 }),
};

/** As faults name it. */
const keyOf = (path: Path): string =>
  path
    .map((key, index) => {
      if (typeof key === "number") return `[${key}]`;
      const part = /^[\w-]+$/.test(key) ? key : JSON.stringify(key);
      return index === 0 ? part : `.${part}`;
    })
    .join("");

/** The faults of a text, one a line; `null` if it is taken. */
function faultsOf(read: Reader, text: string): string[] | null {
  try {
    read(text);
    return null;
  } catch (error) {
    if (error instanceof InputError) return error.message.split("\n");
    throw error;
  }
}

describe.each([
  ["scenario", SCENARIO],
  ["world", WORLD],
])("a %s", (kind, whole) => {
  const sample: unknown = JSON.parse(JSON.stringify(whole));
  const read = READERS[kind] ?? expect.unreachable();
  const schema = JSON.parse(readFileSync(`schema/${kind}.json`, "utf8")) as Schema;
  const { places, missing } = placesOf(schema, sample);

  it("is taken as it is here, and says all that there is to say", () => {
    expect(faultsOf(read, JSON.stringify(sample))).toBeNull();
    expect(missing.filter((key) => !key.startsWith(".steps[].expect"))).toEqual([]);
  });

  const below = places.filter(({ path }) => path.length > 0);
  it.each(below.map((place) => [keyOf(place.path), place] as const))(
    "is refused by line and key with anything wrong at %s",
    (key, place) => {
      const taken: string[] = [];
      for (const value of wrongAt(place)) {
        const { text, line } = replacedText(sample, place.path, value);
        const faults = faultsOf(read, text);
        if (faults === null) taken.push(value);
        for (const fault of faults ?? []) expect(fault).toMatch(/^s\.yaml:\d+: \S.*[^.]$/);
        if (faults !== null) {
          // Something inside it, or what it left unsaid, may be told instead; or YAML is.
          const own = faults.filter(
            (fault) => fault.startsWith(`s.yaml:${line}: `) && fault.includes(key.slice(0, 20)),
          );
          expect(own.length, `${key}: ${value}: ${faults.join("; ")}`).toBeGreaterThan(0);
        }
      }
      expect(taken).toEqual([]);
    },
  );

  it("is refused with an unknown key anywhere", () => {
    for (const { path } of places) {
      let value: unknown = sample;
      for (const key of path) value = Reflect.get(value as object, key);
      if (typeof value !== "object" || value === null || Array.isArray(value)) continue;
      // Records take any key that is a name.
      const { text, line } = replacedText(sample, [...path, "no such key"], "1");
      const faults = faultsOf(read, text) ?? [];
      expect(faults.join("\n"), keyOf(path)).toContain(`s.yaml:${line}: `);
    }
  });

  it("never fails otherwise, whatever stands anywhere", () => {
    const values = fc.oneof(
      fc.constantFrom(...below.flatMap(wrongAt)),
      fc.jsonValue({ maxDepth: 1 }).map((value) => JSON.stringify(value)),
      fc.constantFrom("*a", "&a x", "<<", "!!int 5", "!!str 5", "2010-02-01", "0777", "0o7", "0x7"),
    );
    fc.assert(
      fc.property(fc.constantFrom(...below), values, ({ path }, value) => {
        const { text } = replacedText(sample, path, value);
        for (const fault of faultsOf(read, text) ?? []) expect(fault).toMatch(/^s\.yaml:\d+: \S/);
      }),
      { numRuns: 400 },
    );
  });
});

describe("a scenario that is read", () => {
  it("is played, or refused with the line of what cannot be, whatever it says", async () => {
    const { places } = placesOf(
      JSON.parse(readFileSync("schema/scenario.json", "utf8")) as Schema,
      JSON.parse(JSON.stringify(SCENARIO)),
    );
    const values = [
      ...['"0s"', '"1us"', '"36525d"', "0", "1", "65507", "65535", "9007199254740991", "1.0"],
      ...[
        '"dom_1"',
        '"dom_2"',
        '"host-a"',
        '"www"',
        '"10.254.170.1"',
        '"10.254.168.2"',
        "[]",
        "-1",
      ],
      ...['"255.255.255.255"', '"0.0.0.0"', '"linux"', '"rename-restart"', '"coredump-restart"'],
    ];
    const below = places.filter(({ path }) => path.length > 0);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.constantFrom(...below), fc.constantFrom(...values)), {
          minLength: 1,
          maxLength: 2,
        }),
        async (changes) => {
          let text = JSON.stringify(SCENARIO);
          for (const [{ path }, value] of changes) {
            try {
              ({ text } = replacedText(JSON.parse(text), path, value));
            } catch {
              // The first change took away where the second one was.
            }
          }
          try {
            await play({
              plan: readScenario("s.yaml", text),
              seed: null,
              until: 15 * SECOND,
              capture: null,
              traceLimit: 0,
              log: SILENT,
              signal: new AbortController().signal,
              onEvent: () => {},
            });
          } catch (error) {
            expect(error, text).toBeInstanceOf(InputError);
            expect((error as InputError).message).toMatch(/^s\.yaml:\d+: \S/);
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 240_000);
});
