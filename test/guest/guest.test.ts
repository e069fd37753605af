import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DHCLIENT_4_4_3, UDHCPC_1_35 } from "../../src/dhcp/client-style.ts";
import { Guest, type GuestEvent, type GuestOptions } from "../../src/guest/guest.ts";
import { newRoute } from "../../src/l3/route-table.ts";
import { Prng } from "../../src/base/prng.ts";
import { formatIpv4, parseIpv4, parseMac, parsePrefix } from "../../src/wire/addr.ts";
import { HOST_6 } from "../support/behaviour.ts";
import { DhcpSide } from "./dhcp-side.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const GATE = "gate 10.254.168.2/32";
const MAC = parseMac("12:31:39:00:a5:11");
const CONF = readFileSync("captures/linux-kernel/dhcpd.conf", "utf8");

interface Site {
  readonly net: Net;
  readonly guest: Guest;
  readonly events: string[];
  readonly dhcp: DhcpSide;
}

const textOf = (event: GuestEvent, now: number): string => {
  const address = event.kind === "up" ? event.lease.address : event.address;
  return `${Math.floor(now / SECOND)} ${event.kind} ${formatIpv4(address)}`;
};

/** A guest on the vif of a router with dhcpd, as EC2 had it: its gateway is proxied. */
function site(options: Partial<GuestOptions> = {}, conf = CONF): Site {
  const net = new Net();
  const addresses = ["10.254.168.2/32", "216.182.232.10/20"];
  const { router, devices } = net.router("gate", addresses, { settings: { hasProxyArp: true } });
  const [device, uplink] = devices;
  if (device === undefined || uplink === undefined) throw new RangeError("no device");
  const everywhere = parsePrefix("0.0.0.0/0");
  const gateway = parseIpv4("216.182.232.1");
  router.addressing.fib.add(newRoute({ prefix: everywhere, gateway, device: uplink }));
  const prefix = parsePrefix("10.254.170.223");
  router.addressing.fib.add(newRoute({ prefix, device, source: parseIpv4("10.254.168.2") }));
  const dhcp = new DhcpSide(router, device, "10.254.168.2", conf);
  const events: string[] = [];
  const guest = new Guest({
    name: "domu",
    mac: MAC,
    pool: net.pool,
    behaviour: HOST_6,
    chance: new Prng(3),
    onChange: (changed) => net.scheduler.reschedule(changed),
    onEvent: (event, now) => events.push(textOf(event, now)),
    ...options,
  });
  net.scheduler.add(guest);
  net.join(guest.host.device, device);
  return { net, guest, events, dhcp };
}

const arpOf = (net: Net, from: string): string[] =>
  net.framesOf(from).filter((hex) => hex.slice(24, 28) === "0806");

