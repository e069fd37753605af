import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

/** Tests of the built and packed package: they need `dist/`, which one set-up makes for all. */
const PACKED = [
  "test/browser.test.ts",
  "test/docs.test.ts",
  "test/package.test.ts",
  "test/cli/**/*.test.ts",
];

/** A test that hangs must end, and one on a slow machine must not: speed is the bench's matter. */
const TIMEOUT = 60_000;

/** As long do tests wait for what must come: a busy machine is no fault. */
const expect = { poll: { timeout: TIMEOUT / 2 } };

/** What examples import by the package's name is the source. */
const alias = [
  { find: /^dom0$/, replacement: fileURLToPath(new URL("src/index.ts", import.meta.url)) },
  {
    find: /^dom0\/testing$/,
    replacement: fileURLToPath(new URL("src/testing/index.ts", import.meta.url)),
  },
];

export default defineConfig({
  test: {
    coverage: { provider: "v8", include: ["src/**"] },
    projects: [
      {
        resolve: { alias },
        test: {
          name: "library",
          setupFiles: "test/support/fast-check.ts",
          include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
          exclude: PACKED,
          testTimeout: TIMEOUT,
          hookTimeout: TIMEOUT,
          expect,
        },
      },
      {
        test: {
          name: "package",
          setupFiles: "test/support/fast-check.ts",
          include: PACKED,
          globalSetup: "test/support/pack.ts",
          testTimeout: TIMEOUT,
          hookTimeout: TIMEOUT,
          expect,
        },
      },
    ],
  },
});
