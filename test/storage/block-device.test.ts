import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { expectOctets } from "../support/octets.ts";
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

  it("is an array of octets", () => {
    const access = fc.record({
      isWrite: fc.boolean(),
      sector: fc.integer({ min: -2, max: 405 }),
      sectors: fc.integer({ min: 0, max: 300 }),
      fill: fc.integer({ min: 1, max: 255 }),
    });
    fc.assert(
      fc.property(fc.array(access, { maxLength: 30 }), (accesses) => {
        const disk = new MemoryDisk({ sectors: 400 });
        const model = new Uint8Array(400 * 512);
        for (const { isWrite, sector, sectors, fill } of accesses) {
          const isOnDisk = sector >= 0 && sector + sectors <= 400;
          const octets = new Uint8Array(sectors * 512).fill(fill);
          const status = isWrite ? disk.write(sector, octets) : disk.read(sector, octets);
          expect(status).toBe(isOnDisk ? DiskStatus.okay : DiskStatus.beyondEnd);
          if (!isOnDisk) continue;
          if (isWrite) model.set(octets, sector * 512);
          else expectOctets(octets, model.slice(sector * 512, (sector + sectors) * 512));
        }
        const whole = new Uint8Array(400 * 512);
        disk.read(0, whole);
        expectOctets(whole, model);
      }),
    );
  });
});
