import { describe, expect, it } from "vitest";
import { OptionError } from "../../src/base/errors.ts";
import { Prng } from "../../src/base/prng.ts";
import { DAY, MINUTE, NEVER, SECOND } from "../../src/base/time.ts";
import { UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { BROADCAST_FLAG, DhcpType } from "../../src/dhcp/message.ts";
import { findOption, Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { Scheduler } from "../../src/sim/scheduler.ts";
import { IPV4_ANY, IPV4_BROADCAST, ipv4Of, parseIpv4 } from "../../src/wire/addr.ts";
import { answerTo, Bench, leaseOptions, type Sent } from "./client-bench.ts";
import { CLIENT_ADDRESS, SERVER } from "./client-vectors.ts";

const { Discover, Offer, Request, Decline, Ack, Nak, Release } = DhcpType;
const OTHER = parseIpv4("10.254.170.224");

const typesOf = (sent: readonly Sent[]): DhcpType[] => sent.map(({ type }) => type);
const wishOf = ({ message }: Sent): unknown => findOption(message.options, Option.RequestedAddress);

/** A client that has its address, for so many seconds. */
function boundFor(seconds: number, ...options: RawOption[]): Bench {
  const bench = new Bench();
  bench.client.start(0);
  bench.bind(seconds, ...options);
  return bench;
}

describe("A DHCP client", () => {
  it("asks, and tells when it has an address", () => {
    const bench = boundFor(86_400, rawOption(Option.SubnetMask, parseIpv4("255.255.254.0")));
    expect(typesOf(bench.sent)).toEqual([Discover, Request]);
    expect(bench.client.state).toBe("bound");
    expect(bench.events).toEqual([
      { kind: "bound", at: 0, from: SERVER, lease: bench.client.lease },
    ]);
    expect(bench.client.lease).toMatchObject({
      address: CLIENT_ADDRESS,
      server: SERVER,
      mask: 0xfffffe00,
      routers: [],
      domainName: null,
    });
  });

  it("repeats the secs of its last DISCOVER in the REQUEST", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.runUntil(13 * SECOND);
    expect(bench.sent.map(({ message }) => message.secs)).toEqual([0, 4, 12]);
    bench.runUntil(20 * SECOND);
    bench.bind(60);
    expect(bench.last.message.secs).toBe(12);
  });

  it("counts secs on in the REQUEST as udhcpc", () => {
    const bench = new Bench({ style: UDHCPC_1_35 });
    bench.client.start(0);
    bench.runUntil(20 * SECOND);
    bench.bind(60);
    expect(bench.last.message.secs).toBe(20);
  });

  it("says no more than 65,535 seconds", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.runUntil(2 * DAY);
    expect(bench.last.message.secs).toBe(65_535);
    expect(bench.sent.length).toBeLessThan(2800);
  });

  it("takes the first offer at once, or after a time for others that of its old address", () => {
    const old = boundFor(60).client.lease;
    const bench = new Bench({ selectionTime: 2 * SECOND });
    bench.client.start(100 * SECOND, old);
    bench.now = 100 * SECOND;
    bench.answer(Offer, { yiaddr: OTHER });
    bench.answer(Offer, { yiaddr: CLIENT_ADDRESS });
    bench.answer(Offer, { yiaddr: ipv4Of(OTHER + 1) });
    expect(typesOf(bench.sent)).toEqual([Discover]);
    bench.runUntil(102 * SECOND);
    expect(typesOf(bench.sent)).toEqual([Discover, Request]);
    expect(wishOf(bench.last)).toBe(CLIENT_ADDRESS);
  });

  it("takes an offer at once that comes after the time for offers", () => {
    const bench = new Bench({ selectionTime: 2 * SECOND });
    bench.client.start(0);
    bench.runUntil(3 * SECOND);
    bench.answer(Offer);
    expect(bench.client.state).toBe("requesting");
  });

  it("begins anew after four REQUESTs in about a minute", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.answer(Offer);
    bench.runUntil(60 * SECOND);
    expect(typesOf(bench.sent)).toEqual([Discover, Request, Request, Request, Request, Discover]);
    expect(bench.sent.slice(2).map(({ at }) => at / SECOND)).toEqual([4, 12, 28, 60]);
    expect(bench.last.message.xid).not.toBe(bench.sent[0]?.message.xid);
  });

  it("asks for its old address after a reboot, and for any when nobody answers", () => {
    const old = boundFor(3600).client.lease;
    const bench = new Bench();
    bench.client.start(10, old);
    expect(bench.client.state).toBe("rebooting");
    expect(bench.client.lease).toBeNull();
    expect([wishOf(bench.last), bench.last.message.ciaddr]).toEqual([CLIENT_ADDRESS, IPV4_ANY]);
    expect(bench.last.message.options.has(Option.ServerIdentifier.code)).toBe(false);
    bench.now = 10;
    bench.answer(Ack, { options: leaseOptions(60) });
    expect(bench.events[0]?.kind).toBe("bound");
  });

  it("asks whom it likes, but for the same address, once the lease it remembers is over", () => {
    const bench = new Bench();
    bench.client.start(60 * SECOND, boundFor(60).client.lease);
    expect([bench.last.type, wishOf(bench.last)]).toEqual([Discover, CLIENT_ADDRESS]);
  });

  it("renews by its socket at T1, to everyone from T2 on, and lets go at the end", () => {
    const bench = boundFor(
      8000,
      rawOption(Option.RenewalTime, 4000),
      rawOption(Option.RebindingTime, 7000),
    );
    bench.runUntil(8000 * SECOND);
    const asked = bench.sent.slice(2, -1);
    // T1 of the steady chance is the server's; then always half of what is left, but a minute.
    const seconds = asked.map(({ at }) => Math.round(at / SECOND));
    expect(seconds.slice(0, 4)).toEqual([4000, 5500, 6250, 6625]);
    const sockets = asked.filter(({ request }) => request.transport === "socket");
    const all = asked.filter(({ request }) => request.transport === "raw");
    expect(sockets.every(({ at }) => at < 7000 * SECOND)).toBe(true);
    expect(sockets.at(-1)?.request).toMatchObject({ source: CLIENT_ADDRESS, destination: SERVER });
    expect(all[0]?.at).toBe(7000 * SECOND);
    expect(all[0]?.request).toMatchObject({ source: CLIENT_ADDRESS, destination: IPV4_BROADCAST });
    expect(all.map(({ at }) => at / SECOND)).toEqual([7000, 7500, 7750, 7875, 7937.5, 7997.5]);
    expect(bench.events.map(({ kind, at }) => [kind, at / SECOND])).toEqual([
      ["bound", 0],
      ["expired", 8000],
    ]);
    expect([bench.last.type, wishOf(bench.last)]).toEqual([Discover, CLIENT_ADDRESS]);
  });

  it("renews to everyone from the start if the server did not say who it is", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.answer(Offer);
    bench.answer(Ack, { options: [rawOption(Option.LeaseTime, 60)] });
    expect(bench.sent[1]?.message.options.has(Option.ServerIdentifier.code)).toBe(false);
    bench.runUntil(30 * SECOND);
    expect(bench.client.state).toBe("renewing");
    expect(bench.last.request).toMatchObject({ transport: "raw", source: CLIENT_ADDRESS });
  });

  it("counts a lease from the REQUEST, not from the answer", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.answer(Offer);
    bench.runUntil(20 * SECOND);
    bench.answer(Ack, { options: leaseOptions(60) });
    expect(bench.client.lease?.expiry).toBe(60 * SECOND);
  });

  it("has no use for a lease that is over when it comes", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.answer(Offer);
    bench.runUntil(20 * SECOND);
    expect(bench.answer(Ack, { options: leaseOptions(20) })).toBe("dhcp/lease-time");
    expect(bench.client.state).toBe("requesting");
  });

  it("tells that its address is another than before", () => {
    const bench = boundFor(1000);
    const before = bench.client.lease;
    bench.runUntil(500 * SECOND);
    bench.answer(Ack, { yiaddr: OTHER, options: leaseOptions(1000) });
    expect(bench.events.at(-1)).toMatchObject({
      kind: "renewed",
      previous: before,
      lease: { address: OTHER },
    });
  });

  it("gives its address up when it is refused, and tells the server's reason", () => {
    const bench = boundFor(1000);
    const { lease } = bench.client;
    bench.runUntil(500 * SECOND);
    bench.answer(Nak, { options: [rawOption(Option.Message, "wrong network")] });
    const at = 500 * SECOND;
    const message = "wrong network";
    expect(bench.events.at(-1)).toEqual({ kind: "naked", lease, message, from: SERVER, at });
    expect([bench.last.type, wishOf(bench.last), bench.last.at]).toEqual([Discover, null, at]);
  });

  it("asks a server that offers only to refuse less and less often", () => {
    const bench = new Bench();
    bench.onSent = ({ type }) => {
      bench.now = bench.last.at;
      if (type === Discover) bench.answer(Offer);
      if (type === Request) bench.answer(Nak);
    };
    bench.client.start(0);
    bench.runUntil(MINUTE);
    const discovers = bench.sent.filter(({ type }) => type === Discover);
    expect(discovers.map(({ at }) => at / SECOND)).toEqual([0, 0, 4, 12, 28, 60]);
  });

  it("asks at once after a refusal that follows a lease", () => {
    const bench = boundFor(60);
    for (const at of [30 * SECOND, 60 * SECOND]) {
      bench.runUntil(at);
      bench.answer(Nak);
      expect([bench.last.type, bench.last.at]).toEqual([Discover, at]);
      bench.bind(60);
    }
  });

  it("lets its address go at the end, even if more time is given in that very instant", () => {
    const bench = boundFor(60);
    bench.runUntil(60 * SECOND - 1);
    const ack = answerTo(bench.last.message.xid, Ack, { options: leaseOptions(60) });
    expect(bench.client.receive(ack, { source: SERVER }, 60 * SECOND)).toBe("dhcp/xid");
    expect(bench.client.lease).toBeNull();
    expect(bench.events.at(-1)?.kind).toBe("expired");
  });

  it("declines an address that someone else has, and waits ten seconds", () => {
    const bench = boundFor(1000);
    bench.onEvent = () => expect.unreachable();
    bench.client.decline(SECOND);
    expect(bench.last.type).toBe(Decline);
    expect(bench.last.request).toMatchObject({ transport: "raw", source: IPV4_ANY });
    expect(bench.last.message.xid).toBe(bench.sent[0]?.message.xid);
    expect(bench.client.lease).toBeNull();
    bench.runUntil(11 * SECOND - 1);
    expect(bench.last.type).toBe(Decline);
    bench.runUntil(11 * SECOND);
    expect([bench.last.type, wishOf(bench.last)]).toEqual([Discover, null]);
  });

  it("may be told to decline while it tells that it is bound", () => {
    const bench = new Bench();
    bench.onEvent = ({ kind }, at) => {
      if (kind === "bound") bench.client.decline(at);
    };
    bench.client.start(0);
    bench.bind(60);
    expect(bench.last.type).toBe(Decline);
    expect(bench.client.state).toBe("init");
    expect(bench.client.nextDeadline()).toBe(10 * SECOND);
  });

  it("gives its lease back by its socket, and stops", () => {
    const bench = boundFor(1000);
    bench.client.release(SECOND);
    expect(bench.last.type).toBe(Release);
    expect(bench.last.request).toMatchObject({ transport: "socket", destination: SERVER });
    expect(bench.last.message.ciaddr).toBe(CLIENT_ADDRESS);
    expect(bench.last.message.secs).toBe(0);
    expect(bench.client.nextDeadline()).toBe(NEVER);
    bench.client.start(2 * SECOND);
    expect(bench.last.type).toBe(Discover);
  });

  it("stops without a word if there is nothing to give back", () => {
    const bench = new Bench();
    bench.client.start(0);
    bench.client.release(1);
    expect(typesOf(bench.sent)).toEqual([Discover]);
    expect(bench.client.state).toBe("stopped");
  });

  it("gives DECLINE and RELEASE of udhcpc a number and a count of their own", () => {
    const bench = new Bench({ style: UDHCPC_1_35 });
    bench.client.start(0);
    bench.bind(1000);
    bench.client.decline(3 * SECOND);
    const first = bench.sent[0]?.message.xid;
    expect(bench.last.message.xid).not.toBe(first);
    expect(bench.last.message.secs).toBe(3);
    bench.runUntil(13 * SECOND);
    bench.bind(1000);
    bench.client.release(20 * SECOND);
    expect(bench.last.message.secs).toBe(7);
  });

  it("keeps a lease without end, and never asks again", () => {
    const bench = boundFor(0xffff_ffff, rawOption(Option.RenewalTime, 10));
    expect(bench.client.lease).toMatchObject({ renewal: NEVER, rebinding: NEVER, expiry: NEVER });
    expect(bench.client.nextDeadline()).toBe(NEVER);
  });

  it("asks for broadcast answers while it has no address, if it must", () => {
    const bench = new Bench({ wantsBroadcast: true });
    bench.client.start(0);
    bench.bind(60);
    bench.runUntil(30 * SECOND);
    bench.client.release(31 * SECOND);
    const flags = bench.sent.map(({ message }) => message.flags);
    expect(flags).toEqual([BROADCAST_FLAG, BROADCAST_FLAG, 0, 0]);
  });

  it.each([
    [0, 1],
    [9 * SECOND, 10],
  ])("waits one to ten seconds before it begins, if wished", (draw, seconds) => {
    const old = boundFor(60).client.lease;
    for (const previous of [null, old]) {
      const chance = { below: (bound: number) => Math.min(draw, bound - 1) };
      const bench = new Bench({ desynchronizes: true, chance });
      bench.client.start(0, previous);
      expect(bench.client.state).toBe(previous === null ? "init" : "init-reboot");
      expect(bench.client.nextDeadline()).toBe(seconds * SECOND);
    }
  });

  it("runs all exchanges in one instant if each answer comes before the call returns", () => {
    const bench = new Bench();
    bench.onSent = ({ type }) => {
      if (type === Discover) bench.answer(Offer);
      if (type === Request) bench.answer(Ack, { options: leaseOptions(60) });
    };
    bench.client.start(0);
    expect(bench.client.state).toBe("bound");
    expect(typesOf(bench.sent)).toEqual([Discover, Request]);
  });

  it("lives through a year of a day's lease with two messages a renewal", () => {
    const scheduler = new Scheduler();
    const bench = new Bench({ chance: new Prng(1) });
    bench.onSent = ({ at, type }) => {
      bench.now = at;
      const options = leaseOptions(86_400);
      const payload = answerTo(bench.last.message.xid, type === Discover ? Offer : Ack, {
        options,
      });
      scheduler.at(at + 100, (now) => {
        bench.client.receive(payload, { source: SERVER }, now);
        scheduler.reschedule(bench.client);
      });
    };
    bench.client.start(0);
    scheduler.add(bench.client);
    scheduler.runUntil(365 * DAY);
    const renewals = bench.events.filter(({ kind }) => kind === "renewed").length;
    expect(renewals).toBe(bench.events.length - 1);
    expect(bench.sent).toHaveLength(renewals + 2);
    // T1 lies between nine and twelve hours.
    expect(renewals).toBeGreaterThan(365 * 2);
    expect(renewals).toBeLessThan((365 * 24) / 9);
  });

  it("refuses a time for offers that is none", () => {
    expect(() => new Bench({ selectionTime: -1 })).toThrow(OptionError);
    expect(() => new Bench({ selectionTime: 0.5 })).toThrow(OptionError);
  });
});
