import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { GrantMap } from "../../../src/xen/hypervisor/grant-operations.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import {
  BLOCK_ABI_32,
  BLOCK_ABI_64,
  BLOCK_RESPONSE,
  BLOCK_SEGMENT,
  type BlockAbi,
  BlockOp,
  BlockStatus,
} from "../../../src/xen/io/blkif.ts";
import { FrontRing, initializeRing } from "../../../src/xen/io/shared-ring.ts";
import { expectOctets } from "../../support/octets.ts";
import { blockHost, connectedDisk, diskOf, openPort } from "./block-stand.ts";

const PAGE = 4096;
const FEATURES = { isPersistent: true, indirectSegments: 256 };

describe("a disk of a current kernel", () => {
  it("moves 32 pages by one request, in either shape, where the back end can", () => {
    for (const abi of [BLOCK_ABI_64, BLOCK_ABI_32]) {
      const host = blockHost();
      const { front, back, ask, read } = connectedDisk(host, host.domain(1), {
        abi,
        features: { isPersistent: false, indirectSegments: 256 },
      });
      expect(front.mostOctets).toBe(32 * PAGE);
      const octets = Uint8Array.from({ length: 32 * PAGE - 512 }, (_, at) => (at * 7) ^ (at >> 9));
      expect(ask(BlockOp.write, 3, octets)).toBe(BlockStatus.okay);
      expectOctets(read(3, octets.length), octets);
      expect(back.counts).toMatchObject({ reads: 1, writes: 1, errors: 0 });
      expect(host.dom0.table.mappings).toBe(1);
      expect(() => ask(BlockOp.write, 0, new Uint8Array(33 * PAGE))).toThrow("131072 octets");
    }
  });

  it("uses the grants again that its back end keeps mapped, and has them back at the end", () => {
    const host = blockHost();
    const domU = host.domain(1);
    const frames = domU.memory.allocated;
    const { front, back, ask, read } = connectedDisk(host, domU, { features: FEATURES });
    const octets = new Uint8Array(20 * PAGE).fill(3);
    for (let round = 0; round < 50; round += 1) {
      expect(ask(BlockOp.write, round, octets)).toBe(BlockStatus.okay);
      expectOctets(read(round, octets.length), octets);
    }
    // Twenty pages and the one with their segments.
    expect([back.persistentGrants, host.dom0.table.mappings]).toEqual([21, 22]);
    expect(domU.memory.allocated).toBe(frames + 22);
    // Dom0 may write them all, whatever is asked.
    expect([front.lostFrames, front.outstanding]).toEqual([0, 0]);
    expect(back.nextDeadline()).toBe(60 * SECOND);
    back.expire(60 * SECOND - 1);
    expect(back.persistentGrants).toBe(21);
    back.expire(60 * SECOND);
    expect([back.persistentGrants, host.dom0.table.mappings]).toEqual([0, 1]);
    expect(read(0, PAGE)).toEqual(octets.subarray(0, PAGE));
    back.disconnect();
    expect(host.dom0.table.mappings).toBe(0);
    expect(front.close(0)).toBe(true);
    expect(domU.memory.allocated).toBe(frames);
    expect(domU.grants.available).toBe(4 * 512 - 8);
  });

  it("has neither where the other end, or its time, has not", () => {
    const host = blockHost();
    const { front, back, ask } = connectedDisk(host, host.domain(1), {
      behaviour: BLOCKS_2618,
      features: FEATURES,
    });
    expect(front.mostOctets).toBe(11 * PAGE);
    expect(ask(BlockOp.write, 0, new Uint8Array(11 * PAGE))).toBe(BlockStatus.okay);
    expect([back.persistentGrants, host.dom0.table.mappings]).toEqual([0, 1]);
  });
});

/** A guest that writes requests of its own making. */
function hostile(abi: BlockAbi, isPersistent: boolean, behaviour = BLOCKS_6) {
  const host = blockHost(2048);
  const domU = host.domain(1);
  const { memory, grants } = domU;
  const { disk, back } = diskOf(host, domU, { behaviour });
  const port = openPort(host, domU);
  const gfn = memory.allocate();
  initializeRing(memory, gfn);
  const ring = new FrontRing({ memory, gfn, entryOctets: abi.entryOctets });
  const ringRef = grants.grant(0, gfn, false);
  expect(back.connect({ ringRef, port: port.number, abi, isPersistent }, 0)).toBeNull();
  const page = memory.allocate();
  const pageRef = grants.grant(0, page, false);
  /** One indirect request. @returns operation and status of its answer. */
  const ask = (
    segments: readonly { gref: number; first?: number; last?: number }[],
    change: { inner?: number; count?: number; gref?: number; sector?: number; now?: number } = {},
  ): [number, number] => {
    const { view } = memory;
    segments.slice(0, 512).forEach(({ gref, first = 0, last = 7 }, index) => {
      const at = page * PAGE + index * 8;
      BLOCK_SEGMENT.gref.set(view, at, gref);
      BLOCK_SEGMENT.firstSector.set(view, at, first);
      BLOCK_SEGMENT.lastSector.set(view, at, last);
    });
    const at = ring.reserve();
    abi.request.operation.set(view, at, BlockOp.indirect);
    abi.request.idLow.set(view, at, 5);
    abi.request.sectorLow.set(view, at, change.sector ?? 0);
    abi.request.sectorHigh.set(view, at, 0);
    abi.indirect.operation.set(view, at, change.inner ?? BlockOp.write);
    abi.indirect.segmentCount.set(view, at, change.count ?? segments.length);
    abi.indirect.gref.set(view, at, change.gref ?? pageRef);
    ring.push();
    port.notify(change.now ?? 0);
    const answer = ring.take();
    const status = BLOCK_RESPONSE.status.get(view, answer);
    return [BLOCK_RESPONSE.operation.get(view, answer), (status << 16) >> 16];
  };
  const grantPage = (isReadonly = false): number => grants.grant(0, memory.allocate(), isReadonly);
  return { host, domU, disk, back, ask, grantPage, page };
}

