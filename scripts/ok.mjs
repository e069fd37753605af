/**
 * Runs every check and counts: `npm run ok`. Types, lint, format, tests, then the package.
 * `--tests FILE` takes the counts of a test run that was just made with vitest's JSON reporter.
 * @module
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { countTests, describeFailures } from "./count-tests.mjs";

/** Scripts of package.json that pass or fail as one, the quickest first. */
const CHECKS = ["types", "lint", "format:check", "build", "publint", "attw", "knip"];

const { values } = parseArgs({ options: { tests: { type: "string" } } });
const folder = mkdtempSync(join(tmpdir(), "dom0-ok-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const lines = [];

/**
 * @param {string} name
 * @param {{ passed: number, failed: number, skipped: number }} counts
 */
function add(name, { passed, failed, skipped }) {
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  const verdict = failed === 0 ? "passed" : "FAILED";
  const figures = passed + failed + skipped === 1 ? "" : `: ${passed} passed, ${failed} failed`;
  lines.push(`${verdict} ${name}${figures}`);
}

/**
 * @param {string} script
 * @param {string[]} options
 * @returns {boolean} true if it passed.
 */
function run(script, ...options) {
  console.log(`\n> ${script}`);
  const args = ["run", "--silent", script, "--", ...options];
  return spawnSync("npm", args, { stdio: ["ignore", "inherit", "inherit"] }).status === 0;
}

/**
 * @param {string} file
 * @returns {string | null} null if no test run left a report.
 */
function readReport(file) {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return null;
  }
}

const report = values.tests ?? join(folder, "tests.json");
if (values.tests === undefined) {
  run("test", "--reporter=default", "--reporter=json", `--outputFile.json=${report}`);
}
const tests = readReport(report);
add("test", countTests(tests));
for (const check of CHECKS) {
  const hasPassed = run(check);
  add(check, { passed: Number(hasPassed), failed: Number(!hasPassed), skipped: 0 });
}

console.log(`\n${[...describeFailures(tests), ...lines].join("\n")}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed === 0 ? 0 : 1;
