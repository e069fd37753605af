import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isGroupMac, MAC_BROADCAST, macOf } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Cast } from "../../src/wire/packet.ts";
import {
  castOf,
  checkEthernet,
  ETHERNET,
  ETHERNET_LENGTH,
  ethernetCodec,
  EthernetTemplate,
  skipPriorityTags,
  VLAN,
  vlanCodec,
  writeEthernet,
} from "../../src/l2/ethernet.ts";
import { assertHeaderLaws } from "./header-laws.ts";

const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(macOf);
const type = fc.oneof(fc.constantFrom(0x0800, 0x0806, 0x8100, 0x88a8), fc.nat({ max: 0xffff }));
const frame = fc.uint8Array({ minLength: ETHERNET_LENGTH, maxLength: 64, size: "max" });

describe("the Ethernet header", () => {
  it("is what IEEE 802.3 draws", () => {
    const picture = [
      ["dst", 6],
      ["src", 6],
      ["type", 2],
    ] as const;
    assertHeaderLaws(picture, { ...ETHERNET }, ethernetCodec);
  });

  it("is judged without a throw, and passes if it and its tag are there", () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 24, size: "max" }),
        fc.nat({ max: 26 }),
        type,
        (bytes, at, said) => {
          const view = viewOf(bytes);
          const isWhole = at + ETHERNET_LENGTH <= bytes.length;
          if (isWhole) ETHERNET.type.set(view, at, said);
          const isTagged = said === 0x8100 || said === 0x88a8;
          const passes = isWhole && (!isTagged || at + ETHERNET_LENGTH + 4 <= bytes.length);
          expect(checkEthernet(view, at, bytes.length)).toBe(passes ? null : "ethernet/truncated");
        },
      ),
    );
  });

  it("says how it was addressed: to the device, to all, to a group, to another", () => {
    const own = mac;
    const dst = fc.oneof(mac, fc.constant(MAC_BROADCAST));
    fc.assert(
      fc.property(own, dst, fc.boolean(), (device, other, isOwn) => {
        const bytes = new Uint8Array(ETHERNET_LENGTH);
        const to = isOwn ? device : other;
        writeEthernet(viewOf(bytes), 0, to, device, 0x0800);
        const cast = castOf(viewOf(bytes), 0, device);
        expect(cast === Cast.Host).toBe(to === device);
        if (to === device) return;
        expect(cast === Cast.Broadcast).toBe(to === MAC_BROADCAST);
        expect(cast === Cast.OtherHost).toBe(!isGroupMac(to));
      }),
    );
  });

  it("is the same from a template as field by field", () => {
    fc.assert(
      fc.property(mac, mac, type, (dst, src, said) => {
        const [one, other] = [new Uint8Array(20), new Uint8Array(20)];
        writeEthernet(viewOf(one), 3, dst, src, said);
        new EthernetTemplate(dst, src, said).write(viewOf(other), 3);
        expect(other).toEqual(one);
      }),
    );
  });
});

describe("the 802.1Q tag", () => {
  it("is what IEEE 802.1Q draws", () => {
    assertHeaderLaws(
      [
        ["tci", 2],
        ["type", 2],
      ],
      { tci: VLAN.tci, type: VLAN.type },
      vlanCodec,
    );
  });

  it("keeps priority, drop eligibility and VLAN apart", () => {
    fc.assert(
      fc.property(fc.nat({ max: 7 }), fc.nat({ max: 1 }), fc.nat({ max: 0xfff }), (p, d, v) => {
        const bytes = new Uint8Array(4).fill(0xff);
        const view = viewOf(bytes);
        VLAN.priority.set(view, 0, p);
        VLAN.isDropEligible.set(view, 0, d);
        VLAN.vlan.set(view, 0, v);
        expect(VLAN.tci.get(view, 0)).toBe(p * 0x2000 + d * 0x1000 + v);
      }),
    );
  });

  it("is skipped while it names VLAN 0 and octets follow, and never past the end", () => {
    fc.assert(
      fc.property(frame, fc.nat({ max: 12 }), fc.nat({ max: 2 }), (bytes, tags, vlan) => {
        const view = viewOf(bytes);
        for (let at = 12; at + 4 <= Math.min(12 + 4 * tags, bytes.length); at += 4) {
          view.setUint32(at, 0x8100_0000);
        }
        const last = 12 + 4 * tags;
        if (tags > 0 && last <= bytes.length) view.setUint16(last - 2, vlan);
        const payload = skipPriorityTags(view, 0, bytes.length);
        expect(payload).toBeLessThanOrEqual(Math.max(bytes.length - 2, ETHERNET_LENGTH));
        for (let at = ETHERNET_LENGTH; at < payload; at += 4) {
          expect(view.getUint16(at) & 0xfff).toBe(0);
        }
        const left = view.getUint16(payload - 2);
        const isTag = left === 0x8100 || left === 0x88a8;
        const mayGoOn = isTag && payload + 6 <= bytes.length;
        expect(mayGoOn && (view.getUint16(payload) & 0xfff) === 0).toBe(false);
      }),
    );
  });
});
