import { describe, expect, it, vi } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { NEVER } from "../../src/base/time.ts";
import { ETHERNET_FRAMING_OCTETS } from "../../src/sim/link.ts";
import { SpinError } from "../../src/sim/scheduler.ts";
import { Wires } from "./wires.ts";

const GIGABIT = 1_000_000_000;

describe("Link", () => {
  it("delivers a frame after its delay, at the other end, under its id", () => {
    const wires = new Wires();
    const { left, right } = wires.link("w", { delay: 250 });
    wires.send(left);
    wires.send(right);
    expect(wires.scheduler.nextDeadline()).toBe(250);
    wires.scheduler.runUntil(250);
    expect(wires.arrivals.map(({ device, at, id }) => ({ device, at, id }))).toEqual([
      { device: "wr", at: 250, id: 1 },
      { device: "wl", at: 250, id: 2 },
    ]);
    expect(wires.pool.live).toBe(0);
    expect(wires.scheduler.nextDeadline()).toBe(NEVER);
  });

  it("gives each direction its own delay", () => {
    const wires = new Wires();
    const { left, right } = wires.link("w", { delay: 30 }, { toLeft: { delay: 10 } });
    wires.send(left);
    wires.send(right);
    wires.scheduler.runUntil(30);
    expect(wires.arrivals.map(({ device, at }) => [device, at])).toEqual([
      ["wl", 10],
      ["wr", 30],
    ]);
  });

  it("delivers without delay in the same instant, in the order of sending over all links", () => {
    const wires = new Wires();
    const one = wires.link("a", {});
    const two = wires.link("b", {});
    const order = [one.left, one.left, two.left, one.right, two.right, one.left];
    for (const device of order) wires.send(device);
    expect(wires.arrivals).toEqual([]);
    wires.scheduler.runUntil(0);
    expect(wires.numbers).toEqual([0, 1, 2, 3, 4, 5]);
    const devices = wires.arrivals.map(({ device }) => device);
    expect(devices).toEqual(["ar", "ar", "br", "al", "bl", "ar"]);
  });

  it("takes the time that the rate needs: 64 octets and Ethernet's 24 at 1 Gb/s in 704 ns", () => {
    const wires = new Wires(1000);
    const { left } = wires.link("w", {
      rateBps: GIGABIT,
      framingOctets: ETHERNET_FRAMING_OCTETS,
      delay: 5,
    });
    for (let index = 0; index < 1000; index += 1) wires.send(left);
    wires.scheduler.runUntil(1000);
    // Rounded up for each frame, but never summed up: 1,000 frames take 704 us, not 1,000.
    expect(wires.arrivals.slice(0, 4).map(({ at }) => at)).toEqual([6, 7, 8, 8]);
    expect(wires.arrivals.at(-1)?.at).toBe(704 + 5);
  });

  it("drops the frame that finds the queue full, by a reason", () => {
    const wires = new Wires();
    const { link, left } = wires.link("w", { rateBps: 64 * 8, queueLimit: 2 });
    for (let index = 0; index < 5; index += 1) wires.send(left);
    expect(link.toRight.waiting).toBe(2);
    expect(link.toRight.inFlight).toBe(3);
    expect(link.toRight.overflowed).toBe(2);
    expect(wires.pool.ends.get("link/queue-full")).toBe(2);
    wires.scheduler.runUntil(1_000_000);
    expect(link.toRight.waiting).toBe(1);
    wires.send(left);
    wires.scheduler.runUntil(10_000_000);
    expect(wires.numbers).toEqual([0, 1, 2, 5]);
    expect(wires.arrivals.map(({ at }) => at)).toEqual([1e6, 2e6, 3e6, 4e6]);
  });

  it("sends one frame at a time where nothing may wait", () => {
    const wires = new Wires();
    const { link, left } = wires.link("w", { rateBps: 64 * 8, queueLimit: 0 });
    wires.send(left);
    wires.send(left);
    expect(link.toRight.waiting).toBe(0);
    wires.scheduler.runUntil(1_000_000);
    wires.send(left);
    wires.scheduler.runUntil(2_000_000);
    expect(wires.numbers).toEqual([0, 2]);
  });

  it("holds as many frames under way as the delay asks for, beyond the queue's limit", () => {
    const wires = new Wires();
    const { link, left } = wires.link("w", { rateBps: GIGABIT, delay: 10_000, queueLimit: 0 });
    for (let at = 0; at < 200; at += 1) {
      wires.scheduler.runUntil(at);
      wires.send(left);
    }
    expect(link.toRight.inFlight).toBe(200);
    wires.scheduler.runUntil(20_000);
    expect(wires.numbers).toHaveLength(200);
  });

  it("still delivers what is under way when the cable is pulled", () => {
    const wires = new Wires();
    const { left, right } = wires.link("w", { delay: 10 });
    wires.send(left);
    left.attachCarrier(null);
    right.attachCarrier(null);
    wires.send(left);
    wires.scheduler.runUntil(10);
    expect(wires.numbers).toEqual([0]);
    expect(wires.pool.ends.get("device/no-carrier")).toBe(1);
  });

  it("is unknown to the scheduler while nothing is under way, so it may be forgotten", () => {
    const wires = new Wires();
    const known = new Set<unknown>();
    const { add, remove } = wires.scheduler;
    vi.spyOn(wires.scheduler, "add").mockImplementation((machine) => {
      known.add(machine);
      add.call(wires.scheduler, machine);
    });
    vi.spyOn(wires.scheduler, "remove").mockImplementation((machine) => {
      known.delete(machine);
      remove.call(wires.scheduler, machine);
    });
    const faults = { reordering: 1, holdBack: 5 };
    const { left, right } = wires.link("w", { faults }, { toLeft: { rateBps: GIGABIT } });
    expect(known.size).toBe(0);
    wires.send(left);
    wires.send(right);
    expect(known.size).toBe(2);
    wires.scheduler.runUntil(10);
    expect(wires.numbers).toHaveLength(2);
    expect(known.size).toBe(0);
  });

  it("stops a frame that two ends throw back for ever in one instant, and says who had it", () => {
    const wires = new Wires();
    const { left, right } = wires.link("w", {});
    for (const device of [left, right]) {
      device.attachStack({ receive: (to, packet, now) => to.transmit(packet, now) });
    }
    wires.send(left);
    expect(() => wires.scheduler.runUntil(1)).toThrow(SpinError);
    expect(() => wires.scheduler.runUntil(1)).toThrow(/^frames under way to w[lr]: still due/);
  });

  it("refuses a frame of another time than the scheduler's", () => {
    const wires = new Wires();
    const { left } = wires.link("w", {});
    wires.scheduler.runUntil(5);
    expect(() => wires.send(left, 64, 4)).toThrow("at the instant of the scheduler");
  });

  it.each([
    { delay: -1 },
    { delay: 0.5 },
    { delay: NEVER },
    { rateBps: 0 },
    { rateBps: 1e13 },
    { framingOctets: -1 },
    { queueLimit: 1.5 },
    { faults: { loss: 1.1 } },
    { faults: { corruption: -0.1 } },
    { faults: { duplication: Number.NaN } },
    { faults: { reordering: 0.5, holdBack: 0 } },
  ])("refuses %j", (options) => {
    expect(() => new Wires().link("w", options)).toThrow(OptionError);
  });
});
