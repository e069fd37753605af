import { describe, expect, it } from "vitest";
import { Blkfront } from "../../../src/xen/io/blkfront.ts";
import { BLOCK_ABI_32, BLOCK_ABI_64, BlockOp, BlockStatus } from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { ringEntries } from "../../../src/xen/io/shared-ring.ts";
import { expectOctets } from "../../support/octets.ts";
import { type BlockDomain, blockHost, connectedDisk, diskOf, openPort } from "./block-stand.ts";

const letters = (count: number, seed = 7): Uint8Array =>
  Uint8Array.from({ length: count }, (_, index) => (index * seed + (index >> 8)) & 0xff);

describe("the octets of a request", () => {
  const SHAPES = [
    {
      abi: BLOCK_ABI_64,
      request: [
        ...[1, 2, 0x01, 0x08, 0, 0, 0, 0],
        ...[0, 0, 0, 0, 0, 0, 0, 0],
        ...[0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0],
        ...[9, 0, 0, 0, 0, 7, 0, 0],
        ...[10, 0, 0, 0, 0, 1, 0, 0],
      ],
      entry: 112,
    },
    {
      abi: BLOCK_ABI_32,
      request: [
        ...[1, 2, 0x01, 0x08],
        ...[0, 0, 0, 0, 0, 0, 0, 0],
        ...[0x9a, 0x78, 0x56, 0x34, 0x12, 0, 0, 0],
        ...[9, 0, 0, 0, 0, 7, 0, 0],
        ...[10, 0, 0, 0, 0, 1, 0, 0],
      ],
      entry: 108,
    },
  ];

  it.each(SHAPES)("are those of $abi.name", ({ abi, request, entry }) => {
    const host = blockHost();
    const domU = host.domain(3);
    const { memory, grants } = domU;
    const notified: number[] = [];
    const notifier = { notify: (now: number) => void notified.push(now) };
    const front = new Blkfront({ memory, grants, handle: 2049, abi, notifier });
    const statuses: number[] = [];
    const ask = (operation: number, octets: Uint8Array): boolean =>
      front.submit(
        {
          operation,
          sector: 0x12_3456_789a,
          octets,
          completion: { completed: (status) => void statuses.push(status) },
        },
        4,
      );
    expect([abi.entryOctets, ringEntries(abi.entryOctets)]).toEqual([entry, 32]);
    expect(ask(BlockOp.write, letters(5120))).toBe(true);
    expect(ask(BlockOp.write, letters(512))).toBe(true);
    expect(notified).toEqual([4]);
    const ring = memory.words[(domU.table.frames[0] ?? 0) * 1024 + front.ringRef * 2 + 1] ?? 0;
    const at = ring * 4096 + 64;
    expect([...memory.bytes.subarray(at, at + request.length)]).toEqual(request);
    const second = at + entry;
    expect([...memory.bytes.subarray(second, second + 2)]).toEqual([1, 1]);
    expect(memory.view.getUint32(second + (entry === 112 ? 8 : 4), true)).toBe(1);

    const frames = [9, 10].map(
      (ref) => memory.words[(domU.table.frames[0] ?? 0) * 1024 + ref * 2 + 1] ?? 0,
    );
    const [first = 0, last = 0] = frames.map((gfn) => gfn * 4096);
    expectOctets(memory.bytes.slice(first, first + 4096), letters(5120).slice(0, 4096));
    expectOctets(memory.bytes.slice(last, last + 1024), letters(5120).slice(4096));

    memory.bytes.set([1, 0, 0, 0, 0, 0, 0, 0, 1, 0xee, 0xff, 0xff], at);
    memory.bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 1, 0xee, 0, 0], second);
    memory.view.setUint32(ring * 4096 + 8, 2, true);
    front.upcall(5);
    expect([statuses, front.outstanding, front.isBroken]).toEqual([[-1, 0], 0, false]);
    expect(memory.view.getUint32(ring * 4096 + 12, true)).toBe(3);
  });

  it.each(SHAPES)("are read, and answered, as $abi.name", ({ abi, request }) => {
    const host = blockHost();
    const domU = host.domain(3);
    const { memory, grants } = domU;
    const { back, disk } = diskOf(host, domU, { sectors: 2 ** 41 });
    const port = openPort(host, domU);
    const ring = memory.allocate();
    const at = ring * 4096 + 64;
    const [data, more] = [memory.allocate(), memory.allocate()];
    memory.bytes.set(letters(4096), data * 4096);
    memory.bytes.set(letters(4096, 3), more * 4096);
    grants.grantAt(8, 0, ring, false);
    grants.grantAt(9, 0, data, true);
    grants.grantAt(10, 0, more, true);
    memory.bytes.set(request, at);
    memory.bytes.set([0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88], at + abi.segments - 16);
    memory.bytes.set([1, 0, 0, 0], ring * 4096);
    memory.bytes.set([1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0], ring * 4096 + 4);
    expect(back.connect({ ringRef: 8, port: port.number, abi }, 0)).toBe(null);
    const header = [...[1, 0, 0, 0], ...[2, 0, 0, 0], ...[1, 0, 0, 0], ...[1, 0, 0, 0]];
    expect([...memory.bytes.subarray(ring * 4096, ring * 4096 + 16)]).toEqual(header);
    expect([...memory.bytes.subarray(at, at + 9)]).toEqual([
      ...[0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88],
      1,
    ]);
    expect(memory.view.getInt16(at + 10, true)).toBe(BlockStatus.okay);
    const found = new Uint8Array(5120);
    expect(disk.read(0x12_3456_789a, found)).toBe(0);
    expectOctets(found.slice(0, 4096), letters(4096));
    expectOctets(found.slice(4096), letters(4096, 3).slice(0, 1024));
    expect([grants.isMapped(8), grants.isMapped(9), grants.isMapped(10)]).toEqual([
      true,
      false,
      false,
    ]);
    back.disconnect();
    expect(grants.isMapped(8)).toBe(false);
  });
});

