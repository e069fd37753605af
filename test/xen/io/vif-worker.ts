/** A domU with a vif in a worker thread: its kernel is here, and nothing else. @module */
import { parentPort, workerData } from "node:worker_threads";
import { sleepUntilEvent } from "../../../src/backend/domain-thread.ts";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Doorbell } from "../../../src/xen/hypervisor/doorbell.ts";
import type { FifoFrames } from "../../../src/xen/hypervisor/fifo-kernel.ts";
import { GuestEvents } from "../../../src/xen/hypervisor/guest-events.ts";
import { GuestGrants } from "../../../src/xen/hypervisor/guest-grants.ts";
import { EchoGuest } from "./echo-guest.ts";

/** What the host's thread hands over when it starts the domain. */
export interface VifBootInfo {
  readonly memory: SharedArrayBuffer;
  /** Frames that the host allocated before. */
  readonly taken: number;
  readonly sharedInfo: number;
  /** `null`: events in the two-level shape. */
  readonly fifo: FifoFrames | null;
  readonly grantFrames: readonly number[];
  readonly doorbell: SharedArrayBuffer;
  readonly port: number;
  /** Frames to be echoed. */
  readonly total: number;
}

const boot = workerData as VifBootInfo;
const memory = new DomainMemory({ domid: 1, buffer: boot.memory, taken: boot.taken });
const doorbell = new Doorbell(boot.doorbell);
const events = new GuestEvents({ memory, gfn: boot.sharedInfo, doorbell, fifo: boot.fifo });
const notifier = events.notifierOf(boot.port);
const guest = new EchoGuest(new GuestGrants(memory, boot.grantFrames));
const { netfront } = guest;
const port = { number: boot.port, notify: (now: number): void => notifier.notify(now) };
const announcement = netfront.open(port, null);
events.setHandler(boot.port, netfront);

parentPort?.on("message", () => {
  netfront.start(0);
  guest.greet(0);
  let isLate = false;
  while (guest.received < boot.total && !isLate) {
    const seen = Atomics.load(doorbell.words, doorbell.toGuest);
    if (!events.dispatch(0)) isLate = !sleepUntilEvent(doorbell, seen, 10_000);
  }
  parentPort?.postMessage({ received: guest.received, isLate }, []);
  parentPort?.close();
});
parentPort?.postMessage(announcement, []);
