/** `dom0 xenstore` before servers that die or talk nonsense, readers that leave, and Ctrl-C. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { type StoreCommand, xenstoreCommand } from "../../src/cli/commands/xenstore.ts";
import { Output } from "../../src/cli/output.ts";
import { Interrupts } from "../../src/cli/surface.ts";
import { SocketError } from "../../src/backend/socket-error.ts";
import { messageCodec, Operation } from "../../src/xen/xenstore/message.ts";
import { MAIN, type Run } from "./dom0.ts";
import { Serving } from "./serving.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-hostile-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const header = (type: number, length: number): Uint8Array =>
  messageCodec.encode({ type, requestId: 0, transactionId: 0, length });

const message = (type: number, payload: string): Buffer =>
  Buffer.concat([header(type, Buffer.byteLength(payload)), Buffer.from(payload)]);

/** What a sound server might say to a request. */
const PAYLOADS = ["OK\0", "1\0", "a\0b\0", "", "n0\0r1\0", "value", "12\0a\0\0", "\0", "5\0", "a"];
const ERRORS = ["ENOENT\0", "EAGAIN\0", "EINVAL", "E2BIG\0", "", "NONSENSE\0", "\0\0"];

/** Answer one request of `type`, soundly or not. @returns false to hang up then. */
function answer(socket: Socket, type: number, chance: Prng): boolean {
  const payload = PAYLOADS[chance.below(PAYLOADS.length)] ?? "";
  const whole = message(type, payload);
  const event = message(Operation.WATCH_EVENT, ["/a\0t\0", "/a", "", "\0"][chance.below(4)] ?? "");
  switch (chance.below(16)) {
    case 0:
      socket.write(whole.subarray(0, chance.below(whole.length)));
      return false;
    case 1:
      socket.write(header(type, [4097, 65_536, 2 ** 31, 2 ** 32 - 1][chance.below(4)] ?? 0));
      // Whoever waits for that many octets waits for ever, were he not to look.
      return true;
    case 2:
      socket.write(message(chance.below(30), payload));
      return true;
    case 3:
      socket.write(message(Operation.ERROR, ERRORS[chance.below(ERRORS.length)] ?? ""));
      return true;
    case 4:
      socket.write(Buffer.from(Array.from({ length: chance.below(60) }, () => chance.below(256))));
      return false;
    case 5:
      return false;
    case 6:
      socket.write(Buffer.concat([event, whole]));
      return true;
    case 7:
      socket.write(Buffer.concat([whole, whole]));
      return true;
    default:
      // In two pieces, as any stream may be.
      socket.write(whole.subarray(0, 7));
      setImmediate(() => socket.write(whole.subarray(7)));
      return true;
  }
}

/** A server that dies after a while, at the latest after 40 requests. */
async function hostile(seed: number): Promise<{ path: string; server: Server }> {
  const chance = new Prng(seed, "hostile");
  const path = join(folder, `${seed}.sock`);
  let left = 40;
  const server = createServer((socket) => {
    socket.on("error", () => {});
    if (chance.below(20) === 0) socket.destroy();
    let held = Buffer.alloc(0);
    socket.on("data", (chunk) => {
      held = Buffer.concat([held, chunk]);
      while (held.length >= 16 && held.length >= 16 + held.readUInt32LE(12)) {
        const type = held.readUInt32LE(0);
        held = held.subarray(16 + held.readUInt32LE(12));
        left -= 1;
        const goesOn = left > 0 && answer(socket, type, chance);
        if (goesOn) continue;
        const isHard = chance.below(2) === 0;
        if (isHard) socket.destroy();
        else socket.end();
        return;
      }
    });
    // A watcher asks nothing more: events come, then the end.
    const events = setInterval(() => {
      left -= 1;
      if (left > 0) socket.write(message(Operation.WATCH_EVENT, "/a\0t\0"));
      else socket.destroy();
    }, 5);
    socket.on("close", () => clearInterval(events));
  }).listen(path);
  await once(server, "listening");
  return { path, server };
}

const COMMANDS: readonly StoreCommand[] = [
  { kind: "ls", paths: ["/"] },
  { kind: "ls", paths: [], flat: true, permissions: true },
  { kind: "read", keys: ["/a"] },
  { kind: "read", keys: ["/a", "/b"], prefix: true },
  { kind: "write", pairs: ["/a", "1"] },
  { kind: "write", pairs: ["/a", "1", "/b", "2"] },
  { kind: "list", keys: ["/a", "/b"] },
  { kind: "exists", keys: ["/a", "/b"] },
  { kind: "rm", keys: ["/a/b/c"], tidy: true },
  { kind: "chmod", key: "/a/b", modes: ["n0", "r1"], upto: true },
  { kind: "chmod", key: "/a", modes: ["n0"], recurse: true },
  { kind: "watch", keys: ["/a", "/b"], count: null },
  { kind: "watch", keys: ["/a"], count: 3 },
];

const interrupts = new Interrupts();

/** In CI the same for every run. */
const FIRST = process.env["CI"] === "true" ? 1 : 1 + Math.floor(Math.random() * 1e6);

