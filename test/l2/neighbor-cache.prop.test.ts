import fc from "fast-check";
import { expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Instant, MILLISECOND } from "../../src/base/time.ts";
import { ipv4Of, macOf, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";
import {
  type NeighborBehaviour,
  NeighborCache,
  type NeighborHost,
} from "../../src/l2/neighbor-cache.ts";
import { ETHERNET, EtherType } from "../../src/l2/ethernet.ts";
import { NeighborTable } from "../model/neighbor-table.ts";

/** What a neighbor's timers draw from here: always the middle, thirty seconds. */
const MIDDLE = { below: (bound: number): number => bound / 2 };
const DEVICES = ["e0", "e1"] as const;

/** Packets that nobody answers for are reported in a packet that goes the same way. */
const answerTo = (id: number | undefined): number | null =>
  id !== undefined && id < 1000 && id % 3 === 0 ? id + 1000 : null;

/** The cache in a stack that only takes down what it is asked to do; packets are numbers. */
class RealCache implements NeighborHost {
  readonly events: string[] = [];
  now: Instant = 0;
  readonly pool = new PacketPool({ slots: 64, largeSlots: 0 });
  readonly cache: NeighborCache;
  readonly #devices = new Map<string, Device>();
  readonly #ids = new Map<Packet, number>();

  constructor(behaviour: NeighborBehaviour, jiffies: Jiffies, limit: number) {
    this.cache = new NeighborCache({ host: this, behaviour, jiffies, chance: MIDDLE, limit });
    for (const name of DEVICES) {
      this.#devices.set(name, new Device({ name, mac: parseMac("02:00:00:00:00:01") }));
    }
    this.pool.observe({
      received: () => {},
      transmitted: () => {},
      step: () => {},
      ended: (packet, _fate, reason) => {
        if (reason !== "test/done") this.events.push(`end ${this.#ids.get(packet)} ${reason}`);
      },
    });
  }

  get entries(): string[] {
    return [...this.cache.entries()]
      .map((e) => `${e.device.name} ${e.address} ${e.state} ${e.mac} ${e.queue.length}`)
      .toSorted();
  }

  device(name: string): Device {
    const device = this.#devices.get(name);
    if (device === undefined) throw new Error(`no device ${name}`);
    return device;
  }

  send(name: string, address: number, id: number): void {
    const packet = this.pool.allocate(60);
    if (packet === null) throw new Error("the pool is exhausted");
    this.#ids.set(packet, id);
    packet.nextHop = ipv4Of(address);
    packet.network = packet.frame + 14;
    this.cache.send(this.device(name), packet, this.now);
  }

  advance(to: Instant): void {
    while (this.cache.nextDeadline() <= to) {
      this.now = Math.max(this.now, this.cache.nextDeadline());
      this.cache.expire(this.now);
    }
    this.now = to;
  }

  solicit(device: Device, target: number, dst: number, packet: Packet | null): void {
    const id = packet === null ? "none" : this.#ids.get(packet);
    this.events.push(`solicit ${device.name} ${target} at ${dst} for ${id}`);
  }

  output(...[device, packet, header, now]: Parameters<NeighborHost["output"]>): void {
    const { view } = this.pool;
    header.write(view, packet.frame);
    expect(ETHERNET.src.get(view, packet.frame)).toBe(device.mac);
    expect(ETHERNET.type.get(view, packet.frame)).toBe(EtherType.Ipv4);
    const dst = ETHERNET.dst.get(view, packet.frame);
    this.events.push(`output ${this.#ids.get(packet)} to ${dst}`);
    this.pool.end(packet, "delivered", "test/done", now);
  }

  unreachable(packet: Packet, now: Instant): void {
    const id = this.#ids.get(packet);
    this.events.push(`unreachable ${id}`);
    const { output, nextHop } = packet;
    this.pool.end(packet, "discarded", "test/done", now);
    const answer = answerTo(id);
    if (answer === null || id === undefined) return;
    this.send(id % 2 === 0 ? "e0" : "e1", nextHop, answer);
    expect(output).toBeNull();
  }
}

/** One act on both, after which both must have done and must know the same. */
class CacheStep implements fc.Command<NeighborTable, RealCache> {
  readonly #name: string;
  readonly #act: (model: NeighborTable, real: RealCache) => void;

  constructor(name: string, act: (model: NeighborTable, real: RealCache) => void) {
    this.#name = name;
    this.#act = act;
  }

  check(): boolean {
    return true;
  }

  run(model: NeighborTable, real: RealCache): void {
    this.#act(model, real);
    expect(real.events.splice(0)).toEqual(model.events.splice(0));
    expect(real.entries).toEqual(model.entries);
    expect(real.cache.size).toBe(model.entries.length);
  }

  toString(): string {
    return this.#name;
  }
}

const device = fc.constantFrom(...DEVICES);
const address = fc.integer({ min: 1, max: 3 });
const mac = fc.integer({ min: 11, max: 13 });
const isTrue = fc.boolean();
const wait = fc.constantFrom(0, 1, 3, 30, 400, 1000, 1100, 2100, 5100, 16_000, 31_000, 62_000);

const advance = wait.map(
  (ms) =>
    new CacheStep(`advance(${ms} ms)`, (model, real) => {
      const to = real.now + ms * MILLISECOND;
      model.advance(to);
      real.advance(to);
    }),
);

const steps = [
  fc.tuple(device, address, fc.nat({ max: 999 })).map(([on, to, draw]) => {
    // The device of an answer follows from the packet's number.
    const id = draw - (draw % 2) + (on === "e0" ? 0 : 1);
    return new CacheStep(`send(${on}, ${to}, ${id})`, (model, real) => {
      model.send(on, to, id);
      real.send(on, to, id);
    });
  }),
  fc.tuple(device, address, mac).map(
    ([on, of, at]) =>
      new CacheStep(`learn(${on}, ${of}, ${at})`, (model, real) => {
        model.learn(on, of, at);
        real.cache.learn(real.device(on), ipv4Of(of), macOf(at), real.now);
      }),
  ),
  fc.tuple(device, address, mac, isTrue, isTrue).map(
    ([on, of, at, isProof, isGratuitous]) =>
      new CacheStep(`confirm(${on}, ${of}, ${at}, ${isProof}, ${isGratuitous})`, (model, real) => {
        model.confirm(on, of, at, isProof, isGratuitous);
        const where = [real.device(on), ipv4Of(of), macOf(at)] as const;
        real.cache.confirm(...where, isProof, isGratuitous, real.now);
      }),
  ),
  advance,
  advance,
  fc.tuple(device, address, mac).map(
    ([on, of, at]) =>
      new CacheStep(`addPermanent(${on}, ${of}, ${at})`, (model, real) => {
        model.addPermanent(on, of, at);
        real.cache.addPermanent(real.device(on), ipv4Of(of), macOf(at), real.now);
      }),
  ),
  device.map(
    (on) =>
      new CacheStep(`removeDevice(${on})`, (model, real) => {
        model.removeDevice(on);
        real.cache.removeDevice(real.device(on), real.now);
      }),
  ),
];

const behaviour = fc.record({
  queueLimit: fc.integer({ min: 1, max: 3 }),
  probesAtOnce: fc.boolean(),
  firesLastFirst: fc.boolean(),
  collectsAbove: fc.nat({ max: 3 }),
});

it("is the naive table, whatever happens and whenever", () => {
  fc.assert(
    fc.property(
      behaviour,
      fc.boolean(),
      fc.integer({ min: 1, max: 7 }),
      fc.commands(steps, { maxCommands: 60, size: "max" }),
      (kernel, hasCoarseLevels, limit, commands) => {
        const jiffies = new Jiffies({ hasCoarseLevels });
        const setup = () => {
          const model = new NeighborTable(kernel, jiffies, limit);
          model.answerTo = answerTo;
          return { model, real: new RealCache(kernel, jiffies, limit) };
        };
        fc.modelRun(setup, commands);
      },
    ),
    { numRuns: 150 },
  );
});
