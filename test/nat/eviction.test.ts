import { describe, expect, it } from "vitest";
import { MINUTE, SECOND } from "../../src/base/time.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Scratch } from "../../src/nat/flow-record.ts";
import { copyTuple, writeTuple } from "../../src/nat/tuple.ts";
import { TupleIndex } from "../../src/nat/tuple-index.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { type Ends, tcp, turned, udp } from "./packets.ts";
import { Stand, type StandOptions } from "./stand.ts";

const endsOf = (srcPort: number): Ends => ({
  src: "10.0.0.1",
  dst: "8.8.8.8",
  srcPort,
  dstPort: 53,
});

/** Which ports have entries, in the order of their confirmation. */
const portsOf = ({ conntrack, now }: Stand): number[] =>
  conntrack.entries(now).map(({ original }) => original.srcPort);

function assure(stand: Stand, ports: readonly number[]): void {
  for (const port of ports) {
    stand.forward(udp(endsOf(port)));
    stand.answer(udp(turned(endsOf(port))));
  }
  stand.now += 3 * SECOND;
  for (const port of ports) stand.forward(udp(endsOf(port)));
}

const standOf = (behaviour: StandOptions["behaviour"], limit: number, buckets: number): Stand =>
  new Stand({ behaviour, conntrack: { limit, buckets } });

describe("A full table of Linux 2.6.18", () => {
  it("gives up the oldest entry without assurance of the new one's chain", () => {
    const stand = standOf(FLOWS_2618, 4, 1);
    stand.forward(udp(endsOf(1)));
    stand.answer(udp(turned(endsOf(1))));
    for (const port of [2, 3, 4]) stand.forward(udp(endsOf(port)));
    stand.forward(udp(endsOf(1)));
    expect(stand.forward(udp(endsOf(5))).octets).not.toBeNull();
    expect(portsOf(stand)).toEqual([1, 3, 4, 5]);
    stand.forward(udp(endsOf(6)));
    expect(portsOf(stand)).toEqual([1, 4, 5, 6]);
  });

  it("never gives up more, and refuses for as long as it is full", () => {
    const stand = standOf(FLOWS_2618, 3, 1);
    assure(stand, [1, 2, 3]);
    for (const wait of [0, MINUTE]) {
      stand.now += wait;
      expect(stand.forward(udp(endsOf(9))).reason).toBe("conntrack/table-full");
    }
    expect(portsOf(stand)).toEqual([1, 2, 3]);
  });
});

describe("A full table of a current Linux", () => {
  it("gives up all entries without assurance of one chain", () => {
    const stand = standOf(FLOWS_6, 4, 1);
    assure(stand, [1]);
    for (const port of [2, 3, 4]) stand.forward(udp(endsOf(port)));
    stand.forward(udp(endsOf(5)));
    expect(portsOf(stand)).toEqual([1, 5]);
  });

  it("looks at the new one's chain and seven more", () => {
    const chains = 1000;
    const index = new TupleIndex(1000);
    const chainOf = (port: number, isReply: boolean): number => {
      const { words } = new Stand({ behaviour: FLOWS_6 }).conntrack.table;
      const [src, dst] = [ipv4Of(0x0a00_0001), ipv4Of(0x0808_0808)];
      const tuple = isReply
        ? { protocol: 17, src: dst, dst: src, srcPort: 53, dstPort: port }
        : { protocol: 17, src, dst, srcPort: port, dstPort: 53 };
      writeTuple(tuple, words, Scratch.Current);
      copyTuple(words, Scratch.Current, Scratch.Probe);
      return index.chainOf(words, chains);
    };
    const held = Array.from({ length: 200 }, (_, port) => port + 1);
    const taken = new Set(held.flatMap((port) => [chainOf(port, false), chainOf(port, true)]));
    for (let port = 1000; port < 1030; port += 1) {
      const stand = standOf(FLOWS_6, held.length, chains);
      for (const one of held) stand.forward(udp(endsOf(one)));
      const near = Array.from({ length: 8 }, (_, step) => (chainOf(port, false) + step) % chains);
      const first = near.find((chain) => taken.has(chain));
      const kept = held.filter(
        (one) => chainOf(one, false) !== first && chainOf(one, true) !== first,
      );
      const { reason } = stand.forward(udp(endsOf(port)));
      expect(reason).toBe(first === undefined ? "conntrack/table-full" : "");
      expect(portsOf(stand)).toEqual(first === undefined ? held : [...kept, port]);
    }
  });

  it("is pruned to 95 % a minute after it refused, of what is not assured or is closing", () => {
    const stand = standOf(FLOWS_6, 100, 2 ** 20);
    const closing = endsOf(1000);
    stand.forward(tcp(closing, { flags: "S", seq: 1 }));
    stand.answer(tcp(turned(closing), { flags: "SA", seq: 1, ack: 2 }));
    stand.forward(tcp(closing, { flags: "A", seq: 2, ack: 2 }));
    stand.forward(tcp(closing, { flags: "FA", seq: 2, ack: 2 }));
    const ports = Array.from({ length: 99 }, (_, port) => port + 1);
    assure(stand, ports);
    expect(stand.forward(udp(endsOf(2000))).reason).toBe("conntrack/table-full");
    stand.now += MINUTE - 2 * SECOND;
    expect(stand.conntrack.entries(stand.now)).toHaveLength(100);
    stand.now += 2 * SECOND;
    expect(portsOf(stand)).toEqual(ports);
    expect(stand.forward(udp(endsOf(2000))).reason).toBe("");
  });

  it("keeps the rest when 95 % are left", () => {
    const stand = standOf(FLOWS_6, 100, 2 ** 20);
    const lasting = Array.from({ length: 100 }, (_, port) => endsOf(port + 1));
    for (const ends of lasting) stand.forward(tcp(ends, { flags: "S", seq: 1 }));
    expect(stand.forward(udp(endsOf(2000))).reason).toBe("conntrack/table-full");
    stand.now += MINUTE;
    expect(portsOf(stand)).toEqual(Array.from({ length: 94 }, (_, port) => port + 7));
  });
});
