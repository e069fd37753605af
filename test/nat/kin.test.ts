import { describe, expect, it } from "vitest";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { type Ends, gre, icmpError, ipv4, read, turned, udpLite } from "./packets.ts";
import { range, rulesOf, Stand } from "./stand.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const back: Ends = { ...turned(ends), dst: "192.0.2.1" };
const rules = rulesOf((hook, packet) =>
  hook === Hook.Postrouting && packet.input !== null ? range({ to: "192.0.2.1" }) : null,
);
const lines = ({ conntrack, now }: Stand): string[] => conntrack.text(now).split("\n").slice(0, -1);

describe("In a current Linux", () => {
  it("UDP-Lite has ports, and is a stream with its second packet after an answer", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules });
    const sent = stand.forward(udpLite(ends)).octets ?? new Uint8Array();
    expect(read(sent)).toMatchObject({ src: "192.0.2.1", srcPort: 4000, wrong: [] });
    expect(stand.answer(udpLite(back)).state).toBe(FlowState.EstablishedReply);
    stand.forward(udpLite(ends));
    expect(lines(stand)).toEqual([
      "udplite  136 120 src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53 " +
        "src=8.8.8.8 dst=192.0.2.1 sport=53 dport=4000 [ASSURED] mark=0 use=1",
    ]);
  });

  it("two hosts' UDP-Lite gets different ports", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules });
    const ports = ["10.0.0.1", "10.0.0.2"].map((src) => {
      const { octets } = stand.forward(udpLite({ ...ends, src }));
      return octets === null ? 0 : read(octets).srcPort;
    });
    expect(ports[0]).toBe(4000);
    expect(ports[1]).not.toBe(4000);
  });

  it("an error about translated UDP-Lite finds its sender", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules });
    const sent = stand.forward(udpLite(ends)).octets ?? new Uint8Array();
    const { octets, state } = stand.answer(icmpError("8.8.8.8", "192.0.2.1", sent));
    expect(state).toBe(FlowState.RelatedReply);
    expect(read(read(octets ?? sent).data)).toMatchObject({ src: "10.0.0.1", srcPort: 4000 });
  });

  it("GRE has the key of its call, and 30 s, or 180 s once it is answered", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules });
    stand.forward(gre(ends));
    stand.answer(gre(back));
    stand.forward(gre(ends));
    stand.forward(gre(ends, 0x1234));
    expect(lines(stand)).toEqual([
      "gre      47 180 src=10.0.0.1 dst=8.8.8.8 srckey=0x0 dstkey=0x0 " +
        "src=8.8.8.8 dst=192.0.2.1 srckey=0x0 dstkey=0x0 [ASSURED] mark=0 use=1",
      "gre      47 30 src=10.0.0.1 dst=8.8.8.8 srckey=0x0 dstkey=0x1234 [UNREPLIED] " +
        "src=8.8.8.8 dst=192.0.2.1 srckey=0x1234 dstkey=0x0 mark=0 use=1",
    ]);
  });

  it("GRE too short for a call is lost where it is translated", () => {
    const short = ipv4(ends.src, ends.dst, Protocol.Gre, new Uint8Array(7));
    expect(new Stand({ behaviour: FLOWS_6, rules }).forward(short).reason).toBe("nat/truncated");
    expect(new Stand({ behaviour: FLOWS_6 }).forward(short).octets).toEqual(short);
  });
});

describe("In Linux 2.6.18", () => {
  it("GRE and UDP-Lite are like all the rest: addresses and ten minutes", () => {
    const stand = new Stand({ behaviour: FLOWS_2618, rules, conntrack: { countsTraffic: false } });
    const sent = stand.forward(udpLite(ends)).octets ?? new Uint8Array();
    expect(read(sent)).toMatchObject({ src: "192.0.2.1", srcPort: 4000 });
    expect(sent.slice(20)).toEqual(udpLite(ends).slice(20));
    stand.forward(gre(ends, 7));
    expect(lines(stand)).toEqual([
      "udplite  136 600 src=10.0.0.1 dst=8.8.8.8 sport=0 dport=0 [UNREPLIED] " +
        "src=8.8.8.8 dst=192.0.2.1 sport=0 dport=0 mark=0 use=1",
      "gre      47 600 src=10.0.0.1 dst=8.8.8.8 srckey=0x0 dstkey=0x0 [UNREPLIED] " +
        "src=8.8.8.8 dst=192.0.2.1 srckey=0x0 dstkey=0x0 mark=0 use=1",
    ]);
  });
});
