import { describe, expect, it } from "vitest";
import { DAY, MILLISECOND, NEVER, SECOND } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { IcmpType } from "../../src/l3/icmp.ts";
import { FLOWS_2618, FLOWS_6, type FlowBehaviour } from "../../src/nat/behaviour.ts";
import { TALLY, TALLY_OFFSET } from "../../src/nat/flow-record.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { type Ends, icmpError, ipv4, query, tcp, turned, udp } from "./packets.ts";
import { range, rulesOf, Stand } from "./stand.ts";

const BOTH: [string, FlowBehaviour][] = [
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
];
const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const lines = ({ conntrack, now }: Stand): string[] => conntrack.text(now).split("\n").slice(0, -1);

describe.each(BOTH)("connection tracking of Linux %s", (_, behaviour) => {
  it("calls a first packet new until an answer was seen, then both ways established", () => {
    const stand = new Stand({ behaviour });
    expect(stand.forward(udp(ends)).state).toBe(FlowState.New);
    expect(stand.forward(udp(ends)).state).toBe(FlowState.New);
    expect(stand.answer(udp(turned(ends))).state).toBe(FlowState.EstablishedReply);
    expect(stand.forward(udp(ends)).state).toBe(FlowState.Established);
  });

  it("keeps no entry of a packet that was dropped on its way", () => {
    const stand = new Stand({ behaviour });
    stand.isClosed = true;
    expect(stand.forward(udp(ends)).reason).toBe("filter/dropped");
    expect(lines(stand)).toEqual([]);
    stand.isClosed = false;
    expect(stand.answer(udp(turned(ends))).state).toBe(FlowState.New);
  });

  it("keeps its tables intact when very many first packets are dropped", () => {
    const stand = new Stand({ behaviour });
    stand.isClosed = true;
    for (let port = 1; port <= 1500; port += 1) stand.forward(udp({ ...ends, srcPort: port }));
    expect(stand.conntrack.table.count).toBe(0);
    stand.isClosed = false;
    for (let port = 1; port <= 500; port += 1) stand.forward(udp({ ...ends, srcPort: port }));
    expect(lines(stand)).toHaveLength(500);
    for (let port = 1; port <= 500; port += 1) {
      const { state } = stand.answer(udp(turned({ ...ends, srcPort: port })));
      expect(state).toBe(FlowState.EstablishedReply);
    }
  });

  it("leaves packets alone whose state a rule or the router has set", () => {
    const stand = new Stand({ behaviour });
    const packet = stand.take(udp(ends));
    packet.flowState = FlowState.Untracked;
    stand.pass(packet, stand.inside, stand.outside);
    expect(packet.flowState).toBe(FlowState.Untracked);
    expect(packet.flow).toBe(-1);
    expect(lines(stand)).toEqual([]);
  });

  it("looks at nothing once it has left the hooks", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    stand.conntrack.detach(stand.hooks);
    expect(stand.answer(udp(turned(ends))).state).toBe(FlowState.None);
    expect(lines(stand)).toHaveLength(1);
  });

  it("confirms entries of packets to and from this host", () => {
    const stand = new Stand({ behaviour });
    stand.deliver(udp(ends));
    stand.originate(udp({ ...ends, srcPort: 1 }));
    expect(lines(stand)).toHaveLength(2);
  });

  it("forgets an entry when its time is over, on the tick", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    stand.now = 30 * SECOND - 1;
    expect(lines(stand)).toHaveLength(1);
    stand.now = 30 * SECOND;
    expect(lines(stand)).toEqual([]);
    expect(stand.answer(udp(turned(ends))).state).toBe(FlowState.New);
  });

  it("sweeps up what nobody asks for", () => {
    const stand = new Stand({ behaviour });
    for (let port = 1; port <= 200; port += 1) stand.forward(udp({ ...ends, srcPort: port }));
    stand.now = 40 * SECOND;
    for (let port = 1; port <= 200; port += 1) stand.forward(udp({ ...ends, dstPort: port }));
    expect(stand.conntrack.table.count).toBeLessThanOrEqual(201);
    expect(stand.conntrack.nextDeadline()).toBe(NEVER);
    for (let call = 0; call < 8; call += 1) stand.conntrack.expire(80 * SECOND);
    expect(stand.conntrack.table.count).toBe(0);
  });

  it("knows a stale handle after its record was used again", () => {
    const stand = new Stand({ behaviour });
    const { handle } = stand.forward(udp(ends));
    expect(stand.conntrack.entry(handle, stand.now)?.original.srcPort).toBe(4000);
    expect(stand.conntrack.delete(handle)).toBe(true);
    expect(stand.conntrack.delete(handle)).toBe(false);
    for (let port = 1; port < 100; port += 1) {
      stand.forward(udp({ ...ends, srcPort: port }));
      stand.conntrack.flush();
    }
    expect(stand.conntrack.entry(handle, stand.now)).toBeNull();
    expect(
      stand.originate(udp(ends), stand.outside, {
        handle,
        state: FlowState.RelatedReply,
        octets: null,
        reason: "",
      }).state,
    ).toBe(FlowState.RelatedReply);
  });

  it("finds entries by either tuple", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const tuple = {
      protocol: 17,
      src: parseIpv4("8.8.8.8"),
      dst: parseIpv4("10.0.0.1"),
      srcPort: 53,
      dstPort: 4000,
    };
    expect(stand.conntrack.find(tuple, 0)?.original.src).toBe(parseIpv4("10.0.0.1"));
    expect(stand.conntrack.find({ ...tuple, srcPort: 54 }, 0)).toBeNull();
  });

  it("takes a packet to its own sender and port for its own answer", () => {
    const stand = new Stand({ behaviour });
    const self = udp({ src: "8.8.8.8", dst: "8.8.8.8", srcPort: 7, dstPort: 7 });
    expect(stand.forward(self).state).toBe(FlowState.New);
    expect(stand.forward(self).state).toBe(FlowState.EstablishedReply);
  });

  it("drops a new connection's packet when the table is full of assured ones", () => {
    const stand = new Stand({ behaviour, conntrack: { limit: 3 } });
    const ports = [1, 2, 3].map((srcPort) => ({ ...ends, srcPort }));
    for (const one of ports) {
      stand.forward(udp(one));
      stand.answer(udp(turned(one)));
    }
    stand.now = 3 * SECOND;
    for (const one of ports) stand.forward(udp(one));
    expect(stand.forward(udp(ends)).reason).toBe("conntrack/table-full");
    expect(stand.forward(udp(ports[0] ?? ends)).octets).not.toBeNull();
    stand.now = DAY;
    expect(stand.forward(udp(ends)).octets).not.toBeNull();
  });

  it.each([
    ["udp/checksum", udp(ends).fill(1, 30, 31)],
    ["tcp/checksum", tcp(ends, { flags: "S" }).fill(9, 35, 36)],
    ["icmp/checksum", query(ends).fill(1, 30, 31)],
    ["udp/truncated", ipv4(ends.src, ends.dst, 17, new Uint8Array(7))],
    ["udp/length", ipv4(ends.src, ends.dst, 17, Uint8Array.of(1, 1, 1, 1, 0, 7, 0, 0))],
    ["tcp/truncated", ipv4(ends.src, ends.dst, 6, new Uint8Array(19))],
    ["tcp/data-offset", ipv4(ends.src, ends.dst, 6, new Uint8Array(20))],
    ["tcp/flags", tcp(ends, { flags: "SF" })],
    ["tcp/no-connection", tcp(ends, { flags: "SA" })],
    ["icmp/truncated", ipv4(ends.src, ends.dst, 1, new Uint8Array(7))],
    ["icmp/type", query(ends, 19)],
    ["icmp/no-query", query(ends, IcmpType.EchoReply)],
    ["icmp/no-query", query(ends, 9)],
    ["icmp/unrelated", icmpError(ends.dst, ends.src, udp(ends))],
    ["icmp/quotation", icmpError(ends.dst, ends.src, udp(ends), 3, 19)],
    ["ipv4/fragment", ipv4(ends.src, ends.dst, 17, new Uint8Array(8), 1)],
  ] as const)("calls a packet invalid: %s", (cause, octets) => {
    const stand = new Stand({ behaviour });
    const passage = stand.forward(octets);
    expect([passage.state, passage.handle]).toEqual([FlowState.Invalid, -1]);
    expect(stand.conntrack.invalids.entries()).toEqual([[cause, 1]]);
    expect(passage.octets).toEqual(octets);
  });

  it("verifies checksums only of packets that come in, and only if it shall", () => {
    const wrong = udp(ends).fill(1, 30, 31);
    expect(new Stand({ behaviour }).originate(wrong).state).toBe(FlowState.New);
    const stand = new Stand({ behaviour, conntrack: { verifiesChecksums: false } });
    expect(stand.forward(wrong).state).toBe(FlowState.New);
  });

  it.each([3, 4, 5, 11, 12])("relates an ICMP error of type %i to what it quotes", (type) => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const { state } = stand.answer(icmpError("9.9.9.9", ends.src, udp(ends), type, 28));
    expect(state).toBe(FlowState.RelatedReply);
    const back = icmpError("10.0.0.254", ends.dst, udp(turned(ends)), type, 28);
    expect(stand.forward(back).state).toBe(FlowState.Related);
  });

  it("tracks protocols that it does not know by their addresses alone", () => {
    const stand = new Stand({ behaviour });
    const there = ipv4("10.0.0.1", "8.8.8.8", 50, new Uint8Array(9));
    const back = ipv4("8.8.8.8", "10.0.0.1", 50, new Uint8Array(1));
    expect(stand.forward(there).state).toBe(FlowState.New);
    expect(stand.answer(back).state).toBe(FlowState.EstablishedReply);
    stand.now = 600 * SECOND - 4 * MILLISECOND;
    expect(stand.forward(there).state).toBe(FlowState.Established);
  });

  it("keeps ICMP queries apart by id, type and code", () => {
    const stand = new Stand({ behaviour });
    stand.forward(query(ends));
    const other = { ...ends, srcPort: 4001 };
    expect(stand.answer(query(turned(other), IcmpType.EchoReply)).state).toBe(FlowState.Invalid);
    const answer = { ...turned(ends), srcPort: ends.srcPort };
    expect(stand.answer(query(answer, IcmpType.TimestampReply)).state).toBe(FlowState.Invalid);
    expect(stand.answer(query(answer, 0, new Uint8Array(8), 1)).state).toBe(FlowState.Invalid);
    expect(stand.answer(query(answer, IcmpType.EchoReply)).state).toBe(FlowState.EstablishedReply);
  });
});

