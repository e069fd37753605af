/** Debian's xenstore-utils, run on a socket: what they print and how they end. @module */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";

/** What a program wrote, and its exit code. */
export interface Outcome {
  readonly line: string;
  readonly output: string;
  readonly errors: string;
  readonly code: number;
}

const TIMEOUT_MS = 20_000;

/** Run a utility until its end; `words` begin with its name without `xenstore-`. */
export function runUtility(socket: string, words: readonly string[]): Promise<Outcome> {
  const [name = "", ...options] = words;
  return runProgram(socket, `xenstore-${name}`, options);
}

/** Run a program that speaks to a xenstore until its end. */
export function runProgram(
  socket: string,
  program: string,
  options: readonly string[],
): Promise<Outcome> {
  const env = { PATH: process.env["PATH"], XENSTORED_PATH: socket };
  return new Promise((resolve) => {
    execFile(program, options, { env, timeout: TIMEOUT_MS }, (error, output, errors) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ line: [program, ...options].join(" "), output, errors, code });
    });
  });
}

/** Watch until `count` events came; `change` runs once the first has come. */
export async function watchUtility(
  socket: string,
  count: number,
  paths: readonly string[],
  change: () => Promise<void>,
): Promise<Outcome> {
  const options = ["-n", String(count), ...paths];
  const watch = spawn("xenstore-watch", options, {
    env: { PATH: process.env["PATH"], XENSTORED_PATH: socket },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
  });
  let output = "";
  let errors = "";
  const hasBegun = once(watch.stdout, "data");
  watch.stdout.on("data", (chunk) => {
    output += String(chunk);
  });
  watch.stderr.on("data", (chunk) => {
    errors += String(chunk);
  });
  const ended = once(watch, "close");
  await Promise.race([hasBegun, ended]);
  await change();
  const [code] = (await ended) as [number | null];
  return { line: `watch ${options.join(" ")}`, output, errors, code: code ?? -1 };
}

/** Lines for the socket of Dom0, in this order: each finds what those before it left. */
export const DOM0_LINES: readonly (readonly string[])[] = [
  ["ls"],
  ["ls", "/"],
  ["list", "/"],
  ["write", "/a", "1"],
  ["write", "/a/b", "two words", "/a/c", "", "/a/b/deep", "3"],
  ["write", "/esc", String.raw`tab\t newline\n oct\001 back\\slash x\x41`],
  ["write", "-R", "/raw", String.raw`tab\t`],
  ["write", "/utf", "\u00e9\u2603"],
  ["write", "/odd"],
  ["write"],
  ["write", "/bad path", "1"],
  ["write", "/a//b", "1"],
  ["write", "relative", "1", "relative/b", "2"],
  ["write", "/long", "x".repeat(4090)],
  ["write", "/longer", "x".repeat(4100)],
  ["write", "/mid", "y".repeat(100)],
  ["write", "/a/b/c/d/e/f/g/h/i/j", "deep"],
  ["read", "/a/b"],
  ["read", "-p", "/a/b"],
  ["read", "/a/b", "/a/c", "/a"],
  ["read", "-p", "/a/b", "/a/c"],
  ["read", "/a/b", "/none", "/a"],
  ["read", "-R", "/esc"],
  ["read", "/esc"],
  ["read", "/raw"],
  ["read", "/utf"],
  ["read", "/long"],
  ["read", "relative"],
  ["read", "/local/domain/0/relative/b"],
  ["read", "/none"],
  ["read", "/a/"],
  ["read", ""],
  ["read"],
  ["read", "-q", "/a"],
  ["list", "/a"],
  ["list", "-p", "/a"],
  ["list", "/a", "/a/b", "/none"],
  ["list", "/a/c"],
  ["list", "relative"],
  ["exists", "/a"],
  ["exists", "/none"],
  ["exists", "/a", "/none"],
  ["exists", "/a", "/a/b"],
  ["exists", "//"],
  ["exists"],
  ["ls", "/a"],
  ["ls", "-f", "/a"],
  ["ls", "-p", "/a"],
  ["ls", "-f", "-p", "/a"],
  ["ls", "/a/c"],
  ["ls", "/none"],
  ["ls", "relative"],
  ["ls", "-x"],
  ["chmod", "/a", "r0"],
  ["chmod", "/a/b", "n0", "r0", "b0"],
  ["chmod", "-r", "/a/b", "b0", "w0"],
  ["chmod", "-u", "/a/b/deep", "n0"],
  ["chmod", "/a", "x0"],
  ["chmod", "/a", "n"],
  ["chmod", "/a", "n12345678901"],
  ["chmod", "/a"],
  ["chmod", "/none", "n0"],
  ["chmod", "/a", "n4711"],
  ["chmod", "/a", "n0", "r1", "r2", "r3", "r4", "r5", "r6", "r7"],
  ["ls", "-p"],
  ["ls", "-f", "-p"],
  ["ls", "-f"],
  ["ls"],
  ["rm", "/a/b/c"],
  ["rm", "/none"],
  ["rm", "/none/below"],
  ["rm", "/a/c", "/none/below", "/utf"],
  ["exists", "/a/c"],
  ["write", "/t/x/y/z", "1", "/t/x/w", "2"],
  ["rm", "-t", "/t/x/y/z"],
  ["ls", "-f", "/t"],
  ["rm", "-t", "/t/x/w"],
  ["exists", "/t"],
  ["rm", "/"],
  ["rm"],
  ["rm", "/long", "/mid"],
  ["ls", "-f", "-p"],
];

/** Lines for the ring of a guest whose home the toolstack has made. */
export const guestLines = (domid: number): readonly (readonly string[])[] => {
  const home = `/local/domain/${domid}`;
  return [
    ["ls"],
    ["ls", home],
    ["ls", "-p", home],
    ["list", "/local/domain"],
    ["list", "/local"],
    ["read", "name"],
    ["read", `${home}/name`],
    ["read", "/local/domain/0/name"],
    ["exists", "/local/domain/0/name"],
    ["exists", "none"],
    ["exists", "/tool"],
    ["write", "data/x", "1"],
    ["write", "/tool/x", "1"],
    ["write", `${home}/data/y`, "2", "data/z", "3"],
    ["write", "data/x", "v".repeat(2040)],
    ["write", "data/x", "v".repeat(1900)],
    ["chmod", "data", "b0"],
    ["chmod", "data", `n${domid}`, "b0", "r0", "r0", "r0"],
    ["chmod", "data", `n${domid}`, "b0", "r0", "r0", "r0", "r0"],
    ["chmod", "-r", "data", `n${domid}`, "r0"],
    ["ls", "-f", "-p", home],
    ["ls", "-f", "-p", "data"],
    ["rm", "data/y"],
    ["rm", "name"],
    ["rm", "/tool"],
    ["list", "-p", "data"],
    ["rm", "-t", "data/z"],
    ["ls", "-f", home],
  ];
};
