/**
 * What real clients sent: ISC dhclient 4.4.3 and busybox udhcpc 1.35 on a veth pair with ISC dhcpd
 * 4.4.3 at the other end, seen by tcpdump. UDP payloads.
 * @module
 */
import type { ClientWords } from "../../src/dhcp/client-message.ts";
import { type ClientStyle, DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { DhcpType } from "../../src/dhcp/message.ts";
import { Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { IPV4_ANY, parseIpv4, parseMac } from "../../src/wire/addr.ts";

/** The client's address on the link. */
export const CLIENT_MAC = parseMac("12:31:39:00:a5:11");
/** The address that it got. */
export const CLIENT_ADDRESS = parseIpv4("10.254.170.223");
/** The server that gave it. */
export const SERVER = parseIpv4("10.254.170.1");

/** A message, and how it came to be. */
export interface ClientVector {
  readonly name: string;
  readonly style: ClientStyle;
  readonly options: readonly RawOption[];
  readonly wantsBroadcast: boolean;
  readonly words: ClientWords;
  readonly octets: Uint8Array;
}

/** `[00 n]` stands for n zeros. */
function octetsOf(text: string): Uint8Array {
  const hex = text.replaceAll(/\[00 (\d+)\]/g, (_run, count) => "00".repeat(Number(count)));
  return Uint8Array.from(Buffer.from(hex.replaceAll(/\s/g, ""), "hex"));
}

const text = (value: string): Uint8Array => Uint8Array.from(Buffer.from(value));
/** In the order of the configuration file. */
const MANY: readonly RawOption[] = [
  rawOption(Option.HostName, "vm"),
  rawOption(Option.ClientIdentifier, Uint8Array.of(1, 0x12, 0x31, 0x39, 0, 0xa5, 0x11)),
  rawOption(Option.VendorClass, text("anything")),
  rawOption(Option.LeaseTime, 3600),
  rawOption(Option.MaxMessageSize, 600),
  rawOption(Option.UserClass, "abc"),
];
const HOST_NAME: readonly RawOption[] = [rawOption(Option.HostName, "vm")];
const NOBODY = { server: null, requested: null };
const FOR_ADDRESS = { server: null, requested: CLIENT_ADDRESS };
const FROM_SERVER = { server: SERVER, requested: CLIENT_ADDRESS };

const dhclient = (
  name: string,
  words: ClientWords,
  octets: string,
  options: readonly RawOption[] = [],
): ClientVector => ({
  name: `dhclient: ${name}`,
  style: DHCLIENT_4_4_3,
  options,
  wantsBroadcast: false,
  words,
  octets: octetsOf(octets),
});

const udhcpc = (
  name: string,
  words: ClientWords,
  octets: string,
  { options = [], wantsBroadcast = false }: Partial<ClientVector> = {},
): ClientVector => ({
  name: `udhcpc: ${name}`,
  style: UDHCPC_1_35,
  options,
  wantsBroadcast,
  words,
  octets: octetsOf(octets),
});

const { Discover, Request, Decline, Release } = DhcpType;
const ciaddr = IPV4_ANY;

/** All kinds of message of both clients. */
export const VECTORS: readonly ClientVector[] = [
  dhclient(
    "DISCOVER",
    { type: Discover, xid: 0x28b0977c, secs: 0, ciaddr, ...NOBODY },
    `0101060028b0977c [00 20] 12313900a511 [00 202] 63825363350101
     3707011c02030f060cff [00 47]`,
  ),
  dhclient(
    "DISCOVER for the address it had, after three seconds",
    { type: Discover, xid: 0xb1609125, secs: 3, ciaddr, ...FOR_ADDRESS },
    `01010600b16091250003 [00 18] 12313900a511 [00 202] 63825363350101
     32040afeaadf3707011c02030f060cff [00 41]`,
  ),
  dhclient(
    "DISCOVER with many options",
    { type: Discover, xid: 0x064a2820, secs: 0, ciaddr, ...NOBODY },
    `01010600064a2820 [00 20] 12313900a511 [00 202] 63825363350101
     330400000e100c02766d3707011c02030f060c390202583c08616e797468696e67
     3d070112313900a5114d03616263ff [00 9]`,
    MANY,
  ),
  dhclient(
    "REQUEST of what was offered",
    { type: Request, xid: 0x28b0977c, secs: 0, ciaddr, ...FROM_SERVER },
    `0101060028b0977c [00 20] 12313900a511 [00 202] 63825363350103
     36040afeaa0132040afeaadf3707011c02030f060cff [00 35]`,
  ),
  dhclient(
    "REQUEST with more options than 300 octets hold",
    { type: Request, xid: 0x064a2820, secs: 0, ciaddr, ...FROM_SERVER },
    `01010600064a2820 [00 20] 12313900a511 [00 202] 63825363350103
     36040afeaa01330400000e1032040afeaadf0c02766d3707011c02030f060c390202583c08616e797468696e67
     3d070112313900a5114d03616263ff`,
    MANY,
  ),
  dhclient(
    "REQUEST after a reboot",
    { type: Request, xid: 0x83dfba7b, secs: 0, ciaddr, ...FOR_ADDRESS },
    `0101060083dfba7b [00 20] 12313900a511 [00 202] 63825363350103
     32040afeaadf3707011c02030f060cff [00 41]`,
  ),
  dhclient(
    "REQUEST for more time, after 17 seconds",
    { type: Request, xid: 0x83dfba7b, secs: 17, ciaddr: CLIENT_ADDRESS, ...NOBODY },
    `0101060083dfba7b001100000afeaadf [00 12] 12313900a511 [00 202] 63825363350103
     3707011c02030f060cff [00 47]`,
  ),
  dhclient(
    "DECLINE",
    { type: Decline, xid: 0x28b0977c, secs: 0, ciaddr, ...FROM_SERVER },
    `0101060028b0977c [00 20] 12313900a511 [00 202] 63825363350104
     36040afeaa0132040afeaadfff [00 44]`,
  ),
  dhclient(
    "RELEASE with many options",
    {
      type: Release,
      xid: 0xc206f23a,
      secs: 0,
      ciaddr: CLIENT_ADDRESS,
      server: SERVER,
      requested: null,
    },
    `01010600c206f23a000000000afeaadf [00 12] 12313900a511 [00 202] 63825363350107
     36040afeaa01330400000e100c02766d390202583c08616e797468696e673d070112313900a5114d03616263ff
     [00 12]`,
    MANY,
  ),
  udhcpc(
    "DISCOVER",
    { type: Discover, xid: 0x9c4ddf32, secs: 0, ciaddr, ...NOBODY },
    `010106009c4ddf32 [00 20] 12313900a511 [00 202] 63825363350101
     3902024037070103060c0f1c2a3c0c756468637020312e33352e303d070112313900a511ff [00 20]`,
  ),
  udhcpc(
    "DISCOVER for an address, with a host name",
    { type: Discover, xid: 0xd77b4553, secs: 0, ciaddr, ...FOR_ADDRESS },
    `01010600d77b4553 [00 20] 12313900a511 [00 202] 63825363350101
     32040afeaadf3902024037070103060c0f1c2a0c02766d3c0c756468637020312e33352e30
     3d070112313900a511ff [00 10]`,
    { options: HOST_NAME },
  ),
  udhcpc(
    "DISCOVER that wants broadcast answers, after six seconds",
    { type: Discover, xid: 0x8dc2c147, secs: 6, ciaddr, ...FOR_ADDRESS },
    `010106008dc2c147000680 [00 17] 12313900a511 [00 202] 63825363350101
     32040afeaadf3902024037070103060c0f1c2a3c0c756468637020312e33352e303d070112313900a511ff
     [00 14]`,
    { wantsBroadcast: true },
  ),
  udhcpc(
    "REQUEST of what was offered",
    { type: Request, xid: 0x9c4ddf32, secs: 0, ciaddr, ...FROM_SERVER },
    `010106009c4ddf32 [00 20] 12313900a511 [00 202] 63825363350103
     32040afeaadf36040afeaa013902024037070103060c0f1c2a3c0c756468637020312e33352e30
     3d070112313900a511ff [00 8]`,
  ),
  udhcpc(
    "REQUEST for more time, where broadcast answers are wanted",
    { type: Request, xid: 0xc1ea1f5e, secs: 3, ciaddr: CLIENT_ADDRESS, ...NOBODY },
    `01010600c1ea1f5e000300000afeaadf [00 12] 12313900a511 [00 202] 63825363350103
     3902024037070103060c0f1c2a3c0c756468637020312e33352e303d070112313900a511ff [00 20]`,
    { wantsBroadcast: true },
  ),
  udhcpc(
    "DECLINE",
    { type: Decline, xid: 0x6915f011, secs: 0, ciaddr, ...FROM_SERVER },
    `010106006915f011 [00 20] 12313900a511 [00 202] 63825363350104
     32040afeaadf36040afeaa013d070112313900a511ff [00 35]`,
  ),
  udhcpc(
    "RELEASE, after three seconds, with a host name",
    {
      type: Release,
      xid: 0x27bd257c,
      secs: 3,
      ciaddr: CLIENT_ADDRESS,
      server: SERVER,
      requested: null,
    },
    `0101060027bd257c000300000afeaadf [00 12] 12313900a511 [00 202] 63825363350107
     36040afeaa013d070112313900a511ff [00 41]`,
    { options: HOST_NAME },
  ),
];
