import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { FLOWS_2618, FLOWS_6, type FlowBehaviour } from "../../src/nat/behaviour.ts";
import type { FlowEntry } from "../../src/nat/flow-entry.ts";
import type { Tuple } from "../../src/nat/tuple.ts";
import { formatIpv4 } from "../../src/wire/addr.ts";
import {
  answerOf,
  ConntrackModel,
  type ModelBehaviour,
  type ModelPacket,
  type ModelState,
} from "../model/conntrack-model.ts";
import { icmpError, ipv4, query, udp } from "./packets.ts";
import { Stand } from "./stand.ts";

const STATES: readonly (ModelState | "none")[] = [
  "none",
  "invalid",
  "none",
  "new",
  "established",
  "reply",
  "related",
  "related-reply",
];
const OTHER = 50;

function octetsOf(packet: ModelPacket): Uint8Array {
  const { protocol, src, dst, dstPort } = packet;
  if (protocol === "udp") return udp(packet);
  return protocol === "icmp" ? query(packet, dstPort) : ipv4(src, dst, OTHER, new Uint8Array(3));
}

function packetOf({ protocol, src, dst, srcPort, dstPort }: Tuple): ModelPacket {
  const ends = { src: formatIpv4(src), dst: formatIpv4(dst) };
  const isIcmp = protocol === Protocol.Icmp;
  if (isIcmp) return { protocol: "icmp", ...ends, srcPort, dstPort: dstPort >>> 8 };
  return { protocol: protocol === OTHER ? "other" : "udp", ...ends, srcPort, dstPort };
}

const keyOf = (entry: FlowEntry): string => {
  const { protocol, src, dst, srcPort, dstPort } = packetOf(entry.original);
  return JSON.stringify([protocol, src, dst, srcPort, dstPort]);
};

type Run = fc.Command<ConntrackModel, Stand>;

/** One thing that happens to both; afterwards both know the same. */
class Happening implements Run {
  readonly #what: string;
  readonly #onModel: (model: ConntrackModel) => ModelState | null;
  readonly #onReal: (stand: Stand) => number | null;

  constructor(
    what: string,
    onModel: (model: ConntrackModel) => ModelState | null,
    onReal: (stand: Stand) => number | null,
  ) {
    this.#what = what;
    this.#onModel = onModel;
    this.#onReal = onReal;
  }

  check(): boolean {
    return true;
  }

