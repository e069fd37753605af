/** The ring page between a guest and the store. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XENSTORE_3_1, XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { RING, RING_SIZE, RingTransport } from "../../../src/xen/xenstore/ring-transport.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { viewOf } from "../../../src/wire/field.ts";
import { decodeAll, encode, type Message, sessionOf } from "./wire.ts";

/** The guest's end of a ring. */
class Guest {
  readonly page = new Uint8Array(4096);
  readonly view = viewOf(this.page);
  readonly transport: RingTransport;
  notifications = 0;
  /** The guest's own handler of its event channel. */
  onNotify: () => void = () => {};
  #received: number[] = [];

  constructor(store: XenStore, domid: number) {
    const session = store.sessionOf(domid);
    if (session === null) throw new Error(`domain ${domid} is not introduced`);
    this.transport = new RingTransport({
      session,
      page: this.page,
      notify: () => {
        this.notifications++;
        this.onNotify();
      },
    });
  }

  /** Put as much of `octets` into the ring as fits. @returns how much. */
  put(octets: Uint8Array): number {
    const producer = RING.requestProducer.get(this.view, 0);
    const filled = (producer - RING.requestConsumer.get(this.view, 0)) >>> 0;
    const count = Math.min(octets.length, RING_SIZE - filled);
    for (let i = 0; i < count; i++) {
      this.page[RING.requests.offset + ((producer + i) % RING_SIZE)] = octets[i] ?? 0;
    }
    RING.requestProducer.set(this.view, 0, (producer + count) >>> 0);
    return count;
  }

  /** Take up to `limit` octets of what came. */
  take(limit = Infinity): number {
    const consumer = RING.responseConsumer.get(this.view, 0);
    const filled = (RING.responseProducer.get(this.view, 0) - consumer) >>> 0;
    const count = Math.min(filled, limit);
    for (let i = 0; i < count; i++) {
      this.#received.push(this.page[RING.responses.offset + ((consumer + i) % RING_SIZE)] ?? 0);
    }
    RING.responseConsumer.set(this.view, 0, (consumer + count) >>> 0);
    return count;
  }

  /** Send all of `octets` and take all that comes. */
  talk(octets: Uint8Array): Message[] {
    for (let at = 0; at < octets.length;) {
      at += this.put(octets.subarray(at));
      this.transport.poll();
      while (this.take() > 0) this.transport.poll();
    }
    return this.received();
  }

