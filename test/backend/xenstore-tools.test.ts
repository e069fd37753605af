import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pino } from "pino";
import { describe, expect, it, onTestFinished } from "vitest";
import { RealTime } from "../../src/backend/real-time.ts";
import { openXenstoreSocket } from "../../src/backend/xenstore-socket.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { XENSTORE_3_1, XENSTORE_4_17 } from "../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../src/xen/xenstore/client.ts";
import { XenStore } from "../../src/xen/xenstore/store.ts";
import { newFolder } from "./folder.ts";

const GUEST = 171;
const golden = (name: string): string => join("test/golden/xenstore", name);
const hasTools = spawnSync("xenstore-ls", ["-h"]).error === undefined;
const skipped = hasTools ? "" : " (skipped: no xenstore-utils)";

/** Run Debian's own program on a socket. @returns what it prints, both ways, and its exit code. */
async function run(path: string, program: string, ...words: readonly string[]) {
  const env = { PATH: process.env["PATH"], XENSTORED_PATH: path };
  return new Promise<{ text: string; status: number | null }>((resolve) => {
    const child = execFile(program, words, { env, encoding: "latin1" }, (_, stdout, stderr) => {
      resolve({ text: stdout + stderr, status: child.exitCode });
    });
  });
}

/** A store that Debian's programs filled through its socket, as Dom0; and one more for a guest. */
async function filled(behaviour: typeof XENSTORE_4_17) {
  const store = new XenStore({ behaviour });
  const realTime = new RealTime({
    scheduler: new Scheduler(),
    onError: (error) => {
      throw error;
    },
  });
  realTime.start();
  const folder = newFolder();
  const log = pino({ enabled: false });
  const dom0 = { path: join(folder, "dom0.sock"), connect: () => store.connect(), realTime, log };
  const connect = () => store.connect({ domid: GUEST });
  const guest = { path: join(folder, "guest.sock"), connect, realTime, log };
  for (const options of [dom0, guest]) {
    const listener = await openXenstoreSocket(options);
    onTestFinished(() => listener.close());
  }
  const { text, status } = await run(dom0.path, "bash", golden("mktree.sh"));
  expect({ text, status }).toEqual({ text: "", status: 0 });
  return { store, dom0: dom0.path, guest: guest.path };
}

describe.skipIf(!hasTools)(`Debian's xenstore-utils on our socket${skipped}`, () => {
  it.each([
    ["3.1", XENSTORE_3_1],
    ["4.17", XENSTORE_4_17],
  ])("print the recorded tree of a store of %s, octet for octet", async (_, behaviour) => {
    const { dom0 } = await filled(behaviour);
    const parts = readFileSync(golden("xenstore-golden-ls.txt"), "latin1").split(/^### /m).slice(1);
    expect(parts).toHaveLength(4);
    for (const part of parts) {
      const end = part.indexOf("\n");
      const [, ...words] = part.slice(0, end).replace(/ \(.*/, "").split(" ");
      const expected = { text: part.slice(end + 1), status: 0 };
      expect(await run(dom0, "xenstore-ls", ...words)).toEqual(expected);
    }
  });

  it("print what a guest may see, and say what it may not", async () => {
    const { store, guest } = await filled(XENSTORE_4_17);
    const session = store.connect();
    if (session === null) throw new Error("no room");
    new StoreClient(session).introduce(GUEST, 1, 1);
    const text = readFileSync(golden("xenstore-golden-guest.txt"), "latin1");
    const parts = text.split(/^guest\$ /m).slice(1);
    expect(parts.length).toBeGreaterThan(15);
    for (const part of parts) {
      const [command = "", ...lines] = part.trimEnd().split("\n");
      const [program = "", ...words] = command.split(" ");
      const [, status = ""] = /^\[exit (\d+)\]$/.exec(lines.pop() ?? "") ?? [];
      const printed = lines.map((line) => `${line}\n`).join("");
      const expected = { text: printed, status: Number(status) };
      expect(await run(guest, program, ...words), command).toEqual(expected);
    }
  });

  it("turns a guest away that is not there", async () => {
    const { guest } = await filled(XENSTORE_4_17);
    const { status } = await run(guest, "xenstore-read", "domid");
    expect(status).toBe(1);
  });
});
