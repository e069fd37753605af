/** Reads the counts from a report of vitest's JSON reporter. @module */

/**
 * @typedef {{ status: string, assertionResults: { status: string }[] }} TestFile
 * @typedef {{ success: boolean, testResults: TestFile[] }} Report
 */

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