  received(): Message[] {
    const messages = decodeAll(Uint8Array.from(this.#received));
    this.#received = [];
    return messages;
  }
}

function guestOf(behaviour = XENSTORE_4_17): { dom0: StoreClient; guest: Guest; store: XenStore } {
  const store = new XenStore({ behaviour });
  const dom0 = new StoreClient(sessionOf(store));
  dom0.write("/local/domain/5", "");
  dom0.setPermissions("/local/domain/5", ["n5"]);
  dom0.introduce(5, 1, 1);
  return { dom0, guest: new Guest(store, 5), store };
}

describe("a guest's ring", () => {
  it("carries requests and answers, and tells the guest", () => {
    const { guest } = guestOf();
    const messages = guest.talk(encode(Operation.WRITE, "a\x001"));
    expect(messages.map((one) => one.text)).toEqual(["OK\0"]);
    expect(guest.talk(encode(Operation.READ, "a\0")).map((one) => one.text)).toEqual(["1"]);
    expect(guest.notifications).toBeGreaterThan(3);
  });

  it("carries answers longer than the ring", () => {
    const { dom0, guest } = guestOf();
    dom0.write("/local/domain/5/long", "v".repeat(4000));
    const [answer] = guest.talk(encode(Operation.READ, "long\0"));
    expect(answer?.text).toBe("v".repeat(4000));
  });

  it("goes on when the indices wrap at 2^32", () => {
    const { guest } = guestOf();
    const start = 2 ** 32 - 20;
    for (const index of [
      RING.requestConsumer,
      RING.requestProducer,
      RING.responseConsumer,
      RING.responseProducer,
    ]) {
      index.set(guest.view, 0, start);
    }
    for (let i = 0; i < 4; i++) {
      expect(guest.talk(encode(Operation.WRITE, `a\0${i}`)).map((one) => one.text)).toEqual([
        "OK\0",
      ]);
    }
    expect(RING.requestProducer.get(guest.view, 0)).toBeLessThan(1000);
  });

  it.each([1025, 2 ** 31, 2 ** 32 - 1])("listens no more to a producer %i ahead", (ahead) => {
    const { guest } = guestOf();
    RING.requestProducer.set(guest.view, 0, ahead);
    guest.transport.poll();
    expect(guest.transport.end).toBe("store/ring-index");
    expect(RING.error.get(guest.view, 0)).toBe(2);
    RING.requestProducer.set(guest.view, 0, 0);
    expect(guest.talk(encode(Operation.READ, "a\0"))).toEqual([]);
  });

  it("listens no more after a response index out of range", () => {
    const { guest } = guestOf();
    RING.responseConsumer.set(guest.view, 0, 5);
    guest.put(encode(Operation.READ, "a\0"));
    guest.transport.poll();
    expect(guest.transport.end).toBe("store/ring-index");
  });

  it("listens no more after a payload of 4,097 octets", () => {
    const { guest } = guestOf();
    const [header] = [encode(Operation.READ, "a".repeat(4097)).subarray(0, 16)];
    guest.put(header);
    guest.transport.poll();
    expect([guest.transport.end, RING.error.get(guest.view, 0)]).toEqual([
      "store/payload-too-long",
      3,
    ]);
  });

  it("reads no further request while twenty answers wait", () => {
    const { guest } = guestOf();
    const request = encode(Operation.READ, "nope-nope-nope-nope-nope-nope-nope-nope-nope\0");
    // Answers of 23 octets: 44 fit the ring, so that what stops the store is the bound of 20.
    for (let i = 0; i < 70; i++) {
      expect(guest.put(request)).toBe(request.length);
      guest.transport.poll();
    }
    const waiting = RING.responseProducer.get(guest.view, 0);
    expect(waiting).toBe(RING_SIZE);
    expect(guest.transport.connection.session.domain?.outstanding).toBe(20);
    expect(RING.requestConsumer.get(guest.view, 0)).toBe(64 * request.length);
    while (guest.take() > 0) guest.transport.poll();
    expect(guest.transport.connection.session.domain?.outstanding).toBe(0);
    expect(guest.received().map((one) => one.text)).toEqual(Array(70).fill("ENOENT\0"));
  });

  it("serves a guest that takes and asks inside the notification", () => {
    const { dom0, guest } = guestOf();
    guest.talk(encode(Operation.WATCH, "in\0t\0"));
    const answers: Message[] = [];
    guest.onNotify = () => {
      if (guest.take() === 0) return;
      const messages = guest.received();
      answers.push(...messages);
      // As a driver does: read what an event is about, and say so.
      for (const { type, text } of messages) {
        if (type !== Operation.WATCH_EVENT) continue;
        guest.put(encode(Operation.READ, `${text.split("\0")[0]}\0`));
        guest.put(encode(Operation.WRITE, "out\x00seen"));
      }
      guest.transport.poll();
    };
    for (let i = 0; i < 3; i++) dom0.write("/local/domain/5/in", `${i}`);
    expect(answers.map((one) => one.text)).toEqual(
      [0, 1, 2].flatMap((i) => ["in\0t\0", `${i}`, "OK\0"]),
    );
    expect(dom0.read("/local/domain/5/out")).toBe("seen");
  });

  it("starts anew with INTRODUCE", () => {
    const { dom0, guest, store } = guestOf();
    guest.talk(encode(Operation.WATCH, "a\0t\0"));
    guest.put(encode(Operation.WRITE, "a\x001").subarray(0, 9));
    guest.transport.poll();
    dom0.introduce(5, 1, 2);
    expect([RING.requestProducer.get(guest.view, 0), store.watches]).toEqual([0, 0]);
    expect(guest.talk(encode(Operation.WRITE, "a\x002")).map((one) => one.text)).toEqual(["OK\0"]);
  });

  it("starts anew with an INTRODUCE in the midst of an answer, and only then speaks", () => {
    const { dom0, guest } = guestOf();
    dom0.write("/local/domain/5/long", "v".repeat(4000));
    guest.onNotify = () => {
      // Half of the answer is in the ring, the other half waits.
      if (RING.responseProducer.get(guest.view, 0) < 1000) return;
      guest.onNotify = () => {};
      dom0.introduce(5, 2, 2);
      guest.put(encode(Operation.READ, "none\0"));
      guest.transport.poll();
    };
    guest.put(encode(Operation.READ, "long\0"));
    guest.transport.poll();
    while (guest.take() > 0) guest.transport.poll();
    expect(guest.received().map((one) => one.text)).toEqual(["ENOENT\0"]);
  });

  it("leaves the words of modern servers alone in 3.1", () => {
    const { guest } = guestOf(XENSTORE_3_1);
    RING.requestProducer.set(guest.view, 0, 5000);
    guest.transport.poll();
    expect([guest.transport.end, RING.error.get(guest.view, 0)]).toEqual(["store/ring-index", 0]);
  });

  it("gives the same answers however the guest's puts and takes are cut", () => {
    const requests = fc.array(
      fc.constantFrom(
        encode(Operation.WRITE, `a\0${"x".repeat(300)}`),
        encode(Operation.READ, "a\0"),
        encode(Operation.DIRECTORY, "nope\0"),
        encode(99, ""),
      ),
      { minLength: 1, maxLength: 12 },
    );
    const cuts = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(requests, cuts, (list, sizes) => {
        const whole = guestOf().guest;
        const expected = list.flatMap((one) => whole.talk(one));
        const { guest } = guestOf();
        const octets = Uint8Array.from(list.flatMap((one) => [...one]));
        let at = 0;
        for (let turn = 0; turn < 5000 && (at < octets.length || guest.take(50) > 0); turn++) {
          const size = sizes[turn % sizes.length] ?? 1;
          at += guest.put(octets.subarray(at, at + size));
          guest.transport.poll();
          guest.take(size);
          guest.transport.poll();
        }
        expect(guest.received()).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
