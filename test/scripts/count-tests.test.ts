import { expect, it } from "vitest";
import { countTests, describeFailures } from "../../scripts/count-tests.mjs";

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

it("tells which tests failed and how their messages begin", () => {
  const report = JSON.stringify({
    success: false,
    testResults: [
      {
        name: `${process.cwd()}/test/one.test.ts`,
        status: "failed",
        message: "",
        assertionResults: [
          { status: "passed", fullName: "holds", failureMessages: [] },
          {
            status: "failed",
            fullName: "one adds",
            failureMessages: [`1 is not 2${"\n at".repeat(99)}`],
          },
        ],
      },
      {
        name: `${process.cwd()}/test/two.test.ts`,
        status: "failed",
        message: "no such module",
        assertionResults: [],
      },
      {
        name: `${process.cwd()}/test/six.test.ts`,
        status: "passed",
        message: "",
        assertionResults: [],
      },
    ],
  });
  expect(describeFailures(report)).toEqual([
    `test/one.test.ts > one adds\n  1 is not 2${"\n   at".repeat(10)}`,
    "test/two.test.ts\n  no such module",
  ]);
});
