import { describe, expect, it } from "vitest";
import { itIsABlockDevice } from "../conformance/block-device.ts";
import { DiskStatus, MemoryDisk } from "../../src/storage/block-device.ts";

describe("MemoryDisk", () => {
  it("is zeros, and as large as a petabyte, at no cost", () => {
    const disk = new MemoryDisk({ sectors: 2 ** 41 });
    const into = new Uint8Array(131_072).fill(7);
    expect(disk.read(2 ** 41 - 256, into)).toBe(DiskStatus.okay);
    expect(into.every((octet) => octet === 0)).toBe(true);
    expect(disk.resident).toBe(0);
    expect(disk.write(2 ** 41 - 1, into.subarray(0, 512).fill(9))).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(65_536);
    disk.read(2 ** 41 - 2, into.subarray(0, 1024));
    expect([into[511], into[512], into[1023]]).toEqual([0, 9, 9]);
    expect(disk.flush()).toBe(DiskStatus.okay);
  });

  it("says what is not on it, and does nothing then", () => {
    const disk = new MemoryDisk({ sectors: 10 });
    const octets = new Uint8Array(1024).fill(1);
    expect(disk.write(9, octets)).toBe(DiskStatus.beyondEnd);
    expect(disk.read(9, octets)).toBe(DiskStatus.beyondEnd);
    expect(disk.read(-1, octets)).toBe(DiskStatus.beyondEnd);
    expect(disk.read(Number.NaN, octets)).toBe(DiskStatus.beyondEnd);
    expect(disk.read(0, octets.subarray(1))).toBe(DiskStatus.beyondEnd);
    expect([disk.resident, octets[0]]).toEqual([0, 1]);
  });

  it("is not written to if it is read only", () => {
    const disk = new MemoryDisk({ sectors: 10, isReadonly: true });
    expect(disk.write(0, new Uint8Array(512))).toBe(DiskStatus.isReadonly);
    expect(disk.write(10, new Uint8Array(512))).toBe(DiskStatus.beyondEnd);
  });

  it("fails a write that needs more than its limit", () => {
    const disk = new MemoryDisk({ sectors: 1024, limit: 65_536 + 100 });
    expect(disk.write(127, new Uint8Array(1024).fill(5))).toBe(DiskStatus.ioError);
    expect(disk.write(0, new Uint8Array(512).fill(5))).toBe(DiskStatus.okay);
    expect(disk.write(128, new Uint8Array(512))).toBe(DiskStatus.ioError);
  });

  it.each([0, 2 ** 41 + 1, 1.5])("has no %d sectors", (sectors) => {
    expect(() => new MemoryDisk({ sectors })).toThrow("sectors");
  });

  it("takes no limit below 0", () => {
    expect(() => new MemoryDisk({ sectors: 1, limit: -1 })).toThrow("limit");
  });

  itIsABlockDevice((options) => new MemoryDisk(options));

  it("gives back a chunk of which nothing is left, by pieces or at once", () => {
    const disk = new MemoryDisk({ sectors: 2 ** 41 });
    for (const chunk of [0, 1, 2, 2 ** 34 - 1]) {
      disk.write(chunk * 128 + 3, new Uint8Array(512).fill(9));
      disk.write(chunk * 128 + 120, new Uint8Array(512).fill(9));
    }
    expect(disk.resident).toBe(4 * 65_536);
    expect(disk.discard(0, 120)).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(4 * 65_536);
    expect(disk.discard(120, 8)).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(3 * 65_536);
    expect(disk.discard(200, 200)).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(2 * 65_536);
    // A petabyte costs no more than what there is of it.
    expect(disk.discard(0, 2 ** 41 - 128)).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(65_536);
    expect(disk.discard(0, 2 ** 41)).toBe(DiskStatus.okay);
    expect(disk.resident).toBe(0);
  });

  it("forgets nothing that another disk of its octets has beyond it", () => {
    const long = new MemoryDisk({ sectors: 100 });
    const short = new MemoryDisk({ sectors: 50, shared: long });
    for (const sector of [0, 49, 50, 99]) long.write(sector, new Uint8Array(512).fill(5));
    expect(short.discard(0, 50)).toBe(DiskStatus.okay);
    const into = new Uint8Array(100 * 512);
    long.read(0, into);
    expect([0, 49, 50, 99].map((sector) => into[sector * 512])).toEqual([0, 0, 5, 5]);
    expect(new MemoryDisk({ sectors: 9, isReadonly: true, shared: long }).discard(0, 1)).toBe(
      DiskStatus.isReadonly,
    );
  });
});
