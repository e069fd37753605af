import { describe, expect, it } from "vitest";
import {
  checkTcp,
  checkTcpChecksum,
  sealTcp,
  TCP,
  TCP_MIN_LENGTH,
  tcpCodec,
  TcpFlag,
  tcpHeaderLengthOf,
} from "../../src/l4/tcp.ts";
import { IPV4_ANY } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { TCP_DATA, TCP_RST, TCP_SYN, TCP_SYN_ACK } from "./vectors.ts";

/** A segment of `octets` octets that says its data lie at `offset` words. */
function segment(offset: number, octets: number): DataView {
  const view = viewOf(new Uint8Array(octets));
  if (octets >= TCP_MIN_LENGTH) TCP.dataOffset.set(view, 0, offset);
  return view;
}

describe("TCP", () => {
  it("reads a SYN that a Linux kernel sent", () => {
    const { bytes, view, at } = TCP_SYN;
    expect(tcpCodec.decode(bytes, at)).toEqual({
      srcPort: 50020,
      dstPort: 81,
      seq: 0x59f935b5,
      ack: 0,
      offsetReserved: 0xa0,
      flags: TcpFlag.Syn,
      window: 64240,
      checksum: 0x3e16,
      urgent: 0,
    });
    expect(tcpHeaderLengthOf(view, at)).toBe(40);
    expect(TCP.dataOffset.get(view, at)).toBe(10);
    expect(TCP.reserved.get(view, at)).toBe(0);
  });

  it.each([
    ["SYN", TCP_SYN, TcpFlag.Syn],
    ["RST", TCP_RST, TcpFlag.Rst | TcpFlag.Ack],
    ["SYN with ACK", TCP_SYN_ACK, TcpFlag.Syn | TcpFlag.Ack],
    ["data", TCP_DATA, TcpFlag.Psh | TcpFlag.Ack],
  ])("accepts the kernel's %s, and seals it as the kernel did", (_name, vector, flags) => {
    const { src, dst, at, end } = vector;
    const bytes = vector.bytes.slice();
    const view = viewOf(bytes);
    expect(checkTcp(view, at, end)).toBeNull();
    expect(checkTcpChecksum(view, at, end, src, dst)).toBeNull();
    expect(checkTcpChecksum(view, at, end, src, IPV4_ANY)).toBe("tcp/checksum");
    expect(TCP.flags.get(view, at)).toBe(flags);
    TCP.checksum.set(view, at, 0xabcd);
    sealTcp(view, at, end, src, dst);
    expect(bytes).toEqual(vector.bytes);
  });

  it.each([
    [5, 20, null],
    [5, 21, null],
    [15, 60, null],
    [4, 60, "tcp/data-offset"],
    [0, 20, "tcp/data-offset"],
    [6, 23, "tcp/truncated"],
    [15, 59, "tcp/truncated"],
    [5, 19, "tcp/truncated"],
  ])("judges a data offset of %i in %i octets: %s", (offset, octets, reason) => {
    expect(checkTcp(segment(offset, octets), 0, octets)).toBe(reason);
  });
});