describe.each([
  ["x86_64-abi", BLOCK_ABI_64],
  ["x86_32-abi", BLOCK_ABI_32],
])("a disk of a domU that speaks %s", (_, abi) => {
  it("keeps what is written, in every size and at both ends", () => {
    const host = blockHost();
    const { ask, read, disk, back, front } = connectedDisk(host, host.domain(1), { abi });
    expect(ask(BlockOp.write, 0, letters(512))).toBe(0);
    expect(ask(BlockOp.write, 1024 - 88, letters(45_056, 5))).toBe(0);
    expectOctets(read(0, 512), letters(512));
    expectOctets(read(1024 - 88, 45_056), letters(45_056, 5));
    expectOctets(read(1, 512), new Uint8Array(512));
    expect(disk.resident).toBe(2 * 65_536);
    expect(back.counts).toEqual({
      reads: 3,
      writes: 2,
      barriers: 0,
      flushes: 0,
      discards: 0,
      errors: 0,
    });
    expect([front.outstanding, front.lostFrames]).toEqual([0, 0]);
  });

  it("is refused what is not on it", () => {
    const host = blockHost();
    const { ask, back } = connectedDisk(host, host.domain(1), { abi, sectors: 9 });
    expect(ask(BlockOp.write, 1, letters(4096))).toBe(0);
    expect(ask(BlockOp.write, 2, letters(4096))).toBe(BlockStatus.error);
    expect(ask(BlockOp.read, 9, letters(512))).toBe(BlockStatus.error);
    expect(ask(BlockOp.read, 2 ** 53 - 1, letters(512))).toBe(BlockStatus.error);
    expect(back.counts.errors).toBe(3);
  });
});

describe("what kernels of both times answer", () => {
  it.each([
    ["ec2-2010", BLOCKS_2618, BlockStatus.error, BlockStatus.error, BlockStatus.error],
    ["linux", BLOCKS_6, BlockStatus.okay, BlockStatus.okay, BlockStatus.notSupported],
  ])("%s", (__, behaviour, barrier, flush, unknown) => {
    const host = blockHost();
    const { ask, read } = connectedDisk(host, host.domain(1), { behaviour });
    expect(ask(BlockOp.writeBarrier, 3, letters(1024))).toBe(barrier);
    expect(read(3, 1024)).toEqual(barrier === 0 ? letters(1024) : new Uint8Array(1024));
    expect(ask(BlockOp.flush, 0)).toBe(flush);
    expect(ask(4, 0, letters(512))).toBe(unknown);
    expect(ask(255, 0, letters(512))).toBe(unknown);
  });

  it("a disk that may only be read", () => {
    const host = blockHost();
    const { ask, disk } = connectedDisk(host, host.domain(1), { isReadonly: true });
    expect(ask(BlockOp.write, 0, letters(512))).toBe(BlockStatus.error);
    expect(ask(BlockOp.read, 0, letters(512))).toBe(BlockStatus.okay);
    expect(ask(BlockOp.flush, 0)).toBe(BlockStatus.error);
    expect(disk.resident).toBe(0);
  });

  it("a disk that is full", () => {
    const host = blockHost();
    const { ask } = connectedDisk(host, host.domain(1), { limit: 65_536 });
    expect(ask(BlockOp.write, 0, letters(512))).toBe(BlockStatus.okay);
    expect(ask(BlockOp.write, 128, letters(512))).toBe(BlockStatus.error);
    expect(ask(BlockOp.write, 127, letters(512))).toBe(BlockStatus.okay);
  });
});

