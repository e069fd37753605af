/** What every disk does, beside an array of octets: shared by those in memory and in files. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { type BlockDevice, DiskStatus } from "../../src/storage/block-device.ts";
import { expectOctets } from "../support/octets.ts";

/** Three chunks of a disk in memory, and a part. */
const SECTORS = 400;

const access = fc.record({
  does: fc.constantFrom("read", "write", "write", "discard"),
  sector: fc.oneof(
    fc.integer({ min: -2, max: SECTORS + 5 }),
    fc.constantFrom(0, 127, 128, 256, Number.NaN, 2 ** 41, 2 ** 53, 2 ** 64 - 8),
  ),
  octets: fc.oneof(
    fc.integer({ min: 0, max: 300 }).map((count) => count * 512),
    fc.constantFrom(1, 511, 513, SECTORS * 512),
  ),
  fill: fc.integer({ min: 1, max: 255 }),
});

/** What a disk answers. */
function expected(
  { isReadonly, discardUnit }: BlockDevice,
  { does, sector, octets }: { does: string; sector: number; octets: number },
): DiskStatus {
  if (does === "discard" && discardUnit === null) return DiskStatus.notSupported;
  const isOnDisk = sector >= 0 && sector + octets / 512 <= SECTORS && octets % 512 === 0;
  if (!isOnDisk) return DiskStatus.beyondEnd;
  return isReadonly && does !== "read" ? DiskStatus.isReadonly : DiskStatus.okay;
}

/** @param newDisk makes one of zeros that nobody else has. */
export function itIsABlockDevice(
  newDisk: (options: { sectors: number; isReadonly: boolean }) => BlockDevice,
): void {
  it("is an array of octets, of which a discard makes zeros", () => {
    fc.assert(
      fc.property(
        fc.array(access, { maxLength: 30 }),
        fc.integer({ min: 0, max: 9 }),
        (accesses, chance) => {
          const disk = newDisk({ sectors: SECTORS, isReadonly: chance === 0 });
          const model = new Uint8Array(SECTORS * 512);
          for (const one of accesses) {
            const { does, sector, octets, fill } = one;
            const data = new Uint8Array(octets).fill(fill);
            const status =
              does === "discard"
                ? disk.discard(sector, octets / 512)
                : does === "read"
                  ? disk.read(sector, data)
                  : disk.write(sector, data);
            expect(status).toBe(expected(disk, one));
            const isDone = status === DiskStatus.okay;
            const place = isDone ? model.subarray(sector * 512, sector * 512 + octets) : model;
            if (isDone && does === "discard") place.fill(0);
            else if (isDone && does === "write") place.fill(fill);
            else expectOctets(data, isDone ? place.slice() : new Uint8Array(octets).fill(fill));
          }
          const whole = new Uint8Array(SECTORS * 512);
          expect(disk.read(0, whole)).toBe(DiskStatus.okay);
          expectOctets(whole, model);
          expect(disk.flush()).toBe(DiskStatus.okay);
        },
      ),
      { numRuns: 60 },
    );
  });

  it("forgets no more than it is told, at the largest size, and nothing twice", () => {
    const disk = newDisk({ sectors: 2 ** 31, isReadonly: false });
    const mark = (sector: number): DiskStatus => disk.write(sector, new Uint8Array(512).fill(7));
    const markOf = (sector: number): number => {
      const into = new Uint8Array(512);
      expect(disk.read(sector, into)).toBe(DiskStatus.okay);
      return into[0] ?? 0;
    };
    const places = [0, 2, 2 ** 30, 2 ** 31 - 2, 2 ** 31 - 1];
    for (const place of places) expect(mark(place)).toBe(DiskStatus.okay);
    const canDiscard = disk.discardUnit !== null;
    const answer = canDiscard ? DiskStatus.okay : DiskStatus.notSupported;
    expect(disk.discard(1, 2 ** 31 - 2)).toBe(answer);
    expect(disk.discard(1, 2 ** 31 - 2)).toBe(answer);
    expect(places.map(markOf)).toEqual(canDiscard ? [7, 0, 0, 0, 7] : [7, 7, 7, 7, 7]);
    expect(disk.discard(0, 2 ** 31)).toBe(answer);
    expect(disk.discard(0, 0)).toBe(answer);
    expect(disk.discard(2, -1)).toBe(canDiscard ? DiskStatus.beyondEnd : answer);
    expect(places.map(markOf)).toEqual(canDiscard ? [0, 0, 0, 0, 0] : [7, 7, 7, 7, 7]);
    if (disk.discardUnit === null) return;
    const { granularity, alignment } = disk.discardUnit;
    expect([granularity % 512, alignment % 512, granularity > 0]).toEqual([0, 0, true]);
  });
}
