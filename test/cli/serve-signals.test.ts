/** How `dom0 serve` ends, and what it leaves: signals at random moments, outputs nobody reads. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { encodeFrame } from "../../src/backend/frame-stream.ts";
import { Prng } from "../../src/base/prng.ts";
import { dom0Beside } from "./serving.ts";
import { MAIN } from "./dom0.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-sig-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const pause = async (ms: number): Promise<void> => {
  await new Promise((resolve) => setTimeout(resolve, ms));
};

/** A server whose outputs are in the caller's hands. */
function serve(...words: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [MAIN, "serve", "--json", ...words], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  return child;
}

/** Connects, sends `octets` and stays for a while. */
function poke(path: string, octets: Uint8Array): Socket {
  const socket = connect(path);
  socket.on("error", () => {});
  socket.resume();
  socket.write(octets);
  return socket;
}

/** Frames, half frames and nonsense at a vif; requests, halves and nonsense at the store. */
function disturb(state: string, chance: Prng): Socket {
  const octets = Uint8Array.from({ length: 200 }, () => chance.below(256));
  const frame = encodeFrame(octets.subarray(0, 60));
  const request = Buffer.from("0100000001000000000000000200000000002f00", "hex");
  const pieces = [octets, frame, frame.subarray(0, 33), request, request.subarray(0, 9)];
  const name = chance.below(2) === 0 ? "vif5.0.sock" : "xenstore.sock";
  return poke(join(state, name), pieces[chance.below(pieces.length)] ?? octets);
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
/** What a server ends with that was told to: in order, at once by a second signal. */
const CODES = new Map<string, number>([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
]);

/**
 * One run: a server on `state`, people at its doors, one to three signals of any kind, the first
 * at any moment of its life.
 */
async function run(seed: number, state: string): Promise<void> {
  const chance = new Prng(seed, "signals");
  const child = serve("--state", state, ...(chance.below(2) === 0 ? [] : ["--guest-xenstore"]));
  let output = "";
  let errors = "";
  child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  // One in four is hit while it starts.
  if (chance.below(4) === 0) await pause(chance.below(600));
  else await expect.poll(() => output, { timeout: 60_000, interval: 5 }).toContain("ready");
  const sockets = Array.from({ length: chance.below(20) }, () => disturb(state, chance));
  await pause(chance.below(40));
  const sent: string[] = [];
  for (let count = 1 + chance.below(3); count > 0; count -= 1) {
    const isHard = chance.below(6) === 0;
    const signal = isHard ? "SIGKILL" : (SIGNALS[chance.below(3)] ?? "SIGINT");
    if (child.kill(signal)) sent.push(signal);
    await pause(chance.below(2) * chance.below(20));
  }
  await ended;
  for (const socket of sockets) socket.destroy();
  const told = `seed ${seed}: ${sent.join(", ")}`;
  const warnings = errors.split("\n").filter((line) => line !== "" && !line.startsWith('{"level'));
  expect(warnings, told).toEqual([]);
  const { exitCode, signalCode } = child;
  if (signalCode === "SIGKILL") return;
  // A signal before anybody listens for it ends Node itself, which has made nothing yet.
  const isBySignal = signalCode !== null && sent.includes(signalCode);
  const isEarly = isBySignal && !output.includes("ready");
  // And so does one when all is done, and nobody listens any more.
  const isLate = isBySignal && output.includes('"event":"end"');
  const codes = [0, ...sent.map((signal) => CODES.get(signal) ?? -1)];
  const isOrderly = isEarly || isLate || codes.includes(exitCode ?? -1);
  expect(isOrderly, `${told}: ${exitCode} ${signalCode}`).toBe(true);
  const left = existsSync(state) ? readdirSync(state).filter((name) => name !== "disks") : [];
  if (!sent.includes("SIGKILL") && !isEarly) expect(left, told).toEqual([]);
}

/** In CI the same for every run. */
const FIRST = process.env["CI"] === "true" ? 1 : 1 + Math.floor(Math.random() * 1e6);

describe("dom0 serve", { timeout: 300_000 }, () => {
  it("ends by signals at any moment, leaves no socket, and the next one starts", async () => {
    // The same folder for ten runs, one after the other: what a killed one leaves is met.
    const lane = async (first: number): Promise<void> => {
      const state = join(folder, `lane-${first}`);
      for (let seed = first; seed < first + 10; seed += 1) await run(seed, state);
      const { status, stdout, stderr } = await dom0Beside(
        ["serve", "--json", "--state", state, "--until", "10ms"],
        {},
      );
      expect({ status, stderr }, `after seed ${first + 9}`).toEqual({ status: 0, stderr: "" });
      expect(stdout).toContain('"ready":true');
      expect(readdirSync(state)).toEqual(["disks"]);
    };
    await Promise.all([lane(FIRST), lane(FIRST + 1000)]);
  });

  it("removes the sockets of a killed run, also those that it has not itself", async () => {
    const state = join(folder, "swept");
    const child = serve("--state", state, "--guest-xenstore");
    const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
    await expect.poll(() => existsSync(join(state, "vif5.0.sock")), { timeout: 60_000 }).toBe(true);
    child.kill("SIGKILL");
    await ended;
    expect(readdirSync(state)).toContain("xenstore-dom3.sock");
    writeFileSync(join(state, "xenstore-dom9.sock"), "dear to somebody");
    await dom0Beside(["serve", "--state", state, "--until", "10ms"]);
    expect(readdirSync(state)).toEqual(["disks", "xenstore-dom9.sock"]);
  });

  it("goes on while nobody reads what it says, holds a bounded part of it, and ends", async () => {
    const state = join(folder, "unread");
    const child = serve("--state", state);
    const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
    const vif = join(state, "vif5.0.sock");
    await expect.poll(() => existsSync(vif), { timeout: 60_000 }).toBe(true);
    // 8,000 frames of a stranger, each told as a drop; 1,500 peers too many, each a warning.
    const frame = encodeFrame(new Uint8Array(60).fill(2));
    const first = poke(vif, Buffer.concat(Array.from({ length: 8000 }, () => frame)));
    for (let count = 0; count < 1500; count += 1) {
      const socket = poke(vif, frame);
      if (count % 50 === 0) await new Promise((resolve) => socket.on("close", resolve));
    }
    const words = ["xenstore", "--socket", join(state, "xenstore.sock"), "list", "/"];
    const { status, stdout } = await dom0Beside(words);
    expect([status, stdout]).toEqual([0, "tool\nvm\nlocal\n"]);
    first.destroy();
    child.kill("SIGINT");
    await expect.poll(() => readdirSync(state)).toEqual(["disks"]);
    let output = "";
    child.stderr?.resume();
    child.stdout?.setEncoding("utf8").on("data", (text: string) => (output += text));
    await ended;
    expect(child.exitCode).toBe(0);
    const events = output
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { event?: string });
    expect(events.at(-2)).toMatchObject({ event: "untold" });
    expect(events.at(-1)).toMatchObject({ event: "end" });
    expect(output.length).toBeLessThan(2 ** 21);
  });

  it.each([
    ["a folder without a name", ["--state", ""], {}, "--state: expected a folder, got nothing"],
    [
      "a place for no folder",
      ["--state", "/proc/dom0/x"],
      {},
      "/proc/dom0/x: no such file or folder",
    ],
    ["no place for a fresh folder", [], { TMPDIR: "/nowhere" }, "/nowhere: no such file or folder"],
  ])("refuses %s in one sentence", async (_, words, env, sentence) => {
    const { status, stderr } = await dom0Beside(["serve", "--until", "10ms", ...words], env);
    expect({ status, stderr }).toEqual({ status: 2, stderr: `${sentence}\n` });
  });
});