/** A front end of a domain whose frames are all taken but one. */
function connectedDiskless({ memory, grants }: BlockDomain): Blkfront {
  memory.free(memory.pages - 1);
  return new Blkfront({ memory, grants, handle: 1, notifier: { notify: () => {} } });
}

describe("Blkfront", () => {
  it("queues what the ring cannot take, in order, and refuses beyond that", () => {
    const host = blockHost(1024);
    const domU = host.domain(1);
    const { front, disk, port } = connectedDisk(host, domU);
    host.events.setRunnable(0, false, 0);
    const order: number[] = [];
    const write = (index: number): boolean =>
      front.submit(
        {
          operation: BlockOp.write,
          sector: 5,
          octets: letters(512, index),
          completion: { completed: () => void order.push(index) },
        },
        0,
      );
    const taken = Array.from({ length: 200 }, (_, index) => write(index));
    expect(taken.filter(Boolean).length).toBe(32 + 128);
    expect([front.outstanding, front.queued]).toEqual([32, 128]);
    host.events.setRunnable(0, true, 0);
    expect(order).toEqual(Array.from({ length: 160 }, (_, index) => index));
    const found = new Uint8Array(512);
    disk.read(5, found);
    expect(found).toEqual(letters(512, 159));
    expect([front.outstanding, front.queued, front.lostFrames]).toEqual([0, 0, 0]);
    expect(port.peer).not.toBe(null);
  });

  it("ends all that is asked with an error when it closes", () => {
    const host = blockHost();
    const domU = host.domain(1);
    const before = domU.memory.allocated;
    const { front, back } = connectedDisk(host, domU);
    host.events.setRunnable(0, false, 0);
    const statuses: number[] = [];
    const completion = { completed: (status: number) => void statuses.push(status) };
    for (let count = 0; count < 40; count += 1) {
      front.submit({ operation: BlockOp.read, sector: 0, octets: letters(512), completion }, 0);
    }
    back.disconnect();
    expect(front.close(1)).toBe(true);
    expect(statuses).toEqual(Array.from({ length: 40 }, () => BlockStatus.error));
    expect(domU.memory.allocated).toBe(before);
    expect(domU.grants.available).toBe(4 * 512 - 8);
  });

  it("loses its ring's frame rather than reuse it while the back end maps it", () => {
    const host = blockHost();
    const { front } = connectedDisk(host, host.domain(1));
    expect(front.close(1)).toBe(false);
    expect(front.lostFrames).toBe(1);
  });

  it("asks nothing any more of a back end that answers what nobody asked", () => {
    const host = blockHost();
    const domU = host.domain(1);
    const { memory, grants } = domU;
    const notifier = { notify: () => {} };
    const front = new Blkfront({ memory, grants, handle: 1, notifier });
    const ring = memory.words[(domU.table.frames[0] ?? 0) * 1024 + front.ringRef * 2 + 1] ?? 0;
    memory.view.setUint32(ring * 4096 + 8, 1, true);
    front.upcall(0);
    expect(front.isBroken).toBe(true);
    const completion = { completed: () => {} };
    const request = { operation: BlockOp.read, sector: 0, octets: letters(512), completion };
    expect(front.submit(request, 0)).toBe(false);
  });

  it.each([511, 45_057, 45_568, 0])("takes no request of %d octets", (octets) => {
    const host = blockHost();
    const { ask } = connectedDisk(host, host.domain(1));
    expect(() => ask(BlockOp.read, 0, new Uint8Array(octets))).toThrow("whole sectors");
  });

  it("waits while frames are lacking, and refuses when nothing can free them", () => {
    const host = blockHost(20);
    const domU = host.domain(1);
    const { front } = connectedDisk(host, domU);
    const statuses: number[] = [];
    const completion = { completed: (status: number) => void statuses.push(status) };
    const octets = letters(11 * 4096);
    const request = { operation: BlockOp.read, sector: 0, octets, completion };
    host.events.setRunnable(0, false, 0);
    expect([front.submit(request, 0), front.submit(request, 0)]).toEqual([true, true]);
    expect([front.outstanding, front.queued]).toEqual([1, 1]);
    host.events.setRunnable(0, true, 0);
    expect(statuses).toEqual([0, 0]);
    while (domU.memory.allocate() >= 0);
    const more = { ...request, octets: letters(11 * 4096), completion };
    expect(front.submit(more, 0)).toBe(true);
    const late = connectedDiskless(domU);
    expect(late.submit(more, 0)).toBe(false);
  });
});
