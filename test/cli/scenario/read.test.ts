import { describe, expect, it } from "vitest";
import { InputError } from "../../../src/cli/failure.ts";
import { readScenario } from "../../../src/cli/scenario/read.ts";
import { SECOND } from "../../../src/base/time.ts";
import { parseIpv4, parseMac, parsePrefix } from "../../../src/wire/addr.ts";

const ZONE = `hosts:
  - name: host-a
    privateAddress: 10.254.168.2
    domains:
      - { name: dom_1, mac: "12:31:39:00:A5:11", privateAddress: 10.254.170.223/23 }
      - { name: dom_2, guest: external }
internet:
  - { name: www.example.com, address: 93.184.216.34 }
`;

/** The faults of a text, one a line. */
function faultsOf(text: string): string[] {
  try {
    readScenario("s.yaml", text);
  } catch (error) {
    if (error instanceof InputError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("a sound scenario", () => {
  const plan = readScenario(
    "s.yaml",
    `${ZONE}
securityGroups:
  web:
    - { protocol: tcp, ports: 80, source: 0.0.0.0/0 }
    - { protocol: udp, ports: 8000-8080, source: 10.0.0.0/8 }
    - { protocol: icmp, type: 8, source: 192.0.2.1 }
    - { source: { group: default } }
steps:
  - { at: 2s, ping: { from: dom_1, to: www.example.com, count: 4 }, expect: { replies: 4 } }
  - { at: 1500ms, traceroute: { from: dom_1, to: 10.0.0.1 }, expect: { hops: [10.254.168.2, "*"] } }
  - { at: 3s, send: { from: dom_2, frame: "ffffffffffff 12:31:39:00:a5:12 08-06" } }
  - { at: 4s, launch: { host: host-a, name: dom_3 } }
  - { at: 5s, shutdown: dom_3 }
`,
  );

  it("has its values as numbers, with defaults filled in", () => {
    expect(plan).toMatchObject({ seed: 1, profile: "ec2-2010", until: null, title: null });
    expect(plan.hosts[0]?.privateAddress).toBe(parseIpv4("10.254.168.2"));
    expect(plan.hosts[0]?.domains[0]?.mac).toBe(parseMac("12:31:39:00:A5:11"));
  });

  it("has permissions as security groups take them", () => {
    const everywhere = parsePrefix("0.0.0.0/0");
    expect(plan.securityGroups.get("web")).toEqual([
      { protocol: "tcp", source: everywhere, ports: { lower: 80, upper: 80 } },
      { protocol: "udp", source: parsePrefix("10.0.0.0/8"), ports: { lower: 8000, upper: 8080 } },
      { protocol: "icmp", source: parsePrefix("192.0.2.1"), icmp: { type: 8, code: -1 } },
      { group: "default" },
    ]);
  });

  it("has one action a step, with its time, line and expectations", () => {
    const [ping, traceroute, send, launch] = plan.steps;
    expect(ping).toMatchObject({ index: 0, line: 17, at: 2 * SECOND, expect: { replies: 4 } });
    expect(ping?.action).toMatchObject({ kind: "ping", count: 4, size: 56 });
    expect(traceroute?.expect).toEqual({ hops: [parseIpv4("10.254.168.2"), null] });
    expect(send?.action).toEqual({
      kind: "send",
      from: "dom_2",
      frame: Uint8Array.from(Buffer.from("ffffffffffff12313900a5120806", "hex")),
    });
    expect(launch?.action).toEqual({ kind: "launch", host: "host-a", domain: { name: "dom_3" } });
  });

  it("names hosts that have no name as the zone does", () => {
    const many = Array.from({ length: 28 }, () => "  - {}").join("\n");
    const { hosts } = readScenario("s", `hosts:\n${many}`);
    expect([0, 1, 25, 26].map((index) => hosts[index]?.name)).toEqual([
      "host-a",
      "host-b",
      "host-z",
      "host-a26",
    ]);
  });
});

describe("what is wrong with one value", () => {
  it.each([
    ["", "s.yaml:1: expected a mapping of keys, got nothing"],
    ["- a", "s.yaml:1: expected a mapping of keys, got a list"],
    ["seed: 1", "s.yaml:1: hosts: is missing"],
    ["hosts: 5", "s.yaml:1: hosts: expected a list, got 5"],
    ["hosts: []", "s.yaml:1: hosts: expected at least one host"],
    ["hosts:\n- host-a", 's.yaml:2: hosts[0]: expected a mapping of keys, got "host-a"'],
    ["profil: linux\nhosts: [{}]", 's.yaml:1: profil: unknown key; did you mean "profile"?'],
    [
      "hosts: [{}]\nprofile: liunx",
      's.yaml:2: profile: "liunx" is not known; did you mean "linux"?',
    ],
    [
      "hosts: [{}]\nseed: -1",
      "s.yaml:2: seed: expected a whole number from 0 to 9007199254740991, got -1",
    ],
    [
      "hosts: [{}]\nseed: 1.5",
      "s.yaml:2: seed: expected a whole number from 0 to 9007199254740991, got 1.5",
    ],
    [
      "hosts: [{}]\nuntil: 5",
      's.yaml:2: until: expected a duration such as "250ms" or "5s", got 5',
    ],
    [
      "hosts:\n  - domains:\n      - {}\n      - mac: 12:31:39:00:A5",
      "s.yaml:4: hosts[0].domains[1].mac: expected a MAC address such as 12:31:39:00:A5:11, " +
        'got "12:31:39:00:A5"',
    ],
    [
      "hosts:\n  - privateAddress: 10.254.168",
      "s.yaml:2: hosts[0].privateAddress: expected an IPv4 address such as 10.254.170.223, " +
        'got "10.254.168"',
    ],
    [
      "hosts:\n  - externalAddress: 1.2.3.4/33",
      "s.yaml:2: hosts[0].externalAddress: expected a prefix such as 10.254.168.0/23, " +
        'got "1.2.3.4/33"',
    ],
    [
      "hosts:\n  - domains: [{ publicAddress: 5 }]",
      "s.yaml:2: hosts[0].domains[0].publicAddress: expected an IPv4 address such as " +
        "10.254.170.223, got 5",
    ],
    [
      "hosts:\n  - domains: [{ name: web }]",
      's.yaml:2: hosts[0].domains[0].name: expected a name such as dom_32504936, got "web"',
    ],
    [
      "hosts: [{}]\nsecurityGroups:\n  a b: []",
      's.yaml:3: securityGroups."a b": expected a name of up to 64 letters, digits, . _ -, ' +
        'got "a b"',
    ],
    [
      "hosts: [{}]\nsecurityGroups:\n  web:\n    - { source: { grup: web } }",
      "s.yaml:4: securityGroups.web[0].source.group: is missing, expected a name such as host-a",
    ],
    [
      "hosts: [{}]\nsecurityGroups:\n  web:\n    - { protocol: tcp, source: 10.0.0.1/8 }",
      "s.yaml:4: securityGroups.web[0].source: 10.0.0.1/8 has bits below its prefix length",
    ],
  ])("is told with file, line and key: %j", (text, fault) => {
    expect(faultsOf(text)).toContain(fault);
  });

  it.each([
    ["{ ping: { from: dom_1, to: dom_2 } }", "at: is missing, expected a duration"],
    ["{ at: 1s, piing: {} }", 'piing: unknown key; did you mean "ping"?'],
    ["{ at: 1s }", "expected one action of ping, traceroute,"],
    ["{ at: 1s, shutdown: dom_1, disassociate: dom_1 }", "got shutdown and disassociate"],
    ["{ at: 1s, ping: { from: dom_1 } }", "ping.to: is missing"],
    ["{ at: 1s, ping: { from: dom_1, to: dom_2, count: 0 } }", "ping.count: expected a whole"],
    [
      "{ at: 1s, faults: { of: dom_1, loss: 2 } }",
      "loss: expected a probability from 0 to 1, got 2",
    ],
    ["{ at: 1s, send: { from: dom_2, frame: 123 } }", "send.frame: expected octets in"],
    ["{ at: 1s, send: { from: dom_2, frame: abc } }", "send.frame: expected pairs of hexa"],
    ["{ at: 1s, send: { from: dom_2, frame: 00 11 } }", "send.frame: expected a frame of at least"],
    ["{ at: 1s, shutdown: dom_1, expect: { replys: 1 } }", 'replys: unknown key; did you mean "re'],
    ["{ at: 1s, udp: { from: dom_1, to: dom_2 }, expect: { dropped: no } }", "expect.dropped: exp"],
  ])("is told of a step: %s", (step, fault) => {
    const [first = ""] = faultsOf(`${ZONE}steps:\n  - ${step}`);
    expect(first).toMatch(/^s\.yaml:10: steps\[0\]/);
    expect(first).toContain(fault);
  });

  it("is told of every value, in the order of their lines, each in one line", () => {
    const faults = faultsOf("seed: x\nhosts:\n  - { name: 1, nam: 2 }\nuntil: soon\n");
    expect(faults.map((fault) => fault.split(": ").slice(0, 2).join(" "))).toEqual([
      "s.yaml:1 seed",
      "s.yaml:3 hosts[0].name",
      "s.yaml:3 hosts[0].nam",
      "s.yaml:4 until",
    ]);
  });
});

describe("what is given twice", () => {
  const host = (domains: string): string =>
    `hosts:\n  - name: host-a\n    domains:\n      - ${domains.split("; ").join("\n      - ")}\n`;

  it.each([
    ["{ name: dom_1 }; { name: dom_1 }", "name: dom_1 is taken by hosts[0].domains[0].name"],
    ["{ domid: 3 }; { domid: 3 }", "domid: 3 is taken by hosts[0].domains[0].domid on line 4"],
    [
      "{ mac: '12:31:39:00:A5:11' }; { mac: '12-31-39-00-a5-11' }",
      "mac: 12:31:39:00:a5:11 is taken by hosts[0].domains[0].mac on line 4",
    ],
    [
      "{ privateAddress: 10.254.170.2 }; { privateAddress: 10.254.170.2/23 }",
      "privateAddress: 10.254.170.2 is taken by hosts[0].domains[0].privateAddress on line 4",
    ],
    [
      "{ publicAddress: 75.101.160.7 }; { publicAddress: 75.101.160.7 }",
      "publicAddress: 75.101.160.7 is taken by hosts[0].domains[0].publicAddress on line 4",
    ],
  ])("is refused with both places: %s", (domains, fault) => {
    expect(faultsOf(host(domains))).toEqual([
      expect.stringContaining(`s.yaml:5: hosts[0].domains[1].${fault}`),
    ]);
  });

  it.each([
    ["linux", "10Mb/s@50", null],
    ["linux", "fast", 'expected a rate such as "10Mb/s" or "1MB/s@50ms", got "fast"'],
    ["linux", "5", 'expected a rate such as "10Mb/s" or "1MB/s@50ms", got 5'],
    ["ec2-2010", "10Mb/s@50ms", null],
    ["ec2-2010", "10Mb/s@50", 'expected a rate such as "10Mb/s" or "1MB/s@50ms", got "10Mb/s@50"'],
    [
      "ec2-2010",
      "1b/s",
      'expected 1 to 4294967295 octets in an interval of at most 4294s, got "1b/s"',
    ],
  ])("is told what the toolstack of %s makes of the rate %s", (profile, rate, fault) => {
    const hosts = `hosts:\n  - name: host-a\n    domains:\n      - { rate: ${rate} }`;
    const steps = `steps:\n  - { at: 1s, launch: { host: host-a, rate: ${rate} } }`;
    const expected = [
      `s.yaml:5: hosts[0].domains[0].rate: ${fault}`,
      `s.yaml:7: steps[0].launch.rate: ${fault}`,
    ];
    expect(faultsOf(`profile: ${profile}\n${hosts}\n${steps}\n`)).toEqual(
      fault === null ? [] : expected,
    );
  });

  it("is refused across hosts, internet hosts and launches", () => {
    const text =
      `${ZONE}  - { name: host-a, address: 10.254.168.2 }\n` +
      "steps:\n" +
      "  - { at: 1s, launch: { host: host-a, name: dom_1, privateAddress: 93.184.216.34 } }\n";
    expect(faultsOf(text).map((fault) => fault.slice(0, fault.indexOf(" is taken")))).toEqual([
      "s.yaml:9: internet[1].name: host-a",
      "s.yaml:9: internet[1].address: 10.254.168.2",
      "s.yaml:11: steps[0].launch.name: dom_1",
      "s.yaml:11: steps[0].launch.privateAddress: 93.184.216.34",
      expect.stringContaining("privateAddress: expected an address of the host's blocks"),
    ]);
  });
});

describe("what does not fit together", () => {
  it.each([
    ["ping: { from: dom_3, to: dom_1 }", '"dom_3" is no simulated domain and no internet host; di'],
    ["ping: { from: dom_2, to: dom_1 }", '"dom_2" is no simulated domain'],
    ["ping: { from: dom_1, to: www.exmaple.com }", 'no name and no address; did you mean "www.ex'],
    ["ping: { from: dom_1, to: 10.0.0.256 }", '"10.0.0.256" is no name and no address'],
    ["send: { from: dom_7, frame: 00112233445566778899aabbccddee }", 'there is no domain "dom_7"'],
    ["launch: { host: host-b }", 'there is no host "host-b"; did you mean "host-a"?'],
    ["shutdown: dom_9", 'there is no domain "dom_9"'],
    ["associate: { domain: dom_9, address: 1.2.3.4 }", 'there is no domain "dom_9"'],
    [
      "launch: { host: host-a, securityGroups: [dfault] }",
      'no security group "dfault"; did you me',
    ],
  ])("is refused with a suggestion: %s", (action, fault) => {
    expect(faultsOf(`${ZONE}steps:\n  - { at: 1s, ${action} }`)).toEqual([
      expect.stringContaining(fault),
    ]);
  });

  it.each([
    ["10.1.1.1/24", "expected an address of the host's blocks 10.254.169.0/24 or 10.254.170.0/23"],
    ["10.254.168.9/24", "expected an address of the host's blocks"],
    ["10.254.170.9/24", "expected 10.254.170.9/23, as the address plan has it"],
  ])("is refused: %s behind Dom0 10.254.168.2", (address, fault) => {
    const domains = `domains: [{ privateAddress: ${address} }]`;
    const text = `hosts:\n  - privateAddress: 10.254.168.2\n    ${domains}`;
    expect(faultsOf(text)).toEqual([expect.stringContaining(fault)]);
  });

  it.each([
    ["{ protocol: tcp, type: 8, source: 0.0.0.0/0 }", "type: does not go with tcp"],
    ["{ protocol: udp, code: 0, source: 0.0.0.0/0 }", "code: does not go with udp"],
    ["{ protocol: icmp, ports: 80, source: 0.0.0.0/0 }", "ports: does not go with icmp"],
    ["{ protocol: tcp, ports: 90-80, source: 0.0.0.0/0 }", 'range such as 8000-8080, got "90-80"'],
    ["{ protocol: tcp, ports: 1-70000, source: 0.0.0.0/0 }", "range such as 8000-8080"],
    ["{ ports: 80, source: 0.0.0.0/0 }", "protocol: is missing, expected tcp, udp or icmp"],
    ["{ protocol: tcp, source: { group: default } }", "protocol: does not go with a group"],
    ["{ protocol: icmp, code: 0, source: 0.0.0.0/0 }", "every ICMP type goes with every code: -1"],
    ["{ source: { group: dfault } }", 'no security group "dfault"; did you mean "default"?'],
    [
      "{ protocol: tcp, source: 0.0.0.0/0 }, { protocol: tcp, ports: 0-65535, source: 0.0.0.0/0 }",
      "securityGroups.web[1]: says again what [0] says",
    ],
  ])("is refused in a permission: %s", (permission, fault) => {
    expect(faultsOf(`${ZONE}securityGroups: { web: [${permission}] }`)).toEqual([
      expect.stringContaining(fault),
    ]);
  });

  it("is refused where an expectation does not go with the action, or the run ends before", () => {
    const text = `${ZONE}until: 2s\nsteps:
  - { at: 1s, ping: { from: dom_1, to: 10.0.0.1 }, expect: { hops: [] } }
  - { at: 1s, shutdown: dom_1, expect: { received: 0 } }
  - { at: 3s, disassociate: dom_1 }`;
    expect(faultsOf(text)).toEqual([
      "s.yaml:11: steps[0].expect.hops: does not go with ping; expected one of replies, " +
        "received, dropped",
      "s.yaml:12: steps[1].expect.received: does not go with shutdown; " +
        "nothing can be expected of it",
      "s.yaml:13: steps[2].at: lies after the end of the run",
    ]);
  });
});
