import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { dom0, interrupted, MAIN, shell } from "./dom0.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const VERSION = (JSON.parse(readFileSync("package.json", "utf8")) as { version: string }).version;

/** A file of the folder. */
function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);
  return name;
}

const run = (...args: string[]) => dom0(args, { cwd: folder });
const objectsOf = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const PING = `hosts:
  - domains:
      - { name: dom_2, securityGroups: [open] }
      - { name: dom_4, securityGroups: [open] }
securityGroups: { open: [{ protocol: icmp, source: 0.0.0.0/0 }] }
steps:
  - { at: 15s, ping: { from: dom_2, to: dom_4, count: 1 }, expect: { replies: COUNT } }
`;

describe("the demo", () => {
  const { status, stdout, stderr } = run("demo");

  it("tells that the seed document's host works as the document says", () => {
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /dom_32504936 +vif3\.0 +12:31:39:00:a5:11 +10\.254\.170\.223 +75\.101\.160\.7/,
    );
    expect(stdout).toContain("dom_32504936 leases 10.254.170.223 from 169.254.1.0 for 24 h");
    expect(stdout).toMatch(/ 1  10\.254\.168\.2 .*\n +2  216\.182\.232\.10 /);
    for (const reason of ["source-address", "arp-sender-address", "dhcp-server"]) {
      expect(stdout).toContain(`dropped at vif5.0: anti-spoof/${reason}`);
    }
    expect(stdout).toContain("All 14 expectations hold.");
    expect(stdout).toMatch(/^demo\.pcapng: \d+ frames of 4 interfaces/m);
  });

  it("fits a terminal of 80 columns and has no colours in a pipe", () => {
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
    expect(stdout).not.toContain("\u001B");
  });

  it("is the example of its name, octet for octet", () => {
    const example = join(process.cwd(), "examples/seed-host.yaml");
    expect(run("run", example, "--pcapng", "example.pcapng").status).toBe(0);
    const [demo, again] = ["demo.pcapng", "example.pcapng"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(demo?.length).toBeGreaterThan(10_000);
    expect(again?.equals(demo ?? Buffer.alloc(0))).toBe(true);
  });

  it("goes to standard output as a capture, and tells its story on standard error", () => {
    const piped = shell("dom0 demo --pcapng - > piped.pcapng", folder);
    expect(piped.status).toBe(0);
    const [demo, again] = ["demo.pcapng", "piped.pcapng"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(again?.equals(demo ?? Buffer.alloc(0))).toBe(true);
    expect(piped.stderr).toContain("All 14 expectations hold.");
  });

  it("shows the host's state in the words of its tools", () => {
    const { stdout: state } = run("demo", "--state", "--until", "5s", "--pcapng", "state.pcapng");
    const commands = [...state.matchAll(/^(host-a\/\S+# .*)$/gm)].map(([, command]) => command);
    expect(commands).toEqual([
      "host-a/dom0# ip addr",
      "host-a/dom0# ip route",
      "host-a/dom0# ip neigh",
      "host-a/dom0# iptables-save -c",
      "host-a/dom0# arptables-save",
      "host-a/gateway# ip addr",
      "host-a/gateway# ip route",
      "host-a/gateway# ip neigh",
      "host-a/gateway# iptables-save -c",
      "host-a/dom0# cat /etc/dhcpd.conf",
    ]);
    expect(state).toContain("10.254.170.223 dev vif3.0 scope link src 10.254.168.2");
    expect(state).toContain("-A PREROUTING -d 75.101.160.7/32 -j DNAT --to-destination 10.254.170");
    expect(state).toContain("fixed-address 10.254.170.223;");
    expect(state).toContain("The end of the run came before 10 steps ended.");
  });
});

describe("a scenario", () => {
  it("prints objects with stable keys, the same ones each time", () => {
    const name = file("good.yaml", PING.replace("COUNT", "1"));
    const one = run("run", name, "--json", "--state", "--pcapng", "good.pcapng");
    expect(one.status).toBe(0);
    expect(run("run", name, "--json", "--state", "--pcapng", "good.pcapng")).toEqual(one);
    const keys = new Map(objectsOf(one.stdout).map((o) => [o["event"], Object.keys(o).join(" ")]));
    expect(Object.fromEntries(keys)).toEqual({
      start: "event at scenario title seed profile hosts fabric internet",
      domain:
        "event at step host name instanceId vif mac privateAddress publicAddress securityGroups " +
        "guest",
      drop: "event at packet step fate reason device summary",
      lease: "event at domain address server seconds packet",
      step: "event at step says action words",
      reply: "event at step from sequence ttl rttUs",
      ping:
        "event at step target transmitted received duplicates errors ttl " +
        "minRttUs avgRttUs maxRttUs",
      judgement: "event at step line key expected actual holds",
      settled: "event at step",
      end: "event at isInterrupted packets live ends held failed unreached",
      capture: "event path frames interfaces octets",
      state: "event host router command text",
    });
  });

  it("that fails an expectation ends with 1, and names it", () => {
    const { status, stdout } = run("run", file("bad.yaml", PING.replace("COUNT", "3")));
    expect(status).toBe(1);
    expect(stdout).toContain("FAILED (line 7): expected replies 3, got 1");
    expect(stdout).toContain("1 of 1 expectation failed.");
  });

  it("may be JSON, come from standard input, and have another seed", () => {
    const input = JSON.stringify({ hosts: [{ domains: [{ name: "dom_2" }] }] });
    const { status, stdout } = dom0(["run", "-", "--json", "--seed", "9", "--until", "8s"], {
      input,
    });
    expect(status).toBe(0);
    const [start] = objectsOf(stdout);
    expect(start).toMatchObject({ scenario: "-", seed: 9 });
    expect(objectsOf(stdout).at(-1)).toMatchObject({ event: "end", at: 8_000_000 });
  });

  it("logs structured lines on standard error, if asked", () => {
    const name = file("logged.yaml", "hosts: [{ domains: [{ name: dom_2 }] }]\nuntil: 1s\n");
    const { stderr } = run("run", name, "--log-level", "info");
    const [first] = objectsOf(stderr);
    expect(first).toMatchObject({ level: "info", host: "host-a" });
    expect(run("run", name).stderr).toBe("");
  });

  it.each([
    ["run nothing.yaml", "nothing.yaml: no such file or folder"],
    ["run .", ".: is a folder, expected a file"],
    ["run good.pcapng", "good.pcapng: is not a text in UTF-8"],
    ["run good.yaml --pcapng no/such/folder", "no/such/folder: no such file or folder"],
    ["run good.yaml --pcapng .", ".: is a folder, expected a file"],
    ["explain good.yaml --packet 9999", "good.yaml: packet 9999 is not known; the run had packets"],
    ["explain good.yaml", "dom0: explain: expected either --packet ID or --dropped"],
    ["domains good.yaml", "good.yaml:1: expected a time and a name such as"],
    ["domains nothing.txt", "nothing.txt: no such file or folder"],
    ["rnu good.yaml", "dom0: unknown command 'rnu'; did you mean run?"],
    ["run", "dom0: missing required argument 'scenario'"],
    ["run good.yaml bad.yaml", "dom0: too many arguments for 'run'."],
    ["run good.yaml --pcap x", "dom0: unknown option '--pcap'; did you mean --pcapng?"],
    ["run good.yaml --seed -1", "dom0: option '--seed <n>' argument '-1' is invalid. Expected a"],
    ["run good.yaml --until 5", "dom0: option '--until <time>' argument '5' is invalid. Expected"],
    ["demo --log-level loud", "dom0: option '--log-level <level>' argument 'loud' is invalid."],
  ])("that cannot be used is one sentence and exit code 2: dom0 %s", (line, sentence) => {
    const { status, stdout, stderr } = run(...line.split(" "));
    expect(stderr).toContain(sentence);
    expect(
      stderr
        .trimEnd()
        .split("\n")
        .filter((one) => one.includes("    at ")),
    ).toEqual([]);
    expect(status).toBe(2);
    expect(stdout).toBe("");
  });

  it("with several faults has a line for each", () => {
    const text = `${PING.replace("COUNT", "1")}until: soon\nseeds: 3\n`;
    const { status, stderr } = run("run", file("faulty.yaml", text));
    expect(status).toBe(2);
    expect(stderr.trimEnd().split("\n")).toEqual([
      'faulty.yaml:8: until: expected a duration such as "250ms" or "5s", got "soon"',
      'faulty.yaml:9: seeds: unknown key; did you mean "seed"?',
    ]);
  });

  it("of which a step is not possible ends there, with what was captured until then", () => {
    const steps = "  - { at: 1s, shutdown: dom_2 }\n";
    const name = file("late.yaml", `${PING.replace("COUNT", "1")}${steps}`);
    const { status, stderr } = run("run", name, "--pcapng", "late.pcapng");
    expect(status).toBe(2);
    expect(stderr).toBe("late.yaml:7: steps[0].ping: dom_2 is not running\n");
    expect(readCapture(readFileSync(join(folder, "late.pcapng"))).records.length).toBeGreaterThan(
      0,
    );
  });
});

describe("an explanation", () => {
  it("tells each step of a packet, and how it ended", () => {
    const { status, stdout } = run("explain", "--dropped");
    expect(status).toBe(0);
    const packets = stdout.split("\n\n");
    expect(packets).toHaveLength(4);
    expect(stdout).toMatch(/^packet \d+: .*ICMP echo request/m);
    expect(stdout).toMatch(/40\.000020 s +PREROUTING +table raw, chain spoof-vif5\.0/);
    expect(stdout).toMatch(/40\.000020 s +dropped +anti-spoof\/source-address/);
    expect(stdout.replaceAll(/\s+/g, " ")).toContain('"no permission of group web" -j DROP');
  });

  it("is an object a packet for programs", () => {
    const packets = objectsOf(run("explain", "--dropped", "--json").stdout);
    const [first] = packets;
    expect(Object.keys(first ?? {})).toEqual(["event", "id", "steps", "ends"]);
    const one = objectsOf(run("explain", "--packet", String(first?.["id"]), "--json").stdout);
    expect(one).toEqual([first]);
  });

  it("says so where nothing was dropped", () => {
    const { status, stdout } = run(
      "explain",
      file("calm.yaml", PING.replace("COUNT", "1")),
      "--dropped",
    );
    expect([status, stdout]).toEqual([0, "No packet was dropped.\n"]);
  });
});

describe("the estimate of launches", () => {
  it("is told with its reasons, and as an object", () => {
    const name = file(
      "samples.txt",
      "# the seed document\n2010-01-31T09:30:00Z dom_32422936\n2010-02-01T09:30:00Z i-00b6bc68\n",
    );
    const { status, stdout } = run("domains", name);
    expect(status).toBe(0);
    expect(stdout).toMatch(/2010-01-31T09:30:00Z +2010-02-01T09:30:00Z +82,000 +24\.00 +82,000/);
    expect(stdout).toContain("2 of 2 are even, 0 odd.");
    const { series } = JSON.parse(run("domains", name, "--json").stdout) as { series: unknown[] };
    expect(series).toMatchObject([{ region: "us-east-1", perDay: 82_000, even: 2 }]);
  });
});

describe("help", () => {
  it("tells the version and the commands", () => {
    expect(run("--version")).toEqual({ status: 0, stdout: `${VERSION}\n`, stderr: "" });
    const { status, stdout } = run("--help");
    expect(status).toBe(0);
    for (const name of ["demo", "run", "explain", "domains", "schema"]) {
      expect(stdout).toMatch(new RegExp(`^  ${name} `, "m"));
    }
  });

  it("is printed where no command is given, as wrong usage", () => {
    const { status, stderr } = run();
    expect(status).toBe(2);
    expect(stderr).toContain("Usage: dom0");
  });

  it.each(["demo", "run", "explain", "domains"])("has examples, within 80 columns: %s", (name) => {
    const { status, stdout } = run(name, "--help");
    expect(status).toBe(0);
    expect(stdout).toMatch(new RegExp(`Examples:\n(?:  .*\n)*  .*dom0 ${name}`));
    expect(stdout.split("\n").filter((line) => line.length > 80)).toEqual([]);
  });

  it("prints the schema that is checked in", () => {
    const { stdout } = run("schema");
    expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync("schema/scenario.json", "utf8")));
  });
});

describe("a pipe", () => {
  it("whose reader goes away does not change the run or its end", () => {
    const { status, stdout, stderr } = shell("dom0 demo --pcapng cut.pcapng | head -n 1", folder);
    expect([status, stdout, stderr]).toEqual([0, "An EC2-Classic host of February 2010\n", ""]);
    const [cut, whole] = ["cut.pcapng", "demo.pcapng"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(cut?.equals(whole ?? Buffer.alloc(0))).toBe(true);
  });

  it("that takes a capture may be closed too", () => {
    const { status, stdout } = shell(
      "dom0 demo --pcapng - 2>told.txt | head -c 28 | wc -c",
      folder,
    );
    expect([status, stdout.trim()]).toEqual([0, "28"]);
    expect(readFileSync(join(folder, "told.txt"), "utf8")).toContain("All 14 expectations hold.");
  });

  it("keeps the exit code of a run that failed", () => {
    file("bad.yaml", PING.replace("COUNT", "3"));
    expect(shell("dom0 run bad.yaml | head -n 1", folder).status).toBe(1);
  });
});

describe("Ctrl-C", () => {
  it.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("ends a run in order: %s", async (signal, code) => {
    const path = join(folder, `${signal}.pcapng`);
    const args = ["demo", "--until", "800000h", "--pcapng", path];
    const { status, stdout, stderr } = await interrupted(args, "The neighbors never", signal);
    expect(stderr).toBe("");
    expect(status).toBe(code);
    expect(stdout).toContain("Interrupted: the run ends here.");
    const { interfaces } = readCapture(readFileSync(path));
    expect(interfaces.map(({ statistics }) => statistics === null)).toEqual(
      interfaces.map(() => false),
    );
  });
});

/** util-linux's `script` gives a command a terminal of its own. */
const hasTerminals = shell("script --version", folder).status === 0;

describe.skipIf(!hasTerminals)(`a terminal${hasTerminals ? "" : " (skipped: no script)"}`, () => {
  const onTerminal = (environment: string): string => {
    const command = `stty cols 80; ${process.execPath} ${MAIN} demo`;
    const line = `${environment} script -qec '${command}' /dev/null < /dev/null`;
    return shell(line, folder).stdout.replaceAll("\r", "");
  };

  it("has colours", () => {
    expect(onTerminal("TERM=xterm")).toContain("\u001B[32mAll 14 expectations hold.\u001B[39m");
  });

  it.each(["TERM=xterm NO_COLOR=1", "TERM=dumb"])("has none with %s", (environment) => {
    const text = onTerminal(environment);
    expect(text).toContain("\nAll 14 expectations hold.\n");
    expect(text).not.toContain("\u001B");
  });
});
