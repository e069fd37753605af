import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { BLOCK_ABI_32, BLOCK_ABI_64, type BlockAbi } from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { initializeRing } from "../../../src/xen/io/shared-ring.ts";
import {
  BlockModel,
  type BlockModelOptions,
  type RawRequest,
  type RawSegment,
} from "../../model/block-model.ts";
import { expectOctets } from "../../support/octets.ts";
import { blockHost, diskOf, openPort } from "./block-stand.ts";

const SECTORS = 300;
const PAGE = 4096;
/** References of the data pages, of which the last is none, of the table, and of the ring. */
const REFS = { data: [9, 10, 11, 99], table: 12, ring: 8 } as const;

const MOST = 2n ** 64n - 1n;
/** What is usual, and once in so many times what is not. */
const mostly = <T>(usual: fc.Arbitrary<T>, rare: fc.Arbitrary<T>, times = 40): fc.Arbitrary<T> =>
  fc.oneof({ weight: times - 1, arbitrary: usual }, { weight: 1, arbitrary: rare });

const number64 = (most: bigint): fc.Arbitrary<bigint> =>
  mostly(
    fc.bigInt(0n, most),
    fc.constantFrom(0n, 290n, 300n, 301n, MOST, MOST - 7n, 2n ** 32n, 2n ** 53n + 1n),
    8,
  );
const place = mostly(fc.nat(7), fc.nat(255));
const segment = fc.record({
  page: mostly(fc.constantFrom<RawSegment["page"]>(0, 1), fc.constantFrom(2, 3), 30),
  first: place,
  last: place,
});
/** First and last in their order, but at times. */
const ordered = fc.tuple(segment, fc.nat(60)).map(([{ page, first, last }, chance]) => {
  const [low, high] = first < last || chance === 0 ? [first, last] : [last, first];
  return { page, first: low, last: high };
});
const plain = mostly(fc.constantFrom(0, 1, 0, 1, 2, 3, 5, 5), fc.constantFrom(4, 7, 255), 10);
const requestOf = (operation: fc.Arbitrary<number>): fc.Arbitrary<RawRequest> =>
  fc
    .record({
      operation,
      inner: mostly(fc.constantFrom(0, 1), fc.constantFrom(2, 3, 5, 5, 6, 255), 6),
      segments: fc.array(ordered, { maxLength: 12, size: "max" }),
      more: mostly(fc.constant(0), fc.constantFrom(200, 241), 15),
      hasTable: mostly(fc.constant(true), fc.constant(false), 8),
      handle: fc.constantFrom(0, 1, 0xffff),
      sector: number64(250n),
      sectors: number64(60n),
    })
    // More segments than were written are more than there may be.
    .map(({ more, ...rest }) => ({
      ...rest,
      count: rest.segments.length + (rest.operation === 6 && more > 0 ? 260 : more),
    }));
// Indirect requests share one table: each is alone on the ring.
const batch = fc.oneof(
  fc.array(requestOf(plain), { minLength: 1, maxLength: 32, size: "max" }),
  requestOf(fc.constant(6)).map((one) => [one]),
);

/** A guest with its ring, three pages of data, a table, and the model of all that. */
class Run {
  readonly model: BlockModel;
  readonly host = blockHost(64);
  readonly #domU = this.host.domain(1);
  readonly #disk;
  readonly #back;
  readonly #port = openPort(this.host, this.#domU);
  readonly #ring = this.#domU.memory.allocate();
  readonly #pages = [0, 1, 2].map(() => this.#domU.memory.allocate());
  readonly #table = this.#domU.memory.allocate();
  readonly #abi: BlockAbi;
  #produced = 0;
  #now = 0;

