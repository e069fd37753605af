/** A folder for the sockets of a test, whose paths are short. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** @returns the path of a new folder, which goes with the test. */
export function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "dom0-t-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
