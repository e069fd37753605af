import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketPool } from "../../../src/wire/packet.ts";
import { RxFlag } from "../../../src/xen/io/netif.ts";
import { GuestRxThread } from "../../model/guest-rx-thread.ts";
import { RawGuest } from "./raw-guest.ts";
import { frameOf } from "./vif-pair.ts";

const TICK = 4000;

class Run {
  readonly guest: RawGuest;
  readonly carriers: boolean[] = [];
  readonly #got: number[] = [];
  #isWithin = false;
  #sent = 0;

  constructor(isTold: boolean) {
    const onCarrier = (isOn: boolean): void => void this.carriers.push(isOn);
    const pool = new PacketPool({ slots: 512, largeSlots: 300 });
    const features = { sg: true, rxNotify: isTold };
    this.guest = new RawGuest({ era: "6", features, onCarrier, pool });
  }

  /** Send a frame that says its number. @returns the number. */
  send(size: number): number {
    this.#sent += 1;
    const octets = frameOf(this.#sent, size);
    octets.set([this.#sent >> 8, this.#sent & 0xff]);
    this.guest.pair.toGuest(octets);
    return this.#sent;
  }

  /** Let time pass. @returns the tick. */
  wait(time: number): number {
    const { pair } = this.guest;
    pair.advance(pair.now + time);
    return Math.floor(pair.now / TICK);
  }

  /** The frames that came, by number. */
  get got(): readonly number[] {
    for (const { octets, flags } of this.guest.received()) {
      if (!this.#isWithin) this.#got.push(((octets[0] ?? 0) << 8) | (octets[1] ?? 0));
      this.#isWithin = (flags & RxFlag.MoreData) !== 0;
    }
    return this.#got;
  }

  expectAs(model: GuestRxThread): void {
    const { pair } = this.guest;
    const { ends } = pair.pool;
    expect({
      delivered: this.got,
      expired: ends.get("netback/expired") ?? 0,
      full: ends.get("netback/queue-full") ?? 0,
      unheard: ends.get("netback/no-carrier") ?? 0,
      waiting: pair.pool.live,
      hasCarrier: pair.netback.hasCarrier,
      stalls: pair.netback.counters.stalls,
      deadline: pair.netback.nextDeadline(),
    }).toEqual({
      delivered: model.delivered,
      ...model.ends,
      waiting: model.waiting,
      hasCarrier: model.hasCarrier,
      stalls: model.stalls,
      deadline: model.timer === null ? Infinity : model.timer * TICK,
    });
  }
}

type Action = (run: Run, model: GuestRxThread) => void;

const send = fc
  .record({ size: fc.oneof(fc.constant(60), fc.integer({ min: 60, max: 9000 })), count: fc.nat(4) })
  .map(({ size, count }): Action => (run, model) => {
    for (let left = count; left >= 0; left -= 1) model.send(run.send(size), size);
  });
const post = fc.integer({ min: 1, max: 4 }).map((count): Action => (run, model) => {
  run.guest.post(count);
  model.post(count);
});
const wait = fc
  .oneof(fc.nat(20_000), fc.nat(3_000_000), fc.nat(15_000_000), fc.nat(70_000_000))
  .map(
    (time): Action =>
      (run, model) =>
        model.advance(run.wait(time)),
  );
/** A guest that takes nothing for long while frames come. */
const drought = fc
  .record({
    gap: fc.integer({ min: 500_000, max: 12_000_000 }),
    count: fc.integer({ min: 8, max: 60 }),
  })
  .map(({ gap, count }): Action => (run, model) => {
    for (let left = count; left > 0; left -= 1) {
      model.send(run.send(60), 60);
      model.advance(run.wait(gap));
    }
  });
const action = fc.oneof(
  { weight: 6, arbitrary: send },
  { weight: 4, arbitrary: post },
  { weight: 4, arbitrary: wait },
  { weight: 1, arbitrary: drought },
);

describe("a current netback towards a guest", () => {
  it.each([true, false])(
    "does what its thread would, tick by tick; told of buffers: %s",
    (isTold) => {
      let stalls = 0;
      fc.assert(
        fc.property(fc.array(action, { maxLength: 60, size: "max" }), (actions) => {
          const run = new Run(isTold);
          const model = new GuestRxThread(isTold);
          for (const act of actions) {
            act(run, model);
            run.expectAs(model);
          }
          expect(run.carriers.every((isOn, at) => isOn === (at % 2 === 1))).toBe(true);
          stalls += model.stalls;
        }),
        { numRuns: 150 },
      );
      expect(stalls > 0).toBe(isTold);
    },
  );
});
