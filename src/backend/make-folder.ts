/** Folders of a program's own. @module */
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { systemCode } from "./system-error.ts";

/**
 * Make a folder and what is missing above it, for the owner alone; what is there stays, whatever
 * it is. Node's own recursive way never ends where nobody may make one, as in /proc.
 * @throws what the system says.
 */
export function makeFolder(path: string): void {
  if (make(path)) return;
  makeFolder(dirname(path));
  if (!make(path)) mkdirSync(path);
}

/** @returns false if what is above it is missing. */
function make(path: string): boolean {
  try {
    mkdirSync(path, { mode: 0o700 });
    return true;
  } catch (error) {
    const code = systemCode(error);
    if (code === "EEXIST") return true;
    if (code === "ENOENT" && dirname(path) !== path) return false;
    throw error;
  }
}
