import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DHCLIENT_3_0, DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { decodeMessage, DHCP_CLIENT_PORT, DHCP_SERVER_PORT } from "../../src/dhcp/message.ts";
import { Option, rawOption } from "../../src/dhcp/options.ts";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { headerLengthOf, IPV4, Protocol } from "../../src/l3/ipv4.ts";
import { UDP, UDP_LENGTH } from "../../src/l4/udp.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { formatIpv4, type Ipv4Addr, type Mac, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Bench, frameOf, steadyChance } from "./client-bench.ts";
import { CLIENT_MAC } from "./client-vectors.ts";

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");

/** A DHCP message of a capture. */
interface Recorded {
  readonly octets: Uint8Array;
  readonly payload: Uint8Array;
  readonly xid: number;
  readonly source: Ipv4Addr;
  readonly isFromClient: boolean;
}

/** The DHCP messages of a recorded file, in their order. */
function messagesOf(file: string): Recorded[] {
  const { records } = readCapture(new Uint8Array(readFileSync(`captures/linux-kernel/${file}`)));
  return records.flatMap(({ octets }) => {
    const view = viewOf(octets);
    if (ETHERNET.type.get(view, 0) !== EtherType.Ipv4) return [];
    if (IPV4.protocol.get(view, ETHERNET_LENGTH) !== Protocol.Udp) return [];
    const udp = ETHERNET_LENGTH + headerLengthOf(view, ETHERNET_LENGTH);
    const port = UDP.dstPort.get(view, udp);
    if (port !== DHCP_CLIENT_PORT && port !== DHCP_SERVER_PORT) return [];
    const payload = octets.subarray(udp + UDP_LENGTH);
    const message = decodeMessage(payload);
    if (typeof message === "string") throw new TypeError(message);
    const source = IPV4.src.get(view, ETHERNET_LENGTH);
    return [{ octets, payload, xid: message.xid, source, isFromClient: port === DHCP_SERVER_PORT }];
  });
}

/** Let a client talk to the recorded server. @returns its frames. */
function framesAgainst(recorded: readonly Recorded[], bench: Bench, mac: Mac): string[] {
  bench.client.start(0);
  for (const { payload, source, isFromClient } of recorded) {
    if (!isFromClient) expect(bench.client.receive(payload, { source }, 0)).toBeNull();
  }
  return bench.sent.map(({ request }) => {
    if (request.transport !== "raw") throw new TypeError("not a raw frame");
    return hex(frameOf(request, mac));
  });
}

/** RHEL 5's dhclient asks for no more than that; the DISCOVER of the golden frames. */
const GOLDEN_DISCOVER = [
  "ffffffffffff12313900a51108004510014800000000",
  "1011a99600000000ffffffff004400430134c154",
  "01010600",
  "3903f326",
  "00".repeat(20),
  "12313900a511",
  "00".repeat(202),
  "63825363350101",
  "3707011c02030f060c",
  "ff",
  "00".repeat(47),
].join("");

describe("A DHCP client on the wire", () => {
  it("sends the golden DISCOVER of 342 octets as dhclient 3.0", () => {
    const bench = new Bench({ style: DHCLIENT_3_0, chance: steadyChance(0x3903f326) });
    const [frame = ""] = framesAgainst([], bench, CLIENT_MAC);
    expect(frame).toHaveLength(2 * 342);
    expect(frame).toBe(GOLDEN_DISCOVER);
  });

  it("sends what dhclient 4.4.3 sent to the recorded server, and takes what it got", () => {
    const recorded = messagesOf("domu-3.pcap");
    const [discover] = recorded;
    const bench = new Bench({
      style: DHCLIENT_4_4_3,
      chance: steadyChance(discover?.xid),
      // Debian's dhclient.conf.
      options: [rawOption(Option.HostName, "vm")],
      parameters: [1, 28, 2, 3, 15, 6, 119, 12, 44, 47, 26, 121, 42],
    });
    const frames = framesAgainst(recorded, bench, CLIENT_MAC);
    const expected = recorded.filter(({ isFromClient }) => isFromClient);
    expect(frames).toEqual(expected.map(({ octets }) => hex(octets)));
    const { lease } = bench.client;
    expect(lease).toMatchObject({
      domainName: "compute-1.internal",
      hostName: "domU-12-31-39-00-A5-11",
      mtu: null,
      start: 0,
      expiry: 86_400e6,
      rebinding: 75_600e6,
    });
    const addresses = [lease?.address, lease?.server, lease?.mask, lease?.broadcast];
    expect([...addresses, ...(lease?.routers ?? []), ...(lease?.domainNameServers ?? [])]).toEqual([
      0x0afeaadf, 0xa9fe0100, 0xfffffe00, 0x0afeabff, 0x0afeaa01, 0xac100017,
    ]);
  });

  it("sends what udhcpc 1.35 sent to the recorded server", () => {
    const recorded = messagesOf("domu-4.pcap");
    const [discover] = recorded;
    const bench = new Bench({
      mac: parseMac("12:31:39:00:a5:12"),
      style: UDHCPC_1_35,
      chance: steadyChance(discover?.xid),
    });
    const frames = framesAgainst(recorded, bench, bench.client.mac);
    const expected = recorded.filter(({ isFromClient }) => isFromClient);
    expect(frames).toEqual(expected.map(({ octets }) => hex(octets)));
    expect(formatIpv4(bench.client.lease?.address ?? (0 as Ipv4Addr))).toBe("10.254.170.222");
  });
});
