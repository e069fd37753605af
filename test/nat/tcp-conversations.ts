/** TCP connections as two hosts have them, with their accidents. @module */
import fc from "fast-check";
import type { Make } from "./flow-cases.ts";
import { type Ends, tcp, turned } from "./packets.ts";

/** One thing that an end does. */
interface Deed {
  readonly isServer: boolean;
  readonly kind:
    | "data"
    | "ack"
    | "fin"
    | "reset"
    | "syn"
    | "syn-ack"
    | "again"
    | "keep-alive"
    | "shut"
    | "stray"
    | "challenge";
  readonly size: number;
  readonly window: number;
  /** What is wrong with the numbers: nothing, mostly. */
  readonly skew: number;
}

const deed: fc.Arbitrary<Deed> = fc.record({
  isServer: fc.boolean(),
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom("data" as const, "ack" as const) },
    { weight: 3, arbitrary: fc.constantFrom("fin" as const, "again" as const) },
    {
      weight: 3,
      arbitrary: fc.constantFrom(
        "reset" as const,
        "syn" as const,
        "syn-ack" as const,
        "keep-alive" as const,
        "shut" as const,
        "stray" as const,
        "challenge" as const,
      ),
    },
  ),
  size: fc.constantFrom(1, 100, 1000, 1400),
  window: fc.constantFrom(65_535, 65_535, 500, 29_200, 1),
  skew: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, -1, 1400, -1400, 66_000, -66_000, 70_000, 2 ** 31),
});

const OPTIONS = [
  Uint8Array.of(),
  Uint8Array.of(2, 4, 5, 0xb4, 4, 2, 3, 3, 7, 0, 0, 0),
  Uint8Array.of(1, 3, 3, 2),
  Uint8Array.of(1, 1, 4, 2),
];
const BEGINNINGS: Readonly<Record<string, readonly (readonly [boolean, Deed["kind"]])[]>> = {
  handshake: [
    [false, "syn"],
    [true, "syn-ack"],
    [false, "ack"],
  ],
  "simultaneous open": [
    [false, "syn"],
    [true, "syn"],
    [false, "syn-ack"],
    [true, "syn-ack"],
  ],
  "simultaneous open, acknowledged": [
    [false, "syn"],
    [true, "syn"],
    [true, "ack"],
    [false, "ack"],
  ],
  "split handshake": [
    [false, "syn"],
    [true, "ack"],
    [true, "syn"],
    [false, "syn-ack"],
    [true, "ack"],
  ],
  midway: [],
  "half open": [[false, "syn"]],
};

/** What each end has sent and got, as the ends themselves see it. */
class Talk {
  readonly #ends: Ends;
  readonly #back: Ends;
  readonly #options: Uint8Array;
  /** The next number to send, of the client and of the server; signed words. */
  readonly #next: [number, number];
  readonly #got: [number, number];
  readonly #last: [Uint8Array | null, Uint8Array | null] = [null, null];

  constructor(ends: Ends, back: Ends, options: Uint8Array, starts: readonly [number, number]) {
    this.#ends = ends;
    this.#back = back;
    this.#options = options;
    this.#next = [starts[0], starts[1]];
    this.#got = [starts[1], starts[0]];
  }

  make({ isServer, kind, size, window, skew }: Deed): Uint8Array {
    const [own, other] = isServer ? ([1, 0] as const) : ([0, 1] as const);
    const last = this.#last[own];
    if (kind === "again" && last !== null) return last;
    // What the other end sent has arrived.
    this.#got[own] = this.#next[other];
    const seq = this.#next[own] + skew;
    const ack = this.#got[own];
    const one = isServer ? this.#back : this.#ends;
    const plain = { seq, ack, window: kind === "shut" ? 0 : window };
    const filled = new Uint8Array(size);
    const packet = this.#segment(one, kind, plain, filled);
    if (skew === 0) this.#next[own] += lengthOf(kind, size);
    this.#last[own] = packet;
    return packet;
  }

  #segment(
    one: Ends,
    kind: Deed["kind"],
    plain: { readonly seq: number; readonly ack: number; readonly window: number },
    data: Uint8Array,
  ): Uint8Array {
    const { seq, ack } = plain;
    switch (kind) {
      case "syn":
        return tcp(one, { ...plain, flags: "S", ack: 0, options: this.#options });
      case "syn-ack":
        return tcp(one, { ...plain, flags: "SA", options: this.#options });
      case "data":
        return tcp(one, { ...plain, flags: "PA", data });
      case "fin":
        return tcp(one, { ...plain, flags: "FA" });
      case "reset":
        return tcp(one, { ...plain, flags: "R", ack: 0, window: 0 });
      case "keep-alive":
        return tcp(one, { ...plain, flags: "A", seq: seq - 1 });
      case "stray":
        return tcp(one, { ...plain, flags: "RA", seq: 0 });
      case "challenge":
        return tcp(one, { ...plain, flags: "A", ack: ack - 1 });
      default:
        return tcp(one, { ...plain, flags: "A" });
    }
  }
}

function lengthOf(kind: Deed["kind"], size: number): number {
  if (kind === "data") return size;
  return kind === "syn" || kind === "syn-ack" || kind === "fin" ? 1 : 0;
}

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 80 };
/** The client appears outside as 192.0.2.101. */
const back: Ends = { ...turned(ends), dst: "192.0.2.101" };

/** A connection with accidents, of at most `most` deeds after its beginning. */
export const tcpConversation = (most: number): fc.Arbitrary<Make[]> =>
  fc
    .record({
      beginning: fc.constantFrom(...Object.keys(BEGINNINGS)),
      options: fc.constantFrom(...OPTIONS),
      starts: fc.tuple(
        fc.constantFrom(1000, 2 ** 32 - 700, 2 ** 31 - 5),
        fc.constantFrom(5_000_000, 2 ** 32 - 2, 0),
      ),
      deeds: fc.array(deed, { minLength: 1, maxLength: most }),
    })
    .map(({ beginning, options, starts, deeds }) => {
      const talk = new Talk(ends, back, options, starts);
      const first = (BEGINNINGS[beginning] ?? []).map(([isServer, kind]): Deed => ({
        isServer,
        kind,
        size: 0,
        window: 29_200,
        skew: 0,
      }));
      return [...first, ...deeds].map((one): Make => {
        const packet = talk.make(one);
        return () => [one.isServer ? "out0" : "in0", packet];
      });
    });
