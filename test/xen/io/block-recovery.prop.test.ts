/** What a domU asked of its disk and had no answer for, when it goes on elsewhere. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type BlockDevice, DiskStatus, MemoryDisk } from "../../../src/storage/block-device.ts";
import { Blkback } from "../../../src/xen/io/blkback.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { Blkfront, type BlockRequest } from "../../../src/xen/io/blkfront.ts";
import { BLOCK_ABI_64, BlockOp, BlockStatus } from "../../../src/xen/io/blkif.ts";
import { type BlockHost, blockHost, openPort } from "./block-stand.ts";

const SECTORS = 64;
const SLOTS = 32;
const { read, write, discard, flush } = BlockOp;

/** A disk that notes what reaches it. */
class Noted implements BlockDevice {
  readonly sectors = SECTORS;
  readonly isReadonly = false;
  readonly discardUnit = new MemoryDisk({ sectors: 1 }).discardUnit;
  readonly log: string[] = [];
  readonly #disk = new MemoryDisk({ sectors: SECTORS });

  read(sector: number, into: Uint8Array): DiskStatus {
    this.log.push(`read ${sector}`);
    return this.#disk.read(sector, into);
  }

  write(sector: number, from: Uint8Array): DiskStatus {
    this.log.push(`write ${sector} ${from[0]}`);
    return this.#disk.write(sector, from);
  }

  discard(sector: number, count: number): DiskStatus {
    this.log.push(`discard ${sector} ${count}`);
    return this.#disk.discard(sector, count);
  }

  flush(): DiskStatus {
    this.log.push("flush");
    return this.#disk.flush();
  }
}

/** What the model knows of a request. */
interface Asked {
  readonly request: BlockRequest;
  readonly text: string;
  answers: number;
  readonly expected: number;
}

/** The front end's list of requests, as a list: the id that was freed last is used next. */
class ShadowList {
  #free: readonly number[] = Array.from({ length: SLOTS }, (_, id) => id);
  readonly #used = new Map<number, Asked>();
  waiting: readonly Asked[] = [];

  place(asked: Asked): void {
    const [id, ...free] = this.#free;
    if (id === undefined || this.waiting.length > 0) this.waiting = [...this.waiting, asked];
    else {
      this.#free = free;
      this.#used.set(id, asked);
    }
  }

  answered(asked: Asked): void {
    for (const [id, one] of this.#used) {
      if (one !== asked) continue;
      this.#used.delete(id);
      this.#free = [id, ...this.#free];
    }
  }

  /** What waited has its place once answers were taken. */
  drain(): void {
    const { waiting } = this;
    this.waiting = [];
    for (const asked of waiting) this.place(asked);
  }

  get placed(): readonly Asked[] {
    return [...this.#used].sort(([left], [right]) => left - right).map(([, asked]) => asked);
  }
}

type Step =
  | { readonly does: "ask"; readonly kind: number; readonly sector: number; readonly fill: number }
  | { readonly does: "serve" | "hear" | "restore" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      does: fc.constant("ask"),
      kind: fc.nat(9),
      sector: fc.nat(SECTORS - 1),
      fill: fc.nat(255),
    }),
  },
  { weight: 3, arbitrary: fc.record({ does: fc.constantFrom("serve", "hear") }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant("restore") }) },
);

