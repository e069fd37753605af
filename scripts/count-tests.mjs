/** Reads the counts and the failures from a report of vitest's JSON reporter. @module */
import { relative } from "node:path";

/**
 * @typedef {{ status: string, fullName: string, failureMessages: string[] }} Test
 * @typedef {{ name: string, status: string, message: string, assertionResults: Test[] }} TestFile
 * @typedef {{ success: boolean, testResults: TestFile[] }} Report
 */

/** Lines of a failure's message that are told: what was expected, not where. */
const MESSAGE_LINES = 12;

/**
 * The true counts of a test run. A file that failed before its first test, an error outside every
 * test and a run that left no report are one failure each: what did not run has not passed.
 *
 * @param {string | null} report the report; null if there is none.
 * @returns {{ passed: number, failed: number, skipped: number }}
 */
export function countTests(report) {
  if (report === null || report === "") return { passed: 0, failed: 1, skipped: 0 };
  const { success, testResults } = /** @type {Report} */ (JSON.parse(report));
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const { status, assertionResults } of testResults) {
    let hasFailed = false;
    for (const test of assertionResults) {
      if (test.status === "passed") counts.passed += 1;
      else if (test.status === "failed") counts.failed += 1;
      else counts.skipped += 1;
      hasFailed ||= test.status === "failed";
    }
    if (status === "failed" && !hasFailed) counts.failed += 1;
  }
  if (!success && counts.failed === 0) counts.failed = 1;
  return counts;
}

/**
 * What failed, for the end of a long output, where it is looked for.
 *
 * @param {string | null} report the report; null if there is none.
 * @returns {string[]} a paragraph for each failed test: its file, its name, how its message begins.
 *   A file that failed outside its tests has one too.
 */
export function describeFailures(report) {
  if (report === null || report === "") return ["the test run left no report"];
  const { testResults } = /** @type {Report} */ (JSON.parse(report));
  return testResults.flatMap(({ name, status, message, assertionResults }) => {
    const file = relative(process.cwd(), name);
    const failed = assertionResults
      .filter((test) => test.status === "failed")
      .map(({ fullName, failureMessages }) => [`${file} > ${fullName}`, ...failureMessages]);
    if (status === "failed" && failed.length === 0) failed.push([file, message]);
    return failed.map((parts) => parts.join("\n").split("\n").slice(0, MESSAGE_LINES).join("\n  "));
  });
}
