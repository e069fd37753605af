import { lstatSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { FileDisks } from "../../src/backend/file-disks.ts";
import { EmulatorError } from "../../src/base/errors.ts";
import type { BlockDevice } from "../../src/storage/block-device.ts";
import { type DiskPlace, type DiskSource, MemoryDisks } from "../../src/storage/disk-source.ts";
import { type InstanceDisks, InstanceStore } from "../../src/zone/instance-store.ts";
import { newFolder, openBelow } from "../backend/folder.ts";
import { InstanceModel, pathsOf } from "../model/instance-model.ts";

/** A source that can be told to fail, and notes what is asked of it out of turn. */
class Unreliable implements DiskSource {
  /** The open after so many fails; `null` for none. */
  failAfter: number | null = null;
  readonly opened = new Set<string>();
  readonly faults: string[] = [];
  readonly #source: DiskSource;

  constructor(source: DiskSource) {
    this.#source = source;
  }

  open(place: DiskPlace): BlockDevice {
    if (this.failAfter === 0) throw new EmulatorError("disk-file", place.path, "no disk");
    if (this.failAfter !== null) this.failAfter -= 1;
    if (this.opened.has(place.path)) this.faults.push(`${place.path}: opened twice`);
    this.opened.add(place.path);
    return this.#source.open(place);
  }

  close(place: DiskPlace): void {
    this.#end(place);
    this.#source.close(place);
  }

  discard(place: DiskPlace): void {
    this.#end(place);
    this.#source.discard(place);
  }

  #end({ path }: DiskPlace): void {
    if (!this.opened.delete(path)) this.faults.push(`${path}: ended, but not open`);
  }
}

interface Real {
  readonly source: Unreliable;
  readonly store: InstanceStore;
  readonly taken: InstanceDisks[];
  /** How many descriptors of files the source has. */
  readonly descriptors: () => number;
  readonly hasFile: (path: string) => boolean;
}

/** The disk at a path of Dom0, as a back end finds it. */
function diskAt({ devices }: InstanceStore, path: string): BlockDevice | null {
  if (!devices.hasFile(path)) return devices.find(path)?.disk ?? null;
  const loop = devices.attachLoop(path);
  if (loop !== null) devices.detachLoop(loop.node);
  return loop?.disk ?? null;
}

function stampOf(disk: BlockDevice | null): number {
  const octets = new Uint8Array(512);
  expect(disk?.read(0, octets)).toBe(0);
  return octets[0] ?? 0;
}

function expectSame(model: InstanceModel, { source, store, descriptors, hasFile }: Real): void {
  expect(source.faults).toEqual([]);
  expect([...source.opened].toSorted()).toEqual(model.open);
  for (const path of model.open) {
    expect(stampOf(diskAt(store, path))).toBe(model.stamps.get(path) ?? 0);
  }
  for (const path of [...pathsOf(model.lowest()), "/dev/gnbd0", "/dev/gnbd1"]) {
    if (!model.open.includes(path)) expect(diskAt(store, path)).toBeNull();
  }
  for (const path of model.stamps.keys()) expect(hasFile(path), path).toBe(true);
  expect(descriptors()).toBe(model.open.length);
}

type Command = fc.Command<InstanceModel, Real>;

/** A command that is always possible, and after which both must agree. */
function command(name: string, run: (model: InstanceModel, real: Real) => void): Command {
  return {
    check: () => true,
    run: (model, real) => {
      run(model, real);
      real.source.failAfter = null;
      expectSame(model, real);
    },
    toString: () => name,
  };
}

/** @param fails after how many opens the source fails; `null` for never. */
const take = (fails: number | null): Command =>
  command(`take, fails after ${fails}`, (model, { source, store, taken }) => {
    source.failAfter = fails;
    if (fails !== null && fails < 3) {
      expect(() => store.take()).toThrow("no disk");
      return;
    }
    const instance = store.take();
    expect(instance.slot).toBe(model.lowest());
    expect(instance.disks.map(({ params }) => params)).toEqual(pathsOf(instance.slot));
    taken.push(instance);
    model.holders.set(instance.slot, instance);
  });

/** Free one that is taken, or was once. */
const free = (index: number, isGone: boolean): Command =>
  command(`${isGone ? "release" : "give back"} ${index}`, (model, { store, taken }) => {
    const instance = taken[index % Math.max(taken.length, 1)];
    if (instance === undefined) return;
    if (isGone) store.release(instance);
    else store.giveBack(instance);
    if (model.holders.get(instance.slot) === instance) model.free(instance.slot, isGone);
  });

const bringIn = (path: string, fails: number | null): Command =>
  command(`import ${path}, fails after ${fails}`, (model, { source, store }) => {
    source.failAfter = fails;
    const work = (): void => store.importVolume(path, 16);
    if (!/^\/dev\/gnbd[01]$/.test(path)) expect(work).toThrow("a name such as /dev/gnbd89");
    else if (model.volumes.has(path)) expect(work).toThrow("a path that is free");
    else if (fails === 0) expect(work).toThrow("no disk");
    else {
      work();
      model.volumes.add(path);
    }
  });

const drop = (path: string): Command =>
  command(`drop ${path}`, (model, { store }) => {
    store.dropVolume(path);
    model.volumes.delete(path);
  });

const write = (index: number, stamp: number): Command =>
  command(`write ${stamp} to ${index}`, (model, { store }) => {
    const path = model.open[index % Math.max(model.open.length, 1)];
    if (path === undefined) return;
    expect(diskAt(store, path)?.write(0, new Uint8Array(512).fill(stamp))).toBe(0);
    model.stamps.set(path, stamp);
  });

const fails = fc.option(fc.nat(3), { freq: 2 });
const volume = fc.constantFrom("/dev/gnbd0", "/dev/gnbd1");
const nonsense = fc.constantFrom(...pathsOf(3), "/dev/gnbd01", "/dev/gnbd", "../gnbd0", "");
const path = fc.oneof({ weight: 4, arbitrary: volume }, nonsense);
const commands = [
  fails.map(take),
  fc.tuple(fc.nat(9), fc.boolean()).map(([index, isGone]) => free(index, isGone)),
  fc.tuple(path, fails).map(([where, after]) => bringIn(where, after)),
  path.map(drop),
  fc
    .tuple(fc.nat(9), fc.integer({ min: 1, max: 255 }))
    .map(([index, stamp]) => write(index, stamp)),
];

describe("a host's disks", () => {
  it.each(["in memory", "in files"])("%s are those of a naive model, whatever fails", (where) => {
    fc.assert(
      fc.property(fc.commands(commands, { maxCommands: 60 }), (run) => {
        const real = where === "in files" ? inFiles() : inMemory();
        fc.modelRun(() => ({ model: new InstanceModel(), real }), run);
      }),
      { numRuns: where === "in files" ? 100 : 300 },
    );
  });
});

function inMemory(): Real {
  const source = new Unreliable(new MemoryDisks());
  const store = new InstanceStore("host-a", source);
  const { opened } = source;
  return { source, store, taken: [], descriptors: () => opened.size, hasFile: () => true };
}

function inFiles(): Real {
  const folder = newFolder();
  const files = new FileDisks(folder);
  onTestFinished(() => files.closeAll());
  const source = new Unreliable(files);
  return {
    source,
    store: new InstanceStore("host-a", source),
    taken: [],
    descriptors: () => openBelow(folder),
    hasFile: (where) =>
      lstatSync(`${folder}/host-a${where}`, { throwIfNoEntry: false }) !== undefined,
  };
}
