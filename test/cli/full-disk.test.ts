/** Disks on a medium that is full or may not be written to: a small tmpfs of one's own. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { canMount, onTmpfs, skippedMount } from "../support/mount.ts";
import { MAIN } from "./dom0.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-full-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Prints what a disk of a file answers, and what is in it then. */
const WRITES = `
const { SparseFileDisk } = await import("${join(MAIN, "../../backend/sparse-file-disk.js")}");
const disk = new SparseFileDisk({ path: process.env.folder + "/disk", sectors: 4096 });
const pieces = Array.from({ length: 8 }, (_, index) => new Uint8Array(65536).fill(index + 1));
const into = new Uint8Array(512);
console.log(JSON.stringify({
  writes: pieces.map((piece, index) => disk.write(index * 128, piece)),
  flush: disk.flush(),
  reads: pieces.map((_, index) => [disk.read(index * 128, into), into[0]]),
}));
disk.remove();
`;

const NODE = `"${process.execPath}"`;

describe.skipIf(!canMount)(`a medium${skippedMount}`, () => {
  it("that is full fails writes, and has what was written before", () => {
    const line = `${NODE} --input-type=module -e "$1"; ls "$folder"`;
    const { status, stdout, stderr } = onTmpfs(folder, "size=256k", line, WRITES);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const { writes, flush, reads } = JSON.parse(stdout) as Record<string, unknown>;
    expect({ writes, flush }).toEqual({ writes: [0, 0, 0, 0, -5, -5, -5, -5], flush: 0 });
    expect(reads).toEqual([
      ...[1, 2, 3, 4].map((fill) => [0, fill]),
      ...Array.from({ length: 4 }, () => [0, 0]),
    ]);
    // And the file is gone: one line of the program, none of ls.
    expect(stdout.trimEnd().split("\n")).toHaveLength(1);
  });

  it.each([
    ["full", "true", "no space left on the disk"],
    ["read-only", "mount -o remount,ro $folder", "the file system cannot be written to"],
  ])("that is %s is told in one sentence, and serves nobody", (_, prepare, sentence) => {
    const line = `mkdir $folder/s; ${prepare}; ${NODE} "$1" serve --state $folder/s; echo $?`;
    // An inode each for the root, the folder, the lock and the folder of disks.
    const { stdout, stderr } = onTmpfs(folder, "nr_inodes=4", line, MAIN);
    expect(stderr).toMatch(new RegExp(`^[^\\n]*${sentence}\\n$`));
    expect(stdout).toBe("2\n");
  });
});
