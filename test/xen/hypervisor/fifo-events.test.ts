import { describe, expect, it } from "vitest";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Errno } from "../../../src/xen/hypervisor/errno.ts";
import { EVENTS_4_17 } from "../../../src/xen/hypervisor/event-behaviour.ts";
import { EventChannels } from "../../../src/xen/hypervisor/event-channels.ts";
import { PortState } from "../../../src/xen/hypervisor/event-port.ts";
import { Hypervisor } from "../../../src/xen/hypervisor/hypervisor.ts";

const PENDING = 0x8000_0000;
const MASKED = 0x4000_0000;
const LINKED = 0x2000_0000;
const BUSY = 0x1000_0000;

/** Domain 1 in the FIFO shape, its kernel elsewhere; Dom0 rings it. */
function host({ isShared = false, vcpus = 2, pages = 1 } = {}) {
  const events = new EventChannels(EVENTS_4_17);
  events.create({ memory: new DomainMemory({ domid: 0, pages: 8 }), isPrivileged: true });
  const memory = new DomainMemory({ domid: 1, pages: 160, isShared });
  const info = events.create({ memory, vcpus });
  let signals = 0;
  events.setSignal(1, { raise: () => void (signals += 1) });
  const control = Array.from({ length: vcpus }, () => memory.allocate());
  const array = Array.from({ length: pages }, () => memory.allocate());
  const at = (port: number): number => ((array[port >> 10] ?? 0) << 10) + (port & 1023);
  const word = (port: number): number => (memory.words[at(port)] ?? 0) >>> 0;
  const poke = (port: number, value: number): void => void (memory.words[at(port)] = value);
  const head = (vcpu: number, priority: number): number =>
    memory.words[((control[vcpu] ?? 0) << 10) + 2 + priority] ?? 0;
  const ready = (vcpu: number): number => memory.words[(control[vcpu] ?? 0) << 10] ?? 0;
  const start = (): void => {
    control.forEach((gfn, vcpu) => events.initControl(1, { vcpu, gfn, offset: 0 }));
    for (const gfn of array) events.expandArray(1, gfn, 0);
  };
  /** A port of the domain's, and Dom0's end of it. */
  const channel = (): { port: number; ring: () => void } => {
    const port = events.allocUnbound(1, 0);
    const sender = events.bindInterdomain(0, 1, port);
    return { port, ring: () => void events.send(0, sender, 0) };
  };
  const signalled = (): number => signals;
  return {
    events,
    memory,
    info,
    control,
    array,
    word,
    poke,
    head,
    ready,
    start,
    channel,
    signalled,
  };
}

