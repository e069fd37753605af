import { describe, expect, it } from "vitest";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { octetsAPacket } from "../support/allocation.ts";
import { type Ends, query, read, tcp, turned, udp } from "./packets.ts";
import { range, rulesOf, Stand } from "./stand.ts";

const FLOWS = 500;
const WARM_UP = 20_000;
const PACKETS = 15_000;
/** The compiler and the measuring take some; the smallest object that a packet could cost is 16. */
const MOST_OCTETS_A_PACKET = 4;

const rules = rulesOf((hook, packet) => {
  const src = IPV4.src.get(packet.pool.view, packet.network);
  return hook === Hook.Postrouting && src >>> 24 === 10 ? range({ to: "75.101.160.7" }) : null;
});
const endsOf = (index: number): Ends => ({
  src: `10.0.${index >> 7}.${index & 127}`,
  dst: "8.8.8.8",
  srcPort: 1024 + index,
  dstPort: 80,
});

const KINDS = {
  udp: (ends: Ends) => udp(ends),
  tcp: (ends: Ends) => tcp(ends, { flags: "A", seq: 3_000_000_001, ack: 4_000_000_001 }),
  icmp: (ends: Ends) => query(ends),
};

describe.each([
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
] as const)("packets of established connections in Linux %s", (_, behaviour) => {
  it.each(["udp", "tcp", "icmp"] as const)(
    "are tracked and translated without allocation: %s",
    (kind) => {
      const stand = new Stand({ behaviour, rules });
      const { pool } = stand;
      pool.observe(null);
      const originals = Array.from({ length: FLOWS }, (__, index) => {
        const ends = endsOf(index);
        if (kind === "tcp") {
          stand.forward(tcp(ends, { flags: "S", seq: 3_000_000_000 }));
          const back = { ...turned(ends), dst: "75.101.160.7" };
          stand.answer(tcp(back, { flags: "SA", seq: 4_000_000_000, ack: 3_000_000_001 }));
        }
        const octets = KINDS[kind](ends);
        expect(read(stand.forward(octets).octets ?? octets).src).toBe("75.101.160.7");
        return octets;
      });
      const packet = stand.take(originals[0] ?? new Uint8Array());
      const play = (count: number): void => {
        for (let index = 0; index < count; index += 1) {
          pool.bytes.set(originals[index % FLOWS] ?? packet.octets(), packet.network);
          packet.flow = -1;
          packet.flowState = FlowState.None;
          stand.now += 3;
          stand.pass(packet, stand.inside, stand.outside);
        }
      };
      play(WARM_UP);
      const octets = octetsAPacket({ play, packets: PACKETS, enough: MOST_OCTETS_A_PACKET });
      expect(octets).toBeLessThan(MOST_OCTETS_A_PACKET);
      expect(stand.conntrack.entries(stand.now)).toHaveLength(FLOWS);
    },
  );
});
