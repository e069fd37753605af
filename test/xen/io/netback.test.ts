import { describe, expect, it } from "vitest";
import { EXTRA, extra, MORE, RawGuest, type Slot } from "./raw-guest.ts";
import { frameOf } from "./vif-pair.ts";

const OKAY = 0;
const ERROR = -1;

/** `count` slots of one frame, the first one's size the whole. */
function parts(count: number, length = 20): Slot[] {
  return Array.from({ length: count }, (_, slot) => ({
    octets: frameOf(slot, length),
    size: slot === 0 ? count * length : length,
    flags: slot === count - 1 ? 0 : MORE,
  }));
}

describe.each(["2618", "6"] as const)("netback of era %s", (era) => {
  const isModern = era === "6";

  it("takes frames from 14 octets, and answers each request with its id", () => {
    const guest = new RawGuest({ era });
    const ids = [13, 14, 60].flatMap((length) => guest.send({ octets: frameOf(length, length) }));
    expect(ids).toEqual([0, 1, 2]);
    expect(guest.answers()).toEqual([
      [0, ERROR],
      [1, OKAY],
      [2, OKAY],
    ]);
    expect(guest.pair.atVif.frames.map(({ octets }) => octets.length)).toEqual([14, 60]);
    expect(guest.pair.pool.live).toBe(0);
  });

  it("refuses a request that crosses its page; a current one disables the vif", () => {
    const guest = new RawGuest({ era });
    guest.send({ octets: frameOf(1, 60), offset: 4036 });
    expect(guest.answers()).toEqual([[0, OKAY]]);
    guest.send({ octets: frameOf(1, 60), offset: 4037 });
    expect(guest.answers()).toEqual(isModern ? [] : [[1, ERROR]]);
    expect(guest.pair.netback.isDisabled).toBe(isModern);
    guest.send({ octets: frameOf(2, 60) });
    expect(guest.answers()).toEqual(isModern ? [] : [[2, OKAY]]);
    guest.pair.toGuest(frameOf(3));
    expect(guest.pair.pool.ends.get("netback/disabled")).toBe(isModern ? 1 : 0);
  });

  it("refuses what is not granted to it, of a frame each slot by itself", () => {
    const guest = new RawGuest({ era });
    guest.send({ octets: frameOf(1), gref: 2000 });
    guest.send({ octets: frameOf(1), gref: 0xffff_ffff });
    guest.send({ octets: frameOf(1), gref: 700 });
    expect(guest.answers().map((answer) => answer?.[1])).toEqual([ERROR, ERROR, ERROR]);
    const [first = {}, second = {}, third = {}] = parts(3);
    const ids = guest.send(first, { ...second, gref: 700 }, third);
    expect(guest.answers()).toEqual([
      [ids[1], ERROR],
      [ids[0], OKAY],
      [ids[2], OKAY],
    ]);
    expect(guest.pair.atVif.frames).toEqual([]);
    expect(guest.pair.netback.isDisabled).toBe(false);
  });

  it("puts together what fills up to 19 slots, and refuses more", () => {
    const guest = new RawGuest({ era });
    guest.send(...parts(19));
    expect(guest.answers().map((answer) => answer?.[1])).toEqual(Array(19).fill(OKAY));
    const [frame] = guest.pair.atVif.frames;
    expect(frame?.octets.length).toBe(380);
    expect(frame?.octets.slice(-20)).toEqual(frameOf(18, 20));
    // 2.6.18 looks no further than it must, and finds another frame there.
    guest.send(...parts(20));
    const all = isModern ? 20 : 19;
    expect(
      guest
        .answers()
        .map((answer) => answer?.[1])
        .slice(0, all),
    ).toEqual(Array(all).fill(ERROR));
    expect(guest.pair.netback.isDisabled).toBe(false);
    guest.send(...parts(22));
    expect(guest.pair.netback.isDisabled).toBe(isModern);
  });

  it("minds a frame whose slots are larger than it says", () => {
    const guest = new RawGuest({ era });
    const [first = {}, second = {}, third = {}] = parts(3);
    const ids = guest.send({ ...first, size: 45 }, second, { ...third, size: 40 });
    const answers = guest.answers();
    expect(answers.slice(0, 2)).toEqual([
      [ids[0], ERROR],
      [ids[1], ERROR],
    ]);
    // A current one takes the slot for part of the frame; for 2.6.18 it is a frame of its own.
    expect(answers[2]).toEqual([ids[2], isModern ? ERROR : OKAY]);
  });

  it("minds a second slot that is missing or too large; 2.6.18 overlooks it", () => {
    const guest = new RawGuest({ era });
    guest.send({ octets: frameOf(1, 60), flags: MORE });
    expect(guest.answers()).toEqual(isModern ? [] : [[0, OKAY]]);
    expect(guest.pair.netback.isDisabled).toBe(isModern);
  });

  it("reads extra information, and answers its slot with nothing", () => {
    const guest = new RawGuest({ era });
    const octets = frameOf(1, 4000);
    guest.send({ octets, flags: EXTRA }, extra());
    expect(guest.answers()).toEqual([[0, OKAY], null]);
    expect(guest.pair.atVif.frames).toHaveLength(isModern ? 0 : 1);
    const wrong = [
      extra({ size: 0 }),
      extra({ gsoType: 9 }),
      extra({ type: 0 }),
      extra({ type: 9 }),
    ];
    for (const one of wrong) {
      const other = new RawGuest({ era });
      other.send({ octets, flags: EXTRA }, one);
      expect(other.answers()).toEqual(isModern ? [] : [[0, ERROR], null]);
      expect(other.pair.netback.isDisabled).toBe(isModern);
    }
    const last = new RawGuest({ era });
    last.send({ octets, flags: EXTRA });
    expect(last.answers()).toEqual(isModern ? [] : [[0, ERROR]]);
  });

  it("refuses what cannot be connected, and has then changed nothing", () => {
    const guest = new RawGuest({ era });
    const { netback, hypervisor } = guest.pair;
    const { txRef: txRing, rxRef: rxRing, port } = guest;
    const good = { txRing, rxRing, port, features: {} };
    expect(netback.connect(good, null, null, 0)).toBe("connected");
    netback.disconnect(0);
    expect(netback.connect({ ...good, txRing: 77 }, null, null, 0)).toBe("tx-ring");
    expect(netback.connect({ ...good, rxRing: 77 }, null, null, 0)).toBe("rx-ring");
    expect(netback.connect({ ...good, port: 77 }, null, null, 0)).toBe("event-channel");
    expect(hypervisor.dom0.table.mappings).toBe(0);
    expect(netback.connect(good, null, null, 0)).toBeNull();
    expect(hypervisor.dom0.table.mappings).toBe(2);
  });
});