  run(model: ConntrackModel, stand: Stand): void {
    const state = this.#onReal(stand);
    expect(state === null ? null : STATES[state]).toBe(this.#onModel(model));
    const entries = stand.conntrack.entries(stand.now);
    const list = entries.map((entry) =>
      [keyOf(entry), entry.timeout / SECOND, entry.hasReply, entry.isAssured].join(" "),
    );
    expect(list).toEqual(model.list());
  }

  toString(): string {
    return this.#what;
  }
}

const host = fc.constantFrom("10.0.0.1", "10.0.0.2", "8.8.8.8");
const udpPacket: fc.Arbitrary<ModelPacket> = fc.record({
  protocol: fc.constant("udp"),
  src: host,
  dst: host,
  srcPort: fc.constantFrom(1, 2),
  dstPort: fc.constantFrom(1, 2),
});
const echo: fc.Arbitrary<ModelPacket> = fc.record({
  protocol: fc.constant("icmp"),
  src: host,
  dst: host,
  srcPort: fc.constantFrom(1, 2),
  dstPort: fc.constantFrom(8, 8, 0),
});
const other: fc.Arbitrary<ModelPacket> = fc.record({
  protocol: fc.constant("other"),
  src: host,
  dst: host,
  srcPort: fc.constant(0),
  dstPort: fc.constant(0),
});
/** A packet to oneself is its own answer, and its tuples are one: no router sees it. */
const packet = fc.oneof(udpPacket, echo, other).filter(({ src, dst }) => src !== dst);

const commands = fc.commands(
  [
    fc.tuple(packet, fc.nat(4)).map(([one, chance]) => {
      const isDropped = chance === 0;
      return new Happening(
        `pass ${JSON.stringify(one)}${isDropped ? ", dropped" : ""}`,
        (model) => model.pass(one, isDropped),
        (stand) => {
          stand.isClosed = isDropped;
          return stand.forward(octetsOf(one)).state;
        },
      );
    }),
    packet.map(
      (one) =>
        new Happening(
          `error about ${JSON.stringify(one)}`,
          (model) => model.passError(one),
          (stand) => {
            stand.isClosed = false;
            return stand.answer(icmpError("9.9.9.9", one.src, octetsOf(one))).state;
          },
        ),
    ),
    fc.constantFrom(1, 2, 3, 15, 29, 30, 119, 600).map(
      (seconds) =>
        new Happening(
          `wait ${seconds} s`,
          (model) => {
            model.now += seconds;
            return null;
          },
          (stand) => {
            stand.now += seconds * SECOND;
            return null;
          },
        ),
    ),
    fc.nat(7).map(
      (index) =>
        new Happening(
          `forget entry ${index}`,
          (model) => {
            model.forget(index);
            return null;
          },
          ({ conntrack, now }) => {
            const entries = conntrack.entries(now);
            conntrack.delete(entries[index % Math.max(entries.length, 1)]?.handle ?? -1);
            return null;
          },
        ),
    ),
  ],
  { maxCommands: 60 },
);

const modelOf = ({ conntrack }: FlowBehaviour): ModelBehaviour => ({
  endsAnsweredQueries: conntrack.endsAnsweredQueries,
  udpStream: conntrack.timeouts.udpStream / SECOND,
  udpStreamAge: conntrack.udpStreamAge === null ? -1 : conntrack.udpStreamAge / SECOND,
});

describe.each([
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
] as const)("connection tracking of Linux %s", (_, behaviour) => {
  it("knows at every moment what a naive list knows", () => {
    fc.assert(
      fc.property(commands, (happenings) => {
        const setup = () => ({
          model: new ConntrackModel(modelOf(behaviour)),
          real: new Stand({ behaviour }),
        });
        fc.modelRun(setup, happenings);
      }),
      { numRuns: 60 },
    );
  });

  it("never throws, and never changes a packet, whatever its octets", () => {
    const garbage = fc
      .tuple(
        fc.constantFrom(1, 6, 17, 99),
        fc.uint8Array({ maxLength: 80 }),
        fc.boolean(),
        fc.constantFrom(0, 0, 0, 1, 0x2000),
      )
      .map(([protocol, payload, isOwn, flags]) => ({
        octets: ipv4("10.0.0.1", "8.8.8.8", protocol, payload, flags),
        isOwn,
      }));
    const stand = new Stand({ behaviour });
    fc.assert(
      fc.property(garbage, ({ octets, isOwn }) => {
        const passage = isOwn ? stand.originate(octets) : stand.forward(octets);
        expect(passage.octets).toEqual(octets);
        expect([FlowState.None, FlowState.Untracked]).not.toContain(passage.state);
      }),
      { numRuns: 300 },
    );
  });

  it("never holds more entries than it may", () => {
    const flows = fc.array(fc.tuple(udpPacket, fc.boolean()), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), flows, (limit, packets) => {
        const stand = new Stand({ behaviour, conntrack: { limit, buckets: 2 } });
        for (const [one, isAnswered] of packets) {
          stand.now += SECOND;
          const { reason } = stand.forward(udp(one));
          if (isAnswered && reason === "") stand.answer(udp(answerOf(one)));
          expect(["", "conntrack/table-full"]).toContain(reason);
          expect(stand.conntrack.table.count).toBeLessThanOrEqual(limit);
        }
      }),
      { numRuns: 60 },
    );
  });
});
