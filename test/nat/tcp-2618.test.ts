import { describe, expect, it } from "vitest";
import { FlowState } from "../../src/l3/flow-state.ts";
import { FLOWS_2618 } from "../../src/nat/behaviour.ts";
import { Talk } from "./talk.ts";

const { New, Established, EstablishedReply, Invalid } = FlowState;

describe("a TCP connection in Linux 2.6.18", () => {
  it("goes through all states, with the time of each", () => {
    const talk = new Talk(FLOWS_2618);
    const course = talk.course([
      () => talk.client("S", 100),
      () => talk.server("SA", 500, 101),
      () => talk.client("A", 101, 501),
      () => talk.client("FA", 101, 501),
      () => talk.server("A", 501, 102),
      () => talk.server("FA", 501, 102),
      () => talk.client("A", 102, 502),
    ]);
    expect(course).toEqual([
      "none",
      "SYN_SENT 120",
      "SYN_RECV 60",
      "ESTABLISHED 432000 ASSURED",
      "FIN_WAIT 120 ASSURED",
      "CLOSE_WAIT 60 ASSURED",
      "LAST_ACK 30 ASSURED",
      "TIME_WAIT 120 ASSURED",
    ]);
    expect(talk.client("S", 7000)).toBe(New);
    expect(talk.entry).toBe("SYN_SENT 120");
  });

  it("ends at once when a reset is the only answer", () => {
    const talk = new Talk(FLOWS_2618);
    expect(talk.client("S", 100)).toBe(New);
    expect(talk.server("RA", 0, 101)).toBe(EstablishedReply);
    expect(talk.entry).toBe("none");
  });

  it("is closed by a reset in its windows, and does not heed one outside", () => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    expect(talk.client("R", 900_000)).toBe(Invalid);
    expect(talk.client("R", 101)).toBe(Established);
    expect(talk.entry).toBe("CLOSE 10 ASSURED");
    expect(talk.client("S", 50)).toBe(New);
  });

  it("opens again only with a SYN from who closed it, or beyond what was sent", () => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    talk.server("FA", 501, 101);
    talk.client("FA", 101, 502);
    talk.server("A", 502, 102);
    expect(talk.entry).toBe("TIME_WAIT 120 ASSURED");
    expect(talk.client("S", 50)).toBe(Invalid);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([["tcp/reopen", 1]]);
    expect(talk.client("S", 5000)).toBe(New);
  });

  it.each([
    ["tcp/above-window", "PA", 101 + 70_000, 501],
    ["tcp/below-window", "PA", 101 - 70_000, 501],
    ["tcp/ack-above-sent", "A", 101, 502],
    ["tcp/ack-below-window", "A", 101, 501 - 66_001],
  ])("does not believe a segment outside its windows: %s", (cause, flags, seq, ack) => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    expect(talk.client(flags, seq, ack, { data: new Uint8Array(9) })).toBe(Invalid);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([[cause, 1]]);
    expect(talk.client("PA", 101, 501, { data: new Uint8Array(9) })).toBe(Established);
  });

  it("scales windows only if both ends offered it", () => {
    const scale = Uint8Array.of(3, 3, 4, 0);
    const big = { data: new Uint8Array(1000) };
    const reach = (options: Uint8Array[]): number => {
      const talk = new Talk(FLOWS_2618);
      talk.open(options);
      talk.server("A", 501, 101, { window: 100 });
      return talk.client("PA", 101 + 90_000, 501, big);
    };
    const wide = (options: Uint8Array[]): number => {
      const talk = new Talk(FLOWS_2618);
      talk.open(options);
      talk.server("A", 501, 101, { window: 65_535 });
      return talk.client("PA", 101 + 90_000, 501, big);
    };
    expect(reach([scale, scale])).toBe(Invalid);
    expect(wide([scale, scale])).toBe(Established);
    expect(wide([scale, new Uint8Array()])).toBe(Invalid);
  });

  it("lets one octet into a shut window", () => {
    const talk = new Talk(FLOWS_2618);
    talk.client("S", 100);
    talk.server("SA", 500, 101, { window: 0 });
    const data = new Uint8Array(1);
    expect(talk.client("A", 103, 501, { data })).toBe(Invalid);
    expect(talk.client("A", 102, 501, { data })).toBe(Established);
  });

  it("counts what a selective acknowledgement covers as acknowledged", () => {
    const permitted = Uint8Array.of(4, 2, 1, 1);
    const sack = (left: number, right: number): Uint8Array => {
      const octets = new Uint8Array(12);
      const view = new DataView(octets.buffer);
      octets.set([1, 1, 5, 10]);
      view.setUint32(4, left);
      view.setUint32(8, right);
      return octets;
    };
    const talk = new Talk(FLOWS_2618);
    talk.open([permitted]);
    talk.client("PA", 201, 501, { data: new Uint8Array(100) });
    expect(talk.server("A", 501, 101, { options: sack(201, 301) })).toBe(EstablishedReply);
    expect(talk.server("A", 501, 101, { options: sack(201, 302) })).toBe(Invalid);
  });

  it("is taken up midway, and its windows are believed after three segments each way", () => {
    const talk = new Talk(FLOWS_2618);
    expect(talk.client("A", 101, 501)).toBe(New);
    expect(talk.entry).toBe("ESTABLISHED 432000");
    expect(talk.server("A", 501, 101)).toBe(EstablishedReply);
    expect(talk.entry).toBe("ESTABLISHED 432000");
    const far = { data: new Uint8Array(10) };
    expect(talk.client("A", 101 + 900_000, 501, far)).toBe(Established);
    expect(talk.entry).toBe("ESTABLISHED 432000 ASSURED");
    expect(talk.client("A", 101 + 900_000, 501, far)).toBe(Established);
    expect(talk.server("A", 501, 101)).toBe(EstablishedReply);
    expect(talk.server("A", 501, 101)).toBe(EstablishedReply);
    expect(talk.client("A", 101 + 2_000_000, 501, far)).toBe(Invalid);
  });

  it("is not taken up midway where that is switched off", () => {
    const talk = new Talk(FLOWS_2618, { tcpLoose: 0 });
    expect(talk.client("A", 1, 1)).toBe(Invalid);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([["tcp/no-connection", 1]]);
  });

  it("lives for five minutes only after three repetitions without an answer", () => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    const data = new Uint8Array(10);
    for (const expected of ["432000", "432000", "432000", "300"]) {
      talk.client("A", 101, 501, { data });
      expect(talk.entry).toBe(`ESTABLISHED ${expected} ASSURED`);
    }
    talk.server("A", 501, 111);
    expect(talk.entry).toBe("ESTABLISHED 432000 ASSURED");
  });

  it("lets a SYN into a standing connection pass, and ends when the server agrees with it", () => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    expect(talk.client("S", 9000)).toBe(Established);
    expect(talk.entry).toBe("ESTABLISHED 432000 ASSURED");
    expect(talk.passServer("SA", 7, 9001).reason).toBe("conntrack/out-of-step");
    expect(talk.entry).toBe("none");
    expect(talk.client("S", 9000)).toBe(New);
  });

  it("is reset by the answer to a SYN that was let through", () => {
    const talk = new Talk(FLOWS_2618);
    talk.open();
    talk.client("S", 9000);
    expect(talk.server("RA", 0, 9001)).toBe(EstablishedReply);
    expect(talk.entry).toBe("CLOSE 10 ASSURED");
  });

  it("knows no simultaneous open", () => {
    const talk = new Talk(FLOWS_2618);
    talk.client("S", 100);
    expect(talk.server("S", 500)).toBe(Invalid);
    expect(talk.client("SA", 100, 501)).toBe(Invalid);
  });

  it("believes every window where it is told to be liberal", () => {
    const talk = new Talk(FLOWS_2618, { isTcpLiberal: true });
    talk.open();
    const data = new Uint8Array(5);
    expect(talk.client("A", 9_000_000, 501, { data })).toBe(Established);
  });
});