describe.each([
  ["64-bit", BLOCK_ABI_64, true],
  ["64-bit", BLOCK_ABI_64, false],
  ["32-bit", BLOCK_ABI_32, true],
  ["32-bit", BLOCK_ABI_32, false],
] as const)("an indirect request of a %s guest, persistent %s", (_, abi, isPersistent) => {
  it("is refused with ERROR for what no sound driver sends, and its inner operation told", () => {
    const { ask, grantPage, host, back } = hostile(abi, isPersistent);
    const good = { gref: grantPage() };
    const many = Array.from({ length: 257 }, () => good);
    const { write, read, writeBarrier, flush, indirect } = BlockOp;
    const refused = (inner: number): [number, number] => [inner, BlockStatus.error];
    expect(ask([good])).toEqual([write, BlockStatus.okay]);
    expect(ask([], { count: 0 })).toEqual(refused(write));
    expect(ask(many)).toEqual(refused(write));
    expect(ask([good], { count: 65_535 })).toEqual(refused(write));
    for (const inner of [indirect, writeBarrier, flush, 5, 255]) {
      expect(ask([good], { inner })).toEqual(refused(inner));
    }
    expect(ask([{ ...good, last: 8 }])).toEqual(refused(write));
    expect(ask([good, { ...good, first: 3, last: 2 }])).toEqual(refused(write));
    expect(ask([good], { gref: 999 })).toEqual(refused(write));
    expect(ask([{ gref: 999 }])).toEqual(refused(write));
    expect(ask([good, good], { sector: 1023 - 15 })).toEqual([write, BlockStatus.okay]);
    expect(ask([good, good], { sector: 1024 - 15 })).toEqual(refused(write));
    // A page that may only be read takes what the disk says neither way.
    expect(ask([{ gref: grantPage(true) }], { inner: read })).toEqual(refused(read));
    expect(back.persistentGrants).toBe(isPersistent ? 2 : 0);
    back.disconnect();
    expect(host.dom0.table.mappings).toBe(0);
  });

  it("moves 256 pages at most, each where its segment says", () => {
    const { ask, domU, grantPage, disk } = hostile(abi, isPersistent);
    const { memory } = domU;
    const pages = Array.from({ length: 128 }, () => grantPage());
    const first = memory.allocated - 128;
    pages.forEach((_ref, index) => {
      memory.bytes.fill(index + 1, (first + index) * PAGE, (first + index + 1) * PAGE);
    });
    const segments = pages.flatMap((gref) => [
      { gref, first: 0, last: 1 },
      { gref, first: 4, last: 4 },
    ]);
    expect(segments).toHaveLength(256);
    expect(ask(segments)).toEqual([BlockOp.write, BlockStatus.okay]);
    const octets = new Uint8Array(128 * 3 * 512);
    disk.read(0, octets);
    for (let page = 0; page < 128; page += 1) expect(octets[page * 1536]).toBe(page + 1);
  });
});

describe("a guest that has more grants than its back end keeps", () => {
  it("is served all the same, within the bound", () => {
    const { ask, grantPage, back, host, domU } = hostile(BLOCK_ABI_64, true);
    const refs = Array.from({ length: 1200 }, () => grantPage());
    for (let at = 0; at < 1200; at += 100) {
      const segments = refs.slice(at, at + 100).map((gref) => ({ gref }));
      expect(ask(segments, { sector: 0 })).toEqual([BlockOp.write, BlockStatus.okay]);
      expect(back.persistentGrants).toBeLessThanOrEqual(1056);
    }
    expect([back.persistentGrants, host.dom0.table.mappings]).toEqual([1056, 1057]);
    back.expire(back.nextDeadline());
    expect(back.persistentGrants).toBe(1006);
    // A guest cannot take back what is kept, nor may its frames be used for others then.
    expect(domU.grants.revoke(refs[300] ?? 0)).toBe(false);
    expect(host.dom0.table.map(1, refs[300] ?? 0, GrantMap.host)).toBeGreaterThanOrEqual(0);
    back.disconnect();
    expect(host.dom0.table.mappings).toBe(1);
  });

  it("knows no indirect request in 2010", () => {
    const { ask, grantPage } = hostile(BLOCK_ABI_64, true, BLOCKS_2618);
    expect(ask([{ gref: grantPage() }])).toEqual([BlockOp.indirect, BlockStatus.error]);
  });
});
