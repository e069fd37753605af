import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { FrameDirection } from "../../src/pcap/record.ts";
import { summaryOf } from "../../src/pcap/summary.ts";
import { buildFrame } from "../../src/testing/build-frame.ts";
import { type CapturedFrame, captureOf } from "../zone/world/world-capture.ts";
import { dom0, MAIN, shell } from "./dom0.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-router-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WORLD = readFileSync("examples/router/world.yaml", "utf8");
const VIF = "FE:FF:FF:FF:FF:FF";
const GUEST = "12:31:39:00:A5:11";
const out = (srcPort: number): Uint8Array =>
  buildFrame({
    from: GUEST,
    to: VIF,
    src: "10.254.170.223",
    dst: "93.184.216.34",
    tcp: { srcPort, dstPort: 80 },
  });
const FRAMES: readonly CapturedFrame[] = [
  { at: 0, interface: "vif1.0", octets: out(4000) },
  { at: SECOND, interface: "vif1.0", octets: new Uint8Array(9) },
  { at: 2 * SECOND, interface: "vif1.0", octets: out(4001) },
];

/** A file of the folder. */
function file(name: string, content: string | Uint8Array): string {
  writeFileSync(join(folder, name), content);
  return name;
}
const run = (...args: string[]) => dom0(["router", ...args], { cwd: folder });
const read = (name: string) => readCapture(readFileSync(join(folder, name)));
/** What a run says that is refused. */
const refusal = (...args: string[]): string => {
  const { status, stdout, stderr } = run(...args);
  expect(status).toBe(2);
  expect(stdout).toBe("");
  expect(stderr).not.toMatch(/\n\s+at /);
  return stderr;
};
file("world.yaml", WORLD);
file("in.pcapng", captureOf(FRAMES));

