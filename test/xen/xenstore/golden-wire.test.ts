/** Octets between Debian's tools and a real xenstored 4.17.7, whole and in pieces. @module */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { XENSTORE_4_17 } from "../../../src/xen/xenstore/behaviour.ts";
import { StoreClient } from "../../../src/xen/xenstore/client.ts";
import { XenStore } from "../../../src/xen/xenstore/store.ts";
import { makeTree } from "./mktree.ts";
import { sessionOf, WireClient } from "./wire.ts";

/** One direction's octets until the other side speaks. */
interface Turn {
  readonly connection: number;
  readonly isRequest: boolean;
  hex: string;
}

function readTurns(): Turn[] {
  const file = new URL("../../golden/xenstore/xenstore-golden-wire.txt", import.meta.url);
  const turns: Turn[] = [];
  for (const line of readFileSync(file, "latin1").split("\n")) {
    const [, number, way, hex] = /^(\d+) (C>S|S>C) \d+ ([\da-f]*)/.exec(line) ?? [];
    if (number === undefined || hex === undefined || hex === "") continue;
    const [connection, isRequest] = [Number(number), way === "C>S"];
    const last = turns.at(-1);
    if (last?.connection === connection && last.isRequest === isRequest) last.hex += hex;
    else turns.push({ connection, isRequest, hex });
  }
  return turns;
}

function octetsOfHex(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
}

function hexOf(octets: Uint8Array): string {
  return Array.from(octets, (octet) => octet.toString(16).padStart(2, "0")).join("");
}

/** Play all connections; each request comes in pieces of `sizes`, over and over. */
function play(turns: readonly Turn[], sizes: readonly number[]): Turn[] {
  const store = new XenStore({ behaviour: XENSTORE_4_17 });
  makeTree(new StoreClient(sessionOf(store)));
  const played: Turn[] = [];
  let client: WireClient | null = null;
  let connection = 0;
  let piece = 0;
  for (const turn of turns.filter((one) => one.isRequest)) {
    if (client === null || connection !== turn.connection) {
      client?.connection.close();
      client = new WireClient(sessionOf(store));
      connection = turn.connection;
    }
    const octets = octetsOfHex(turn.hex);
    for (let at = 0; at < octets.length; piece++) {
      const size = sizes[piece % sizes.length] ?? 1;
      client.connection.receive(octets.subarray(at, at + size));
      at += size;
    }
    played.push(turn, { connection, isRequest: false, hex: hexOf(client.takeOctets()) });
  }
  return played;
}

describe("the recorded octets of xenstore-utils", () => {
  const turns = readTurns();
  it("are nine connections", () => {
    expect(new Set(turns.map((turn) => turn.connection)).size).toBe(9);
    expect(turns).toHaveLength(68);
  });

  it("are answered octet for octet", () => {
    expect(play(turns, [65_536])).toEqual(turns);
  });

  it("are answered the same in any pieces", () => {
    const pieces = fc.array(fc.integer({ min: 1, max: 70 }), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(pieces, (sizes) => {
        expect(play(turns, sizes)).toEqual(turns);
      }),
      { numRuns: 30 },
    );
  });
});
