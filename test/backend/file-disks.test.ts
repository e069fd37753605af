import { spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileDisks } from "../../src/backend/file-disks.ts";
import { BlockOp, BlockStatus } from "../../src/xen/io/blkif.ts";
import { Zone } from "../../src/zone/zone.ts";
import { itIsADiskSource } from "../conformance/disk-source.ts";
import { newFolder, openBelow } from "./folder.ts";

const GNBD = { host: "host-a", path: "/dev/gnbd1", sectors: 16 };

function newDisks(folder: string): FileDisks {
  const disks = new FileDisks(folder);
  onTestFinished(() => disks.closeAll());
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
  itIsADiskSource(() => newDisks(newFolder()));

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

  it("stay when a domain cannot be launched on them, or a volume has its name already", () => {
    const folder = newFolder();
    const image = { ...GNBD, path: "/mnt/instance_image_store_3/262768" };
    const before = newDisks(folder);
    before.open(image).write(1, new Uint8Array(512).fill(7));
    before.closeAll();
    const host = new Zone({ disks: newDisks(folder) }).addHost();
    expect(() => host.launch({ securityGroups: ["nobody's"] })).toThrow("nobody's");
    expect(openBelow(folder)).toBe(0);
    expect(piece(join(folder, "host-a", image.path), 512, 512)).toEqual(
      new Uint8Array(512).fill(7),
    );
    const domain = host.launch();
    const volume = { dev: "sdf", path: "/dev/gnbd89", sectors: 16 };
    host.attachVolume(domain, volume);
    const again = { ...volume, dev: "sdg", sectors: 8 };
    expect(() => host.attachVolume(domain, again)).toThrow("expected a path that is free");
    expect(openBelow(folder)).toBe(4);
    expect(statSync(join(folder, "host-a/dev/gnbd89")).size).toBe(16 * 512);
    host.destroy(domain);
    expect(openBelow(folder)).toBe(0);
  });

  it("are found again by the next zone", () => {
    const folder = newFolder();
    const first = newDisks(folder);
    first.open(GNBD).write(3, new Uint8Array(512).fill(7));
    first.closeAll();
    const again = new Uint8Array(512);
    newDisks(folder).open(GNBD).read(3, again);
    expect(again).toEqual(new Uint8Array(512).fill(7));
  });

  it.each([
    ["a folder", 'mkdir "$1"', "is a folder, expected a file"],
    ["a link", 'touch other; ln -s ../../other "$1"', "is a symbolic link, or one too many"],
    ["a link to nothing", 'ln -s /no-such-file "$1"', "is a symbolic link, or one too many"],
    ["a FIFO", 'mkfifo "$1"', "expected a plain file"],
    ["a file as its folder", "rmdir host-a/dev; touch host-a/dev", "cannot be a disk's file: "],
  ])("are refused where %s stands in their place, which stays", (_, line, sentence) => {
    const folder = newFolder();
    mkdirSync(join(folder, "host-a/dev"), { recursive: true });
    const path = join(folder, "host-a/dev/gnbd1");
    const list = (): string => spawnSync("ls", ["-lRi", folder], { encoding: "utf8" }).stdout;
    expect(spawnSync("bash", ["-c", line, "bash", path], { cwd: folder }).status).toBe(0);
    const before = list();
    expect(() => newDisks(folder).open(GNBD)).toThrow(sentence);
    expect([list(), openBelow(folder)]).toEqual([before, 0]);
  });

  it("are refused where a socket stands in their place, or the name is too long", async () => {
    const folder = newFolder();
    mkdirSync(join(folder, "host-a/dev"), { recursive: true });
    const server = createServer().listen(join(folder, "host-a/dev/gnbd1"));
    onTestFinished(() => void server.close());
    await once(server, "listening");
    const disks = newDisks(folder);
    expect(() => disks.open(GNBD)).toThrow("is a socket, expected a file");
    const long = { ...GNBD, path: `/${"x".repeat(300)}` };
    expect(() => disks.open(long)).toThrow("cannot be a disk's file: the name is too long");
  });

  it("leave what somebody else put in their place, and do not mind what is gone", () => {
    const folder = newFolder();
    const disks = newDisks(folder);
    const path = join(folder, "host-a/dev/gnbd1");
    disks.open(GNBD);
    renameSync(path, join(folder, "moved"));
    disks.discard(GNBD);
    expect(readdirSync(join(folder, "host-a/dev"))).toEqual([]);
    disks.open(GNBD);
    renameSync(path, join(folder, "moved again"));
    writeFileSync(path, "dear to somebody");
    disks.discard(GNBD);
    expect(readFileSync(path, "utf8")).toBe("dear to somebody");
    disks.open(GNBD);
    rmSync(path);
    mkdirSync(path);
    disks.discard(GNBD);
    expect(statSync(path).isDirectory()).toBe(true);
    expect(openBelow(folder)).toBe(0);
  });

  it.each(["../elsewhere", "/../../elsewhere", "/../host-b/dev/gnbd1"])(
    "stay in their host's folder: %s",
    (path) => {
      const disks = newDisks(newFolder());
      expect(() => disks.open({ host: "host-a", path, sectors: 1 })).toThrow("own folder");
    },
  );
});