describe("a domU", () => {
  it("boots by DHCP and takes what the server says", () => {
    const { net, guest, events } = site();
    guest.start(0);
    net.run(SECOND);
    expect(events).toEqual(["0 up 10.254.170.223"]);
    expect(guest.client.state).toBe("bound");
    expect(guest.hostName).toBe("domU-12-31-39-00-A5-11");
    expect(guest.resolvers.map(formatIpv4)).toEqual(["172.16.0.23"]);
    expect(guest.host.configuration).toEqual({
      address: parseIpv4("10.254.170.223"),
      length: 23,
      gateway: parseIpv4("10.254.170.1"),
      broadcast: parseIpv4("10.254.171.255"),
    });
    expect(net.sent).toHaveLength(4);
    expect(() => guest.start(SECOND)).toThrow("domu is on");
    // Nobody has any work until the lease is renewed.
    expect(net.scheduler.nextDeadline()).toBeGreaterThan(8 * HOUR);
  });

  it.each([
    ["dhclient", DHCLIENT_4_4_3],
    ["udhcpc", UDHCPC_1_35],
  ])("as %s renews by its own stack for days, and keeps its address", (_, client) => {
    const { net, guest, events } = site({ client });
    guest.start(0);
    net.run(72 * HOUR);
    expect(events).toEqual(["0 up 10.254.170.223"]);
    // A lease lasts a day and is renewed in its third quarter-half: from 9 to 12 hours on.
    const renewals = net.framesOf("domu").filter((hex) => hex.slice(52, 60) === "0afeaadf");
    const count = renewals.filter((hex) => hex.slice(68, 76) === "00440043").length;
    expect(count).toBeGreaterThanOrEqual(6);
    expect(count).toBeLessThanOrEqual(8);
    expect(guest.lease?.expiry).toBeGreaterThan(net.now);
    expect(net.pool.live).toBe(0);
  });

  it("asks on, less and less often, while nobody answers, and is bound when somebody does", () => {
    const { net, guest, events, dhcp } = site();
    dhcp.isUp = false;
    guest.start(0);
    net.run(120 * SECOND);
    expect(events).toEqual([]);
    const asked = net.framesOf("domu").length;
    expect(asked).toBeGreaterThanOrEqual(5);
    expect(asked).toBeLessThanOrEqual(7);
    dhcp.isUp = true;
    net.run(70 * SECOND);
    expect(events).toHaveLength(1);
  });

  it("loses its address when the lease is over, and gets it again", () => {
    const conf = CONF.replaceAll("86400", "600");
    const { net, guest, events, dhcp } = site({}, conf);
    guest.start(0);
    net.run(SECOND);
    dhcp.isUp = false;
    net.run(600 * SECOND);
    expect(events).toEqual(["0 up 10.254.170.223", "600 down 10.254.170.223"]);
    expect([guest.lease, guest.host.configuration, guest.hostName]).toEqual([null, null, "domu"]);
    expect([...guest.host.router.addressing.fib.main]).toEqual([]);
    dhcp.isUp = true;
    net.run(70 * SECOND);
    expect(events).toHaveLength(3);
  });

  it("gives its address up when a server refuses it, and takes another", () => {
    const conf = CONF.replaceAll("86400", "600");
    const { net, guest, events, dhcp } = site({}, conf);
    guest.start(0);
    net.run(SECOND);
    dhcp.restart("10.254.168.2", conf.replaceAll("10.254.170.223", "10.254.170.99"), net.now);
    net.run(700 * SECOND);
    const kinds = events.map((event) => event.split(" ").slice(1).join(" "));
    expect(kinds.slice(0, 3)).toEqual([
      "up 10.254.170.223",
      "down 10.254.170.223",
      "up 10.254.170.99",
    ]);
  });

  it("keeps address and routes through a renewal that tells of others, as the script does", () => {
    const conf = CONF.replaceAll("86400", "600");
    const { net, guest, events, dhcp } = site({}, conf);
    guest.start(0);
    net.run(SECOND);
    const { configuration } = guest.host;
    const moved = conf.replace("172.16.0.23", "172.16.0.99").replace("170.1;", "170.2;");
    dhcp.restart("10.254.168.2", moved, net.now);
    net.run(400 * SECOND);
    expect(events).toHaveLength(1);
    expect(guest.resolvers.map(formatIpv4)).toEqual(["172.16.0.99"]);
    expect(guest.host.configuration).toBe(configuration);
  });

  it("hears as many messages at once as its socket holds", () => {
    const answered = [63, 64].map((count) => {
      const { net, guest, dhcp } = site();
      const offer = site();
      offer.guest.start(0);
      offer.net.run(SECOND);
      const octets = new Uint8Array(Buffer.from(offer.net.framesOf(GATE)[0] ?? "", "hex"));
      dhcp.isUp = false;
      guest.start(0);
      const noise = octets.slice();
      // Without a checksum, so that another xid is no fault of the datagram.
      noise.fill(0, 40, 42);
      noise.fill(0xff, 46, 50);
      for (const one of [...Array<Uint8Array>(count).fill(noise), octets]) {
        const packet = net.pool.copyIn(one);
        if (packet !== null) guest.host.device.receive(packet, net.now);
      }
      net.run(SECOND);
      return guest.client.state;
    });
    expect(answered).toEqual(["requesting", "selecting"]);
  });

  it("gives its address back when it shuts down, and is silent", () => {
    const { net, guest, events } = site();
    guest.start(0);
    net.run(SECOND);
    guest.host.ping({ target: parseIpv4("10.254.170.1"), count: 1 }, net.now);
    net.run(SECOND);
    net.sent.length = 0;
    guest.shutDown(net.now);
    expect(net.sent).toHaveLength(1);
    expect(events).toEqual(["0 up 10.254.170.223", "2 down 10.254.170.223"]);
    guest.shutDown(net.now);
    net.run(HOUR);
    expect(net.framesOf("domu")).toHaveLength(1);
    guest.start(net.now);
    net.run(SECOND);
    expect(events.at(-1)).toBe("3602 up 10.254.170.223");
  });

  it("asks for the address of its last run again", () => {
    const first = site();
    first.guest.start(0);
    first.net.run(SECOND);
    const { net, guest, events } = site();
    guest.start(0, first.guest.lease);
    net.run(SECOND);
    expect(events).toEqual(["0 up 10.254.170.223"]);
    expect(net.framesOf("domu")).toHaveLength(1);
  });

  it("tells after a resume where it is, if it has an address, and at no other time", () => {
    const { net, guest } = site();
    guest.resume(0);
    guest.start(0);
    net.run(SECOND);
    expect(arpOf(net, "domu")).toEqual([]);
    guest.resume(net.now);
    const header = "ffffffffffff12313900a51108060001080006040002";
    const addresses = "12313900a5110afeaadf12313900a511ffffffff";
    expect(arpOf(net, "domu")).toEqual([`${header}${addresses}`]);
  });

  it("reads what is to its port in whole, sound datagrams alone", () => {
    const { net, guest } = site();
    guest.start(0);
    net.run(SECOND);
    const offer = net.framesOf(GATE)[0] ?? "";
    const octets = new Uint8Array(Buffer.from(offer, "hex"));
    const { device } = guest.host;
    for (const [at, value] of [
      [23, 6], // another protocol
      [37, 69], // another port
      [60, 1], // a broken checksum
      [12, 0x86], // another type
    ] as const) {
      const copy = octets.slice();
      copy[at] = value;
      const packet = net.pool.copyIn(copy);
      if (packet !== null) device.receive(packet, net.now);
      expect(guest.nextDeadline()).toBeGreaterThan(net.now);
    }
    const packet = net.pool.copyIn(octets);
    if (packet !== null) device.receive(packet, net.now);
    expect(guest.nextDeadline()).toBe(net.now);
  });
});

