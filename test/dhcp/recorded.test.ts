import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { ISC_3_0_5, ISC_4_4_3 } from "../../src/dhcp/dhcpd-profile.ts";
import type { DhcpReply } from "../../src/dhcp/dhcpd-reply.ts";
import { DhcpdSetup } from "../../src/dhcp/dhcpd-setup.ts";
import { DhcpServer } from "../../src/dhcp/server.ts";
import { formatIpv4, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { type Datagram, datagramOf, exchangeOf, frameOf } from "./frames.ts";

const VIF_MAC = parseMac("fe:ff:ff:ff:ff:ff");
const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
const octetsOf = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

/** What a reply is on the wire, as far as dhcpd decides it. */
function onWire(reply: DhcpReply): string {
  if (reply.transport === "raw") return hex(frameOf(reply.payload, reply, VIF_MAC));
  return `${formatIpv4(reply.destination)}:${reply.destinationPort} ${hex(reply.payload)}`;
}

function recorded(datagram: Datagram): string {
  const { frame, destination, destinationPort, payload } = datagram;
  const isRaw = frame[14 + 1] === 0x10;
  return isRaw
    ? hex(frame.subarray(0, 42 + payload.length))
    : `${formatIpv4(destination)}:${destinationPort} ${hex(payload)}`;
}

/** The answers to each question of an exchange, beside the recorded ones. */
function replay(
  server: DhcpServer,
  exchange: readonly Datagram[],
): { ours: string[]; theirs: string[] } {
  const ours: string[] = [];
  const theirs: string[] = [];
  for (const datagram of exchange) {
    if (datagram.destinationPort !== 67) theirs.push(recorded(datagram));
    else {
      const { payload: octets, source } = datagram;
      const { reply } = server.receive({ device: "vif", octets, source }, SECOND);
      if (reply !== null) ours.push(onWire(reply));
    }
  }
  return { ours, theirs };
}

/** A server that runs with `text`, on one vif of a Dom0. */
function serverOf(profile: typeof ISC_4_4_3, text: string, address: string): DhcpServer {
  const server = new DhcpServer({ profile, startTime: 0 });
  const vif = { name: "vif", mac: VIF_MAC, addresses: [parseIpv4(address)] };
  server.restart(0, new DhcpdSetup(parseDhcpdConf(text), [vif]));
  return server;
}

describe("ISC dhcpd 4.4.3, recorded on Linux", () => {
  const conf = readFileSync("captures/linux-kernel/dhcpd.conf", "utf8");
  it.each(["domu-3", "domu-4"])("answers %s octet for octet", (name) => {
    const server = serverOf(ISC_4_4_3, conf, "10.254.168.2");
    const { ours, theirs } = replay(server, exchangeOf(`captures/linux-kernel/${name}.pcap`));
    expect(theirs.length).toBeGreaterThan(1);
    expect(ours).toEqual(theirs);
  });
});

/** Put together from the recorded answers; the host's own file was not kept. */
const XEN_CONF = `
authoritative; default-lease-time 86400; max-lease-time 86400;
subnet 10.251.34.0 netmask 255.255.254.0 {
  option routers 10.251.34.1; option broadcast-address 10.251.35.255;
  option domain-name "compute-1.internal"; option domain-name-servers 172.16.0.23;
  option ntp-servers 172.16.0.23; option interface-mtu 1500;
}
host d1 { hardware ethernet 12:31:3b:00:00:05; fixed-address 10.251.34.5;
          option host-name "ip-10-251-34-5"; }
host d2 { hardware ethernet 12:31:3b:00:00:06; fixed-address 10.251.34.6;
          option host-name "ip-10-251-34-6"; }`;

describe("ISC dhcpd 4.4.3, recorded on Xen", () => {
  it.each([
    "boot-vif1.0",
    "boot-vif2.0",
    "boot-d2again-vif3.0",
    "boot-d2again-domU-eth0",
    "dhcp-vif1.0",
    "dhcp-d1-eth0",
  ])("answers %s octet for octet", (name) => {
    const server = serverOf(ISC_4_4_3, XEN_CONF, "10.251.34.1");
    const { ours, theirs } = replay(server, exchangeOf(`captures/real-xen/${name}.pcap`));
    expect(theirs.length).toBeGreaterThan(1);
    expect(ours).toEqual(theirs);
  });
});

/** Zeros between the client's hardware address and the cookie. */
const NAMES = "00".repeat(10 + 64 + 128);

/** DHCPDISCOVER of ISC dhclient 3 through a raw socket, 342 octets. */
const DISCOVER = `ffffffffffff12313900a51108004510 01480000000010 11a99600000000ffff
  ffff004400430134c154010106003903f3260000000000000000000000000000000000000000
  12313900a511${NAMES}63825363350101370701 1c02030f060cff${"00".repeat(47)}`;
/** DHCPOFFER of ISC dhcpd 3.0, 366 octets. */
const OFFER = `12313900a511feffffffffff08004510 0160000000001011 48a2a9fe01000afe
  aadf00430044014c08e8020106003903f32600000000000000000afeaadf0000000000000000
  12313900a511${NAMES}638253633501023604a9fe0100330400015180
  0104fffffe001c040afeabff03040afeaa010f12636f6d707574652d312e696e7465726e616c
  0604ac1000170c16646f6d552d31322d33312d33392d30302d41352d3131ff`;

describe("ISC dhcpd 3.0.5, EC2 2010", () => {
  it("offers an instance its address octet for octet", () => {
    const conf = readFileSync("captures/linux-kernel/dhcpd.conf", "utf8");
    const server = serverOf(ISC_3_0_5, conf, "10.254.168.2");
    const question = datagramOf(octetsOf(DISCOVER));
    const { payload: octets = new Uint8Array(), source = parseIpv4("0.0.0.0") } = question ?? {};
    const { reply, reason } = server.receive({ device: "vif", octets, source }, SECOND);
    expect(reason).toBe("dhcp/offer");
    expect(reply === null ? null : onWire(reply)).toBe(hex(octetsOf(OFFER)));
  });
});