describe("connection tracking of Linux 2.6.18", () => {
  const behaviour = FLOWS_2618;

  it("ends an ICMP entry when all its queries are answered", () => {
    const stand = new Stand({ behaviour });
    const answer = { ...turned(ends), srcPort: ends.srcPort };
    stand.forward(query(ends));
    stand.forward(query(ends));
    expect(stand.answer(query(answer, 0)).state).toBe(FlowState.EstablishedReply);
    expect(lines(stand)).toHaveLength(1);
    expect(stand.answer(query(answer, 0)).state).toBe(FlowState.EstablishedReply);
    expect(lines(stand)).toEqual([]);
    expect(stand.answer(query(answer, 0)).state).toBe(FlowState.Invalid);
    expect(stand.forward(query(ends)).state).toBe(FlowState.New);
  });

  it("calls UDP a stream as soon as a second packet follows an answer", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    stand.answer(udp(turned(ends)));
    expect(lines(stand)).toEqual([
      "udp      17 30 src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53 packets=1 bytes=36 " +
        "src=8.8.8.8 dst=10.0.0.1 sport=53 dport=4000 packets=1 bytes=36 mark=0 use=1",
    ]);
    stand.forward(udp(ends));
    expect(lines(stand)).toEqual([
      "udp      17 180 src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53 packets=2 bytes=72 " +
        "src=8.8.8.8 dst=10.0.0.1 sport=53 dport=4000 packets=1 bytes=36 [ASSURED] mark=0 use=1",
    ]);
  });

  it("believes no quotation of less than eight octets of UDP", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const error = icmpError("9.9.9.9", ends.src, udp(ends), 3, 27);
    expect(stand.answer(error).state).toBe(FlowState.Invalid);
  });

  it("relates an error to another host than the packet came from", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const error = icmpError("9.9.9.9", "10.0.0.77", udp(ends), 3, 28);
    expect(stand.answer(error).state).toBe(FlowState.RelatedReply);
  });

  it("counts octets beyond 32 bits", () => {
    const stand = new Stand({ behaviour });
    const { handle } = stand.forward(udp(ends));
    const { table } = stand.conntrack;
    TALLY.octetsLow.set(table.view, table.flowOf(handle) + TALLY_OFFSET, 2 ** 32 - 1);
    stand.forward(udp(ends));
    const tally = stand.conntrack.entry(handle, 0)?.originalTally;
    expect(tally).toEqual({ packets: 2, octets: 2 ** 32 + 35 });
  });
});