describe("a domU that detects conflicts", () => {
  it("probes three times, waits, takes the address and announces it twice", () => {
    const { net, guest, events } = site({ detectsConflicts: true });
    guest.start(0);
    net.run(20 * SECOND);
    const arps = net.sent.filter(
      ({ from, hex }) => from === "domu" && hex.slice(24, 28) === "0806",
    );
    const spas = arps.map(({ hex }) => hex.slice(56, 64));
    const tpas = arps.map(({ hex }) => hex.slice(76, 84));
    expect(spas).toEqual(["00000000", "00000000", "00000000", "0afeaadf", "0afeaadf"]);
    expect(new Set(tpas)).toEqual(new Set(["0afeaadf"]));
    const gaps = arps.slice(1).map(({ at }, index) => (at - (arps[index]?.at ?? 0)) / SECOND);
    expect(gaps.slice(0, 2).every((gap) => gap >= 1 && gap <= 2)).toBe(true);
    expect(gaps.slice(2)).toEqual([2, 2]);
    expect(events).toEqual([`${Math.floor((arps[3]?.at ?? 0) / SECOND)} up 10.254.170.223`]);
    expect(guest.nextDeadline()).toBeGreaterThan(net.now + HOUR);
  });

  it("goes on probing through a renewal, and uses what it was told last", () => {
    const conf = CONF.replaceAll("86400", "8");
    const { net, guest, events } = site({ detectsConflicts: true }, conf);
    guest.start(0);
    net.run(20 * SECOND);
    expect(events).toHaveLength(1);
    expect(guest.lease?.start).toBeGreaterThan(2 * SECOND);
  });

  it("declines an address that another station has, and asks anew after ten seconds", () => {
    const net = new Net();
    const { router, devices } = net.router("gate", ["10.254.168.2/32"]);
    const [device] = devices;
    if (device === undefined) throw new RangeError("no device");
    new DhcpSide(router, device, "10.254.168.2", CONF);
    router.addressing.addAddress(
      [...router.addressing.interfaces.values()][1] ?? router.addressing.loopback,
      parseIpv4("10.254.170.223"),
      32,
    );
    const events: string[] = [];
    const guest = new Guest({
      name: "domu",
      mac: MAC,
      pool: net.pool,
      behaviour: HOST_6,
      chance: new Prng(3),
      detectsConflicts: true,
      onChange: (changed) => net.scheduler.reschedule(changed),
      onEvent: (event, now) => events.push(textOf(event, now)),
    });
    net.scheduler.add(guest);
    net.join(guest.host.device, device);
    guest.start(0);
    net.run(9 * SECOND);
    expect(events).toHaveLength(1);
    expect(events[0]).toMatch(/ conflict 10\.254\.170\.223$/);
    const [, , , declined = ""] = net.framesOf("domu");
    // DISCOVER, REQUEST, one probe, DECLINE: option 53 with 4.
    expect(declined).toContain("6382536335010436");
    expect(guest.host.configuration).toBeNull();
    net.run(30 * SECOND);
    expect(events.length).toBeGreaterThan(1);
  });
});
