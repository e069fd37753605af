import { Worker } from "node:worker_threads";
import { rolldown } from "rolldown";
import { beforeAll, describe, expect, it } from "vitest";
import { DomainThread } from "../../../src/backend/domain-thread.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import { BLOCK_ABI_64 } from "../../../src/xen/io/blkif.ts";
import { Blkfront } from "../../../src/xen/io/blkfront.ts";
import { expectOctets } from "../../support/octets.ts";
import { type BlockHost, blockHost, diskOf, openPort } from "./block-stand.ts";
import { BlockWork, WORK_SECTORS } from "./block-work.ts";
import type { BootInfo } from "./block-worker.ts";

/** What a run leaves: the whole disk, and the domain's memory. */
interface Remains {
  readonly disk: Uint8Array;
  readonly memory: Uint8Array;
  readonly report: Report;
}

/** What the domU counted. */
interface Report {
  readonly ended: number;
  readonly failed: number;
  readonly wrong: number;
}

let program = "";

beforeAll(async () => {
  const build = await rolldown({ input: "test/xen/io/block-worker.ts", platform: "node" });
  const { output } = await build.generate({ format: "cjs" });
  await build.close();
  program = output[0].code;
});

function whole(disk: ReturnType<typeof diskOf>["disk"]): Uint8Array {
  const octets = new Uint8Array(WORK_SECTORS * 512);
  disk.read(0, octets);
  return octets;
}

/** The domU in this thread. */
function here(seed: number, total: number, depth: number): Remains {
  const host = blockHost(512, true);
  const domU = host.domain(1);
  const { memory, grants } = domU;
  const { disk, back } = diskOf(host, domU, { sectors: WORK_SECTORS });
  const port = openPort(host, domU);
  const front = new Blkfront({ memory, grants, handle: 2049, notifier: port });
  host.events.setHandler(1, port.number, front, 0);
  back.connect({ ringRef: front.ringRef, port: port.number, abi: BLOCK_ABI_64 }, 0);
  const work = new BlockWork(front, seed, total, depth);
  while (!work.isDone) work.step(0);
  const { ended, failed, wrong } = work;
  return { disk: whole(disk), memory: memory.bytes.slice(), report: { ended, failed, wrong } };
}

function messageOf<T>(worker: Worker): Promise<T> {
  return new Promise((resolve, reject) => {
    worker.once("message", (message: T) => resolve(message));
    worker.once("error", reject);
  });
}

function boot(host: BlockHost, doorbell: Doorbell, info: Partial<BootInfo>): Worker {
  const { memory, table } = host.domain(1);
  host.events.allocUnbound(1, 0);
  const { buffer } = memory.bytes;
  if (!(buffer instanceof SharedArrayBuffer)) throw new Error("the memory is shared");
  const sharedInfo = host.events.sharedInfo(1)?.gfn ?? -1;
  const fixed = { memory: buffer, taken: memory.allocated, sharedInfo, doorbell: doorbell.buffer };
  const workerData = { ...fixed, grantFrames: table.frames, ...info };
  return new Worker(program, { eval: true, workerData });
}

/** The domU in a thread of its own. */
async function elsewhere(seed: number, total: number, depth: number): Promise<Remains> {
  const host = blockHost(512, true);
  const doorbell = new Doorbell();
  const { events, tables } = host;
  const thread = new DomainThread({ events, domid: 1, doorbell, clock: () => 0 });
  const worker = boot(host, doorbell, { port: 1, seed, total, depth });
  const memory = tables.find(1)?.memory;
  if (memory === undefined) throw new Error("the domain is there");
  const ringRef = await messageOf<number>(worker);
  const table = tables.find(0);
  if (table === null) throw new Error("Dom0 is there");
  const { disk, back } = diskOf(host, { ...host.dom0, domid: 1 }, { sectors: WORK_SECTORS });
  thread.start();
  expect(back.connect({ ringRef, port: 1, abi: BLOCK_ABI_64 }, 0)).toBe(null);
  worker.postMessage("go", []);
  const { isLate, ...report } = await messageOf<Report & { isLate: boolean }>(worker);
  thread.stop();
  expect(isLate).toBe(false);
  return { disk: whole(disk), memory: memory.bytes.slice(), report };
}

describe("a domU in a worker thread", () => {
  it("leaves the same memory and disk as one of this thread, one request at a time", async () => {
    const expected = here(11, 200, 1);
    const found = await elsewhere(11, 200, 1);
    expect(expected.report).toEqual({ ended: 200, failed: 0, wrong: 0 });
    expect(found.report).toEqual(expected.report);
    expectOctets(found.disk, expected.disk);
    expectOctets(found.memory, expected.memory);
  });

  it.each([1, 2, 3])("reads what it wrote, 32 requests at a time, seed %i", async (seed) => {
    const expected = here(seed, 400, 32);
    const found = await elsewhere(seed, 400, 32);
    expect(found.report).toEqual({ ended: 400, failed: 0, wrong: 0 });
    expectOctets(found.disk, expected.disk);
  });
});
