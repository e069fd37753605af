import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { RxFlag } from "../../../src/xen/io/netif.ts";
import { RawGuest } from "./raw-guest.ts";
import { frameOf } from "./vif-pair.ts";

const ONE_SLOT = { sg: false, rxNotify: true };

describe("netback of 2.6.18 towards a guest", () => {
  it("drops what finds no buffers, until the guest posts some", () => {
    const guest = new RawGuest({ features: ONE_SLOT });
    guest.pair.toGuest(frameOf(1));
    expect(guest.pair.pool.ends.get("netback/no-buffers")).toBe(1);
    guest.post(2);
    guest.pair.toGuest(frameOf(2));
    expect(guest.received().map(({ octets }) => octets)).toEqual([frameOf(2)]);
  });

  it("holds 32 frames once the ring is full, for half a second, and then drops them all", () => {
    const guest = new RawGuest({ features: ONE_SLOT });
    const { pair } = guest;
    guest.post(1);
    for (let number = 0; number < 34; number += 1) pair.toGuest(frameOf(number));
    // One filled the ring, 32 wait, one was too many.
    expect(guest.received()).toHaveLength(1);
    expect(pair.pool.live).toBe(32);
    expect(pair.pool.ends.get("netback/queue-full")).toBe(1);
    expect(pair.netback.nextDeadline()).toBe(500_000);
    pair.advance(499_999);
    expect(pair.pool.live).toBe(32);
    pair.advance(500_000);
    expect(pair.pool.live).toBe(0);
    expect(pair.pool.ends.get("netback/no-buffers")).toBe(32);
    // Nothing waits any more while there are no buffers.
    pair.toGuest(frameOf(99));
    expect(pair.pool.live).toBe(0);
  });

  it("empties the queue as buffers come, in order", () => {
    const guest = new RawGuest({ features: ONE_SLOT });
    guest.post(1);
    for (let number = 0; number < 10; number += 1) guest.pair.toGuest(frameOf(number));
    guest.post(4);
    guest.post(20);
    const frames = guest.received().map(({ octets }) => octets);
    expect(frames).toEqual(Array.from({ length: 10 }, (_, number) => frameOf(number)));
    expect(guest.pair.netback.nextDeadline()).toBe(Infinity);
  });

  it("does not wait for a guest that will not tell of buffers", () => {
    const guest = new RawGuest({ features: { sg: false } });
    guest.post(1);
    for (let number = 0; number < 3; number += 1) guest.pair.toGuest(frameOf(number));
    expect(guest.pair.pool.ends.get("netback/no-buffers")).toBe(2);
  });

  it("keeps room for the largest frame if the guest takes several slots", () => {
    const guest = new RawGuest();
    guest.post(20);
    guest.pair.toGuest(frameOf(0));
    guest.pair.toGuest(frameOf(1));
    expect(guest.received()).toHaveLength(1);
    expect(guest.pair.pool.live).toBe(1);
  });

  it("answers all slots with an error if one of them is not granted", () => {
    const guest = new RawGuest();
    guest.post(1);
    guest.post(1, 700);
    guest.post(30);
    guest.pair.toGuest(frameOf(1, 9000));
    expect(guest.received().map(({ status }) => status)).toEqual([-1, -1, -1]);
    expect(guest.pair.pool.ends.get("netback/bad-grant")).toBe(1);
  });
});

describe("netback of a current kernel towards a guest", () => {
  it("holds half a megabyte for ten seconds", () => {
    const guest = new RawGuest({ era: "6" });
    const { pair } = guest;
    for (let number = 0; number < 360; number += 1) pair.toGuest(frameOf(number, 1500));
    // It stops once there is more than 128 pages, not before.
    expect(pair.pool.live).toBe(350);
    expect(pair.pool.ends.get("netback/queue-full")).toBe(10);
    guest.post(5);
    expect(guest.received().map(({ octets }) => octets[0])).toEqual(
      Array.from({ length: 5 }, (_, number) => frameOf(number)[0]),
    );
    pair.advance(10 * SECOND - 1);
    expect(pair.pool.live).toBe(345);
    pair.advance(11 * SECOND);
    expect(pair.pool.live).toBe(0);
    expect(pair.pool.ends.get("netback/expired")).toBe(345);
  });

  it("tells the grant table's status of a slot alone", () => {
    const guest = new RawGuest({ era: "6" });
    guest.post(1);
    guest.post(1, 700);
    guest.post(30);
    guest.pair.toGuest(frameOf(1, 9000));
    expect(guest.received().map(({ status }) => status)).toEqual([4096, -1, 808]);
  });
});

describe.each(["2618", "6"] as const)("a frame to a guest, era %s", (era) => {
  it("says of its checksums what Dom0 knows", () => {
    const guest = new RawGuest({ era });
    guest.post(60);
    guest.pair.toGuest(frameOf(1));
    guest.pair.toGuest(frameOf(2), { hasSoundChecksums: true });
    guest.pair.toGuest(frameOf(3), { hasBlankChecksum: true });
    const both = RxFlag.CsumBlank | RxFlag.DataValidated;
    expect(guest.received().map(({ flags }) => flags)).toEqual([0, RxFlag.DataValidated, both]);
  });

  it("fills pages from their beginning, no octet more, and a large one says how it is cut", () => {
    const guest = new RawGuest({ era });
    guest.post(60);
    const octets = frameOf(7, 9001);
    guest.pair.toGuest(octets, { segmentSize: 1448, hasBlankChecksum: true });
    const [first, extra, second, third] = guest.received();
    expect([first?.status, second?.status, third?.status]).toEqual([4096, 4096, 809]);
    expect(Buffer.from(extra?.raw ?? []).toString("hex")).toBe("0100a80501000000");
    const { CsumBlank, DataValidated, MoreData, ExtraInfo } = RxFlag;
    expect(first?.flags).toBe(CsumBlank | DataValidated | MoreData | ExtraInfo);
    expect([second?.flags, third?.flags]).toEqual([MoreData, 0]);
    const whole = Buffer.concat(
      [first, second, third].map((slot) => slot?.octets ?? new Uint8Array()),
    );
    expect(Buffer.compare(whole, octets)).toBe(0);
  });
});