describe("a capture played through one router", () => {
  const { status, stdout, stderr } = run(
    "world.yaml",
    "--in",
    "in.pcapng",
    "--out",
    "out.pcapng",
    "--state",
  );

  it("is told in numbers, with why frames did not leave", () => {
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout).toContain("in.pcapng: 3 frames came in, 2 left in 6.000 s.\n");
    expect(stdout).toMatch(/ vif1\.0 +3 +0\n +peth0 +0 +2\n/);
    expect(stdout).toMatch(/ world\/sent +2 +delivered\n +ethernet\/truncated +1 +discarded\n/);
    expect(stdout).toMatch(/^out\.pcapng: 5 frames of 2 interfaces, /m);
  });

  it("tells the router's state in the words of its tools", () => {
    expect(stdout.match(/^router# .*$/gm)).toEqual([
      "router# ip addr",
      "router# ip route",
      "router# ip neigh",
      "router# iptables-save -c",
      "router# conntrack -L",
    ]);
    expect(stdout).toContain("[2:80] -A POSTROUTING -s 10.254.170.223/32 -o peth0 -j SNAT");
    expect(stdout.match(/^tcp .*SYN_SENT/gm)).toHaveLength(2);
  });

  it("tells rules about frames where the world has any", () => {
    file("bridged.yaml", `${WORLD}ebtables: "*nat\\n-A PREROUTING -i peth0 -j DROP\\n"\n`);
    const told = run("bridged.yaml", "--in", "in.pcapng", "--state").stdout;
    expect(told).toContain("router# ebtables-save -c\n*nat\n:PREROUTING ACCEPT\n");
    expect(told).toContain("[0:0] -A PREROUTING -i peth0 -j DROP\n");
  });

  it("comes out in the time of its frames, by interface and direction", () => {
    const { interfaces, records } = read("out.pcapng");
    expect(interfaces.map(({ name }) => name)).toEqual(["vif1.0", "peth0"]);
    const first = read("in.pcapng").records[0]?.ticks ?? 0n;
    const seen = records.map(({ interface: { name }, flags, ticks, comment }) => [
      name,
      flags & 3,
      Number((ticks ?? 0n) - first) / 1e9,
      comment,
    ]);
    expect(seen).toEqual([
      ["vif1.0", FrameDirection.Inbound, 0, null],
      ["peth0", FrameDirection.Outbound, 0, null],
      ["vif1.0", FrameDirection.Inbound, 1, "discarded: ethernet/truncated"],
      ["vif1.0", FrameDirection.Inbound, 2, null],
      ["peth0", FrameDirection.Outbound, 2, null],
    ]);
    expect(summaryOf(records[1]?.octets ?? new Uint8Array(0))).toContain(
      "75.101.160.7 > 93.184.216.34 ttl 63",
    );
  });

  it("may come out of the router once more: what had left is passed over", () => {
    const again = run("world.yaml", "--in", "out.pcapng", "--out", "again.pcapng");
    expect(again.stdout).toContain("2 that had left were passed over.");
    const [once, twice] = ["out.pcapng", "again.pcapng"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(twice?.equals(once ?? Buffer.alloc(0))).toBe(true);
  });

  it("goes through pipes", () => {
    const line = "cat in.pcapng | dom0 router world.yaml --in - --out - > piped.pcapng";
    const piped = shell(line, folder);
    expect(piped.status).toBe(0);
    expect(piped.stderr).toContain("standard input: 3 frames came in");
    const [once, twice] = ["out.pcapng", "piped.pcapng"].map((name) =>
      readFileSync(join(folder, name)),
    );
    expect(twice?.equals(once ?? Buffer.alloc(0))).toBe(true);
  });

  it("is told packet by packet", () => {
    const told = run("world.yaml", "--in", "in.pcapng", "--explain").stdout;
    expect(told).toMatch(/^packet 1: .*10\.254\.170\.223 > 93\.184\.216\.34/m);
    expect(told).toContain("nat: source changed");
    expect(told).toMatch(/1\.000000 s +discarded +ethernet\/truncated/);
    expect(told.match(/^packet \d+/gm)).toEqual(["packet 1", "packet 2", "packet 3"]);
  });

  it("is told to programs, an object a line", () => {
    const { stdout: json } = run(
      ...["world.yaml", "--in", "in.pcapng", "--out", "json.pcapng"],
      ...["--json", "--explain", "--state"],
    );
    const objects = json
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(objects.map(({ event }) => event)).toEqual([
      ...["packet", "packet", "packet", "end", "capture"],
      ...["state", "state", "state", "state", "state"],
    ]);
    expect(objects[3]).toMatchObject({
      frames: 3,
      sent: 2,
      passedOver: 0,
      lost: 0,
      interfaces: [
        { name: "vif1.0", in: 3, out: 0 },
        { name: "peth0", in: 0, out: 2 },
      ],
      ends: [
        { fate: "delivered", reason: "world/sent", count: 2 },
        { fate: "discarded", reason: "ethernet/truncated", count: 1 },
      ],
    });
  });

  it("ends where --until says", () => {
    const { stdout: told } = run("world.yaml", "--in", "in.pcapng", "--until", "1500ms");
    expect(told).toContain("2 frames came in, 1 left in 1.500 s.");
  });

  it("may be empty", () => {
    file("empty.pcapng", captureOf([]));
    const empty = run("world.yaml", "--in", "empty.pcapng", "--out", "none.pcapng");
    expect(empty.stdout).toContain("0 frames came in, 0 left");
    expect(read("none.pcapng").interfaces).toHaveLength(2);
  });
});

describe("the same seed", () => {
  const rules = "  *nat\n  -A POSTROUTING -o peth0 -j MASQUERADE --random\n  COMMIT\n";
  file("random.yaml", WORLD.replace(/ {2}\*nat[^]*$/, rules));
  const play = (seed: string): Buffer => {
    const name = `seed-${seed}.pcapng`;
    run("random.yaml", "--in", "in.pcapng", "--out", name, "--seed", seed);
    return readFileSync(join(folder, name));
  };

  it("gives the same capture, and another seed another", () => {
    const once = play("3");
    expect(play("3").equals(once)).toBe(true);
    expect(play("4").equals(once)).toBe(false);
  });
});

