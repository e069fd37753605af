import { expect, it } from "vitest";
import { countTests } from "../../scripts/count-tests.mjs";

interface File {
  readonly status: string;
  readonly tests: readonly string[];
}

const reportOf = (success: boolean, ...files: readonly File[]): string =>
  JSON.stringify({
    success,
    testResults: files.map(({ status, tests }) => ({
      status,
      assertionResults: tests.map((one) => ({ status: one })),
    })),
  });

it("counts every test of every file", () => {
  const report = reportOf(
    false,
    { status: "passed", tests: ["passed", "passed", "skipped"] },
    { status: "failed", tests: ["failed", "passed", "pending", "todo"] },
  );
  expect(countTests(report)).toEqual({ passed: 3, failed: 1, skipped: 3 });
});

it("counts a file that failed before its first test as one failure", () => {
  const report = reportOf(
    false,
    { status: "failed", tests: [] },
    { status: "passed", tests: ["passed"] },
  );
  expect(countTests(report)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

it("counts a file whose hook failed after all its tests had passed", () => {
  const report = reportOf(false, { status: "failed", tests: ["passed"] });
  expect(countTests(report)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

it("counts an error outside every test as one failure", () => {
  const report = reportOf(false, { status: "passed", tests: ["passed"] });
  expect(countTests(report)).toEqual({ passed: 1, failed: 1, skipped: 0 });
});

it.each([[null], [""]])("counts a run that left no report as one failure: %j", (report) => {
  expect(countTests(report)).toEqual({ passed: 0, failed: 1, skipped: 0 });
});