describe.each([
  ["2.6.18", BLOCKS_2618],
  ["a current kernel", BLOCKS_6],
] as const)("a disk of %s whose domain is restored", (_, behaviour) => {
  /** Domains one after the other, each with what the last one left unanswered. */
  class Run {
    readonly host: BlockHost = blockHost(256);
    readonly disk = new Noted();
    readonly asked: Asked[] = [];
    list = new ShadowList();
    #domid = 1;
    #front: Blkfront;
    #back: Blkback;

    constructor() {
      [this.#front, this.#back] = this.#connect();
    }

    #connect(): [Blkfront, Blkback] {
      const domU = this.host.domain(this.#domid);
      const { memory, grants } = domU;
      const port = openPort(this.host, domU);
      const abi = BLOCK_ABI_64;
      const front = new Blkfront({ memory, grants, handle: 2049, abi, notifier: port, behaviour });
      this.host.events.setHandler(this.#domid, port.number, front, 0);
      const { dom0, events } = this.host;
      const { disk } = this;
      const back = new Blkback({
        disk,
        frontend: this.#domid,
        grants: dom0.table,
        events,
        behaviour,
      });
      // Neither domain runs but when a step says so.
      events.setRunnable(0, false, 0);
      events.setRunnable(this.#domid, false, 0);
      const wrong = back.connect({ ringRef: front.ringRef, port: port.number, abi }, 0);
      if (wrong !== null) throw new Error(wrong);
      front.negotiate({
        isPersistent: false,
        indirectSegments: 0,
        discard: { ...disk.discardUnit, isSecure: false },
      });
      return [front, back];
    }

    ask({ kind, sector, fill }: Extract<Step, { does: "ask" }>): void {
      const operation = [read, read, read, discard, flush][kind] ?? write;
      const sectors = Math.min(1 + (fill % 5), SECTORS - sector);
      const octets = new Uint8Array(operation === read || operation === write ? 512 : 0).fill(fill);
      const words = new Map<number, string>([
        [read, `read ${sector}`],
        [write, `write ${sector} ${fill}`],
        [flush, behaviour.hasFlush ? "flush" : ""],
        [discard, behaviour.hasDiscard ? `discard ${sector} ${sectors}` : ""],
      ]);
      const text = words.get(operation) ?? "";
      // Blkfront itself refuses what it does not offer.
      const isRefused = operation === discard && !behaviour.hasDiscard;
      const refusal = isRefused ? BlockStatus.notSupported : BlockStatus.error;
      const one: Asked = {
        request: {
          operation,
          sector,
          octets,
          sectors,
          completion: {
            completed: (status) => {
              expect(status).toBe(text === "" ? refusal : BlockStatus.okay);
              one.answers += 1;
              this.list.answered(one);
            },
          },
        },
        text,
        answers: 0,
        expected: fill,
      };
      this.asked.push(one);
      if (!isRefused) this.list.place(one);
      expect(this.#front.submit(one.request, 0)).toBe(true);
    }

    /** Dom0 runs for a while: it serves what it was told of. */
    serve(): void {
      this.host.events.setRunnable(0, true, 0);
      this.host.events.setRunnable(0, false, 0);
    }

    /** The domain runs for a while: it takes answers, and asks for what waited. */
    hear(): void {
      this.host.events.setRunnable(this.#domid, true, 0);
      this.list.drain();
      this.host.events.setRunnable(this.#domid, false, 0);
    }

    restore(): void {
      const { placed, waiting } = this.list;
      const left = this.#front.suspend();
      expect(left.placed).toEqual(placed.map(({ request }) => request));
      expect(left.queued).toEqual(waiting.map(({ request }) => request));
      this.#back.disconnect();
      this.host.tables.destroy(this.#domid);
      this.host.events.destroy(this.#domid);
      this.#domid += 1;
      [this.#front, this.#back] = this.#connect();
      const isData = ({ request: { operation } }: Asked): boolean =>
        operation === read || operation === write;
      const again =
        behaviour.recovery === "shadow"
          ? [...placed, ...waiting]
          : [
              ...placed.filter((one) => isData(one)),
              ...waiting,
              ...placed.filter((one) => !isData(one)).toReversed(),
            ];
      this.list = new ShadowList();
      for (const one of again) this.list.place(one);
      this.#front.recover(left, 0);
      const before = this.disk.log.length;
      const { placed: first } = this.list;
      this.serve();
      const done = first.map(({ text }) => text).filter((text) => text !== "");
      expect(this.disk.log.slice(before)).toEqual(done);
    }

    finish(): void {
      for (let round = 0; round < 100; round += 1) {
        this.serve();
        this.hear();
      }
    }
  }

  it("does again, in its kernel's order, what had no answer, and answers everything once", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150, size: "max" }), (steps) => {
        const run = new Run();
        const acknowledged = new Set<Asked>();
        for (const one of steps) {
          if (one.does === "ask") run.ask(one);
          else run[one.does]();
          for (const asked of run.asked) {
            if (asked.answers === 0 || acknowledged.has(asked)) continue;
            acknowledged.add(asked);
            // Whatever was acknowledged has reached the disk by then.
            if (asked.text !== "") expect(run.disk.log).toContain(asked.text);
          }
        }
        run.finish();
        expect(run.asked.every(({ answers }) => answers === 1)).toBe(true);
        // The disk is what its log makes of it, and no write got lost.
        const content = new Uint8Array(SECTORS);
        for (const line of run.disk.log) {
          const [what, sector, fill] = line.split(" ");
          const at = Number(sector);
          if (what === "write") content[at] = Number(fill);
          if (what === "discard") content.fill(0, at, at + Number(fill));
        }
        const octets = new Uint8Array(512);
        for (let sector = 0; sector < SECTORS; sector += 1) {
          expect(run.disk.read(sector, octets)).toBe(DiskStatus.okay);
          expect(octets[0]).toBe(content[sector]);
        }
        for (const { text } of run.asked) if (text !== "") expect(run.disk.log).toContain(text);
      }),
      { numRuns: 40 },
    );
  });
});
