import { describe, expect, it } from "vitest";
import { Host } from "../../src/guest/host.ts";
import { ECHO_PORT, serveUdpEcho } from "../../src/guest/udp-echo.ts";
import { Prng } from "../../src/base/prng.ts";
import { NEVER } from "../../src/base/time.ts";
import { ipRouteText } from "../../src/l3/ip-text.ts";
import { formatIpv4, parseIpv4 } from "../../src/wire/addr.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { HOST_6 } from "../support/behaviour.ts";
import { Net } from "./net.ts";

const SECOND = 1_000_000;
const A = parseIpv4("10.0.0.1");
const B = parseIpv4("10.0.0.2");
const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

function pair(options: Parameters<Net["host"]>[3] = {}): { net: Net; left: Host; right: Host } {
  const net = new Net();
  const left = net.host("left", "10.0.0.1/24", null, options);
  const right = net.host("right", "10.0.0.2/24", null, options);
  net.join(left.device, right.device);
  return { net, left, right };
}

/** What a host has in its routing table. */
const routes = ({ router }: Host): string[] => ipRouteText(router).trim().split("\n");

describe("a host", () => {
  it("has the routes that its configuration makes, and none without", () => {
    const net = new Net();
    const host = net.host("host", "10.0.0.1/24", "10.0.0.254");
    expect(routes(host)).toEqual([
      "default via 10.0.0.254 dev eth0",
      "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1",
    ]);
    const { device, router } = host;
    const [, via] = [...router.addressing.interfaces.values()];
    expect(via?.addresses).toEqual([
      { address: A, length: 24, broadcast: parseIpv4("10.0.0.255") },
    ]);
    host.configure({ address: B, length: 32, gateway: parseIpv4("10.254.0.1") }, 0);
    expect(routes(host)).toEqual([
      "default via 10.254.0.1 dev eth0",
      "10.254.0.1 dev eth0 scope link",
    ]);
    expect(via?.addresses).toEqual([{ address: B, length: 32, broadcast: null }]);
    expect(host.configuration?.address).toBe(B);
    host.unconfigure(0);
    host.unconfigure(0);
    expect([routes(host), via?.addresses, host.configuration]).toEqual([[""], [], null]);
    expect(device.name).toBe("eth0");
  });

  it("forgets its neighbors with its last address, and what waits for them", () => {
    const { net, left, right } = pair();
    left.udp.bind(0, null).send(octets("x"), parseIpv4("10.0.0.9"), 7, 0);
    left.ping({ target: B, count: 1 }, 0);
    net.run(1000);
    expect(left.router.neighbors.size).toBe(2);
    left.unconfigure(net.now);
    expect([left.router.neighbors.size, net.pool.live]).toEqual([0, 0]);
    left.ping({ target: B, count: 1 }, net.now);
    const before = net.sent.length;
    net.run(SECOND);
    expect(net.sent.length).toBe(before);
    expect(right.router.neighbors.size).toBe(1);
  });

  it("forwards nothing, and does not answer for others", () => {
    const { net, left, right } = pair();
    const stranger = parseIpv4("10.9.9.9");
    left.router.neighbors.addPermanent(left.device, stranger, right.device.mac, 0);
    left.configure({ address: A, length: 8, gateway: null }, 0);
    left.router.neighbors.addPermanent(left.device, stranger, right.device.mac, 0);
    left.udp.bind(0, null).send(octets("x"), stranger, 7, net.now);
    net.run(SECOND);
    expect(net.framesOf("right")).toEqual([]);
    expect(net.pool.ends.get("route/not-forwarding")).toBe(1);
  });

  it("echoes datagrams on port 7, but not those of services", () => {
    const { net, left } = pair();
    const heard: string[] = [];
    const client = left.udp.bind(0, ({ bytes, start, end }) => {
      heard.push(Buffer.from(bytes.subarray(start, end)).toString());
    });
    const service = left.udp.bind(1023, () => heard.push("service"));
    client.send(octets("echo"), B, ECHO_PORT, 0);
    client.send(octets(""), B, ECHO_PORT, 0);
    service.send(octets("loop"), B, ECHO_PORT, 0);
    net.run(SECOND);
    expect(heard).toEqual(["echo", ""]);
  });

  it("echoes where it is told to, or nowhere", () => {
    const { net, left, right } = pair({ echoPorts: [] });
    const heard: string[] = [];
    const client = left.udp.bind(0, () => heard.push("echo"));
    client.send(octets("x"), B, ECHO_PORT, 0);
    net.run(SECOND);
    expect(net.pool.ends.get("udp/port-unreachable")).toBe(1);
    const socket = serveUdpEcho(right.udp, 7777);
    client.send(octets("x"), B, 7777, net.now);
    net.run(SECOND);
    expect(heard).toEqual(["echo"]);
    socket.close();
    client.send(octets("x"), B, 7777, net.now);
    net.run(SECOND);
    expect(net.pool.ends.get("udp/port-unreachable")).toBe(2);
  });

  it("has no work when nothing happens, and soon none after something did", () => {
    const { net, left, right } = pair();
    expect([left.nextDeadline(), right.nextDeadline()]).toEqual([NEVER, NEVER]);
    left.ping({ target: B, count: 1 }, 0);
    left.traceroute({ target: B }, 0);
    net.run(120 * SECOND);
    expect([left.nextDeadline(), right.nextDeadline()]).toEqual([NEVER, NEVER]);
    const { length } = net.sent;
    net.run(24 * 3600 * SECOND);
    expect(net.sent).toHaveLength(length);
  });

  it("runs as many tools as it may, and more when some have ended", () => {
    const { net, left } = pair({ toolLimit: 2 });
    const first = left.ping({ target: B, count: 1 }, 0);
    left.traceroute({ target: B }, 0);
    expect(() => left.ping({ target: B }, 0)).toThrow("left: 2 tools run already");
    expect(() => left.traceroute({ target: B }, 0)).toThrow("2 tools");
    first.stop(0);
    left.ping({ target: B, count: 1 }, 0);
    net.run(SECOND);
    expect(left.toolCount).toBe(0);
  });

  it("tells of every change of its deadline", () => {
    const told: number[] = [];
    const host: Host = new Host({
      name: "host",
      mac: new Net().nextMac(),
      pool: new PacketPool({ slots: 8, largeSlots: 0 }),
      behaviour: HOST_6,
      chance: new Prng(1),
      onChange: (machine) => told.push(machine.nextDeadline()),
    });
    host.configure({ address: A, length: 24, gateway: null }, 0);
    host.ping({ target: B, count: 1 }, 5);
    host.udp.bind(0, null).send(octets("x"), B, 7, 5);
    expect(told[0]).toBe(5);
    expect(told).toHaveLength(2);
    expect(`${String(host)} ${formatIpv4(A)}`).toBe("host 10.0.0.1");
  });

  it.each([{ toolLimit: 0 }, { epoch: -1 }, { epoch: 0.5 }, { mtu: 67 }])(
    "refuses %o",
    (options) => {
      expect(() => new Net().host("host", "10.0.0.1/24", null, options)).toThrow(
        Object.keys(options)[0],
      );
    },
  );

  it.each([-1, 33, 1.5])("refuses a prefix length of %d, and keeps what it has", (length) => {
    const host = new Net().host("host", "10.0.0.1/24");
    expect(() => host.configure({ address: B, length, gateway: null }, 0)).toThrow("length");
    expect(host.configuration?.address).toBe(A);
  });
});
