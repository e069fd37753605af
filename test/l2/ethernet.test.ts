import { describe, expect, it } from "vitest";
import { parseMac } from "../../src/wire/addr.ts";
import {
  ethernetCodec,
  EtherType,
  skipPriorityTags,
  unknownType,
  vlanCodec,
} from "../../src/l2/ethernet.ts";
import { viewOf } from "../../src/wire/field.ts";
import { octetsOf } from "./header-laws.ts";

describe("Ethernet", () => {
  it("decodes the header of a domU's first question", () => {
    const frame = octetsOf("ffffffffffff 12313900a511 0806 0001 0800 0604 0001");
    expect(ethernetCodec.decode(frame)).toEqual({
      dst: parseMac("ff:ff:ff:ff:ff:ff"),
      src: parseMac("12:31:39:00:a5:11"),
      type: EtherType.Arp,
    });
  });

  it("decodes the tag of IEEE 802.1Q", () => {
    expect(vlanCodec.decode(octetsOf("e00a 0800"))).toEqual({ tci: 0xe00a, type: 0x0800 });
  });

  it("finds the payload behind a priority tag, not behind a VLAN's", () => {
    const priority = octetsOf("ffffffffffff 12313900a511 8100 e000 88a8 0000 0800 4500");
    expect(skipPriorityTags(viewOf(priority), 0, priority.length)).toBe(22);
    const vlan = octetsOf("ffffffffffff 12313900a511 8100 0005 0800 4500");
    expect(skipPriorityTags(viewOf(vlan), 0, vlan.length)).toBe(14);
  });

  it("names what is no use to it", () => {
    expect([0, 0x05ff, 0x0600, 0x8100, 0x88a8, 0x86dd, 0x88cc].map(unknownType)).toEqual([
      "ethernet/length",
      "ethernet/length",
      "ethernet/type",
      "ethernet/vlan",
      "ethernet/vlan",
      "ethernet/ipv6",
      "ethernet/type",
    ]);
  });
});