describe.each([
  ["plain", false],
  ["shared", true],
])("FIFO events in %s memory", (_, isShared) => {
  it("are linked from the head to the tail, each once", () => {
    const { start, channel, word, head, ready, signalled } = host({ isShared });
    start();
    const all = [channel(), channel(), channel()];
    for (const { ring } of [...all, ...all]) ring();
    expect(all.map(({ port }) => word(port))).toEqual([
      PENDING + LINKED + 2,
      PENDING + LINKED + 3,
      PENDING + LINKED,
    ]);
    expect([head(0, 7), ready(0), signalled()]).toEqual([1, 1 << 7, 1]);
  });

  it("stand in the queue of their priority and processor from the next event on", () => {
    const { events, start, channel, word, poke, head, ready, signalled } = host({ isShared });
    start();
    const [one, two] = [channel(), channel()];
    one.ring();
    two.ring();
    expect(events.setPriority(1, 1, 0)).toBe(0);
    expect(events.bindVcpu(1, 1, 1)).toBe(0);
    one.ring();
    expect([head(0, 7), head(1, 0), ready(1)]).toEqual([1, 0, 0]);
    // The kernel takes both: no queue has them any more.
    poke(1, 0);
    poke(2, 0);
    one.ring();
    expect([word(1), head(1, 0), ready(1), signalled()]).toEqual([PENDING + LINKED, 1, 1, 2]);
    // Port 2 was the old queue's tail still, and is unlinked: it begins the queue anew.
    two.ring();
    expect([word(2), head(0, 7), word(1)]).toEqual([PENDING + LINKED, 2, PENDING + LINKED]);
  });

  it("leave the queue whose tail they were when they move, so that nobody follows them", () => {
    const { events, start, channel, word, poke, head } = host({ isShared });
    start();
    const [one, two] = [channel(), channel()];
    one.ring();
    poke(1, 0);
    events.setPriority(1, 1, 3);
    one.ring();
    two.ring();
    // Port 1 is linked, but in queue 3.
    expect([word(1), head(0, 3), head(0, 7)]).toEqual([PENDING + LINKED, 1, 2]);
  });

  it("wait while a port is masked, and come by Xen's unmasking", () => {
    const { events, start, channel, word, poke, ready, signalled } = host({ isShared });
    start();
    const { ring } = channel();
    poke(1, MASKED);
    ring();
    expect([word(1), ready(0)]).toEqual([PENDING + MASKED, 0]);
    expect(events.unmask(1, 1, 0)).toBe(0);
    expect([word(1), ready(0), signalled()]).toEqual([PENDING + LINKED, 1 << 7, 1]);
  });

  it("go on behind a link that was not written whole: its busy bit goes with the link", () => {
    const { start, channel, word, poke } = host({ isShared });
    start();
    const [one, two] = [channel(), channel()];
    one.ring();
    poke(1, PENDING + LINKED + BUSY + 77);
    two.ring();
    expect(word(1)).toBe(PENDING + LINKED + 2);
  });
});

describe("A domain's move to the FIFO shape", () => {
  it("brings what is pending with it, once its port has a word", () => {
    const { events, memory, info, control, array, word, channel } = host();
    const { port, ring } = channel();
    ring();
    expect(memory.words[(info << 10) + 512]).toBe(1 << port);
    expect(events.initControl(1, { vcpu: 0, gfn: control[0] ?? 0, offset: 0 })).toBe(0);
    memory.words.fill(MASKED, (array[0] ?? 0) << 10, ((array[0] ?? 0) + 1) << 10);
    expect(events.expandArray(1, array[0] ?? 0, 0)).toBe(0);
    expect(word(port)).toBe(PENDING + MASKED);
    expect(memory.words[(info << 10) + 512]).toBe(1 << port);
  });

  it("is refused with Xen's errors", () => {
    const { events, control, array } = host();
    const [gfn = 0] = control;
    const place = { vcpu: 0, gfn, offset: 0 };
    expect(new EventChannels().initControl(1, place)).toBe(Errno.ESRCH);
    expect(events.setPriority(1, 1, 0)).toBe(Errno.ENOSYS);
    expect(events.setPriority(1, 64, 0)).toBe(Errno.EINVAL);
    expect(events.expandArray(1, array[0] ?? 0, 0)).toBe(Errno.EOPNOTSUPP);
    expect(events.initControl(1, { ...place, vcpu: 2 })).toBe(Errno.ENOENT);
    for (const offset of [4, 4028, 4032]) {
      expect(events.initControl(1, { ...place, offset })).toBe(Errno.EINVAL);
    }
    expect(events.initControl(1, { ...place, gfn: 160 })).toBe(Errno.EINVAL);
    expect(events.initControl(1, { ...place, offset: 4024 })).toBe(0);
    expect(events.initControl(1, place)).toBe(Errno.EINVAL);
    expect(events.expandArray(1, 160, 0)).toBe(Errno.EINVAL);
    expect(events.allocUnbound(1, 0)).toBe(1);
    expect(events.setPriority(1, 1, 16)).toBe(Errno.EINVAL);
    expect(events.setPriority(1, 1, 15)).toBe(0);
    expect(events.setPriority(1, 64, 0)).toBe(Errno.EINVAL);
    for (const free of [0, 63]) expect(events.setPriority(1, free, 0)).toBe(Errno.EACCES);
    for (let page = 0; page < 128; page += 1) expect(events.expandArray(1, 3, 0)).toBe(0);
    expect(events.expandArray(1, 3, 0)).toBe(Errno.ENOSPC);
  });

  it("is not to be had of Xen 3.1", () => {
    const events = new EventChannels();
    events.create({ memory: new DomainMemory({ domid: 1, pages: 4 }) });
    expect(events.initControl(1, { vcpu: 0, gfn: 1, offset: 0 })).toBe(Errno.ENOSYS);
    expect(events.expandArray(1, 1, 0)).toBe(Errno.ENOSYS);
    expect(events.setPriority(1, 1, 1)).toBe(Errno.ENOSYS);
    expect(events.startKernel(1)).toBeNull();
  });

  it("ends with a reset, by another only while it is paused", () => {
    const { events, start, channel } = host();
    start();
    const { port } = channel();
    expect(events.reset(1, 0)).toBe(Errno.EINVAL);
    events.setRunnable(1, false, 0);
    expect(events.reset(1, 0)).toBe(0);
    expect(events.status(1, port)).toMatchObject({ state: PortState.closed });
    expect(events.expandArray(1, 3, 0)).toBe(Errno.EOPNOTSUPP);
  });
});

