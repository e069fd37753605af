import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dom0, shell } from "./dom0.ts";
import { dom0Beside, runBeside, Serving } from "./serving.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-serve-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file of the folder. @returns its path. */
function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const objectsOf = (text: string): Record<string, unknown>[] =>
  text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

const modeOf = (path: string): number => statSync(path).mode & 0o777;

describe("dom0 serve", { timeout: 120_000 }, () => {
  it("names every socket once it can be reached, and leaves none at its end", async () => {
    const serving = await Serving.start();
    const { xenstore } = serving;
    const vif = serving.vif("vif5.0");
    expect(serving.ready).toEqual({
      ready: true,
      xenstore: `unix:${xenstore}`,
      vifs: { "vif5.0": `unix:${vif}` },
    });
    expect([modeOf(xenstore), modeOf(vif), modeOf(dirname(vif))]).toEqual([0o600, 0o600, 0o700]);
    const { status, stderr } = await serving.stop("SIGINT");
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(existsSync(dirname(vif))).toBe(false);
  });

  it("ends in order by SIGTERM, at once by a second signal, and leaves no socket", async () => {
    const state = join(folder, "twice");
    const first = await Serving.start("--state", state);
    expect((await first.stop("SIGTERM")).status).toBe(0);
    expect(readdirSync(state)).toEqual(["disks"]);
    const second = await Serving.start("--state", state);
    second.kill("SIGINT");
    const { status } = await second.stop("SIGINT");
    expect([0, 130]).toContain(status);
    expect(readdirSync(state)).toEqual(["disks"]);
  });

  it("has a folder for itself, and takes over what a killed run left there", async () => {
    const state = join(folder, "state");
    const first = await Serving.start("--state", state);
    const names = ["disks", "dom0.lock", "vif5.0.sock", "xenstore.sock"];
    expect(readdirSync(state).toSorted()).toEqual(names);
    const second = await dom0Beside(["serve", "--state", state]);
    expect(second.status).toBe(2);
    expect(second.stderr).toBe(`${state}: --state: another dom0 serves from this folder\n`);
    await first.stop("SIGKILL");
    expect(readdirSync(state).toSorted()).toEqual(names);
    const third = await Serving.start("--state", state);
    expect(third.ready).toEqual(first.ready);
    expect((await third.stop()).status).toBe(0);
    expect(readdirSync(state)).toEqual(["disks"]);
  });

  it("keeps disks in sparse files of the folder", async () => {
    const state = join(folder, "disks");
    await (await Serving.start("--state", state)).stop();
    const places = readdirSync(join(state, "disks"), { recursive: true, encoding: "utf8" });
    const image = places.find((path) => path.endsWith("/mnt/instance_image_store_3/262768")) ?? "";
    expect(places.some((path) => path.endsWith("/dev/gnbd89"))).toBe(true);
    const { size, blocks, mode } = statSync(join(state, "disks", image));
    expect([size, blocks, mode & 0o777]).toEqual([20_971_520 * 512, 0, 0o600]);
  });

  it("prints one line for people", () => {
    const state = join(folder, "people");
    const { status, stdout, stderr } = dom0(["serve", "--state", state, "--until", "10ms"]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const [first = ""] = stdout.split("\n");
    const sockets = `xenstore unix:${state}/xenstore.sock, vif5.0 unix:${state}/vif5.0.sock`;
    expect(first).toBe(`ready: ${sockets}`);
  });

  it("goes on when whoever read its output has gone", () => {
    const line = `dom0 serve --state ${folder}/pipe --until 300ms | head -n 1`;
    const { status, stdout, stderr } = shell(line, folder);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toMatch(/^ready: xenstore unix:/);
  });

  it.each([
    ["a file as its folder", ["--state", "FILE"], "FILE: --state: is a file, expected a folder\n"],
    [
      "a folder whose sockets have paths that are too long",
      ["--state", `FOLDER/${"x".repeat(100)}`],
      "a socket's path has at most 107 octets, this one has",
    ],
    ["a missing scenario", ["FOLDER/nothing.yaml"], "nothing.yaml: no such file or folder"],
    ["an unknown option", ["--stat", "x"], "unknown option '--stat'; did you mean --state?"],
  ])("refuses %s in one sentence", (_, words, sentence) => {
    const path = file("a-file", "");
    const put = (text: string): string => text.replace("FILE", path).replace("FOLDER", folder);
    const { status, stderr } = dom0(["serve", ...words.map(put)]);
    expect(stderr).toContain(put(sentence));
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(status).toBe(2);
  });
});

/** A host with a simulated domU and one for others, in real time. */
const scenario = (listen: string, rest = ""): string => `
hosts:
  - domains:
      - { name: dom_2, domid: 3, securityGroups: [open] }
      - name: dom_4
        domid: 4
        mac: 12:31:39:00:A5:0D
        privateAddress: 10.254.170.221/23
        securityGroups: [open]
        guest: external
        vif: { listen: "${listen}" }
securityGroups: { open: [{ protocol: icmp, source: 0.0.0.0/0 }] }
internet: [{ name: www.example.com, address: 93.184.216.34 }]
${rest}`;

const PEER = ["test/cli/peer.py"];
const AS_DOMU = ["12:31:39:00:a5:0d", "10.254.170.221", "10.254.170.1"];
const hasPython = shell("command -v python3", folder).status === 0;
const skipped = hasPython ? "" : " (skipped: no python3)";

describe("a scenario that is served", { timeout: 120_000 }, () => {
  it("plays its steps in real time, and ends with what came of them", async () => {
    const text = scenario(
      `unix:${folder}/steps.sock`,
      `until: 9s
steps:
  - { at: 6s, ping: { from: dom_2, to: www.example.com, count: 1 }, expect: { replies: 1 } }
  - { at: 6s, ping: { from: dom_2, to: www.example.com, count: 1 }, expect: { replies: 2 } }
`,
    );
    const began = performance.now();
    const serving = await Serving.start(file("steps.yaml", text));
    const { status, stdout } = await serving.ended;
    expect(performance.now() - began).toBeGreaterThan(8500);
    expect(status).toBe(1);
    const events = objectsOf(stdout).slice(1);
    expect(events.filter(({ event }) => event === "judgement")).toMatchObject([
      { step: 0, key: "replies", actual: 1, holds: true },
      { step: 1, key: "replies", actual: 1, holds: false },
    ]);
    expect(events.at(-1)).toMatchObject({ event: "end", isInterrupted: false, failed: 1 });
  });

  it("opens sockets for domains that steps launch, and closes those of others", async () => {
    const steps = `
steps:
  - { at: 10ms, launch: { host: host-a, name: dom_6, domid: 6, guest: external } }
  - { at: 10ms, shutdown: dom_4 }
`;
    const listen = join(folder, "gone.sock");
    const state = join(folder, "launched");
    const text = scenario(`unix:${listen}`, steps);
    const serving = await Serving.start(file("launch.yaml", text), "--state", state);
    expect(serving.ready.vifs).toEqual({ "vif4.0": `unix:${listen}` });
    const launched = join(state, "vif6.0.sock");
    await expect.poll(() => existsSync(launched)).toBe(true);
    await expect.poll(() => existsSync(listen)).toBe(false);
    const { status, stdout } = await serving.stop();
    expect(status).toBe(0);
    const plug = { event: "plug", vif: "vif6.0", address: `unix:${launched}` };
    expect(objectsOf(stdout)).toContainEqual(plug);
    expect(readdirSync(state)).toEqual(["disks"]);
  });

  it("names the place of a socket that cannot be opened", () => {
    const path = file("dear", "to somebody");
    const name = file("taken.yaml", scenario(`unix:${path}`));
    const { status, stderr } = dom0(["serve", name]);
    const key = "hosts[0].domains[1].vif.listen";
    expect(stderr).toBe(`${name}:5: ${key}: ${path}: is there already, and is not a socket\n`);
    expect(status).toBe(2);
  });

  it.each([
    [
      "a simulated domU with a socket",
      scenario("unix:/tmp/a.sock").replace("guest: external", "guest: simulated"),
      "hosts[0].domains[1].vif: expected guest: external, for a simulated domU has the vif",
    ],
    [
      "another scheme",
      scenario("tcp:127.0.0.1:1"),
      'expected where to listen, such as unix:/tmp/vif3.sock, got "tcp:127.0.0.1:1"',
    ],
    [
      "a path that is too long",
      scenario(`unix:/${"x".repeat(107)}`),
      "a socket's path has at most 107 octets, this one has 108",
    ],
  ])("refuses %s", (_, text, sentence) => {
    const { status, stderr } = dom0(["run", file("wrong.yaml", text)]);
    expect(stderr).toContain(sentence);
    expect(status).toBe(2);
  });

  it("has a socket a host, and names hosts where there are several", async () => {
    const state = join(folder, "several");
    mkdirSync(state);
    const text = "hosts:\n  - domains: [{ guest: external }]\n  - domains: [{ guest: external }]\n";
    const serving = await Serving.start(file("several.yaml", text), "--state", state);
    const at = (name: string): string => `unix:${state}/${name}.sock`;
    expect(serving.ready).toEqual({
      ready: true,
      xenstore: at("host-a-xenstore"),
      xenstores: { "host-a": at("host-a-xenstore"), "host-b": at("host-b-xenstore") },
      vifs: { "host-a/vif1.0": at("host-a-vif1.0"), "host-b/vif1.0": at("host-b-vif1.0") },
    });
    expect((await serving.stop()).status).toBe(0);
  });

  it.skipIf(!hasPython)(`lets a program of others in: it pings through${skipped}`, async () => {
    const listen = join(folder, "peer.sock");
    const serving = await Serving.start(file("peer.yaml", scenario(`unix:${listen}`)));
    const { status, stdout, stderr } = await runBeside("python3", [
      ...PEER,
      listen,
      ...AS_DOMU,
      "93.184.216.34",
      "3",
    ]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual([
      "gateway ef:ff:ff:ff:ff:ff from ef:ff:ff:ff:ff:ff",
      "reply 1 from 93.184.216.34 ttl 61",
      "reply 2 from 93.184.216.34 ttl 61",
      "reply 3 from 93.184.216.34 ttl 61",
    ]);
    expect((await serving.stop()).status).toBe(0);
  });

  it.skipIf(!hasPython)(`goes on for one vif whatever comes at another${skipped}`, async () => {
    const listen = join(folder, "good.sock");
    const other = join(folder, "bad.sock");
    const text = scenario(`unix:${listen}`).replace(
      "securityGroups: {",
      `      - { guest: external, vif: { listen: "unix:${other}" } }\nsecurityGroups: {`,
    );
    const serving = await Serving.start(file("hostile.yaml", text));
    const storm = setInterval(() => {
      const socket = connect(other);
      socket.on("error", () => {});
      socket.end(Buffer.from([0xff, 0xff, 0xff, 0xff]));
    }, 5);
    const words = [...PEER, listen, ...AS_DOMU, "93.184.216.34", "3"];
    const { status, stdout } = await runBeside("python3", words);
    clearInterval(storm);
    expect(stdout).toContain("reply 3 from 93.184.216.34");
    expect(status).toBe(0);
    const { status: end, stderr } = await serving.stop();
    expect(end).toBe(0);
    const reasons = new Set(objectsOf(stderr).map(({ reason }) => reason));
    expect(reasons).toContain("4294967295 octets are no frame");
  });
});
