import { readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { SparseFileDisk } from "../../src/backend/sparse-file-disk.ts";
import { type BlockDevice, DiskStatus } from "../../src/storage/block-device.ts";
import { itIsABlockDevice } from "../conformance/block-device.ts";
import { newFolder } from "./folder.ts";

function newDisk(sectors: number, options: { path?: string; isReadonly?: boolean } = {}) {
  const { path = join(newFolder(), "disk.img"), isReadonly = false } = options;
  const disk = new SparseFileDisk({ path, sectors, isReadonly });
  onTestFinished(() => disk.close());
  return { path, disk };
}

const sector = (fill: number, count = 1): Uint8Array => new Uint8Array(512 * count).fill(fill);

/** What a disk says to an access, and gives. */
function access(disk: BlockDevice, isWrite: boolean, at: number, octets: number, fill: number) {
  const data = new Uint8Array(octets).fill(fill);
  const status = isWrite ? disk.write(at, data) : disk.read(at, data);
  return { status, data };
}

describe("a disk in a sparse file", () => {
  itIsABlockDevice((options) => newDisk(options.sectors, options).disk);

  it("takes as much as was written to it, for its owner alone", () => {
    const sectors = 2 ** 31;
    const { path, disk } = newDisk(sectors);
    expect(statSync(path).size).toBe(sectors * 512);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(disk.write(sectors - 1, sector(7))).toBe(DiskStatus.okay);
    expect(disk.resident).toBeLessThan(2 ** 20);
    expect(access(disk, false, sectors - 1, 512, 0).data).toEqual(sector(7));
  });

  it.each([5, 700, 1023, 1024])("makes a file of %d octets as long as it is", (length) => {
    const path = join(newFolder(), "disk.img");
    writeFileSync(path, "x".repeat(length));
    const { disk } = newDisk(2, { path });
    const { data } = access(disk, false, 0, 1024, 9);
    const text = new TextDecoder().decode(data);
    expect(text).toBe("x".repeat(length).padEnd(1024, "\0"));
    disk.write(1, sector(3));
    disk.flush();
    expect(readFileSync(path).length).toBe(1024);
  });

  it.each([1025, 5000])("never shortens a file: one of %d octets keeps its rest", (length) => {
    const path = join(newFolder(), "disk.img");
    writeFileSync(path, "x".repeat(length));
    const { disk } = newDisk(2, { path });
    expect(access(disk, true, 2, 512, 1).status).toBe(DiskStatus.beyondEnd);
    expect(access(disk, true, 1, 512, 1).status).toBe(DiskStatus.okay);
    expect(readFileSync(path).length).toBe(length);
    expect(readFileSync(path).subarray(1024).toString()).toBe("x".repeat(length - 1024));
  });

  it("answers an I/O error where the file fails it", () => {
    const { path, disk } = newDisk(4);
    truncateSync(path, 700);
    expect(access(disk, false, 0, 512, 1).status).toBe(DiskStatus.okay);
    expect(access(disk, false, 1, 512, 1).status).toBe(DiskStatus.ioError);
    disk.close();
    expect(access(disk, true, 0, 512, 1).status).toBe(DiskStatus.ioError);
    expect(disk.flush()).toBe(DiskStatus.ioError);
    expect(disk.discard()).toBe(DiskStatus.notSupported);
  });

  it("refuses what is no plain file, and what is no size", () => {
    expect(() => newDisk(4, { path: "/dev/null" })).toThrow("path: expected a plain file");
    expect(() => newDisk(4, { path: "/no-such-folder/disk.img" })).toThrow("ENOENT");
    for (const sectors of [0, -1, 0.5, 2 ** 41 + 1]) {
      expect(() => newDisk(sectors)).toThrow("sectors: expected 1 to 2^41");
    }
  });
});
