import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { type Ends, query, read, tcp, turned, udp } from "./packets.ts";
import { range, rulesOf, Stand, type StandOptions } from "./stand.ts";

const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
const masquerade = rulesOf((hook) =>
  hook === Hook.Postrouting ? range({ to: "192.0.2.1" }) : null,
);

/** Packets that are all looked up before the first of them leaves. */
class Race {
  readonly stand: Stand;
  readonly #packets: Packet[];

  constructor(options: StandOptions, octets: readonly Uint8Array[], isTurned = false) {
    this.stand = new Stand(options);
    const { hooks, inside, outside, now } = this.stand;
    this.#packets = octets.map((one, index) => {
      const packet = this.stand.take(one);
      packet.input = isTurned && index > 0 ? outside : inside;
      expect(hooks.pass(Hook.Prerouting, packet, packet.input, null, now)).toBe(packet);
      expect(packet.flowState).toBe(FlowState.New);
      return packet;
    });
  }

  /** Let the next packet leave. @returns its octets and flow; `null` if it was dropped. */
  finish(): { octets: Uint8Array; handle: number } | null {
    const packet = this.#packets.shift();
    if (packet === undefined) return null;
    const { hooks, inside, outside, now, pool } = this.stand;
    const output = packet.input === inside ? outside : inside;
    const passed = hooks.pass(Hook.Postrouting, packet, packet.input, output, now);
    if (passed === null) return null;
    const left = { octets: passed.octets().slice(), handle: passed.flow };
    pool.end(passed, "delivered", "test/passed", now);
    return left;
  }

  get lines(): string[] {
    const { conntrack, now } = this.stand;
    return conntrack.text(now).split("\n").slice(0, -1);
  }
}

describe("Two first packets of one connection in a current Linux", () => {
  it("belong to the entry of the one that left first, with what both weigh", () => {
    const conntrack = { countsTraffic: true };
    const race = new Race({ behaviour: FLOWS_6, conntrack }, [udp(ends), udp(ends)]);
    const [first, second] = [race.finish(), race.finish()];
    expect(second?.handle).toBe(first?.handle);
    expect(race.lines).toEqual([
      "udp      17 30 src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53 packets=2 bytes=72 " +
        "[UNREPLIED] src=8.8.8.8 dst=10.0.0.1 sport=53 dport=4000 packets=0 bytes=0 mark=0 use=1",
    ]);
  });

  it("get the same source", () => {
    const race = new Race({ behaviour: FLOWS_6, rules: masquerade }, [udp(ends), udp(ends)]);
    const left = [race.finish(), race.finish()].map((one) => read(one?.octets ?? udp(ends)));
    expect(left.map(({ src, srcPort }) => `${src} ${srcPort}`)).toEqual([
      "192.0.2.1 4000",
      "192.0.2.1 4000",
    ]);
    expect(race.lines).toHaveLength(1);
  });

  it("are one connection though each began at another end", () => {
    const octets = [udp(ends), udp(turned(ends))];
    const race = new Race({ behaviour: FLOWS_6, rules: rulesOf(() => null) }, octets, true);
    const [first, second] = [race.finish(), race.finish()];
    expect(second?.handle).toBe(first?.handle);
    expect(second?.octets).toEqual(octets[1]);
    expect(race.lines).toHaveLength(1);
  });

  it.each([
    ["TCP", tcp(ends, { flags: "S", seq: 1 })],
    ["ICMP", query(ends)],
  ])("lose the second one if they have an order: %s", (_, octets) => {
    const race = new Race({ behaviour: FLOWS_6 }, [octets, octets]);
    expect(race.finish()).not.toBeNull();
    expect(race.finish()).toBeNull();
    expect(race.lines).toHaveLength(1);
  });

  it("are two for a second if they were sent to different targets", () => {
    let target = 0;
    const rules = rulesOf((hook) => {
      if (hook !== Hook.Prerouting) return null;
      target += 1;
      return range({ side: "destination", to: `9.9.9.${target}` });
    });
    const race = new Race({ behaviour: FLOWS_6, rules }, [udp(ends), udp(ends)]);
    const { stand } = race;
    expect(read(race.finish()?.octets ?? udp(ends)).dst).toBe("9.9.9.1");
    expect(read(race.finish()?.octets ?? udp(ends)).dst).toBe("9.9.9.2");
    expect(race.lines).toHaveLength(1);
    expect(stand.conntrack.table.count).toBe(2);
    const answer = (src: string): string => {
      const { octets } = stand.answer(udp({ ...turned(ends), src }));
      return octets === null ? "" : read(octets).src;
    };
    expect(answer("9.9.9.1")).toBe("8.8.8.8");
    expect(answer("9.9.9.2")).toBe("8.8.8.8");
    // Answers keep the hidden entry neither alive nor assured.
    stand.now += SECOND;
    expect(answer("9.9.9.1")).toBe("8.8.8.8");
    expect(answer("9.9.9.2")).toBe("9.9.9.2");
  });

  it("lose the second one if the answers to both would be the same", () => {
    const rules = rulesOf((hook) =>
      hook === Hook.Postrouting ? range({ to: "192.0.2.1", ports: [7, 7] }) : null,
    );
    const race = new Race({ behaviour: FLOWS_6, rules }, [
      udp(ends),
      udp({ ...ends, src: "10.0.0.2" }),
    ]);
    expect(race.finish()).not.toBeNull();
    expect(race.finish()).toBeNull();
  });
});

describe("Two first packets of one connection in Linux 2.6.18", () => {
  it("lose the second one", () => {
    const race = new Race({ behaviour: FLOWS_2618 }, [udp(ends), udp(ends)]);
    expect(race.finish()).not.toBeNull();
    expect(race.finish()).toBeNull();
  });
});
