import { expect, it } from "vitest";
import { viewOf } from "../../src/wire/field.ts";
import {
  checkIcmp,
  ICMP,
  icmpEchoCodec,
  IcmpType,
  sealIcmp,
  TimeExceeded,
} from "../../src/l3/icmp.ts";
import { octetsOf } from "../l2/header-laws.ts";

/** Dom0's answer to a traceroute probe, from its ICMP header on. */
const EXCEEDED = octetsOf(`
  0b00b11a 00000000 4500003c 12340000 0111eb9c 0afeaadf 04020202 a112829a 00282b0b
  40414243 44454647 48494a4b 4c4d4e4f 50515253 54555657 58595a5b 5c5d5e5f`);
/** What a ping of a recorded domU starts with. */
const ECHO = octetsOf("0800 84a7 0162 0001");

it("passes the time exceeded message that Dom0 sent, and seals it the same", () => {
  const view = viewOf(EXCEEDED);
  expect(checkIcmp(view, 0, EXCEEDED.length)).toBeNull();
  expect(ICMP.type.get(view, 0)).toBe(IcmpType.TimeExceeded);
  expect(ICMP.code.get(view, 0)).toBe(TimeExceeded.InTransit);
  const again = EXCEEDED.slice();
  again.set([0xaa, 0xbb], 2);
  sealIcmp(viewOf(again), 0, again.length);
  expect(again).toEqual(EXCEEDED);
});

it("decodes the head of a recorded echo request", () => {
  expect(icmpEchoCodec.decode(ECHO)).toEqual({
    type: IcmpType.Echo,
    code: 0,
    checksum: 0x84a7,
    id: 0x0162,
    sequence: 1,
  });
});
