import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ping } from "../../src/guest/ping.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { ICMP, ICMP_LENGTH, IcmpType, sealIcmp } from "../../src/l3/icmp.ts";
import { IPV4_MIN_LENGTH, Protocol, sealHeader, writeIpv4 } from "../../src/l3/ipv4.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { type Answers, type PingOutcome, runPing } from "../model/ping-run.ts";
import { Net } from "./net.ts";

const OWN = parseIpv4("10.0.0.1");
const TARGET = parseIpv4("10.0.0.2");
const INTERVAL = 1_000_000;
const HEADERS = ETHERNET_LENGTH + IPV4_MIN_LENGTH;

/** A message to OWN that answers the echo request in `octets`: a reply, or an error about it. */
function answer(net: Net, octets: Uint8Array, isError: boolean): Packet {
  const quoted = octets.length - ETHERNET_LENGTH;
  const length = isError ? ICMP_LENGTH + quoted : octets.length - HEADERS;
  const packet = net.pool.allocate(HEADERS + length);
  if (packet === null) throw new RangeError("the pool is exhausted");
  const { view, bytes } = net.pool;
  bytes.set(octets.subarray(6, 12), packet.frame);
  bytes.set(octets.subarray(0, 6), packet.frame + 6);
  view.setUint16(packet.frame + 12, 0x0800);
  packet.network = packet.frame + ETHERNET_LENGTH;
  writeIpv4(packet, { protocol: Protocol.Icmp, src: TARGET, dst: OWN });
  sealHeader(view, packet.network);
  const at = packet.transport;
  if (isError) {
    bytes.fill(0, at, at + ICMP_LENGTH);
    bytes.set(octets.subarray(ETHERNET_LENGTH), at + ICMP_LENGTH);
  } else bytes.set(octets.subarray(HEADERS), at);
  ICMP.type.set(view, at, isError ? IcmpType.Unreachable : IcmpType.EchoReply);
  if (isError) ICMP.code.set(view, at, 1);
  sealIcmp(view, at, packet.end);
  return packet;
}

/** The same run by the real ping: a host whose link answers as it is told. */
function runReal(answers: readonly Answers[], timeout: number): PingOutcome {
  const net = new Net();
  const host = net.host("host", "10.0.0.1/24");
  host.router.neighbors.addPermanent(host.device, TARGET, net.nextMac(), 0);
  host.device.attachCarrier({
    carry: (_device, packet, now) => {
      const octets = packet.octets().slice();
      net.pool.end(packet, "delivered", "test/answered", now);
      const sequence = ICMP.sequence.get(new DataView(octets.buffer), HEADERS);
      const { replies = [], errors = [] } = answers[sequence - 1] ?? {};
      const schedule = (delay: number, isError: boolean): void => {
        net.scheduler.at(now + delay, (at) => {
          host.device.receive(answer(net, octets, isError), at);
        });
      };
      for (const delay of replies) schedule(delay, false);
      for (const delay of errors) schedule(delay, true);
    },
  });
  let end = -1;
  const onDone = (_: Ping, at: number): void => {
    end = at;
  };
  const options = { target: TARGET, count: answers.length, interval: INTERVAL, timeout, onDone };
  const ping = host.ping(options, 0);
  net.run(60_000_000);
  expect(net.pool.live).toBe(0);
  const { transmitted, received, duplicates, errors, maxRtt } = ping;
  return { transmitted, received, duplicates, errors, maxRtt, end };
}

describe("ping", () => {
  it("counts and ends as a plain reading of iputils' loop does", () => {
    // Never in the instant of a request: who comes first then is nobody's promise.
    const delay = fc.integer({ min: 1, max: 4_000_000 }).filter((value) => value % INTERVAL !== 0);
    const answers = fc.record({
      replies: fc.array(delay, { maxLength: 3 }),
      errors: fc.oneof(
        { weight: 3, arbitrary: fc.constant([]) },
        fc.array(delay, { maxLength: 2 }),
      ),
    });
    const runs = fc.array(answers, { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(runs, fc.integer({ min: 1, max: 9_999_999 }), (script, timeout) => {
        const all = script.flatMap(({ replies, errors }, index) =>
          [...replies, ...errors].map((value) => index * INTERVAL + value),
        );
        fc.pre(new Set(all).size === all.length);
        expect(runReal(script, timeout)).toEqual(runPing(script, INTERVAL, timeout));
      }),
      { numRuns: 100 },
    );
  });

  it("hears any ICMP message without a throw, and only what quotes enough of its request", () => {
    const net = new Net();
    const host = net.host("host", "10.0.0.1/24");
    host.router.neighbors.addPermanent(host.device, TARGET, net.nextMac(), 0);
    const ping = host.ping({ target: TARGET, id: 77 }, 0);
    net.run(1);
    const [sent = ""] = net.framesOf("host");
    const request = new Uint8Array(Buffer.from(sent, "hex")).subarray(ETHERNET_LENGTH);
    const quotes = fc.nat(request.length).map((length) => request.subarray(0, length));
    const noise = fc.uint8Array({ maxLength: 80, size: "max" });
    const types = fc.constantFrom(0, 3, 4, 5, 11, 12);
    fc.assert(
      fc.property(types, fc.oneof(quotes, noise), (type, content) => {
        const packet = net.pool.allocate(HEADERS + ICMP_LENGTH + content.length);
        if (packet === null) throw new RangeError("the pool is exhausted");
        const { view, bytes } = net.pool;
        packet.network = packet.frame + ETHERNET_LENGTH;
        writeIpv4(packet, { protocol: Protocol.Icmp, src: TARGET, dst: OWN });
        bytes.fill(0, packet.transport, packet.end);
        bytes.set(content, packet.transport + ICMP_LENGTH);
        ICMP.type.set(view, packet.transport, type);
        sealIcmp(view, packet.transport, packet.end);
        const before = ping.errors;
        host.router.icmp.deliver(packet, net.now);
        const isQuote = content.buffer === request.buffer && content.length >= 28;
        const isError = type !== 0 && type !== 4 && type !== 5;
        expect(ping.errors - before).toBe(isQuote && isError ? 1 : 0);
        expect([ping.received, net.pool.live]).toEqual([0, 0]);
      }),
      { numRuns: 300 },
    );
    expect(ping.errors).toBeGreaterThan(0);
  });
});
