import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { Host } from "../../src/guest/host.ts";
import { IPV4, sealHeader } from "../../src/l3/ipv4.ts";
import { sealTcp, TCP, TcpFlag } from "../../src/l4/tcp.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { Prng } from "../../src/base/prng.ts";
import { MAC_BROADCAST, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { HOST_2_6_18, HOST_6 } from "../support/behaviour.ts";
import { hexOf } from "../guest/net.ts";

const VIF = parseMac("fe:ff:ff:ff:ff:ff");

/** A recorded domU's twin that knows its gateway, and what it answers. */
class Twin {
  readonly pool = new PacketPool({ slots: 16, largeSlots: 0 });
  readonly host: Host;
  readonly answers: string[] = [];

  constructor(mac: string, address: string, peers: readonly string[], behaviour = HOST_6) {
    const { pool } = this;
    const chance = new Prng(1);
    this.host = new Host({ name: "twin", mac: parseMac(mac), pool, behaviour, chance });
    this.host.configure({ address: parseIpv4(address), length: 23, gateway: null }, 0);
    const { device, router } = this.host;
    for (const peer of peers) router.neighbors.addPermanent(device, parseIpv4(peer), VIF, 0);
    device.attachCarrier({
      carry: (_from, packet, now) => {
        this.answers.push(hexOf(packet.octets()));
        pool.end(packet, "delivered", "test/recorded", now);
      },
    });
  }

  receive(octets: Uint8Array): void {
    const packet = this.pool.copyIn(octets);
    if (packet === null) throw new RangeError("the pool is exhausted");
    this.host.device.receive(packet, 0);
  }
}

/** Frames of a recorded file by their number, from 1. */
function framesOf(file: string): (number: number) => Uint8Array {
  const { records } = readCapture(new Uint8Array(readFileSync(`captures/${file}`)));
  return (number) => records[number - 1]?.octets.slice() ?? new Uint8Array(0);
}

const LINUX = framesOf("linux-kernel/domu-4.pcap");
const XEN = framesOf("real-xen/icmp-vif2.0.pcap");
const linuxTwin = (behaviour = HOST_6): Twin =>
  new Twin("12:31:39:00:a5:12", "10.254.170.222", ["10.254.170.223"], behaviour);
const xenTwin = (): Twin => new Twin("12:31:3b:00:00:06", "10.251.34.6", ["10.251.34.5"]);

/** The recorded SYN of frame 38 after `change`, its checksums right again. */
function segment(change: (view: DataView, ip: number, tcp: number) => void): Uint8Array {
  const octets = LINUX(38);
  const view = viewOf(octets);
  change(view, 14, 34);
  sealTcp(view, 34, octets.length, IPV4.src.get(view, 14), IPV4.dst.get(view, 14));
  sealHeader(view, 14);
  return octets;
}

/** The flags, sequence and acknowledgment numbers of an answer. */
function parts(answer = ""): { flags: number; seq: number; ack: number; tos: number } {
  const view = viewOf(new Uint8Array(Buffer.from(answer, "hex")));
  return {
    flags: TCP.flags.get(view, 34),
    seq: TCP.seq.get(view, 34),
    ack: TCP.ack.get(view, 34),
    tos: IPV4.tos.get(view, 14),
  };
}

describe("a host without TCP", () => {
  it.each([
    ["a Linux kernel", linuxTwin, LINUX, 38],
    ["a PV domU under Xen", xenTwin, XEN, 45],
    ["a PV domU under Xen", xenTwin, XEN, 47],
    ["a PV domU under Xen", xenTwin, XEN, 49],
  ] as const)("refuses a SYN octet for octet as %s did", (_, twinOf, frames, number) => {
    const twin = twinOf();
    twin.receive(frames(number));
    expect(twin.answers).toEqual([hexOf(frames(number + 1))]);
    expect(twin.pool.ends.get("tcp/refused")).toBe(1);
  });

  it("takes the acknowledged number for its own if there is one", () => {
    const twin = linuxTwin();
    twin.receive(
      segment((view, _, tcp) => {
        TCP.flags.set(view, tcp, TcpFlag.Ack | TcpFlag.Fin);
        TCP.ack.set(view, tcp, 0xfeed_beef);
      }),
    );
    expect(parts(twin.answers[0])).toEqual({
      flags: TcpFlag.Rst,
      seq: 0xfeed_beef,
      ack: 0,
      tos: 0,
    });
  });

  it("acknowledges data, SYN and FIN, past the end of the number space too", () => {
    const twin = linuxTwin();
    twin.receive(
      segment((view, _, tcp) => {
        TCP.flags.set(view, tcp, TcpFlag.Syn | TcpFlag.Fin);
        TCP.seq.set(view, tcp, 0xffff_fffe);
        // The twenty octets of options are data now.
        TCP.dataOffset.set(view, tcp, 5);
      }),
    );
    const flags = TcpFlag.Rst | TcpFlag.Ack;
    expect(parts(twin.answers[0])).toEqual({ flags, seq: 0, ack: 20, tos: 0 });
  });

  it.each([
    ["Linux 6", HOST_6, 0x10],
    ["Linux 2.6.18", HOST_2_6_18, 0x12],
  ])("answers with the type of service as %s does", (_, behaviour, tos) => {
    const twin = linuxTwin(behaviour);
    twin.receive(segment((view, ip) => IPV4.tos.set(view, ip, 0x12)));
    expect(parts(twin.answers[0]).tos).toBe(tos);
  });

  it("is silent to a reset, a bad checksum, a broken header and what was sent to all", () => {
    const twin = linuxTwin();
    twin.receive(segment((view, _, tcp) => TCP.flags.set(view, tcp, TcpFlag.Rst)));
    const corrupt = LINUX(38);
    corrupt[50] = 0;
    corrupt[51] = 1;
    twin.receive(corrupt);
    twin.receive(segment((view, _, tcp) => TCP.dataOffset.set(view, tcp, 4)));
    const cut = segment((view, ip) => IPV4.totalLength.set(view, ip, 39));
    twin.receive(cut);
    twin.receive(segment((view, ip) => IPV4.dst.set(view, ip, parseIpv4("10.254.171.255"))));
    const toAll = LINUX(38);
    viewOf(toAll).setUint16(0, Math.floor(MAC_BROADCAST / 2 ** 32));
    viewOf(toAll).setUint32(2, MAC_BROADCAST % 2 ** 32);
    twin.receive(toAll);
    expect(twin.answers).toEqual([]);
    const { ends } = twin.pool;
    expect(ends.entries()).toEqual([
      ["tcp/broadcast", 2],
      ["tcp/checksum", 1],
      ["tcp/data-offset", 1],
      ["tcp/reset", 1],
      ["tcp/truncated", 1],
    ]);
  });

  it("sends the options that record the way back, filled in", () => {
    const twin = linuxTwin();
    const syn = LINUX(38);
    const octets = new Uint8Array(syn.length + 8);
    octets.set(syn.subarray(0, 34));
    // Record route with room for one address, which this host fills, and a no-operation.
    octets.set([7, 7, 4, 0, 0, 0, 0, 1], 34);
    octets.set(syn.subarray(34), 42);
    const view = viewOf(octets);
    IPV4.versionIhl.set(view, 14, 0x47);
    IPV4.totalLength.set(view, 14, octets.length - 14);
    sealHeader(view, 14);
    twin.receive(octets);
    const answer = twin.answers[0] ?? "";
    expect(answer.slice(28, 30)).toBe("47");
    expect(answer.slice(68, 82)).toBe("0707080afeaade");
  });
});