  constructor(abi: BlockAbi, options: BlockModelOptions) {
    this.#abi = abi;
    this.model = new BlockModel(SECTORS, options);
    const behaviour = options.era === "6.1" ? BLOCKS_6 : BLOCKS_2618;
    const { disk, back } = diskOf(this.host, this.#domU, {
      ...options,
      behaviour,
      sectors: SECTORS,
    });
    this.#disk = disk;
    this.#back = back;
    const { memory, grants } = this.#domU;
    initializeRing(memory, this.#ring);
    grants.grantAt(REFS.ring, 0, this.#ring, false);
    grants.grantAt(REFS.table, 0, this.#table, false);
    for (const [index, gfn] of this.#pages.entries()) {
      grants.grantAt(REFS.data[index] ?? 0, 0, gfn, index === 2);
      memory.bytes.fill(index + 1, gfn * PAGE, (gfn + 1) * PAGE);
      this.model.pages[index]?.fill(index + 1);
    }
    const { isPersistent } = options;
    const wrong = back.connect({ ringRef: 8, port: this.#port.number, abi, isPersistent }, 0);
    expect(wrong).toBeNull();
  }

  /** Change a page as its guest may at any time. */
  #stamp(index: 0 | 1, value: number): void {
    const gfn = this.#pages[index] ?? 0;
    this.#domU.memory.bytes.fill(value, gfn * PAGE, (gfn + 1) * PAGE);
    this.model.pages[index]?.fill(value);
  }

  /** Put requests on the ring at once, with one event. */
  ask(requests: readonly RawRequest[], value: number): void {
    const { memory } = this.#domU;
    const { view } = memory;
    // So long that grants which were kept are let go at times.
    this.#now += 25 * SECOND;
    this.#back.expire(this.#now);
    this.#stamp((value & 1) as 0 | 1, value);
    const first = this.#produced;
    for (const one of requests) this.#write(one);
    view.setUint32(this.#ring * PAGE, this.#produced, true);
    this.#port.notify(this.#now);
    expect(view.getUint32(this.#ring * PAGE + 8, true)).toBe(this.#produced);
    for (const [index, one] of requests.entries()) {
      const at = this.#entry(first + index);
      const [operation, status] = this.model.serve(one);
      expect(view.getBigUint64(at, true)).toBe(BigInt(first + index) << 20n);
      expect([memory.bytes[at + 8], view.getInt16(at + 10, true)]).toEqual([operation, status]);
    }
    this.#compare();
  }

  #entry(index: number): number {
    return this.#ring * PAGE + 64 + (index % 32) * this.#abi.entryOctets;
  }

  /** By hand, from blkif.h. */
  #write(one: RawRequest): void {
    const { bytes, view } = this.#domU.memory;
    const at = this.#entry(this.#produced);
    bytes.fill(0xee, at, at + this.#abi.entryOctets);
    const id = at + (this.#abi === BLOCK_ABI_64 ? 8 : 4);
    const isIndirect = one.operation === 6;
    view.setBigUint64(id, BigInt(this.#produced) << 20n, true);
    view.setBigUint64(id + 8, one.sector, true);
    this.#produced += 1;
    bytes[at] = one.operation;
    if (isIndirect) {
      bytes[at + 1] = one.inner;
      view.setUint16(at + 2, one.count, true);
      view.setUint16(id + 16, one.handle, true);
      view.setUint16(id + 18, 0, true);
      // Read as a discard's, the number would be the handle.
      view.setUint32(id + 20, one.hasTable ? REFS.table : 0, true);
    } else {
      bytes[at + 1] = one.count;
      view.setUint16(at + 2, one.handle, true);
    }
    if (one.operation === 5) view.setBigUint64(id + 16, one.sectors, true);
    else this.#writeSegments(one, isIndirect ? this.#table * PAGE : id + 16);
  }

  #writeSegments({ segments, operation }: RawRequest, start: number): void {
    const { bytes, view } = this.#domU.memory;
    const written = operation === 6 ? segments : segments.slice(0, 11);
    for (const [index, { page, first, last }] of written.entries()) {
      view.setUint32(start + index * 8, REFS.data[page] ?? 0, true);
      bytes.set([first, last], start + index * 8 + 4);
    }
  }

  #compare(): void {
    const whole = new Uint8Array(SECTORS * 512);
    this.#disk.read(0, whole);
    expectOctets(whole, this.model.disk);
    for (const [index, page] of this.model.pages.entries()) {
      const gfn = this.#pages[index] ?? 0;
      expectOctets(this.#domU.memory.bytes.slice(gfn * PAGE, (gfn + 1) * PAGE), page);
    }
  }

  finish(): void {
    this.#back.disconnect();
    expect(this.host.dom0.table.mappings).toBe(0);
  }
}

describe.each([BLOCK_ABI_64, BLOCK_ABI_32])("blkback beside its model, $name", (abi) => {
  it("answers every request as it, and changes no other octet of disk or memory", () => {
    const options = fc.record({
      era: fc.constantFrom<BlockModelOptions["era"]>("6.1", "6.1", "6.1", "2.6.18"),
      isReadonly: fc.integer({ min: 0, max: 5 }).map((chance) => chance === 0),
      canDiscard: fc.integer({ min: 0, max: 5 }).map((chance) => chance > 0),
      isPersistent: fc.boolean(),
    });
    fc.assert(
      fc.property(options, fc.array(batch, { maxLength: 12, size: "max" }), (said, batches) => {
        const isPersistent = said.isPersistent && said.era === "6.1";
        const run = new Run(abi, { ...said, isPersistent });
        for (const [index, requests] of batches.entries()) run.ask(requests, index + 10);
        run.finish();
      }),
      { numRuns: 60 },
    );
  });
});
