import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { usualSocket } from "../../src/cli/commands/xenstore.ts";
import { dom0, MAIN } from "./dom0.ts";
import { dom0Beside, pathOf, runBeside, Serving } from "./serving.ts";

const hasTools = spawnSync("xenstore-ls", ["-h"]).error === undefined;
const skipped = hasTools ? "" : " (skipped: no xenstore-utils)";

const ALL_OCTETS = Array.from(
  { length: 256 },
  (_, octet) => `\\x${octet.toString(16).padStart(2, "0")}`,
).join("");

/** What is written before both programs are asked. */
const TREE: readonly (readonly [key: string, value: string])[] = [
  ["/e/octets", ALL_OCTETS],
  ["/e/long", "x".repeat(100)],
  ["/e/short", "y".repeat(60)],
  ["/e/lines", String.raw`1\n2\t3\\4`],
  ["/e/d/e/e/p", "z".repeat(64)],
  [`/w/${"n".repeat(90)}`, "v"],
  [`/w/${"m".repeat(70)}/${"k".repeat(69)}`, "0123456789"],
  [`/deep${"/d".repeat(80)}`, "leaf"],
];

/** Commands that leave the tree as it is, or do the same again when they are repeated. */
const COMMANDS: readonly (readonly [name: string, ...words: readonly string[]])[] = [
  ["ls", "/e"],
  ["ls", "-p", "/e"],
  ["ls", "-f", "/e"],
  ["ls", "-f", "-p", "/e"],
  ["ls", "-p", "/w"],
  ["ls", "-p", "/deep"],
  ["ls", "/e", "/w"],
  ["ls", "/e/"],
  ["ls", "/nope"],
  ["ls", "//"],
  ["read", "/e/octets"],
  ["read", "-R", "/e/octets"],
  ["read", "-p", "/e/long", "/e/lines"],
  ["read", "-p", "-R", "/e/lines"],
  ["read", "/e/long", "/nope"],
  ["read", ""],
  ["list", "/e"],
  ["list", "-p", "/e", "/w"],
  ["list", "/nope"],
  ["list", "/e/long"],
  ["exists", "/e"],
  ["exists", "/e", "/nope"],
  ["write", "/z/a", String.raw`\x41\101\n\q\777\8\xg\x1g${"\\"}`],
  ["read", "-R", "/z/a"],
  ["write", "/z/b", "1", "/z/c", "é"],
  ["write", "-R", "/z/d", String.raw`\x41`],
  ["write", "/bad name", "1"],
  ["ls", "/z"],
  ["rm", "/z/nope"],
  ["rm", "/nope/a"],
  ["rm", "/"],
  ["chmod", "/z", "n0", "r5"],
  ["chmod", "-r", "/z", "b0", "w7"],
  ["chmod", "-u", "/e/d/e", "r0"],
  ["chmod", "/z", "x0"],
  ["chmod", "/z", "n", "r5x"],
  ["chmod", "/nope", "n0"],
  ["chmod", "-u", "tool", "n0"],
  ["ls", "-f", "-p", "/z"],
  ["watch", "-n", "1", "/e"],
  ["watch", "-n", "2", "/e", "/z"],
  ["watch", "-n", "1", "@releaseDomain"],
  ["watch", "-n", "1", "/bad name"],
  ["watch", "-n", "0", "/e"],
];

describe.skipIf(!hasTools)(`dom0 xenstore beside xenstore-utils${skipped}`, () => {
  it("prints, says and answers the same", { timeout: 240_000 }, async () => {
    const serving = await Serving.start();
    const env = { XENSTORED_PATH: serving.xenstore };
    const filling = await runBeside("xenstore-write", TREE.flat(), env);
    expect(filling).toEqual({ status: 0, stdout: "", stderr: "" });
    for (const [name, ...words] of COMMANDS) {
      const real = await runBeside(`xenstore-${name}`, words, env);
      const stderr = real.stderr.replace(`xenstore-${name}: `, "dom0: ");
      const own = await dom0Beside(["xenstore", name, ...words], env);
      expect(own, [name, ...words].join(" ")).toEqual({ ...real, stderr });
    }
    for (const words of [["/t/a/b/c"], ["/t/a/b/c", "/t/q"]]) {
      const left: unknown[] = [];
      for (const remove of [["xenstore-rm"], ["dom0"]]) {
        await runBeside(
          "xenstore-write",
          words.flatMap((word) => [word, ""]),
          env,
        );
        if (remove[0] === "dom0") await dom0Beside(["xenstore", "rm", "-t", "/t/a/b/c"], env);
        else await runBeside("xenstore-rm", ["-t", "/t/a/b/c"], env);
        left.push(await runBeside("xenstore-ls", ["-f", "/t"], env));
      }
      expect(left[1]).toEqual(left[0]);
    }
  });
});

const hasScript = spawnSync("script", ["--version"]).error === undefined;