describe("an error of this host about a packet whose source is translated", () => {
  const rules = rulesOf((hook) => (hook === Hook.Postrouting ? range({ to: "9.9.9.9" }) : null));

  it.each([
    ["belongs to its connection in Linux 2.6.18", FLOWS_2618, FlowState.RelatedReply],
    ["is invalid in Linux 6.x", FLOWS_6, FlowState.Invalid],
  ] as const)("%s", (_, behaviour, state) => {
    const stand = new Stand({ behaviour, rules });
    stand.forward(udp(ends));
    const error = icmpError("10.0.0.254", ends.src, udp(ends), 3, 28);
    expect(stand.originate(error, stand.inside).state).toBe(state);
    expect(stand.answer(error).state).toBe(FlowState.Invalid);
  });
});

describe("connection tracking of Linux 6.x", () => {
  const behaviour = FLOWS_6;

  it("keeps an ICMP entry for 30 seconds after its last packet", () => {
    const stand = new Stand({ behaviour });
    const answer = { ...turned(ends), srcPort: ends.srcPort };
    stand.forward(query(ends));
    stand.answer(query(answer, 0));
    expect(lines(stand)).toEqual([
      "icmp     1 30 src=10.0.0.1 dst=8.8.8.8 type=8 code=0 id=4000 " +
        "src=8.8.8.8 dst=10.0.0.1 type=0 code=0 id=4000 mark=0 use=1",
    ]);
    stand.now = 29 * SECOND;
    expect(stand.answer(query(answer, 0)).state).toBe(FlowState.EstablishedReply);
    stand.now = 58 * SECOND;
    expect(lines(stand)).toHaveLength(1);
  });

  it("calls UDP a stream when it goes both ways for more than two seconds", () => {
    const stand = new Stand({ behaviour });
    const text = "src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53";
    const back = "src=8.8.8.8 dst=10.0.0.1 sport=53 dport=4000";
    stand.forward(udp(ends));
    expect(lines(stand)).toEqual([`udp      17 30 ${text} [UNREPLIED] ${back} mark=0 use=1`]);
    stand.answer(udp(turned(ends)));
    stand.now = 2 * SECOND;
    stand.forward(udp(ends));
    expect(lines(stand)).toEqual([`udp      17 30 ${text} ${back} mark=0 use=1`]);
    stand.now += 4 * MILLISECOND;
    stand.forward(udp(ends));
    expect(lines(stand)).toEqual([`udp      17 120 ${text} ${back} [ASSURED] mark=0 use=1`]);
  });

  it("believes a quotation of both ports", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const error = icmpError("9.9.9.9", ends.src, udp(ends), 3, 24);
    expect(stand.answer(error).state).toBe(FlowState.RelatedReply);
    const short = icmpError("9.9.9.9", ends.src, udp(ends), 3, 23);
    expect(stand.answer(short).state).toBe(FlowState.Invalid);
  });

  it("calls an error invalid that goes to another host than the packet came from", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const error = icmpError("9.9.9.9", "10.0.0.77", udp(ends), 3, 28);
    expect(stand.answer(error).state).toBe(FlowState.Invalid);
    expect(stand.conntrack.invalids.entries()).toEqual([["icmp/target", 1]]);
  });
});