describe("wrong input gets one clear sentence and exit code 2", () => {
  const change = (from: string | RegExp, to: string): string =>
    file("wrong.yaml", WORLD.replace(from, to));

  it.each([
    ["no YAML", /^profile: linux/m, "profile: [", /^wrong\.yaml:\d+: is not YAML: /],
    [
      "an unknown key",
      "proxyArp",
      "proxyarp",
      /^wrong\.yaml:12: interfaces\."vif1\.0"\.proxyarp: unknown key; did you mean "proxyArp"\?\n$/,
    ],
    [
      "an unknown profile",
      "profile: linux",
      "profile: bsd",
      /^wrong\.yaml:7: profile: "bsd" is not known; expected one of/,
    ],
    [
      "a wrong MAC address",
      "FE:FF:FF:FF:FF:FF",
      "FE:FF",
      /^wrong\.yaml:10: interfaces\."vif1\.0"\.mac: expected a MAC address such as/,
    ],
    [
      "a wrong route",
      "default via",
      "default over",
      /^wrong\.yaml:20: routes\[1\]: "over" of a route is not known; expected via, dev,/,
    ],
    [
      "a wrong setting",
      "rp_filter: 0",
      "rp_filter: 7",
      /^wrong\.yaml:22: sysctl\."net\.ipv4\.conf\.all\.rp_filter": expected 0 to 2, got 7\n$/,
    ],
    [
      "an unknown setting",
      "icmp_ratelimit",
      "icmp_ratelimits",
      /^wrong\.yaml:23: sysctl\."net\S*\.icmp_ratelimits": .* mean "net\S*\.icmp_ratelimit"\?\n$/,
    ],
    ["a wrong rule", "-j SNAT", "-j SNUT", /^wrong\.yaml:26: iptables: .*--to-source is not known/],
    ["no COMMIT", "  COMMIT\n", "", /^wrong\.yaml:2\d: iptables: COMMIT is missing/],
  ])("%s", (_, from, to, expected) => {
    expect(refusal(change(from, to), "--in", "in.pcapng")).toMatch(expected);
  });

  it("a wrong rule in JSON, whose line breaks are not the file's", () => {
    const iptables = "*nat\n-A POSTROUTING -j SNUT\nCOMMIT\n";
    const name = file("wrong.json", JSON.stringify({ interfaces: {}, iptables }));
    expect(refusal(name, "--in", "in.pcapng")).toMatch(/^wrong\.json:1: iptables: line 2: .*SNUT/);
  });

  const frame = (at: number, name = "vif1.0"): CapturedFrame => ({
    at,
    interface: name,
    octets: out(5),
  });
  it.each<[string, Uint8Array, string]>([
    [
      "an interface that the world has not",
      captureOf([frame(0), frame(1, "eth7")]),
      'frame 2: comes in by "eth7", expected one of vif1.0, peth0',
    ],
    [
      "time that goes backwards",
      captureOf([frame(5), frame(4)]),
      'frame 2: is earlier than the one before; "reordercap" sorts a capture',
    ],
    [
      "what is no capture",
      new TextEncoder().encode("nothing at all"),
      "octet 0: neither a pcapng nor a pcap file",
    ],
    ["a capture that is cut off", captureOf([frame(0)]).subarray(0, -5), "cut off within"],
  ])("%s", (_, capture, expected) => {
    const name = file("wrong.pcapng", capture);
    const told = refusal("world.yaml", "--in", name);
    expect(told).toMatch(/^wrong\.pcapng: /);
    expect(told).toContain(expected);
  });

  it.each([
    [["world.yaml"], /required option '--in <file>' not specified/],
    [["world.yaml", "--in", "nothing.pcapng"], /^nothing\.pcapng: no such file or folder\n$/],
    [["nothing.yaml", "--in", "in.pcapng"], /^nothing\.yaml: no such file or folder\n$/],
    [["-", "--in", "-"], /cannot both be standard input/],
    [["world.yaml", "--in", "in.pcapng", "--out", "./in.pcapng"], /--out: is what --in is/],
    [["world.yaml", "--in", "in.pcapng", "--out", "world.yaml"], /--out: is what the world is/],
    [["world.yaml", "--in", "in.pcapng", "--out", "no/such.pcapng"], /no such file or folder/],
    [["world.yaml", "--in", "in.pcapng", "--rules", "no.v4"], /^no\.v4: no such file or folder\n$/],
    [["world.yaml", "--in", "-", "--rules", "-"], /--in and --rules cannot both be standard input/],
  ])("%j", (args, expected) => {
    expect(refusal(...args)).toMatch(expected);
  });
});

