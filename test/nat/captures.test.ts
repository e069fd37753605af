import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ETHERNET, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { IPV4, isFragment, Protocol } from "../../src/l3/ipv4.ts";
import { UDP } from "../../src/l4/udp.ts";
import { FLOWS_2618, FLOWS_6 } from "../../src/nat/behaviour.ts";
import { Bindings } from "../../src/nat/bindings.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { instantOf } from "../../src/pcap/record.ts";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { read, tell } from "./packets.ts";
import { Stand } from "./stand.ts";

/** The host of captures/linux-kernel: two domUs behind vifs, public addresses at peth0. */
const DOM0 = parseIpv4("10.254.168.2");
const OWN_MACS = [parseMac("fe:ff:ff:ff:ff:ff"), parseMac("02:00:00:00:00:02")];
const START = 1_795_335_306_000_000n;

interface Recorded {
  readonly at: number;
  readonly isOwn: boolean;
  readonly packet: Uint8Array;
}

/** The packets that went through the host whole: neither its own nor pieces of one. */
function packetsOf(file: string): Recorded[] {
  const { records } = readCapture(new Uint8Array(readFileSync(`captures/linux-kernel/${file}`)));
  return records.flatMap((record) => {
    const frame = record.octets.slice();
    const view = viewOf(frame);
    const at = ETHERNET_LENGTH;
    if (ETHERNET.type.get(view, 0) !== EtherType.Ipv4) return [];
    const protocol = IPV4.protocol.get(view, at);
    const isDhcp = protocol === Protocol.Udp && UDP.dstPort.get(view, at + 20) <= 68;
    const ends = [IPV4.src.get(view, at), IPV4.dst.get(view, at)];
    const isDying = IPV4.ttl.get(view, at) <= 1 && !OWN_MACS.includes(ETHERNET.src.get(view, 0));
    if (isDhcp || isDying || ends.includes(DOM0) || isFragment(view, at)) return [];
    return [
      {
        at: instantOf(record, START * 1000n) ?? 0,
        isOwn: OWN_MACS.includes(ETHERNET.src.get(view, 0)),
        packet: frame.slice(at, at + IPV4.totalLength.get(view, at)),
      },
    ];
  });
}

/** The packet without its time to live and the sum that covers it. */
function withoutTtl(packet: Uint8Array): string {
  const masked = packet.slice();
  IPV4.ttl.set(viewOf(masked), 0, 0);
  IPV4.checksum.set(viewOf(masked), 0, 0);
  return Buffer.from(masked).toString("hex");
}

const ADDRESSES = ["10.254.170.223", "10.254.170.222"].map(parseIpv4);
const PUBLIC = ["75.101.160.7", "75.101.160.8"].map(parseIpv4);

function bindingsAt(device: Device): Bindings {
  const bindings = new Bindings({ device });
  for (const [index, privateAddress] of ADDRESSES.entries()) {
    bindings.add({ privateAddress, publicAddress: PUBLIC[index] ?? privateAddress });
  }
  return bindings;
}

describe.each([
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
] as const)("the recorded host, translated as Linux %s does", (_, behaviour) => {
  it("sends on both sides what the real one sent, octet for octet", () => {
    const files = ["domu-3.pcap", "domu-4.pcap", "peth0.pcap"];
    const sides = files.map(packetsOf);
    const stand = new Stand({ behaviour, rules: bindingsAt });
    const sent: string[][] = files.map(() => []);
    const arrivals = sides
      .flatMap((side, from) => side.map((recorded) => ({ ...recorded, from })))
      .filter(({ isOwn }) => !isOwn)
      .toSorted((left, right) => left.at - right.at);
    for (const { at, packet, from } of arrivals) {
      stand.now = at;
      const dst = IPV4.dst.get(viewOf(packet), 0);
      const known = [ADDRESSES.indexOf(dst), PUBLIC.indexOf(dst)].find((index) => index >= 0) ?? 2;
      const devices = [stand.inside, stand.inside, stand.outside];
      const input = devices[from] ?? stand.inside;
      const { octets } = stand.forward(packet, input, devices[known]);
      if (octets === null) throw new Error(`dropped: ${tell(packet)}`);
      expect(read(octets).wrong).toEqual([]);
      sent[known]?.push(withoutTtl(octets));
    }
    const recorded = sides.map((side) =>
      side.filter(({ isOwn }) => isOwn).map(({ packet }) => withoutTtl(packet)),
    );
    expect(sent.map((side) => side.toSorted())).toEqual(recorded.map((side) => side.toSorted()));
    expect(sent.map(({ length }) => length)).toEqual([48, 25, 43]);
  });
});
