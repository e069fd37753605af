import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkTcp, checkTcpChecksum, sealTcp, TCP, TcpFlag } from "../../src/l4/tcp.ts";
import { Cast } from "../../src/wire/packet.ts";
import { IPV4, ipv4Codec, sealHeader } from "../../src/l3/ipv4.ts";
import { ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Net } from "../guest/net.ts";

const OWN = parseIpv4("10.0.0.1");
const PEER = parseIpv4("10.0.0.2");
const word = fc.nat(0xffff_ffff);
const segments = fc.record({
  seq: word,
  ack: word,
  flags: fc.nat(0xff),
  offset: fc.integer({ min: 0, max: 15 }),
  rest: fc.uint8Array({ maxLength: 60, size: "max" }),
});

/** What RFC 9293 section 3.10.7.1 says of a segment to a closed port. */
function refusalOf(flags: number, seq: number, ack: number, data: number): number[] {
  if ((flags & TcpFlag.Ack) !== 0) return [TcpFlag.Rst, ack, 0];
  const length =
    data + ((flags & TcpFlag.Syn) === 0 ? 0 : 1) + ((flags & TcpFlag.Fin) === 0 ? 0 : 1);
  return [TcpFlag.Rst | TcpFlag.Ack, 0, ipv4Of(seq + length)];
}

describe("a host without TCP", () => {
  it("answers each sound segment but a reset with the one that is due, soundly", () => {
    const net = new Net();
    const host = net.host("host", "10.0.0.1/24");
    host.router.neighbors.addPermanent(host.device, PEER, net.nextMac(), 0);
    fc.assert(
      fc.property(segments, ({ seq, ack, flags, offset, rest }) => {
        net.sent.length = 0;
        const packet = net.pool.allocate(14 + 20 + 20 + rest.length);
        if (packet === null) throw new RangeError("the pool is exhausted");
        const { view, bytes } = net.pool;
        bytes.fill(0, packet.frame, packet.end);
        bytes.set(rest, packet.end - rest.length);
        packet.cast = Cast.Host;
        view.setUint16(packet.frame, Math.floor(host.device.mac / 2 ** 32));
        view.setUint32(packet.frame + 2, host.device.mac % 2 ** 32);
        view.setUint16(packet.frame + 12, 0x0800);
        const ip = packet.frame + 14;
        const header = { versionIhl: 0x45, tos: 0, id: 1, flagsFragment: 0, ttl: 64, protocol: 6 };
        const totalLength = packet.end - ip;
        const rest2 = { totalLength, checksum: 0, src: PEER, dst: OWN };
        ipv4Codec.encodeInto({ ...header, ...rest2 }, bytes, ip);
        sealHeader(view, ip);
        TCP.seq.set(view, ip + 20, seq);
        TCP.ack.set(view, ip + 20, ack);
        TCP.flags.set(view, ip + 20, flags);
        TCP.dataOffset.set(view, ip + 20, offset);
        sealTcp(view, ip + 20, packet.end, PEER, OWN);
        const isSound = checkTcp(view, ip + 20, packet.end) === null;
        const isAnswered = isSound && (flags & TcpFlag.Rst) === 0;
        host.device.receive(packet, net.now);
        expect(net.sent).toHaveLength(isAnswered ? 1 : 0);
        expect(net.pool.live).toBe(0);
        if (!isAnswered) return;
        const answer = viewOf(new Uint8Array(Buffer.from(net.sent[0]?.hex ?? "", "hex")));
        const data = 20 + rest.length - 4 * offset;
        const said = [TCP.flags, TCP.seq, TCP.ack].map((field) => field.get(answer, 34));
        expect(said).toEqual(refusalOf(flags, seq, ack, data));
        expect(checkTcpChecksum(answer, 34, 54, OWN, PEER)).toBeNull();
        expect([IPV4.flagsFragment.get(answer, 14), IPV4.id.get(answer, 14)]).toEqual([0x4000, 0]);
      }),
      { numRuns: 300 },
    );
  });
});
