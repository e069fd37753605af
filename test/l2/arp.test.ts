import { describe, expect, it } from "vitest";
import { MAC_ZERO, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { arpCodec, ArpOp, checkArp, writeArp } from "../../src/l2/arp.ts";
import { octetsOf } from "./header-laws.ts";

const REQUEST = octetsOf(`
  0001 0800 06 04 0001 12313900a511 0afeaadf 000000000000 0afeaa01`);
const REPLY = octetsOf(`
  0001 0800 06 04 0002 feffffffffff 0afeaa01 12313900a511 0afeaadf`);
const GUEST = parseMac("12:31:39:00:a5:11");
const DOM0 = parseMac("fe:ff:ff:ff:ff:ff");

describe("ARP", () => {
  it("decodes a domU's question for its gateway", () => {
    expect(checkArp(viewOf(REQUEST), 0, REQUEST.length)).toBeNull();
    expect(arpCodec.decode(REQUEST)).toEqual({
      htype: 1,
      ptype: 0x0800,
      hlen: 6,
      plen: 4,
      op: ArpOp.Request,
      sha: GUEST,
      spa: parseIpv4("10.254.170.223"),
      tha: MAC_ZERO,
      tpa: parseIpv4("10.254.170.1"),
    });
  });

  it("writes Dom0's answer for the gateway", () => {
    const bytes = new Uint8Array(REPLY.length);
    const gateway = parseIpv4("10.254.170.1");
    const guest = parseIpv4("10.254.170.223");
    writeArp(viewOf(bytes), 0, ArpOp.Reply, DOM0, gateway, GUEST, guest);
    expect(bytes).toEqual(REPLY);
  });

  it("tells which part of a message it cannot use", () => {
    const judge = (at: number, value: number, length = REQUEST.length) => {
      const bytes = REQUEST.slice();
      viewOf(bytes).setUint8(at, value);
      return checkArp(viewOf(bytes), 0, length);
    };
    expect(judge(1, 6)).toBeNull();
    expect(judge(1, 7)).toBe("arp/hardware");
    expect(judge(4, 8)).toBe("arp/hardware");
    expect(judge(3, 6)).toBe("arp/protocol");
    expect(judge(5, 16)).toBe("arp/protocol");
    expect(judge(7, 3)).toBe("arp/op");
    expect(judge(7, 1, 27)).toBe("arp/truncated");
  });
});
