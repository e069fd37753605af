import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Talk } from "./talk.ts";

const { New, Established, EstablishedReply, Invalid } = FlowState;
const data = new Uint8Array(10);

describe("a TCP connection in Linux 6.x", () => {
  it("goes through all states, with the time of each", () => {
    const talk = new Talk(FLOWS_6);
    const course = talk.course([
      () => talk.client("S", 100),
      () => talk.server("SA", 500, 101),
      () => talk.client("A", 101, 501),
      () => talk.client("PA", 101, 501, { data }),
      () => talk.server("A", 501, 111),
      () => talk.client("FA", 111, 501),
      () => talk.server("A", 501, 112),
      () => talk.server("FA", 501, 112),
      () => talk.client("A", 112, 502),
    ]);
    expect(course).toEqual([
      "none",
      "SYN_SENT 120",
      "SYN_RECV 60",
      "ESTABLISHED 432000 ASSURED",
      "ESTABLISHED 300 ASSURED",
      "ESTABLISHED 432000 ASSURED",
      "FIN_WAIT 120 ASSURED",
      "CLOSE_WAIT 60 ASSURED",
      "LAST_ACK 30 ASSURED",
      "TIME_WAIT 120 ASSURED",
    ]);
    expect(talk.client("S", 50)).toBe(New);
    expect(talk.entry).toBe("SYN_SENT 120");
  });

  it("is opened by both ends at once", () => {
    const talk = new Talk(FLOWS_6);
    talk.client("S", 100);
    expect(talk.server("S", 500)).toBe(EstablishedReply);
    expect(talk.entry).toBe("SYN_SENT2 120");
    talk.client("SA", 100, 501);
    expect(talk.entry).toBe("SYN_RECV 60");
    expect(talk.server("A", 501, 101)).toBe(EstablishedReply);
    expect(talk.entry).toBe("ESTABLISHED 432000 ASSURED");
  });

  it("may be opened anew by the end that answered, in TIME_WAIT", () => {
    const talk = new Talk(FLOWS_6);
    talk.open();
    talk.client("FA", 101, 501);
    talk.server("FA", 501, 102);
    talk.client("A", 102, 502);
    expect(talk.server("S", 7000)).toBe(New);
    expect(talk.entry).toBe("SYN_SENT 120");
  });

  it("agrees with both ends on a SYN that it did not believe", () => {
    const talk = new Talk(FLOWS_6);
    talk.open();
    expect(talk.client("S", 90_000)).toBe(Established);
    expect(talk.server("SA", 700, 90_001)).toBe(EstablishedReply);
    expect(talk.entry).toBe("SYN_RECV 60 ASSURED");
    expect(talk.client("A", 90_001, 701)).toBe(Established);
    expect(talk.entry).toBe("ESTABLISHED 432000 ASSURED");
  });

  it("remembers the options of a SYN that it did not believe", () => {
    const options = Uint8Array.of(3, 3, 7, 0);
    const talk = new Talk(FLOWS_6);
    talk.open();
    talk.client("S", 90_000, 0, { options });
    talk.server("SA", 700, 90_001, { options });
    talk.client("A", 90_001, 701, { window: 1000 });
    expect(talk.server("A", 701 + 100_000, 90_001, { data })).toBe(EstablishedReply);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([]);
  });

  it("does not take a challenge to a SYN for the last acknowledgement", () => {
    const talk = new Talk(FLOWS_6);
    talk.open();
    talk.client("FA", 101, 501);
    talk.server("FA", 501, 102);
    expect(talk.entry).toBe("LAST_ACK 30 ASSURED");
    talk.client("S", 90_000);
    talk.server("A", 502, 102);
    expect(talk.entry).toBe("LAST_ACK 30 ASSURED");
    talk.client("A", 102, 502);
    expect(talk.entry).toBe("TIME_WAIT 120 ASSURED");
  });

  it("closes on a reset with the number that was acknowledged, and is cautious with others", () => {
    const opened = (): Talk => {
      const talk = new Talk(FLOWS_6);
      talk.open();
      talk.client("PA", 101, 501, { data });
      talk.server("A", 501, 111);
      return talk;
    };
    const exact = opened();
    expect(exact.client("R", 111)).toBe(Established);
    expect(exact.entry).toBe("CLOSE 10 ASSURED");
    const near = opened();
    expect(near.client("R", 120)).toBe(Established);
    expect(near.entry).toBe("ESTABLISHED 10 ASSURED");
    const behind = opened();
    expect(behind.client("R", 110)).toBe(Invalid);
    expect(behind.stand.conntrack.invalids.entries()).toEqual([["tcp/reset", 1]]);
    expect(behind.entry).toBe("ESTABLISHED 432000 ASSURED");
    const careless = new Talk(FLOWS_6, { ignoresInvalidReset: true });
    careless.open();
    careless.server("A", 501, 101);
    expect(careless.client("R", 100)).toBe(Established);
  });

  it("opens again after a reset with a SYN from who reset it", () => {
    const own = new Talk(FLOWS_6);
    own.open();
    own.client("R", 101);
    expect(own.entry).toBe("CLOSE 10 ASSURED");
    expect(own.client("S", 9000)).toBe(New);
    const others = new Talk(FLOWS_6);
    others.open();
    others.server("R", 501);
    expect(others.entry).toBe("CLOSE 10 ASSURED");
    expect(others.client("S", 9000)).toBe(Established);
    expect(others.server("SA", 7000, 9001)).toBe(EstablishedReply);
    expect(others.entry).toBe("SYN_RECV 60 ASSURED");
  });

  it("is not reset by who sent the SYN that was let through", () => {
    const scene = (): Talk => {
      const talk = new Talk(FLOWS_6);
      talk.client("S", 100);
      talk.server("A", 1001, 0, { data });
      talk.client("S", 100);
      return talk;
    };
    const own = scene();
    expect(own.client("RA", 100, 1011)).toBe(Invalid);
    expect(own.entry).toBe("SYN_SENT 120");
    const answer = scene();
    expect(answer.server("RA", 7, 1011)).toBe(EstablishedReply);
    expect(answer.entry).toBe("CLOSE 10");
  });

  it("lives on for five minutes when both ends close outside its windows", () => {
    const scene = (unacknowledged = 300 * SECOND, wait = 0): string => {
      const { timeouts } = FLOWS_6.conntrack;
      const tcp = { ...timeouts.tcp, unacknowledged };
      const talk = new Talk(FLOWS_6, { timeouts: { ...timeouts, tcp } });
      talk.open();
      talk.stand.now += wait;
      expect(talk.client("FA", 900_000, 501)).toBe(Invalid);
      expect(talk.server("FA", 900_000, 101)).toBe(Invalid);
      return talk.entry;
    };
    expect(scene()).toBe("ESTABLISHED 300 ASSURED");
    expect(scene(50 * SECOND, 431_890 * SECOND)).toBe("ESTABLISHED 110 ASSURED");
    expect(scene(50 * SECOND, 431_870 * SECOND)).toBe("ESTABLISHED 50 ASSURED");
  });

  it("scales windows as the last SYN of each end says", () => {
    const scale = Uint8Array.of(3, 3, 7, 0);
    const talk = new Talk(FLOWS_6);
    talk.client("S", 100, 0, { options: scale });
    talk.client("S", 200, 0, { options: scale });
    talk.server("SA", 500, 201, { options: scale });
    talk.client("A", 201, 501, { window: 1000 });
    expect(talk.server("A", 501 + 100_000, 201, { data })).toBe(EstablishedReply);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([]);
    expect(talk.server("A", 501 + 300_000, 201, { data })).toBe(Invalid);
  });

  it("lets old and overlong segments pass without believing them", () => {
    const talk = new Talk(FLOWS_6);
    talk.open();
    talk.server("A", 501, 101, { window: 100 });
    expect(talk.client("PA", 101 - 70_000, 501, { data })).toBe(Established);
    expect(talk.client("A", 101, 501 - 67_000)).toBe(Established);
    expect(talk.client("PA", 101 + 65_536, 501, { data })).toBe(Established);
    expect(talk.client("PA", 101 + 900_000, 501, { data })).toBe(Invalid);
    expect(talk.client("A", 101, 502)).toBe(Invalid);
    expect(talk.stand.conntrack.invalids.entries()).toEqual([
      ["tcp/above-window", 1],
      ["tcp/ack-above-sent", 1],
    ]);
  });

  it("is not kept alive by repeated SYNs, nor by one end alone", () => {
    const talk = new Talk(FLOWS_6);
    talk.client("S", 100);
    talk.stand.now = 20 * SECOND;
    talk.client("S", 100);
    expect(talk.entry).toBe("SYN_SENT 100");
    const midway = new Talk(FLOWS_6);
    midway.client("A", 101, 501);
    expect(midway.entry).toBe("ESTABLISHED 300");
    midway.server("A", 501, 101);
    midway.client("A", 101, 501);
    expect(midway.entry).toBe("ESTABLISHED 432000 ASSURED");
  });
});
