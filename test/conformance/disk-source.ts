/** What every source of disks does: shared by those in memory and those in files. */
import { expect, it } from "vitest";
import type { BlockDevice } from "../../src/storage/block-device.ts";
import type { DiskPlace, DiskSource } from "../../src/storage/disk-source.ts";

const place = (path: string, { host = "host-a", sectors = 8 } = {}): DiskPlace => ({
  host,
  path,
  sectors,
});

/** The first octet of a sector; -1 if it cannot be read. */
function stampOf(disk: BlockDevice, sector = 0): number {
  const octets = new Uint8Array(512);
  return disk.read(sector, octets) === 0 ? (octets[0] ?? 0) : -1;
}

function stamp(disk: BlockDevice, value: number, sector = 0): void {
  expect(disk.write(sector, new Uint8Array(512).fill(value))).toBe(0);
}

/** @param newSource makes one that nobody else has. */
export function itIsADiskSource(newSource: () => DiskSource): void {
  it("begins with zeros, keeps what is closed, and forgets what is discarded", () => {
    const source = newSource();
    const disk = source.open(place("/dev/gnbd1"));
    expect([disk.sectors, stampOf(disk)]).toEqual([8, 0]);
    stamp(disk, 7);
    source.close(place("/dev/gnbd1"));
    expect(stampOf(source.open(place("/dev/gnbd1")))).toBe(7);
    source.discard(place("/dev/gnbd1"));
    expect(stampOf(source.open(place("/dev/gnbd1")))).toBe(0);
  });

  it("opens a disk once", () => {
    const source = newSource();
    source.open(place("/dev/gnbd1"));
    expect(() => source.open(place("/dev/gnbd1"))).toThrow("expected a disk that is not open");
    source.open(place("/dev/gnbd1", { host: "host-b" }));
    source.open(place("/dev/gnbd2"));
    source.close(place("/dev/gnbd1"));
    source.open(place("/dev/gnbd1"));
  });

  it("takes nothing twice", () => {
    const source = newSource();
    source.close(place("/dev/gnbd1"));
    source.discard(place("/dev/gnbd1"));
    stamp(source.open(place("/dev/gnbd1")), 9);
    source.close(place("/dev/gnbd1"));
    source.close(place("/dev/gnbd1"));
    source.discard(place("/dev/gnbd1"));
    expect(stampOf(source.open(place("/dev/gnbd1")))).toBe(9);
  });

  it("keeps what lies beyond a shorter disk", () => {
    const source = newSource();
    stamp(source.open(place("/dev/gnbd1")), 5, 7);
    source.close(place("/dev/gnbd1"));
    const short = source.open(place("/dev/gnbd1", { sectors: 4 }));
    expect([short.sectors, stampOf(short, 7)]).toEqual([4, -1]);
    source.close(place("/dev/gnbd1", { sectors: 4 }));
    const long = source.open(place("/dev/gnbd1", { sectors: 16 }));
    expect([long.sectors, stampOf(long, 7), stampOf(long, 15)]).toEqual([16, 5, 0]);
  });
}