describe("rules in a file of their own", () => {
  const rules = "# Generated by iptables-save v1.8.9\n*filter\n:FORWARD DROP [0:0]\nCOMMIT\n";

  it("take the place of the world's", () => {
    file("rules.v4", rules);
    const { status, stdout, stderr } = run(
      ...["world.yaml", "--in", "in.pcapng", "--rules", "rules.v4", "--state"],
    );
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toContain("in.pcapng: 3 frames came in, 0 left");
    expect(stdout).toContain(":FORWARD DROP [2:80]");
    expect(stdout).not.toContain("*nat");
  });

  it("come by standard input", () => {
    file("rules.v4", rules);
    const command = `"${process.execPath}" "${MAIN}" router world.yaml --in in.pcapng --rules -`;
    expect(shell(`${command} <rules.v4`, folder).stdout).toContain("3 frames came in, 0 left");
  });

  it.each([
    ["*filter\n-A FORWARD -m owner --uid-owner 0 -j DROP\nCOMMIT\n", /^wrong\.v4:2: .*owner/],
    ["*filter\n-A FORWARD -j NOWHERE\nCOMMIT\n", /^wrong\.v4:2: .*NOWHERE/],
    ["*filter\n-A FORWARD -j DROP\n", /^wrong\.v4(:\d+)?: .*COMMIT/],
  ])("are refused with the line of that file: %j", (text, expected) => {
    file("wrong.v4", text);
    expect(refusal("world.yaml", "--in", "in.pcapng", "--rules", "wrong.v4")).toMatch(expected);
  });
});

describe("a long capture", () => {
  const MEBIBYTE = 2 ** 10;
  /** The most memory that a run of so many frames took, in units of 1,024 octets. */
  const memoryOf = (count: number): number => {
    const frame = out(4000);
    const frames = Array.from({ length: count }, (_, at) => ({
      at,
      interface: "vif1.0",
      octets: frame,
    }));
    file("long.pcapng", captureOf(frames));
    const told = "process.on('exit', () => console.error(process.resourceUsage().maxRSS))";
    const { status, stderr } = shell(
      `"${process.execPath}" --import "data:text/javascript,${told}" "${MAIN}" router world.yaml ` +
        "--in long.pcapng --out long-out.pcapng",
      folder,
    );
    expect(status).toBe(0);
    return Number(stderr);
  };

  it("takes no more memory than a short one", () => {
    // What comes in is 24 MB more, what goes out 48 MB more.
    expect(memoryOf(220_000) - memoryOf(20_000)).toBeLessThan(32 * MEBIBYTE);
  });
});

describe("an interrupt", () => {
  it("ends the run in order, with a whole capture of what there was", async () => {
    const args = [MAIN, "router", "world.yaml", "--in", "-", "--out", "cut.pcapng"];
    const child = spawn(process.execPath, [...args, "--json", "--explain"], { cwd: folder });
    let told = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      told += text;
      if (!child.killed && told.includes("packet")) child.kill("SIGINT");
    });
    child.stdin.write(readFileSync(join(folder, "in.pcapng")));
    const status = await new Promise((resolve) => void child.on("close", resolve));
    expect(status).toBe(130);
    expect(told).toContain('"event":"end"');
    expect(read("cut.pcapng").records).toHaveLength(5);
  });
});