/** Run a command in this process. @returns its exit code, and what it said on standard error. */
async function outcomeOf(
  command: StoreCommand,
  path: string,
): Promise<{ code: number; said: string }> {
  let said = "";
  const stream = {
    write: (text: string | Uint8Array): boolean => {
      said += String(text);
      return true;
    },
    on: (): void => {},
  };
  const out = new Output({ write: () => true, on: () => {} }, {});
  try {
    const surface = { out, err: new Output(stream, {}), interrupts };
    return { code: await xenstoreCommand(command, { socket: path }, surface), said };
  } catch (error) {
    if (!(error instanceof SocketError)) throw error;
    return { code: 2, said: `${error.message}\n` };
  }
}

describe("dom0 xenstore and a server that dies or talks nonsense", () => {
  it.each(COMMANDS.map((command, index) => [command.kind, index, command] as const))(
    "ends with a sentence: %s (%i)",
    async (_, index, command) => {
      for (let seed = FIRST + index * 1000; seed < FIRST + index * 1000 + 40; seed += 1) {
        const { path, server } = await hostile(seed);
        const { code, said } = await outcomeOf(command, path);
        const told = `seed ${seed}: ${code}: ${said}`;
        expect([0, 1, 2], told).toContain(code);
        if (code === 2) expect(said, told).toMatch(/^\S+\.sock: (the server \w+|XenStore) .+\n$/);
        if (code === 2) expect(said.split("\n"), told).toHaveLength(2);
        server.close();
      }
    },
  );

  it("tells what a server did that cannot be followed", async () => {
    const say = async (octets: Uint8Array): Promise<string> => {
      const path = join(folder, "one.sock");
      const server = createServer((socket) => {
        socket.on("error", () => {});
        socket.once("data", () => socket.end(octets));
      }).listen(path);
      await once(server, "listening");
      const { code, said } = await outcomeOf({ kind: "watch", keys: ["/a"], count: null }, path);
      server.close();
      await once(server, "close");
      return `${code}: ${said}`;
    };
    const path = join(folder, "one.sock");
    expect(await say(Buffer.alloc(0))).toBe(`2: ${path}: the server closed the connection\n`);
    expect(await say(header(Operation.WATCH, 4097))).toBe(
      `2: ${path}: the server announced 4097 octets, expected at most 4096\n`,
    );
    const event = Buffer.concat([
      message(Operation.WATCH, "OK\0"),
      message(Operation.WATCH_EVENT, "/a"),
    ]);
    expect(await say(event)).toBe(`2: ${path}: the server sent an event without a path\n`);
  });
});

/** The command in a process of its own, with the signal sent once it has come so far. */
async function signalled(
  words: readonly string[],
  signal: NodeJS.Signals,
  isReached: (stdout: string) => boolean,
): Promise<{ status: number | null; by: string | null; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, "xenstore", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  await expect.poll(() => isReached(stdout)).toBe(true);
  child.kill(signal);
  await once(child, "close");
  return { status: child.exitCode, by: child.signalCode, stderr };
}

describe("dom0 xenstore watch", { timeout: 120_000 }, () => {
  it("ends by Ctrl-C with 130, by SIGTERM with 143, without a word", async () => {
    const { xenstore } = await Serving.start();
    const words = ["--socket", xenstore, "watch", "/tool"];
    for (const [signal, status] of [
      ["SIGINT", 130],
      ["SIGTERM", 143],
      ["SIGHUP", 129],
    ] as const) {
      const ended = await signalled(words, signal, (stdout) => stdout.includes("/tool"));
      expect(ended).toEqual({ status, by: null, stderr: "" });
    }
  });

  it("ends by Ctrl-C while a server says nothing at all, as all commands do", async () => {
    const path = join(folder, "silent.sock");
    let asked = 0;
    const server = createServer((socket) => void socket.once("data", () => (asked += 1)));
    server.listen(path);
    await once(server, "listening");
    onTestFinished(() => void server.close());
    const words = ["--socket", path];
    const watching = await signalled([...words, "watch", "/a"], "SIGINT", () => asked === 1);
    expect(watching).toEqual({ status: 130, by: null, stderr: "" });
    const reading = await signalled([...words, "read", "/a"], "SIGINT", () => asked === 2);
    expect(reading).toEqual({ status: null, by: "SIGINT", stderr: "" });
  });

  it("ends with its reader", async () => {
    const { xenstore } = await Serving.start();
    const dom0 = `"${process.execPath}" "${MAIN}" xenstore --socket ${xenstore}`;
    const over = join(folder, "over");
    const lines = [
      `(until [ -e "${over}" ]; do sleep 0.1; ${dom0} write /a 1; done) &`,
      `${dom0} watch /a | head -n 1`,
      'echo "${PIPESTATUS[*]}"',
      `touch "${over}"; wait`,
    ];
    const run = new Promise<Run>((resolve) => {
      const child = spawn("bash", ["-c", lines.join("\n")]);
      let stdout = "";
      let stderr = "";
      child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
      child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
      child.on("close", (status) => resolve({ status, stdout, stderr }));
    });
    const { status, stdout, stderr } = await run;
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: "/a\n0 0\n", stderr: "" });
  });

  it("says so when the server goes, at once", async () => {
    const serving = await Serving.start();
    const { xenstore } = serving;
    const child = spawn(process.execPath, [MAIN, "xenstore", "--socket", xenstore, "watch", "/a"], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    let stdout = "";
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    await expect.poll(() => stdout).toContain("/a");
    serving.kill("SIGKILL");
    await once(child, "close");
    expect([child.exitCode, stderr]).toEqual([
      2,
      `${xenstore}: the server closed the connection\n`,
    ]);
  });
});
