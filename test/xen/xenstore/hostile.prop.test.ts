/** Clients that send anything, or take nothing. @module */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XENSTORE_3_1, XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { StoreConnection } from "../../../src/xen/xenstore/connection.ts";
import { Operation } from "../../../src/xen/xenstore/message.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { decodeAll, encode, sessionOf, WireClient } from "./wire.ts";

const ERAS = [XENSTORE_3_1, XENSTORE_4_17];

/** Mostly sensible headers, anything behind them. */
const request = fc
  .record({
    type: fc.oneof(fc.nat(25), fc.constantFrom(0xffff, 0xffff_ffff)),
    transaction: fc.oneof(fc.nat(2), fc.constant(0xffff_ffff)),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc
        .constantFrom("/\0", "/a\0t\0", "T\0", "1\x001\x001\0", "help\0", "\0\0\0")
        .map((text) => Uint8Array.from(text, (one) => one.charCodeAt(0))),
    ),
  })
  .map(({ type, transaction, payload }) =>
    encode(type, String.fromCharCode(...payload), transaction),
  );

function octetsOfAll(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

describe("a client that sends anything", () => {
  const worlds = fc.record({ behaviour: fc.constantFrom(...ERAS), isGuest: fc.boolean() });
  const clientOf = (behaviour: (typeof ERAS)[number], isGuest: boolean): WireClient => {
    const store = new XenStore({ behaviour });
    const dom0 = sessionOf(store);
    dom0.introduce(5, 1, 1);
    return new WireClient((isGuest ? store.sessionOf(5) : null) ?? sessionOf(store));
  };

  it("gets one answer for each request, whatever it asks", () => {
    fc.assert(
      fc.property(worlds, fc.array(request, { maxLength: 30 }), (world, requests) => {
        const client = clientOf(world.behaviour, world.isGuest);
        for (const one of requests) {
          client.connection.receive(one);
          const answers = client.take().filter((each) => each.type !== Operation.WATCH_EVENT);
          expect(answers).toHaveLength(1);
          expect(answers[0]?.transactionId).toBe(decodeAll(one)[0]?.transactionId);
        }
        expect(client.connection.end).toBeNull();
      }),
      { numRuns: 300 },
    );
  });

  it("gets the same octets however they are cut", () => {
    const cuts = fc.array(fc.integer({ min: 1, max: 90 }), { minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(worlds, fc.array(request, { maxLength: 30 }), cuts, (world, requests, sizes) => {
        const octets = octetsOfAll(requests);
        const whole = clientOf(world.behaviour, world.isGuest);
        whole.connection.receive(octets);
        const cut = clientOf(world.behaviour, world.isGuest);
        for (let at = 0, i = 0; at < octets.length; i++) {
          const size = sizes[i % sizes.length] ?? 1;
          cut.connection.receive(octets.subarray(at, at + size));
          at += size;
        }
        expect(cut.takeOctets()).toEqual(whole.takeOctets());
      }),
      { numRuns: 300 },
    );
  });

  it("never makes the store throw, and harms no other", () => {
    fc.assert(
      fc.property(worlds, fc.array(fc.uint8Array({ maxLength: 200 })), (world, parts) => {
        const store = new XenStore({ behaviour: world.behaviour });
        const other = new StoreClient(sessionOf(store));
        other.write("/mine", "v");
        const client = new WireClient(sessionOf(store));
        for (const part of parts) client.connection.receive(part);
        client.connection.close();
        expect([other.read("/"), store.watches]).toEqual(["", 0]);
      }),
      { numRuns: 300 },
    );
  });

  it("is cut off at a payload of 4,097 octets in 4.17, after the answers before it", () => {
    const client = clientOf(XENSTORE_4_17, false);
    const long = encode(Operation.READ, "a".repeat(4097));
    client.connection.receive(octetsOfAll([encode(Operation.READ, "/\0"), long.subarray(0, 16)]));
    expect(client.take()).toHaveLength(1);
    expect(client.connection.end).toBe("store/payload-too-long");
    client.connection.receive(encode(Operation.READ, "/\0"));
    expect(client.take()).toEqual([]);
  });

  it("may send and get as much as the option allows in 3.1", () => {
    const client = clientOf(XENSTORE_3_1, false);
    expect(client.ask(Operation.WRITE, `/long\0${"v".repeat(60_000)}`)).toBe("OK\0");
    expect(client.ask(Operation.READ, "/long\0")).toHaveLength(60_000);
    client.connection.receive(encode(Operation.READ, "a".repeat(70_000)));
    expect(client.connection.end).toBe("store/payload-too-long");
  });
});

describe("a client that takes nothing", () => {
  it.each(ERAS.map((behaviour) => [behaviour.lastOperation, behaviour] as const))(
    "is cut off at the bound of its output (%i)",
    (_last, behaviour) => {
      const store = new XenStore({ behaviour });
      const connection = new StoreConnection({
        session: sessionOf(store),
        sink: () => 0,
        outputLimit: 10_000,
      });
      connection.receive(encode(Operation.WATCH, "/\0t\0"));
      const writer = new StoreClient(sessionOf(store));
      for (let i = 0; i < 1000 && connection.end === null; i++) writer.write(`/n${i % 900}`, "");
      expect([connection.end, connection.session.isClosed, store.watches]).toEqual([
        "store/output-limit",
        true,
        0,
      ]);
    },
  );

  it("gets all in order once it takes again", () => {
    const store = new XenStore({ behaviour: XENSTORE_4_17 });
    const received: Uint8Array[] = [];
    let room = 0;
    const connection = new StoreConnection({
      session: sessionOf(store),
      sink: (octets, length) => {
        const taken = Math.min(room, length);
        received.push(octets.slice(0, taken));
        room -= taken;
        return taken;
      },
    });
    for (let i = 0; i < 20; i++) connection.receive(encode(Operation.WRITE, `/n\0${i}`, 0, i));
    while (connection.waiting > 0) {
      room = 7;
      connection.drained();
    }
    const answers = decodeAll(octetsOfAll(received));
    expect(answers.map((one) => one.requestId)).toEqual([...Array(20).keys()]);
  });

  it("in the store's own process is closed at the bound of its events", () => {
    const store = new XenStore({ behaviour: XENSTORE_4_17, eventLimit: 10 });
    const watcher = sessionOf(store);
    watcher.watch("/", "t");
    const writer = new StoreClient(sessionOf(store));
    for (let i = 0; i < 20; i++) writer.write(`/n${i}`, "");
    expect([watcher.isClosed, store.watches]).toEqual([true, 0]);
  });

  it("is not let in beyond the bound of sessions", () => {
    const store = new XenStore({ behaviour: XENSTORE_4_17, sessionLimit: 3 });
    const sessions = [store.connect(), store.connect(), store.connect()];
    expect(sessions.filter((one) => one === null)).toHaveLength(1);
    sessions[0]?.close();
    expect(store.connect()).not.toBeNull();
  });
});
