import { describe, expect, it } from "vitest";
import { DOMID_SELF, DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { Errno } from "../../../src/xen/hypervisor/errno.ts";
import { EventChannels, Virq } from "../../../src/xen/hypervisor/event-channels.ts";
import { PortState } from "../../../src/xen/hypervisor/event-port.ts";

function host({ isShared = false, is32Bit = false } = {}) {
  const events = new EventChannels();
  const domain = (domid: number, vcpus = 1) => {
    const memory = new DomainMemory({ domid, pages: 8, isShared });
    memory.allocate();
    const gfn = events.create({ memory, isPrivileged: domid === 0, vcpus, is32Bit });
    const bit = (octet: number, port: number): number =>
      ((memory.bytes[gfn * 4096 + octet + (port >> 3)] ?? 0) >> (port & 7)) & 1;
    return { memory, gfn, bit };
  };
  const heard: string[] = [];
  const listen = (domid: number, port: number, then?: () => void): number =>
    events.setHandler(
      domid,
      port,
      {
        upcall: (now) => {
          heard.push(`${domid}:${port}@${now}`);
          then?.();
        },
      },
      5,
    );
  /** A channel from a port of domain 1 to one of Dom0. */
  const channel = (): [number, number] => {
    const port = events.allocUnbound(1, 0);
    return [port, events.bindInterdomain(0, 1, port)];
  };
  return { events, dom0: domain(0), one: domain(1, 2), two: domain(2), heard, listen, channel };
}

describe.each([
  ["plain", false],
  ["shared", true],
])("events in %s memory", (_, isShared) => {
  it.each([
    ["64", false, 2560, 8],
    ["32", true, 2176, 4],
  ])("stand where the %s-bit page has them", (__, is32Bit, mask, selector) => {
    const { events, one, heard, listen } = host({ isShared, is32Bit });
    for (let port = 1; port < 70; port += 1) events.allocUnbound(1, 0);
    const mine = events.allocUnbound(1, 0);
    const [last] = [events.allocUnbound(1, 1), mine];
    const sender = events.bindInterdomain(0, 1, mine);
    expect([mine, last, one.bit(mask, 70), one.bit(2048, 70)]).toEqual([70, 71, 1, 0]);
    expect(events.send(0, sender, 9)).toBe(0);
    expect([one.bit(2048, 70), one.bit(selector, 70 >> (is32Bit ? 5 : 6))]).toEqual([1, 0]);
    events.setSignal(1, { raise: () => heard.push("signal") });
    expect(events.unmask(1, 70, 9)).toBe(0);
    expect([one.bit(2048, 70), one.bit(mask, 70)]).toEqual([1, 0]);
    expect(one.bit(selector, 70 >> (is32Bit ? 5 : 6))).toBe(1);
    expect(one.bit(0, 0)).toBe(1);
    events.send(0, sender, 9);
    expect(heard).toEqual(["signal"]);
    events.setSignal(1, null);
    events.setRunnable(1, true, 10);
    expect(one.bit(mask, 70)).toBe(1);
    listen(1, 70);
    expect(heard).toEqual(["signal", "1:70@5"]);
    expect([one.bit(2048, 70), one.bit(mask, 70), one.bit(0, 0)]).toEqual([0, 0, 0]);
    expect(one.bit(selector, 70 >> (is32Bit ? 5 : 6))).toBe(0);
  });

  it("come once for many sends while nobody looks", () => {
    const { events, one, heard, listen, channel } = host({ isShared });
    const [port, sender] = channel();
    listen(1, port);
    events.setRunnable(1, false, 0);
    for (let count = 0; count < 3; count += 1) events.send(0, sender, 6);
    expect([heard.length, one.bit(2048, port)]).toEqual([0, 1]);
    events.setRunnable(1, true, 7);
    expect(heard).toEqual([`1:${port}@7`]);
    events.send(0, sender, 8);
    expect(heard).toEqual([`1:${port}@7`, `1:${port}@8`]);
  });
});

describe("EventChannels", () => {
  it("leaves a port that was bound pending at once", () => {
    const { dom0, heard, listen, channel } = host();
    const [, sender] = channel();
    expect(dom0.bit(2048, sender)).toBe(1);
    listen(0, sender);
    expect([heard, dom0.bit(2048, sender)]).toEqual([[`0:${sender}@5`], 0]);
  });

  it("drops what is sent to an unbound peer", () => {
    const { events, one, channel } = host();
    const [port, sender] = channel();
    expect(events.close(1, port)).toBe(0);
    expect(events.send(0, sender, 1)).toBe(0);
    expect(one.bit(2048, port)).toBe(0);
    expect(events.status(0, sender)).toMatchObject({ state: PortState.unbound, remoteDomid: 1 });
    expect(events.send(1, port, 1)).toBe(Errno.EINVAL);
    expect(events.bindInterdomain(1, 0, sender)).toBe(port);
    expect(events.status(1, port)).toMatchObject({
      state: PortState.interdomain,
      remotePort: sender,
    });
  });

  it("answers what is wrong with Xen's errors", () => {
    const { events } = host();
    const port = events.allocUnbound(1, 2);
    expect(events.bindInterdomain(0, 1, port)).toBe(Errno.EINVAL);
    expect(events.bindInterdomain(2, 1, 127)).toBe(Errno.EINVAL);
    expect(events.bindInterdomain(2, 1, 128)).toBe(Errno.EINVAL);
    expect(events.bindInterdomain(2, 9, port)).toBe(Errno.ESRCH);
    expect(events.bindInterdomain(2, 1, port)).toBe(1);
    expect(events.bindInterdomain(2, 1, port)).toBe(Errno.EINVAL);
    expect(events.allocUnbound(1, 0, 2)).toBe(Errno.EPERM);
    expect(events.allocUnbound(9, 0, 0)).toBe(Errno.ESRCH);
    expect(events.allocUnbound(1, 0, 0)).toBe(2);
    expect(events.bindPirq(1, 9)).toBe(Errno.EPERM);
    expect(events.bindPirq(1, 256)).toBe(Errno.EINVAL);
    expect(events.bindPirq(0, 9)).toBe(Errno.EINVAL);
    expect(events.send(1, 3, 0)).toBe(Errno.EINVAL);
    expect(events.send(1, 0, 0)).toBe(Errno.EINVAL);
    expect(events.close(1, 0)).toBe(Errno.EINVAL);
    expect(events.send(9, 1, 0)).toBe(Errno.ESRCH);
    expect(events.unmask(1, 128, 0)).toBe(Errno.EINVAL);
    expect(events.status(1, 128)).toBe(Errno.EINVAL);
    expect(events.status(1, 5)).toMatchObject({ state: PortState.closed });
    expect(events.status(1, port, 2)).toBe(Errno.EPERM);
    expect(events.status(1, port, 0)).toMatchObject({ state: PortState.interdomain });
    expect(events.reset(1, 2)).toBe(Errno.EPERM);
  });

  it("binds an interrupt once, and those of the whole domain to processor 0 only", () => {
    const { events, heard, listen } = host();
    const port = events.bindVirq(1, Virq.timer, 1);
    expect(port).toBe(1);
    expect(events.bindVirq(1, Virq.timer, 1)).toBe(Errno.EEXIST);
    expect(events.bindVirq(1, Virq.domExc, 1)).toBe(Errno.EINVAL);
    expect(events.bindVirq(1, 24)).toBe(Errno.EINVAL);
    expect(events.bindVirq(1, Virq.timer, 2)).toBe(Errno.ENOENT);
    expect(events.status(1, port)).toMatchObject({ state: PortState.virq, virq: 0, vcpu: 1 });
    expect(events.bindVcpu(1, port, 0)).toBe(Errno.EINVAL);
    listen(1, port);
    events.raiseVirq(1, Virq.timer, 4, 1);
    events.raiseVirq(1, Virq.timer, 4, 0);
    expect(heard).toEqual([`1:${port}@4`]);
    expect(events.send(1, port, 0)).toBe(Errno.EINVAL);
    events.close(1, port);
    expect(events.bindVirq(1, Virq.timer, 1)).toBe(port);
  });

  it("tells Dom0 of a domain's end by VIRQ_DOM_EXC, on the processor it chose", () => {
    const { events, heard, listen } = host();
    const port = events.bindVirq(0, Virq.domExc);
    listen(0, port);
    events.raiseVirq(0, Virq.domExc, 3);
    expect(heard).toEqual([`0:${port}@3`]);
    expect(events.bindVcpu(0, port, 0)).toBe(0);
    expect(events.bindVcpu(0, port, 1)).toBe(Errno.ENOENT);
  });

  it("sends an IPI to itself", () => {
    const { events, heard, listen } = host();
    const port = events.bindIpi(1, 1);
    expect(events.bindIpi(1, 2)).toBe(Errno.ENOENT);
    listen(1, port);
    expect(events.send(1, port, 3)).toBe(0);
    expect(heard).toEqual([`1:${port}@3`]);
    expect(events.bindVcpu(1, port, 0)).toBe(Errno.EINVAL);
  });

  it("never runs a domain's handler within another one of its own", () => {
    const { events, heard, listen, channel } = host();
    const [port, sender] = channel();
    const [otherPort, otherSender] = channel();
    let rounds = 0;
    listen(0, sender);
    listen(0, otherSender, () => heard.push("0 done"));
    heard.length = 0;
    listen(1, port, () => {
      rounds += 1;
      if (rounds < 3) events.send(1, port, rounds);
      heard.push("1 done");
    });
    listen(0, sender, () => {
      events.send(0, sender, 9);
      events.send(1, otherPort, 9);
      heard.push("0 first done");
    });
    events.send(1, port, 8);
    expect(heard).toEqual([
      `0:${sender}@8`,
      ...[`1:${port}@9`, "1 done"],
      "0 first done",
      ...[`0:${sender}@8`, `1:${port}@9`, "1 done", "0 first done"],
      ...[`0:${sender}@8`, `1:${port}@9`, "1 done", "0 first done"],
      ...[`0:${otherSender}@8`, "0 done"],
    ]);
  });

  it("closes all ports of a domain that dies or resets", () => {
    const { events, dom0, one, channel } = host();
    const [port, sender] = channel();
    expect(events.reset(1)).toBe(0);
    expect(events.status(1, port)).toMatchObject({ state: PortState.closed });
    expect(events.status(0, sender)).toMatchObject({ state: PortState.unbound, remoteDomid: 1 });
    const again = events.bindInterdomain(1, 0, sender);
    expect([again, one.bit(2048, again)]).toEqual([port, 1]);
    events.destroy(1);
    expect(events.status(0, sender)).toMatchObject({ state: PortState.unbound });
    expect(events.send(0, sender, 0)).toBe(0);
    expect(events.allocUnbound(1, 0, 0)).toBe(Errno.ESRCH);
    expect([dom0.bit(2048, sender), events.sharedInfo(1)]).toEqual([1, null]);
  });

  it("has 4,095 ports, or 1,023 for a 32-bit kernel", () => {
    for (const [is32Bit, last] of [
      [false, 4095],
      [true, 1023],
    ] as const) {
      const { events } = host({ is32Bit });
      for (let port = 1; port <= last; port += 1) expect(events.allocUnbound(1, 0)).toBe(port);
      expect(events.allocUnbound(1, 0)).toBe(Errno.ENOSPC);
      events.close(1, 77);
      expect(events.allocUnbound(1, DOMID_SELF)).toBe(77);
      expect(events.status(1, 77)).toMatchObject({ remoteDomid: 1 });
    }
  });
});
