import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileDisks } from "../../src/backend/file-disks.ts";
import { BlockOp, BlockStatus } from "../../src/xen/io/blkif.ts";
import { Zone } from "../../src/zone/zone.ts";
import { newFolder } from "./folder.ts";

function newDisks(folder: string): FileDisks {
  const disks = new FileDisks(folder);
  onTestFinished(() => disks.close());
  return disks;
}

/** `length` octets of a file from `position`. */
function piece(path: string, position: number, length: number): Uint8Array {
  const file = openSync(path, "r");
  const octets = new Uint8Array(length);
  readSync(file, octets, 0, length, position);
  closeSync(file);
  return octets;
}

describe("disks in files", () => {
  it("hold what a domU wrote through its ring until the domain is destroyed", async () => {
    const folder = newFolder();
    const zone = new Zone({ disks: newDisks(folder) });
    const host = zone.addHost();
    const domain = host.launch();
    host.attachVolume(domain, { dev: "sdf", path: "/dev/gnbd89", sectors: 2048 });
    await zone.run({ until: "1s" });
    const octets = new Uint8Array(4096).fill(0xa5);
    const done: number[] = [];
    const completion = { completed: (status: number): void => void done.push(status) };
    for (const dev of ["sda1", "sdf"]) {
      const { front } = host.diskOf(domain, dev) ?? {};
      front?.submit({ operation: BlockOp.write, sector: 8, octets, completion }, zone.now);
    }
    await zone.run({ until: "2s" });
    expect(done).toEqual([BlockStatus.okay, BlockStatus.okay]);
    const image = join(folder, "host-a/mnt/instance_image_store_3/262768");
    const volume = join(folder, "host-a/dev/gnbd89");
    expect(piece(image, 4096, 4096)).toEqual(octets);
    expect(piece(volume, 4096, 4096)).toEqual(octets);
    expect(statSync(image).blocks * 512).toBeLessThan(2 ** 20);
    host.destroy(domain);
    expect(existsSync(image)).toBe(false);
    expect(existsSync(volume)).toBe(true);
  });

  it("are found again by the next zone", () => {
    const folder = newFolder();
    const place = { host: "host-a", path: "/dev/gnbd1", sectors: 16 };
    const first = newDisks(folder);
    first.open(place).write(3, new Uint8Array(512).fill(7));
    first.close();
    const again = new Uint8Array(512);
    newDisks(folder).open(place).read(3, again);
    expect(again).toEqual(new Uint8Array(512).fill(7));
  });

  it("are refused where something else stands in their place", () => {
    const folder = newFolder();
    const place = { host: "host-a", path: "/dev/gnbd1", sectors: 1 };
    mkdirSync(join(folder, "host-a/dev/gnbd1"), { recursive: true });
    writeFileSync(join(folder, "host-b"), "");
    const disks = newDisks(folder);
    expect(() => disks.open(place)).toThrow("host-a/dev/gnbd1: cannot be a disk's file (EISDIR)");
    expect(() => disks.open({ ...place, host: "host-b" })).toThrow("cannot be a disk's file");
  });

  it.each(["../elsewhere", "/../../elsewhere", "/../host-b/dev/gnbd1"])(
    "stay in their host's folder: %s",
    (path) => {
      const disks = newDisks(newFolder());
      expect(() => disks.open({ host: "host-a", path, sectors: 1 })).toThrow("own folder");
    },
  );
});
