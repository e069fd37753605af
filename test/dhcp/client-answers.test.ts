import { describe, expect, it } from "vitest";
import { BootpOp, DhcpType } from "../../src/dhcp/message.ts";
import { Option, rawOption } from "../../src/dhcp/options.ts";
import { IPV4_ANY, IPV4_BROADCAST, parseIpv4 } from "../../src/wire/addr.ts";
import { answerTo, Bench, leaseOptions } from "./client-bench.ts";
import { SERVER } from "./client-vectors.ts";

const { Offer, Ack, Nak, Release } = DhcpType;

describe("A DHCP client", () => {
  it.each([
    ["a request", "dhcp/op", { op: BootpOp.Request }],
    ["another exchange", "dhcp/xid", { xid: 77 }],
    ["another client", "dhcp/chaddr", { chaddr: new Uint8Array(16).fill(2) }],
    ["a longer hardware address", "dhcp/chaddr", { hlen: 7 }],
    ["no address", "dhcp/address", { yiaddr: IPV4_ANY }],
    ["a loopback address", "dhcp/address", { yiaddr: parseIpv4("127.0.0.1") }],
    ["a group", "dhcp/address", { yiaddr: parseIpv4("224.0.0.1") }],
    ["everyone", "dhcp/address", { yiaddr: IPV4_BROADCAST }],
  ])("ignores an answer that is meant for %s: %s", (_name, reason, header) => {
    const bench = new Bench();
    bench.client.start(0);
    const { xid } = bench.last.message;
    const offer = answerTo(xid, Offer, header);
    expect(bench.client.receive(offer, { source: SERVER }, 0)).toBe(reason);
    expect(bench.client.state).toBe("selecting");
    bench.answer(Offer);
    const ack = answerTo(xid, Ack, { ...header, options: leaseOptions(60) });
    expect(bench.client.receive(ack, { source: SERVER }, 0)).toBe(reason);
    expect(bench.client.state).toBe("requesting");
  });

  it("ignores an ACK without a lease time, and one that comes unasked", () => {
    const bench = new Bench();
    bench.client.start(0);
    expect(bench.answer(Ack, { options: leaseOptions(60) })).toBe("dhcp/state");
    expect(bench.answer(Nak)).toBe("dhcp/state");
    bench.answer(Offer);
    expect(bench.answer(Ack)).toBe("dhcp/lease-time");
    expect(bench.answer(Ack, { options: leaseOptions(0) })).toBe("dhcp/lease-time");
    expect(bench.answer(Offer)).toBe("dhcp/state");
    expect(bench.answer(Release)).toBe("dhcp/type");
  });

  it("ignores a message whose options run out, and one without a type", () => {
    const bench = new Bench();
    bench.client.start(0);
    const octets = answerTo(bench.last.message.xid, Offer);
    const receive = (payload: Uint8Array): unknown =>
      bench.client.receive(payload, { source: SERVER }, 0);
    expect(receive(octets.subarray(0, 242))).toBe("dhcp/options");
    expect(receive(octets.subarray(0, 236))).toBe("dhcp/type");
    expect(receive(octets.subarray(0, 235))).toBe("dhcp/truncated");
    expect(receive(octets)).toBeNull();
  });

  it.each([IPV4_ANY, IPV4_BROADCAST])(
    "takes a server %i for one that did not say who",
    (server) => {
      const bench = new Bench();
      bench.client.start(0);
      bench.answer(Offer, { options: [rawOption(Option.ServerIdentifier, server)] });
      expect(bench.last.message.options.has(Option.ServerIdentifier.code)).toBe(false);
    },
  );
});
