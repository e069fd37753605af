/** Rings, events and grants: what a request costs on its way between two domains. @module */
import { MemoryDisk } from "../src/storage/block-device.ts";
import { DomainMemory } from "../src/xen/hypervisor/domain-memory.ts";
import {
  type EventBehaviour,
  EVENTS_3_1,
  EVENTS_4_17,
} from "../src/xen/hypervisor/event-behaviour.ts";
import { EventChannels } from "../src/xen/hypervisor/event-channels.ts";
import { GrantMap } from "../src/xen/hypervisor/grant-operations.ts";
import { GrantTables } from "../src/xen/hypervisor/grant-table.ts";
import { GuestGrants } from "../src/xen/hypervisor/guest-grants.ts";
import { Blkback } from "../src/xen/io/blkback.ts";
import { Blkfront } from "../src/xen/io/blkfront.ts";
import { BLOCK_ABI_64, BlockOp } from "../src/xen/io/blkif.ts";
import { BLOCKS_6 } from "../src/xen/io/block-behaviour.ts";
import { BackRing, FrontRing, initializeRing } from "../src/xen/io/shared-ring.ts";
import { type Case, type Figure, measure } from "./harness.ts";

/** One request of 12 octets there, its response back, both ends going to sleep in between. */
function ringRoundTrip(isShared: boolean): Case {
  const memory = new DomainMemory({ domid: 1, pages: 4, isShared });
  const gfn = memory.allocate();
  initializeRing(memory, gfn);
  const front = new FrontRing({ memory, gfn, entryOctets: 12 });
  const back = new BackRing({ memory, gfn, entryOctets: 12 });
  const { words } = memory;
  return {
    name: `ring: a request and its response${isShared ? ", shared memory" : ""}`,
    run: (count) => {
      for (let done = 0; done < count; done += 1) {
        const request = front.reserve() >> 2;
        words[request] = done;
        words[request + 1] = done;
        words[request + 2] = done;
        if (!front.push()) throw new Error("the back end sleeps");
        while (back.unconsumed !== 0) {
          const id = words[(back.take() >> 2) + 2] ?? 0;
          words[back.reserve() >> 2] = id;
        }
        const isAsked = back.push();
        if (!isAsked || back.finalCheck()) throw new Error("the front end sleeps");
        while (front.unconsumed !== 0) {
          if (words[front.take() >> 2] !== done) throw new Error("another answer");
        }
        if (front.finalCheck()) throw new Error("all is taken");
      }
    },
  };
}

/** A domU's event runs Dom0's handler. */
function eventSend(isShared: boolean, behaviour: EventBehaviour = EVENTS_3_1): Case {
  const events = new EventChannels(behaviour);
  const dom0 = new DomainMemory({ domid: 0, pages: 4, isShared });
  const domU = new DomainMemory({ domid: 1, pages: 4, isShared });
  events.create({ memory: dom0, isPrivileged: true });
  events.create({ memory: domU });
  events.startKernel(0);
  const port = events.allocUnbound(1, 0);
  const peer = events.bindInterdomain(0, 1, port);
  let heard = 0;
  events.setHandler(0, peer, { upcall: () => void (heard += 1) }, 0);
  heard = 0;
  const sender = events.portOf(1, port);
  const shape = behaviour.hasFifo ? ", FIFO" : "";
  return {
    name: `event: sent and handled${shape}${isShared ? ", shared memory" : ""}`,
    run: (count) => {
      heard = 0;
      for (let done = 0; done < count; done += 1) sender?.notify(done);
      if (heard !== count) throw new Error("each send is handled");
    },
  };
}

function grantedDomain(): {
  ref: number;
  dom0: ReturnType<GrantTables["create"]>;
  of: GrantTables;
} {
  const tables = new GrantTables();
  const memory = new DomainMemory({ domid: 1, pages: 16 });
  const table = tables.create(memory);
  const dom0 = tables.create(new DomainMemory({ domid: 0, pages: 16 }));
  return { ref: new GuestGrants(memory, table.frames).grant(0, 12, false), dom0, of: tables };
}

function grantCheck(): Case {
  const { ref, of } = grantedDomain();
  const table = of.find(1);
  return {
    name: "grant: checked for a copy",
    run: (count) => {
      for (let done = 0; done < count; done += 1) {
        if (table?.frameFor(ref, 0, true) !== 12) throw new Error("it is granted");
      }
    },
  };
}

function grantMap(): Case {
  const { ref, dom0 } = grantedDomain();
  return {
    name: "grant: mapped and unmapped",
    run: (count) => {
      for (let done = 0; done < count; done += 1) {
        const handle = dom0.map(1, ref, GrantMap.host);
        if (handle < 0 || dom0.unmap(handle) !== 0) throw new Error("it is granted");
      }
    },
  };
}

/** Reads or writes of `octets` octets through rings, grants and events to a disk in memory. */
function blockRequests(octets: number, isWrite: boolean): Case {
  const tables = new GrantTables();
  const events = new EventChannels();
  const memory = new DomainMemory({ domid: 1, pages: 64 });
  const dom0 = new DomainMemory({ domid: 0, pages: 16 });
  events.create({ memory: dom0, isPrivileged: true });
  events.create({ memory });
  const table = tables.create(memory);
  const port = events.allocUnbound(1, 0);
  const notifier = events.portOf(1, port) ?? { notify: () => undefined };
  const grants = new GuestGrants(memory, table.frames);
  const front = new Blkfront({ memory, grants, handle: 2049, notifier });
  events.setHandler(1, port, front, 0);
  const disk = new MemoryDisk({ sectors: 65_536 });
  const dom0Grants = tables.create(dom0);
  const back = new Blkback({ disk, frontend: 1, grants: dom0Grants, events, behaviour: BLOCKS_6 });
  back.connect({ ringRef: front.ringRef, port, abi: BLOCK_ABI_64 }, 0);
  let done = 0;
  const request = {
    operation: isWrite ? BlockOp.write : BlockOp.read,
    sector: 0,
    octets: new Uint8Array(octets),
    completion: { completed: (status: number) => void (done += status === 0 ? 1 : 0) },
  };
  return {
    name: `block ${isWrite ? "writes" : "reads"} of ${octets / 1024} KiB`,
    run: (count) => {
      done = 0;
      for (let asked = 0; asked < count; asked += 1) {
        front.submit({ ...request, sector: (asked * 88) % 65_448 }, asked);
      }
      if (done !== count) throw new Error("each request is answered");
    },
  };
}

/** Measure all, and say it as so many a second. */
export function measureRings(): string {
  const figures = measure([
    ringRoundTrip(false),
    ringRoundTrip(true),
    eventSend(false),
    eventSend(true),
    eventSend(false, EVENTS_4_17),
    grantCheck(),
    grantMap(),
    blockRequests(4096, false),
    blockRequests(4096, true),
    blockRequests(45_056, false),
    blockRequests(45_056, true),
  ]);
  const row = ({ name, nanoseconds, octets }: Figure): string =>
    `| ${name} | ${thousands(1e9 / nanoseconds)} | ${nanoseconds.toFixed(0)} | ${octets.toFixed(0)} |`;
  return [
    "| between two domains, one thread | a second | ns | octets allocated |",
    "| --- | --- | --- | --- |",
    ...figures.map(row),
  ].join("\n");
}

/** Three digits count, the rest is noise. */
function thousands(rate: number): string {
  return Number(rate.toPrecision(3)).toLocaleString("en");
}