describe.skipIf(!hasTools || !hasScript)(`a terminal${skipped}`, { timeout: 120_000 }, () => {
  it.each(["ls /e", "ls -p /e", "ls -f -p /e", "ls -p /deep"])(
    "cuts values as theirs: %s",
    async (words) => {
      const serving = await Serving.start();
      const env = { XENSTORED_PATH: serving.xenstore };
      await runBeside("xenstore-write", TREE.flat(), env);
      const onTerminal = async (command: string) =>
        runBeside("script", ["-qec", `stty cols 57; ${command}`, "/dev/null"], env);
      const real = await onTerminal(`xenstore-${words}`);
      expect(real.stdout).toContain(String.raw`\...`);
      const own = await onTerminal(`"${process.execPath}" "${MAIN}" xenstore ${words}`);
      expect(own).toEqual(real);
    },
  );
});

const OPTIONS = { timeout: 120_000 };

describe.skipIf(!hasTools)(`the demo's host under xenstore-utils${skipped}`, OPTIONS, () => {
  it("has the seed document's strings, and shows a guest its own alone", async () => {
    const serving = await Serving.start("--guest-xenstore");
    const dom0Socket = { XENSTORED_PATH: serving.xenstore };
    const guest = serving.ready.guestXenstores?.["dom_32504936"] ?? "";
    const guestSocket = { XENSTORED_PATH: pathOf(guest) };
    const read = async (key: string) =>
      (await runBeside("xenstore-read", [key], dom0Socket)).stdout;
    await expect.poll(() => read("/local/domain/3/device/vif/0/state")).toBe("4\n");
    const backend = "/local/domain/0/backend";
    expect(await read(`${backend}/vbd/3/2049/node`)).toBe("/dev/loop13\n");
    expect(await read(`${backend}/vbd/3/2049/params`)).toBe("/mnt/instance_image_store_3/262768\n");
    expect(await read(`${backend}/vif/3/0/script`)).toBe("/etc/xen/scripts/ec2-vif-route-dhcpd\n");
    expect(await read(`${backend}/vif/3/0/domain`)).toBe("dom_32504936\n");
    const asGuest = async (program: string, ...words: readonly string[]) =>
      runBeside(program, words, guestSocket);
    expect(await asGuest("xenstore-read", "domid")).toMatchObject({ status: 0, stdout: "3\n" });
    expect(await asGuest("xenstore-ls")).toEqual({
      status: 1,
      stdout: "",
      stderr: "xenstore-ls: xs_directory (/): Permission denied\n",
    });
    expect((await asGuest("xenstore-list", "/local/domain")).status).toBe(1);
    expect((await asGuest("xenstore-read", "/local/domain/4/name")).status).toBe(1);
    expect((await asGuest("xenstore-write", "/local/domain/4/name", "mine")).status).toBe(1);
    const own = await asGuest("xenstore-ls", `${backend}/vbd/3/2049`);
    expect(own.stdout).toContain('node = "/dev/loop13"\n');
  });
});

describe("dom0 xenstore", { timeout: 120_000 }, () => {
  it("is told of changes as they come, until it is interrupted", async () => {
    const serving = await Serving.start();
    const env = { XENSTORED_PATH: serving.xenstore };
    let isOver = false;
    const watching = dom0Beside(["xenstore", "watch", "-n", "3", "/w"], env).finally(() => {
      isOver = true;
    });
    for (let count = 0; count < 40 && !isOver; count += 1) {
      const { status } = await dom0Beside(["xenstore", "write", `/w/${count}`, "1"], env);
      expect(status).toBe(0);
    }
    const { status, stdout } = await watching;
    expect(status).toBe(0);
    expect(stdout).toMatch(/^\/w\n\/w\/\d+\n\/w\/\d+\n$/);
  });

  it("finds the store as libxenstore does", () => {
    expect(usualSocket({})).toBe("/var/run/xenstored/socket");
    expect(usualSocket({ XENSTORED_RUNDIR: "/r" })).toBe("/r/socket");
    expect(usualSocket({ XENSTORED_RUNDIR: "/r", XENSTORED_PATH: "/p" })).toBe("/p");
  });

  it.each([
    [["ls"], "/none/socket: XenStore cannot be reached: no such file or folder"],
    [
      ["--socket", "package.json", "ls"],
      "package.json: XenStore cannot be reached: nobody listens",
    ],
    [["read"], "dom0: missing required argument 'key'"],
    [["write", "/a"], "dom0: the last key, /a, has no value"],
    [["write", "/a", "1", "/b"], "dom0: the last key, /b, has no value"],
    [["watch", "-n", "x", "/a"], "dom0: option '-n <events>' argument 'x' is invalid."],
    [["reed"], "dom0: unknown command 'reed'; did you mean read?"],
  ])("refuses %j in one sentence", (words, sentence) => {
    const env = { XENSTORED_PATH: join("/none", "socket") };
    const { status, stdout, stderr } = dom0(["xenstore", ...words], { env });
    expect(stderr).toContain(sentence);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
  });
});
