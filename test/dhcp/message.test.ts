import { describe, expect, it } from "vitest";
import {
  BOOTP_LENGTH,
  BROADCAST_FLAG,
  chaddrOf,
  checkDhcp,
  decodeMessage,
  DHCP_LENGTH,
  dhcpCodec,
  type DhcpHeader,
  type DhcpMessage,
  DhcpType,
  encodeMessage,
  macOfHeader,
} from "../../src/dhcp/message.ts";
import { findOption, Option, packOptions, rawOption } from "../../src/dhcp/options.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";

const octetsOf = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));
const MAC = parseMac("12:31:39:00:a5:11");
const HEADER: DhcpHeader = {
  ...dhcpCodec.decode(new Uint8Array(DHCP_LENGTH)),
  op: 1,
  htype: 1,
  hlen: 6,
  xid: 0x3903f326,
  chaddr: chaddrOf(MAC),
};

function filled(digits: string, length: number): Uint8Array {
  const octets = new Uint8Array(length);
  octets.set(octetsOf(digits));
  return octets;
}

function readBack(octets: Uint8Array): DhcpMessage {
  const message = decodeMessage(octets);
  if (typeof message === "string") throw new Error(message);
  return message;
}

describe("A DHCP message", () => {
  it("is read field by field, as an instance of EC2 sent it", () => {
    const message = readBack(
      octetsOf(`01010600 3903f326 00078000 00000000 0afeaadf a9fe0100 00000000
        12313900a511${"00".repeat(10)}${"00".repeat(192)}
        63825363 350101 3707011c02030f060c ff`),
    );
    expect(message).toMatchObject({
      op: 1,
      htype: 1,
      hlen: 6,
      hops: 0,
      xid: 0x3903f326,
      secs: 7,
      flags: BROADCAST_FLAG,
      ciaddr: 0,
      yiaddr: parseIpv4("10.254.170.223"),
      siaddr: parseIpv4("169.254.1.0"),
      giaddr: 0,
      isIntact: true,
      hasCookie: true,
      length: 253,
    });
    expect(macOfHeader(message)).toBe(MAC);
    expect(findOption(message.options, Option.MessageType)).toBe(DhcpType.Discover);
    expect(findOption(message.options, Option.ParameterRequestList)).toEqual([
      1, 28, 2, 3, 15, 6, 12,
    ]);
  });

  it("is filled up to the 300 octets that BOOTP relays forward", () => {
    const octets = encodeMessage(HEADER, packOptions([rawOption(Option.MessageType, 1)]));
    expect(octets).toHaveLength(BOOTP_LENGTH);
    expect(octets.subarray(DHCP_LENGTH, DHCP_LENGTH + 8)).toEqual(octetsOf("63825363 350101ff"));
    expect(octets.subarray(DHCP_LENGTH + 8).every((octet) => octet === 0)).toBe(true);
  });

  it("needs no options: BOOTP has a vendor area of its own", () => {
    const octets = encodeMessage(HEADER, null);
    octets.fill(0x99, DHCP_LENGTH);
    const message = readBack(octets);
    expect(message).toMatchObject({ hasCookie: false, isIntact: true, length: BOOTP_LENGTH });
    expect(message.options.size).toBe(0);
    expect(readBack(octets.subarray(0, DHCP_LENGTH)).hasCookie).toBe(false);
  });

  it("is none if its fixed part is cut or its hardware address too long", () => {
    const octets = encodeMessage(HEADER, null);
    expect(decodeMessage(octets.subarray(0, DHCP_LENGTH - 1))).toBe("dhcp/truncated");
    expect(checkDhcp(viewOf(octets), 80, octets.length)).toBe("dhcp/truncated");
    octets[2] = 17;
    expect(decodeMessage(octets)).toBe("dhcp/hlen");
  });

  it("keeps the options before one that runs past its end", () => {
    const octets = new Uint8Array(DHCP_LENGTH + 4 + 6);
    octets.set(encodeMessage(HEADER, packOptions([]), 0).subarray(0, DHCP_LENGTH + 4));
    octets.set([53, 1, 3, 12, 9, 1], DHCP_LENGTH + 4);
    const message = readBack(octets);
    expect(message.isIntact).toBe(false);
    expect([...message.options]).toEqual([[53, Uint8Array.of(3)]]);
  });

  it("reads file before sname if both are overloaded: RFC 2131 section 4.1", () => {
    const octets = encodeMessage(
      {
        ...HEADER,
        file: filled("0c03616263ff", 128),
        sname: filled("0c026465ff", 64),
      },
      { main: Uint8Array.of(52, 1, 3, 255), file: null, sname: null, left: [] },
    );
    const { options, parts } = readBack(octets);
    expect(findOption(options, Option.HostName)).toBe("abcde");
    expect(parts.map(([code]) => code)).toEqual([52, 12, 12]);
  });

  it("has no Ethernet address if its address has not six octets", () => {
    expect(macOfHeader({ ...HEADER, hlen: 16 })).toBeNull();
  });
});
