import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { Defragmenter } from "../../src/l3/defragment.ts";
import { IPV4, ipv4Codec, sealHeader } from "../../src/l3/ipv4.ts";
import { FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Conntrack } from "../../src/nat/conntrack.ts";
import { EndpointNat } from "../../src/nat/endpoint-nat.ts";
import { Nat } from "../../src/nat/nat.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { LINUX } from "../../src/xen/profile.ts";
import { WorldRouter } from "../oracle/world-router.ts";
import type { World } from "../../src/zone/world/world.ts";
import { type Ends, read, turned, udp } from "./packets.ts";

const FAR = "02:00:00:00:00:99";
const WORLD: World = {
  interfaces: {
    in0: {
      mac: "02:00:00:00:00:01",
      mtu: 1500,
      addresses: ["10.0.0.254/24"],
      neighbors: { "10.0.0.1": FAR },
    },
    out0: {
      mac: "02:00:00:00:00:02",
      mtu: 600,
      addresses: ["192.0.2.254/24"],
      neighbors: { "192.0.2.1": FAR },
    },
  },
  routes: ["default via 192.0.2.1"],
};
const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const back: Ends = { ...turned(ends), dst: "192.0.2.254" };
const DATA = Uint8Array.from({ length: 1200 }, (_, index) => index & 255);

/** A router that translates endpoints, and what it sends. */
class Crossing {
  readonly #world = new WorldRouter(WORLD, {
    start: 0,
    jiffies: { number: 0, began: 0, hz: 250 },
  });
  #now = 0;

  constructor() {
    const { router } = this.#world;
    const { hooks, jiffies, addressing } = router;
    const conntrack = new Conntrack({ behaviour: FLOWS_6.conntrack, jiffies });
    const device = [...addressing.interfaces.keys()].find(({ name }) => name === "out0");
    if (device === undefined) throw new Error("no out0");
    const rules = new EndpointNat({
      conntrack,
      device,
      addresses: [parseIpv4("192.0.2.254")],
      mapping: "endpoint-independent",
      filtering: "address-and-port-dependent",
      chance: new Prng(1),
    });
    new Defragmenter(router, LINUX.router.reassembly);
    conntrack.attach(hooks);
    new Nat({ conntrack, behaviour: FLOWS_6.nat, rules, chance: new Prng(2) }).attach(hooks);
    rules.attach(hooks);
  }

  /** @returns the packets that this one made the router send, by device. */
  receive(from: "in0" | "out0", octets: Uint8Array): { to: string; octets: Uint8Array }[] {
    const { sent } = this.#world;
    const before = sent.length;
    const header = `${from === "in0" ? "020000000001" : "020000000002"}0200000000990800`;
    const frame = header + Buffer.from(octets).toString("hex");
    this.#now += 1;
    this.#world.receive({ at: this.#now, interface: from, octets: frame }, this.#now);
    return sent.slice(before).map(({ interface: to, octets: hex }) => ({
      to,
      octets: Buffer.from(hex, "hex").subarray(14),
    }));
  }
}

/** The packet in two pieces, the first of `first` octets of payload, under an id. */
function pieces(packet: Uint8Array, first: number, id: number): Uint8Array[] {
  return [
    { from: 20, to: 20 + first, flags: 0x2000 },
    { from: 20 + first, to: packet.length, flags: first / 8 },
  ].map(({ from, to, flags }) => {
    const piece = new Uint8Array(20 + to - from);
    piece.set(packet.subarray(0, 20));
    piece.set(packet.subarray(from, to), 20);
    const view = viewOf(piece);
    IPV4.id.set(view, 0, id);
    IPV4.totalLength.set(view, 0, piece.length);
    IPV4.flagsFragment.set(view, 0, flags);
    sealHeader(view, 0);
    return piece;
  });
}

const withDf = (packet: Uint8Array): Uint8Array => {
  const view = viewOf(packet);
  IPV4.flagsFragment.set(view, 0, 0x4000);
  sealHeader(view, 0);
  return packet;
};
/** The payload of all pieces, in the order of their offsets. */
const joined = (octets: readonly Uint8Array[]): Buffer =>
  Buffer.concat(
    octets
      .map((one) => ({ one, at: ipv4Codec.decode(one).flagsFragment & 0x1fff }))
      .toSorted((left, right) => left.at - right.at)
      .map(({ one }) => one.subarray(20)),
  );

describe("RFC 4787 section 10, REQ-13: packets too long for the outer network", () => {
  it("are answered if they must stay whole, in the words of the inner one", () => {
    const [answer, ...rest] = new Crossing().receive("in0", withDf(udp(ends, DATA)));
    expect(rest).toEqual([]);
    expect(answer?.to).toBe("in0");
    const { src, dst, data, wrong } = read(answer?.octets ?? DATA);
    expect([src, dst, wrong]).toEqual(["10.0.0.254", "10.0.0.1", []]);
    expect(Buffer.from(answer?.octets.subarray(20, 22) ?? []).toString("hex")).toBe("0304");
    expect(viewOf(answer?.octets ?? DATA).getUint16(26)).toBe(600);
    expect(read(data)).toMatchObject({ src: "10.0.0.1", srcPort: 4000 });
  });

  it("are cut if they may, and the pieces leave in order", () => {
    const sent = new Crossing().receive("in0", udp(ends, DATA)).map(({ octets }) => octets);
    const headers = sent.map((one) => ipv4Codec.decode(one));
    expect(headers.map(({ flagsFragment }) => flagsFragment)).toEqual([0x2000, 0x2048, 0x0090]);
    expect(headers.every(({ src }) => src === parseIpv4("192.0.2.254"))).toBe(true);
    expect(joined(sent).subarray(8)).toEqual(Buffer.from(DATA));
  });
});

describe("RFC 4787 section 11, REQ-14: fragments that come in", () => {
  const opened = (): Crossing => {
    const crossing = new Crossing();
    crossing.receive("in0", udp(ends));
    return crossing;
  };

  it.each([
    ["in order", [0, 1]],
    ["out of order", [1, 0]],
  ])("reach the inner host with the last of them: %s", (_, order) => {
    const crossing = opened();
    const both = pieces(udp(back, DATA), 560, 7);
    const sent = order.map((index) => crossing.receive("out0", both[index] ?? DATA));
    expect(sent[0]).toEqual([]);
    const octets = (sent[1] ?? []).map((one) => one.octets);
    expect(octets.map((one) => read(one).dst)).toEqual(octets.map(() => "10.0.0.1"));
    expect(joined(octets).subarray(8)).toEqual(Buffer.from(DATA));
  });

  it("in any number keep out neither whole packets nor those whose pieces come in order", () => {
    const crossing = opened();
    for (let id = 100; id < 2200; id += 1) {
      const [, last = DATA] = pieces(udp(back, DATA), 560, id);
      crossing.receive("out0", last);
      if (id % 100 !== 0) continue;
      expect(crossing.receive("out0", udp(back))).toHaveLength(1);
      const [first = DATA, second = DATA] = pieces(udp(back, DATA), 560, id + 20_000);
      crossing.receive("out0", first);
      expect(crossing.receive("out0", second).length).toBeGreaterThan(0);
    }
  });
});
