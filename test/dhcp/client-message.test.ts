import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { ClientWriter } from "../../src/dhcp/client-message.ts";
import { DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { BROADCAST_FLAG, DHCP, DhcpType } from "../../src/dhcp/message.ts";
import { Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { IPV4_ANY, IPV4_BROADCAST } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { CLIENT_ADDRESS, CLIENT_MAC, SERVER, VECTORS } from "./client-vectors.ts";

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const writerOf = (options: readonly RawOption[], parameters = [1], style = DHCLIENT_4_4_3) =>
  new ClientWriter(style, { mac: CLIENT_MAC, parameters, options }, false);

describe("A DHCP client's message", () => {
  it.each(VECTORS)("is as the real client's: $name", (vector) => {
    const { style, options, wantsBroadcast, words, octets } = vector;
    const identity = { mac: CLIENT_MAC, parameters: style.parameters, options };
    const writer = new ClientWriter(style, identity, wantsBroadcast);
    expect(hex(writer.broadcast(words, IPV4_ANY).payload)).toBe(hex(octets));
    expect(hex(writer.unicast(words, SERVER).payload)).toBe(hex(octets));
  });

  it("goes to everyone where no server is known, from the client's address", () => {
    const words = { type: DhcpType.Request, xid: 1, secs: 0, server: null, requested: null };
    const request = writerOf([]).unicast({ ...words, ciaddr: CLIENT_ADDRESS }, null);
    expect(request).toMatchObject({
      transport: "raw",
      source: CLIENT_ADDRESS,
      destination: IPV4_BROADCAST,
    });
  });

  it.each([DHCLIENT_4_4_3, UDHCPC_1_35])("asks for no parameters if there are none", (style) => {
    const words = { type: DhcpType.Discover, xid: 1, secs: 0, server: null, requested: null };
    const { payload } = writerOf([], [], style).broadcast({ ...words, ciaddr: IPV4_ANY }, IPV4_ANY);
    expect(payload.subarray(240, 243)).toEqual(Uint8Array.of(53, 1, 1));
    expect([...payload.subarray(243)]).not.toContain(55);
  });

  it.each([
    Option.MessageType.code,
    Option.ServerIdentifier.code,
    Option.RequestedAddress.code,
    Option.ParameterRequestList.code,
    Option.Overload.code,
    0,
    255,
  ])("cannot be configured to say option %i otherwise", (code) => {
    expect(() => writerOf([[code, Uint8Array.of(1)]])).toThrow(OptionError);
  });

  it("wants no broadcast answer to a DECLINE, as udhcpc -B -a was seen to do", () => {
    const style = UDHCPC_1_35;
    const identity = { mac: CLIENT_MAC, parameters: style.parameters, options: [] };
    const writer = new ClientWriter(style, identity, true);
    const words = { xid: 1, secs: 0, ciaddr: IPV4_ANY, server: SERVER, requested: CLIENT_ADDRESS };
    const flagsOf = (type: DhcpType): number => {
      const { payload } = writer.broadcast({ ...words, type }, IPV4_ANY);
      return DHCP.flags.get(viewOf(payload), 0);
    };
    const { Discover, Request, Decline } = DhcpType;
    expect([Discover, Request, Decline].map(flagsOf)).toEqual([BROADCAST_FLAG, BROADCAST_FLAG, 0]);
  });

  it("cannot be configured to say more than fits", () => {
    const long = rawOption(Option.HostName, "x".repeat(255));
    const many = [12, 13, 14, 15, 17].map((code): RawOption => [code, long[1]]);
    expect(() => writerOf(many)).toThrow("options that fit a message");
    expect(() => writerOf(many.slice(1))).not.toThrow();
  });
});
