/** A domU in a worker thread: its kernel stands here, and nothing else of the host. @module */
import { parentPort, workerData } from "node:worker_threads";
import { sleepUntilEvent } from "../../../src/backend/domain-thread.ts";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import { GuestEvents } from "../../../src/xen/hypervisor/guest-events.ts";
import { GuestGrants } from "../../../src/xen/hypervisor/guest-grants.ts";
import { Blkfront } from "../../../src/xen/io/blkfront.ts";
import { BlockWork } from "./block-work.ts";

/** What the host's thread hands over when it starts the domain. */
export interface BootInfo {
  readonly memory: SharedArrayBuffer;
  /** Frames that the host allocated before. */
  readonly taken: number;
  readonly sharedInfo: number;
  readonly grantFrames: readonly number[];
  readonly doorbell: SharedArrayBuffer;
  readonly port: number;
  readonly seed: number;
  readonly total: number;
  readonly depth: number;
}

const boot = workerData as BootInfo;
const memory = new DomainMemory({ domid: 1, buffer: boot.memory, taken: boot.taken });
const grants = new GuestGrants(memory, boot.grantFrames);
const doorbell = new Doorbell(boot.doorbell);
const events = new GuestEvents({ memory, gfn: boot.sharedInfo, doorbell });
const notifier = events.notifierOf(boot.port);
const front = new Blkfront({ memory, grants, handle: 2049, notifier });
events.setHandler(boot.port, front);
const work = new BlockWork(front, boot.seed, boot.total, boot.depth);

parentPort?.on("message", () => {
  let isLate = false;
  while (!work.isDone && !isLate) {
    const seen = Atomics.load(doorbell.words, doorbell.toGuest);
    work.step(0);
    if (!events.dispatch(0)) isLate = !sleepUntilEvent(doorbell, seen, 10_000);
  }
  const { ended, failed, wrong } = work;
  parentPort?.postMessage({ ended, failed, wrong, isLate }, []);
  parentPort?.close();
});
parentPort?.postMessage(front.ringRef, []);
