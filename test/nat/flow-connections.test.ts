import { describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../../src/base/time.ts";
import {
  ConnectionFacts,
  ConnectionStatus,
  type ConnectionTuple,
  Existence,
} from "../../src/l3/connections.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { FlowConnections } from "../../src/nat/flow-connections.ts";
import { formatIpv4, ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { type Ends, tcp, turned, udp } from "./packets.ts";
import { Stand } from "./stand.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };

/** The original direction of a connection of `protocol` between the {@link ends}. */
const tupleOf = (protocol: number): ConnectionTuple => ({
  protocol,
  ...{ source: parseIpv4(ends.src), destination: parseIpv4(ends.dst) },
  ...{ sourcePort: ends.srcPort, destinationPort: ends.dstPort },
});

/** A packet that belongs to the connection with that handle. */
function packetOf(stand: Stand, flow: number): Packet {
  const packet = stand.pool.allocate(20);
  if (packet === null) throw new Error("the pool is exhausted");
  packet.flow = flow;
  return packet;
}

describe("Connections as rules see them", () => {
  it("are told by addresses, ports, status and the seconds that are left", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => stand.conntrack);
    const { handle } = stand.forward(udp(ends));
    stand.answer(udp(turned(ends)));
    const facts = new ConnectionFacts();
    const packet = packetOf(stand, handle);
    expect(connections.read(packet, stand.now + 2 * SECOND, facts)).toBe(true);
    expect(facts).toMatchObject({ protocol: 17, secondsLeft: 28 });
    expect(facts.status & ConnectionStatus.SeenReply).not.toBe(0);
    expect(facts.status & ConnectionStatus.Assured).toBe(0);
    expect(facts.original).toMatchObject({ sourcePort: 4000, destinationPort: 53 });
    expect(formatIpv4(ipv4Of(facts.reply.source))).toBe("8.8.8.8");
    expect(connections.read(packetOf(stand, -1), stand.now, facts)).toBe(false);
  });

  it("keep a mark, which conntrack -L lists", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => stand.conntrack);
    const { handle } = stand.forward(udp(ends));
    const packet = packetOf(stand, handle);
    expect(connections.markOf(packet)).toBe(0);
    connections.setMark(packet, 0xffff_fffe);
    expect(connections.markOf(packet)).toBe(0xffff_fffe);
    expect(stand.conntrack.text(stand.now)).toContain("mark=4294967294 ");
    expect(connections.markOf(packetOf(stand, -1))).toBe(-1);
  });

  it("are open until they expire, and TCP until it closes", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => stand.conntrack);
    stand.forward(udp(ends));
    expect(connections.existence(tupleOf(17), stand.now)).toBe(Existence.Open);
    expect(connections.existence(tupleOf(17), stand.now + MINUTE)).toBe(Existence.None);
    expect(connections.existence(tupleOf(6), stand.now)).toBe(Existence.None);
    stand.forward(tcp(ends, { flags: "S", seq: 1 }));
    stand.answer(tcp(turned(ends), { flags: "SA", seq: 5, ack: 2 }));
    stand.forward(tcp(ends, { flags: "A", seq: 2, ack: 6 }));
    expect(connections.existence(tupleOf(6), stand.now)).toBe(Existence.Open);
    stand.forward(tcp(ends, { flags: "R", seq: 2 }));
    expect(connections.existence(tupleOf(6), stand.now)).toBe(Existence.Closed);
  });

  it("are found by the tuple of a packet that belongs to none", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => stand.conntrack);
    const facts = new ConnectionFacts();
    const answer = stand.take(udp(turned(ends)));
    expect(connections.identify(answer, stand.now, facts)).toBe(true);
    expect(facts).toMatchObject({ protocol: 17, status: 0, original: { sourcePort: 53 } });
    stand.forward(udp(ends));
    expect(connections.identify(answer, stand.now, facts)).toBe(true);
    expect(facts.status & ConnectionStatus.Confirmed).not.toBe(0);
    expect(facts.original.sourcePort).toBe(53);
    const cut = stand.take(udp(ends).subarray(0, 23));
    expect(connections.identify(cut, stand.now, facts)).toBe(false);
  });

  it("are none while there is no connection tracking", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => null);
    const packet = packetOf(stand, 5);
    expect(connections.read(packet, 0, new ConnectionFacts())).toBe(false);
    expect(connections.markOf(packet)).toBe(-1);
    expect(connections.identify(packet, 0, new ConnectionFacts())).toBe(false);
    expect(connections.existence(tupleOf(17), 0)).toBe(Existence.None);
  });

  it("that a reset has removed still say how long they would have lived", () => {
    const stand = new Stand({ behaviour: FLOWS_6 });
    const connections = new FlowConnections(FLOWS_6.conntrack, 250, () => stand.conntrack);
    const { handle } = stand.forward(tcp(ends, { flags: "S", seq: 1 }));
    const facts = new ConnectionFacts();
    stand.forward(tcp(ends, { flags: "R", seq: 2 }));
    expect(connections.read(packetOf(stand, handle), stand.now, facts)).toBe(true);
    expect(facts.secondsLeft).toBeGreaterThan(100);
    expect(connections.existence(tupleOf(6), stand.now)).toBe(Existence.None);
  });
});
