import { describe, expect, it, vi } from "vitest";
import { DiskStatus } from "../../../src/storage/block-device.ts";
import {
  BLOCK_ABI_32,
  BLOCK_ABI_64,
  type BlockAbi,
  BlockOp,
  BlockStatus,
} from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { initializeRing } from "../../../src/xen/io/shared-ring.ts";
import { blockHost, connectedDisk, type DiskOptions, diskOf, openPort } from "./block-stand.ts";

/** A guest that writes discards by hand, on a disk of 64 sectors of marks. */
function discarder(
  abi: BlockAbi,
  options: Pick<DiskOptions, "behaviour" | "isReadonly" | "canDiscard"> = {},
) {
  const host = blockHost(64);
  const domU = host.domain(1);
  const { memory, grants } = domU;
  const { disk, back } = diskOf(host, domU, { ...options, sectors: 64 });
  for (let sector = 0; sector < 64; sector += 1) {
    disk.write(sector, new Uint8Array(512).fill(sector + 1));
  }
  const port = openPort(host, domU);
  const gfn = memory.allocate();
  initializeRing(memory, gfn);
  grants.grantAt(8, 0, gfn, false);
  expect(back.connect({ ringRef: 8, port: port.number, abi }, 0)).toBeNull();
  let produced = 0;
  const id = abi === BLOCK_ABI_64 ? 8 : 4;
  /** @returns operation and status of the answer. */
  const ask = (sector: bigint, count: bigint, flag = 0): [number | undefined, number] => {
    const at = gfn * 4096 + 64 + (produced % 32) * abi.entryOctets;
    // What an earlier request left in the entry means nothing.
    memory.bytes.fill(0xee, at, at + abi.entryOctets);
    memory.bytes.set([5, flag], at);
    memory.view.setBigUint64(at + id, 0xfedc_ba98_7654_3210n, true);
    memory.view.setBigUint64(at + id + 8, sector, true);
    memory.view.setBigUint64(at + id + 16, count, true);
    produced += 1;
    memory.view.setUint32(gfn * 4096, produced, true);
    port.notify(0);
    expect(memory.view.getBigUint64(at, true)).toBe(0xfedc_ba98_7654_3210n);
    return [memory.bytes[at + 8], memory.view.getInt16(at + 10, true)];
  };
  /** The sectors that are zeros; each other one must be as it was. */
  const gone = (): number[] => {
    const octets = new Uint8Array(512);
    return Array.from({ length: 64 }, (_, sector) => sector).filter((sector) => {
      disk.read(sector, octets);
      const isGone = octets.every((octet) => octet === 0);
      expect(isGone || octets.every((octet) => octet === sector + 1)).toBe(true);
      return isGone;
    });
  };
  return { back, disk, ask, gone };
}

describe.each([BLOCK_ABI_64, BLOCK_ABI_32])("a discard of a guest of $name", (abi) => {
  const MOST = 2n ** 64n - 1n;

  it("makes zeros of its sectors and of no other, whatever the unit", () => {
    const { ask, gone, back } = discarder(abi);
    expect(ask(3n, 2n)).toEqual([5, BlockStatus.okay]);
    expect(gone()).toEqual([3, 4]);
    expect(ask(63n, 1n)).toEqual([5, BlockStatus.okay]);
    // Nothing here erases securely: the flag is not looked at, nor are bits that are none.
    expect(ask(9n, 1n, 1)).toEqual([5, BlockStatus.okay]);
    expect(ask(11n, 1n, 0xff)).toEqual([5, BlockStatus.okay]);
    expect(gone()).toEqual([3, 4, 9, 11, 63]);
    expect(ask(0n, 64n)).toEqual([5, BlockStatus.okay]);
    expect(gone()).toHaveLength(64);
    expect(back.counts).toMatchObject({ discards: 5, writes: 0, errors: 0 });
  });

  it.each([
    ["of nothing", 3n, 0n],
    ["of nothing, far away", MOST, 0n],
    ["beyond the end", 64n, 1n],
    ["over the end", 63n, 2n],
    ["of a sector that no disk has", 2n ** 53n + 1n, 1n],
    ["of the last sector of 64 bits", MOST, 1n],
    ["that ends at 2^64", 2n ** 64n - 8n, 8n],
    ["that goes round to the beginning", 2n ** 64n - 8n, 16n],
    ["that goes round as far as it can", MOST, MOST],
    ["of more than there is", 0n, 65n],
    ["of all that can be said", 0n, MOST],
    ["whose low word alone would fit", 2n ** 32n, 1n],
    ["whose count's low word alone would fit", 0n, 2n ** 32n + 1n],
  ])("%s is an error and does nothing", (_, sector, count) => {
    const { ask, gone } = discarder(abi);
    expect(ask(sector, count)).toEqual([5, BlockStatus.error]);
    expect(gone()).toEqual([]);
    expect(ask(0n, 1n)).toEqual([5, BlockStatus.okay]);
  });

  it("is an error where it may only read, before anything else is asked", () => {
    for (const count of [0n, 1n, 65n]) {
      const { ask, gone, back } = discarder(abi, { isReadonly: true });
      expect(ask(3n, count)).toEqual([5, BlockStatus.error]);
      expect([gone(), back.counts.discards]).toEqual([[], 0]);
    }
  });

  it("is not supported by a disk that cannot, but beyond its end an error", () => {
    const { ask, gone } = discarder(abi, { canDiscard: false });
    expect(ask(3n, 1n)).toEqual([5, BlockStatus.notSupported]);
    expect(ask(3n, 0n)).toEqual([5, BlockStatus.notSupported]);
    expect(ask(MOST, 0n)).toEqual([5, BlockStatus.notSupported]);
    expect(ask(63n, 2n)).toEqual([5, BlockStatus.error]);
    expect(gone()).toEqual([]);
  });

  it.each([
    ["fails", DiskStatus.ioError, BlockStatus.error],
    ["cannot any more", DiskStatus.notSupported, BlockStatus.notSupported],
  ])("is answered as a disk that %s says", (_, word, answer) => {
    const { ask, disk } = discarder(abi);
    vi.spyOn(disk, "discard").mockReturnValue(word);
    expect(ask(3n, 1n)).toEqual([5, answer]);
  });

  it("is an operation that 2.6.18 does not know", () => {
    const { ask, gone, back } = discarder(abi, { behaviour: BLOCKS_2618 });
    expect(ask(3n, 1n)).toEqual([5, BlockStatus.error]);
    expect([gone(), back.counts]).toMatchObject([[], { discards: 0, errors: 1 }]);
  });
});