describe("Ports in the FIFO shape", () => {
  it("are free again only when the domain has taken them out of their queue", () => {
    const { events, start, channel, poke, word } = host();
    start();
    const { port, ring } = channel();
    ring();
    events.close(1, port);
    expect(word(port)).toBe(LINKED);
    expect(events.allocUnbound(1, 0)).toBe(port + 1);
    poke(port, 0);
    expect(events.allocUnbound(1, 0)).toBe(port);
  });

  it("are as many as a toolstack lets a domain have: 1,023 of a domU, 131,071 of Dom0", () => {
    const hypervisor = new Hypervisor(EVENTS_4_17);
    const { events } = hypervisor;
    hypervisor.createDomain({ domid: 1, pages: 64 });
    events.startKernel(1);
    for (let port = 1; port <= 1023; port += 1) expect(events.allocUnbound(1, 0)).toBe(port);
    expect(events.allocUnbound(1, 0)).toBe(Errno.ENOSPC);
    for (let port = 1; port <= 6000; port += 1) events.allocUnbound(0, 1);
    expect(events.allocUnbound(0, 1)).toBe(6001);
    const { memory } = hypervisor.dom0;
    const before = memory.allocated;
    expect(events.setUpPort(0, 131_071, 0)).toBe(0);
    expect(memory.allocated - before).toBe(128);
  });
});

describe("A current kernel of this thread", () => {
  it("takes events in the order of their queues, priorities first", () => {
    const hypervisor = new Hypervisor(EVENTS_4_17);
    const { events } = hypervisor;
    const { memory } = hypervisor.createDomain({ domid: 1, pages: 64 });
    events.startKernel(1);
    const heard: number[] = [];
    const senders = [0, 1, 2, 3].map(() => {
      const port = events.allocUnbound(1, 0);
      const sender = events.bindInterdomain(0, 1, port);
      events.setHandler(1, port, { upcall: () => void heard.push(port) }, 0);
      return sender;
    });
    events.setPriority(1, 3, 2);
    events.setRunnable(1, false, 0);
    for (const sender of [4, 2, 3, 1]) events.send(0, senders[sender - 1] ?? 0, 0);
    expect(heard).toEqual([]);
    events.setRunnable(1, true, 0);
    expect(heard).toEqual([3, 4, 2, 1]);
    const array = memory.allocated - 1;
    const control = array - 1;
    expect(memory.words.subarray(array << 10, (array << 10) + 5)).toEqual(
      Int32Array.of(MASKED, 0, 0, 0, 0),
    );
    expect(memory.words[control << 10]).toBe(0);
  });
});
