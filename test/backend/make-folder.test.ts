import { existsSync, mkdirSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { makeFolder } from "../../src/backend/make-folder.ts";
import { newFolder } from "./folder.ts";

const hasProc = existsSync("/proc/self");
const noProc = hasProc ? "" : " (skipped: there is no /proc)";

describe("makeFolder", () => {
  it("makes what is missing, for the owner alone, and leaves what is there", () => {
    const folder = newFolder();
    makeFolder(join(folder, "a/b/c"));
    for (const name of ["a", "a/b", "a/b/c"]) {
      expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
    }
    mkdirSync(join(folder, "open"), { mode: 0o755 });
    makeFolder(join(folder, "open"));
    expect(statSync(join(folder, "open")).mode & 0o777).toBe(0o755);
    writeFileSync(join(folder, "file"), "dear to somebody");
    makeFolder(join(folder, "file"));
    expect(statSync(join(folder, "file")).size).toBe(16);
  });

  it("fails below a file, and below a link to nothing", () => {
    const folder = newFolder();
    writeFileSync(join(folder, "file"), "");
    symlinkSync(join(folder, "nothing"), join(folder, "link"));
    expect(() => makeFolder(join(folder, "file/a"))).toThrow("ENOTDIR");
    expect(() => makeFolder(join(folder, "link/a"))).toThrow("ENOENT");
  });

  // Node's recursive mkdir asks /proc/x, /proc and /proc/x again without end (seen on 20.20).
  it.skipIf(!hasProc)(`ends where nobody may make one, such as in /proc${noProc}`, () => {
    expect(() => makeFolder("/proc/dom0")).toThrow("ENOENT");
    expect(() => makeFolder("/proc/dom0/a/b")).toThrow("ENOENT");
  });
});