const UNIT = { granularity: 4096, alignment: 0, isSecure: false };
/** 2^40 and a little: both words of a number. */
const FAR = 2 ** 40 + 3;

describe("a front end", () => {
  it.each([BLOCK_ABI_64, BLOCK_ABI_32])("writes the octets of $name", (abi) => {
    const host = blockHost();
    const domU = host.domain(1);
    const { memory } = domU;
    const features = { discard: { ...UNIT, isSecure: true } };
    const { front, disk } = connectedDisk(host, domU, { abi, features, sectors: 2 ** 41 });
    const ring = memory.words[(domU.table.frames[0] ?? 0) * 1024 + front.ringRef * 2 + 1] ?? 0;
    const at = ring * 4096 + 64;
    host.events.setRunnable(0, false, 0);
    const free = domU.grants.available;
    const statuses: number[] = [];
    for (const isSecure of [false, true]) {
      const completion = { completed: (status: number) => void statuses.push(status) };
      const request = { operation: BlockOp.discard, sector: 0x12_3456_789a, sectors: FAR };
      const octets = new Uint8Array(0);
      expect(front.submit({ ...request, octets, isSecure, completion }, 0)).toBe(true);
    }
    expect(domU.grants.available).toBe(free);
    const written = (flag: number, id: number): number[] => [
      ...[5, flag, 0x01, 0x08, ...(abi === BLOCK_ABI_64 ? [0, 0, 0, 0] : [])],
      ...[id, 0, 0, 0, 0, 0, 0, 0],
      ...[0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0],
      ...[3, 0, 0, 0, 0, 1, 0, 0],
    ];
    for (const id of [0, 1]) {
      const entry = at + id * abi.entryOctets;
      const expected = written(id, id);
      expect([...memory.bytes.subarray(entry, entry + expected.length)]).toEqual(expected);
    }
    disk.write(0x12_3456_789a, new Uint8Array(512).fill(7));
    host.events.setRunnable(0, true, 0);
    expect([statuses, disk.resident]).toEqual([[0, 0], 0]);
  });

  it("asks no back end that does not offer it, and none for what it does not offer", () => {
    const host = blockHost();
    for (const [behaviour, discard] of [
      [BLOCKS_6, null],
      [BLOCKS_2618, UNIT],
    ] as const) {
      const disk = connectedDisk(host, host.domain(discard === null ? 1 : 2), {
        behaviour,
        features: { discard },
      });
      expect(disk.discard(3, 1)).toBe(BlockStatus.notSupported);
      expect([disk.front.discard, disk.back.counts.errors]).toEqual([null, 0]);
    }
    const { front, back, discard } = connectedDisk(host, host.domain(3), {
      features: { discard: UNIT },
    });
    expect(discard(3, 1, true)).toBe(BlockStatus.notSupported);
    expect([front.discard, back.counts.discards]).toEqual([UNIT, 0]);
    expect(discard(3, 1)).toBe(BlockStatus.okay);
    expect(discard(1023, 2)).toBe(BlockStatus.error);
    expect(front.discard).toEqual(UNIT);
  });

  it("asks no more once it was told that it is not supported", () => {
    const host = blockHost();
    const { front, back, discard, ask } = connectedDisk(host, host.domain(1), {
      canDiscard: false,
      features: { discard: UNIT },
    });
    expect(discard(3, 1)).toBe(BlockStatus.notSupported);
    expect([front.discard, back.counts.discards]).toEqual([null, 1]);
    expect(discard(3, 1)).toBe(BlockStatus.notSupported);
    expect(back.counts.discards).toBe(1);
    expect(ask(BlockOp.write, 3, new Uint8Array(512))).toBe(BlockStatus.okay);
  });

  it.each([0, -1, 0.5, Number.NaN, 2 ** 53])("takes no discard of %d sectors", (sectors) => {
    const host = blockHost();
    const { discard, ask } = connectedDisk(host, host.domain(1), { features: { discard: UNIT } });
    expect(() => discard(0, sectors)).toThrow("sectors from 1");
    expect(() => ask(BlockOp.discard, 0)).toThrow("sectors from 1");
  });
});
