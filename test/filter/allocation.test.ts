import { describe, expect, it } from "vitest";
import { Hook, type HookContext } from "../../src/l3/hooks.ts";
import { IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { ipv4Of } from "../../src/wire/addr.ts";
import { Cast, PacketPool } from "../../src/wire/packet.ts";
import { octetsAPacket } from "../support/allocation.ts";
import { deviceOf, type FrameParts, packetOf } from "./facts.ts";
import { newRuleSet } from "./stand.ts";

const SENDERS = 50;
const WARM_UP = 20_000;
const PACKETS = 15_000;
/** The compiler and the measuring take some; the smallest object that a packet could cost is 16. */
const MOST_OCTETS_A_PACKET = 4;
const PARTS: FrameParts = {
  ...{ src: 0xc000_0201, dst: 0x0a00_0002, protocol: Protocol.Udp, tos: 0, ttl: 64 },
  ...{ flagsFragment: 0, options: 0, sourceMac: 0x0200_0000_0001 },
  transport: Uint8Array.of(0, 53, 0, 80, 0, 12, 0, 0, 1, 2, 3, 4),
};
const PLACE = { input: "vif1.0", output: null, cast: Cast.Host, flowState: 4, mark: 0 };

describe("A packet that meets a rule with a state", () => {
  it.each([
    "-m limit --limit 5/s",
    "-m hashlimit --hashlimit-upto 5/s --hashlimit-mode srcip,dstport --hashlimit-name a",
    "-m hashlimit --hashlimit-above 5kb/s --hashlimit-mode srcip --hashlimit-name b",
    "-m recent --update --seconds 60 --hitcount 5 --name c",
    "-m recent --set --name d",
    "-m conntrack --ctorigsrc 10.0.0.0/8 --ctstatus ASSURED --ctexpire 1:100",
    "-m connmark --mark 1/0xff -j CONNMARK --set-mark 2",
    "-m connlimit --connlimit-above 3",
  ])("allocates nothing: %s", (words) => {
    const { rules } = newRuleSet();
    rules.command(`-A INPUT ${words}`);
    const table = rules.table("filter");
    const pool = new PacketPool({ slots: 1, largeSlots: 0 });
    const packet = packetOf(pool, PARTS, PLACE);
    packet.flow = 1;
    const input = deviceOf("vif1.0");
    const context: HookContext = {
      ...{ hook: Hook.Input, packet, input, output: null, now: 0 },
      ...{ reason: "test/none", detail: "" },
    };
    const play = (count: number): void => {
      for (let index = 0; index < count; index += 1) {
        IPV4.src.set(pool.view, packet.network, ipv4Of(0xc000_0200 + (index % SENDERS)));
        context.now += 1000;
        table.onHook(packet, context);
      }
    };
    play(WARM_UP);
    const octets = octetsAPacket({ play, packets: PACKETS, enough: MOST_OCTETS_A_PACKET });
    expect(octets).toBeLessThan(MOST_OCTETS_A_PACKET);
  });
});
