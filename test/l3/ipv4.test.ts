import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { checkIpv4, decrementTtl, IPV4, ipv4Codec, Protocol } from "../../src/l3/ipv4.ts";
import { octetsOf } from "../l2/header-laws.ts";

/** The header of a domU's traceroute probe. */
const PROBE = octetsOf("4500003c 12340000 0111eb9c 0afeaadf 04020202");
/** What a recorded Dom0 got from one domU, and what the other one got. */
const ENTERED = octetsOf("45000054 7c7e4000 4001642a 0afb2205 0afb2206");
const LEFT = octetsOf("45000054 7c7e4000 3f01652a 0afb2205 0afb2206");

describe("the IPv4 header", () => {
  it("decodes a traceroute probe of a domU", () => {
    expect(checkIpv4(viewOf(PROBE), 0, 20)).toBe("ipv4/truncated");
    expect(ipv4Codec.decode(PROBE)).toEqual({
      versionIhl: 0x45,
      tos: 0,
      totalLength: 60,
      id: 0x1234,
      flagsFragment: 0,
      ttl: 1,
      protocol: Protocol.Udp,
      checksum: 0xeb9c,
      src: parseIpv4("10.254.170.223"),
      dst: parseIpv4("4.2.2.2"),
    });
  });

  it("loses a hop as it did in a recorded Dom0", () => {
    const header = ENTERED.slice();
    decrementTtl(viewOf(header), 0);
    expect(header).toEqual(LEFT);
  });
});

describe("the judgement of a packet", () => {
  const judge = (change: (view: DataView) => void, length = 20): string | null => {
    const bytes = new Uint8Array(60);
    bytes.set(PROBE);
    change(viewOf(bytes));
    return checkIpv4(viewOf(bytes), 0, length);
  };

  it("names what is wrong first, in the order in which a kernel looks", () => {
    expect(judge(() => {}, 60)).toBeNull();
    expect(judge(() => {}, 19)).toBe("ipv4/truncated");
    expect(judge((view) => view.setUint8(0, 0x55))).toBe("ipv4/version");
    expect(judge((view) => view.setUint8(0, 0x44))).toBe("ipv4/header-length");
    expect(judge((view) => view.setUint8(0, 0x46))).toBe("ipv4/truncated");
    expect(judge((view) => view.setUint8(8, 2))).toBe("ipv4/checksum");
    expect(judge(() => {}, 59)).toBe("ipv4/truncated");
    const shorten = (view: DataView): void => {
      IPV4.totalLength.set(view, 0, 19);
      IPV4.checksum.set(view, 0, 0xeb9c + 60 - 19);
    };
    expect(judge(shorten)).toBe("ipv4/total-length");
  });
});
