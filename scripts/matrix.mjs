/** Runs the tests on each supported Node from the npm package `node`: `npm run matrix`. @module */
import { spawnSync } from "node:child_process";

const VERSIONS = [20, 22, 24, 26];

const failed = VERSIONS.filter((version) => {
  console.log(`\n> node ${version}`);
  const vitest = ["node", "node_modules/vitest/vitest.mjs", "run"];
  const args = ["exec", "--yes", `--package=node@${version}`, "--", ...vitest];
  return spawnSync("npm", args, { stdio: "inherit" }).status !== 0;
});
console.log(failed.length === 0 ? "passed on all" : `failed on ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
