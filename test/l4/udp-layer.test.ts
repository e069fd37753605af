import { describe, expect, it } from "vitest";
import { type UdpArrival, UdpLayer } from "../../src/l4/udp-layer.ts";
import { IPV4, IPV4_MIN_LENGTH, ipv4Codec, sealHeader } from "../../src/l3/ipv4.ts";
import { ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { sealUdp, UDP, UDP_LENGTH } from "../../src/l4/udp.ts";
import { formatIpv4, IPV4_BROADCAST, type Ipv4Addr, parseIpv4 } from "../../src/wire/addr.ts";
import type { Host } from "../../src/guest/host.ts";
import { Prng } from "../../src/base/prng.ts";
import { HOST_2_6_18, HOST_6 } from "../support/behaviour.ts";
import { Net } from "../guest/net.ts";

const A = parseIpv4("10.0.0.1");
const B = parseIpv4("10.0.0.2");
const SECOND = 1_000_000;

interface Pair {
  readonly net: Net;
  readonly left: Host;
  readonly right: Host;
}

/** Two hosts on one link that know each other. */
function pair(options: Parameters<Net["host"]>[3] = {}): Pair {
  const net = new Net();
  const left = net.host("left", "10.0.0.1/24", null, options);
  const right = net.host("right", "10.0.0.2/24", null, options);
  net.join(left.device, right.device);
  left.ping({ target: B, count: 1 }, 0);
  net.run(SECOND);
  net.sent.length = 0;
  return { net, left, right };
}

const textOf = ({ bytes, start, end }: UdpArrival): string =>
  Buffer.from(bytes.subarray(start, end)).toString();
const octets = (text: string): Uint8Array => new Uint8Array(Buffer.from(text));

/** The IP header of the last frame that `from` sent. */
function lastHeader(net: Net, from: string): ReturnType<typeof ipv4Codec.decode> {
  const frame = new Uint8Array(Buffer.from(net.framesOf(from).at(-1) ?? "", "hex"));
  return ipv4Codec.decode(frame, ETHERNET_LENGTH);
}

/** A datagram from A to `dst`, changed and handed to `host` as its device would. */
function inject(
  host: Host,
  net: Net,
  dst: Ipv4Addr,
  change: (view: DataView, at: number) => void = () => {},
  padding = 0,
): void {
  const length = IPV4_MIN_LENGTH + UDP_LENGTH + 4;
  const packet = net.pool.allocate(ETHERNET_LENGTH + length + padding);
  if (packet === null) throw new RangeError("the pool is exhausted");
  const { view, bytes } = net.pool;
  bytes.fill(0, packet.frame, packet.end);
  const { device } = host;
  view.setUint16(packet.frame, Math.floor(device.mac / 2 ** 32));
  view.setUint32(packet.frame + 2, device.mac % 2 ** 32);
  view.setUint16(packet.frame + 12, 0x0800);
  const network = packet.frame + ETHERNET_LENGTH;
  const at = network + IPV4_MIN_LENGTH;
  IPV4.versionIhl.set(view, network, 0x45);
  IPV4.totalLength.set(view, network, length);
  IPV4.ttl.set(view, network, 64);
  IPV4.protocol.set(view, network, 17);
  IPV4.src.set(view, network, A);
  IPV4.dst.set(view, network, dst);
  UDP.srcPort.set(view, at, 4000);
  UDP.dstPort.set(view, at, 5000);
  sealUdp(view, at, network + length, A, dst);
  change(view, at);
  sealHeader(view, network);
  device.receive(packet, net.now);
}

describe("UDP sockets", () => {
  it("carry payloads with who sent them, and answer", () => {
    const { net, left, right } = pair();
    const heard: string[] = [];
    right.udp.bind(5000, (arrival, socket, now) => {
      heard.push(`${textOf(arrival)} ${formatIpv4(arrival.src)}:${arrival.srcPort}`);
      heard.push(`${formatIpv4(arrival.dst)} ${arrival.ttl}`);
      socket.send(octets("pong"), arrival.src, arrival.srcPort, now);
    });
    const asker = left.udp.bind(4000, (arrival) => heard.push(textOf(arrival)));
    expect(asker.send(octets("ping"), B, 5000, net.now, { ttl: 9 })).toBeNull();
    net.run(SECOND);
    expect(heard).toEqual(["ping 10.0.0.1:4000", "10.0.0.2 9", "pong"]);
    expect(net.pool.ends.get("udp/delivered")).toBe(2);
  });

  it("prefer the one of the very address, and hear only their peer once connected", () => {
    const { net, left, right } = pair();
    const heard: string[] = [];
    right.udp.bind(5000, () => heard.push("bound to the address"), B);
    const connected = right.udp.bind(5001, () => heard.push("connected"));
    connected.connect(A, 4000);
    const from = left.udp.bind(4000, null);
    const other = left.udp.bind(4001, null);
    from.send(octets("x"), B, 5000, net.now);
    other.send(octets("x"), B, 5001, net.now);
    from.send(octets("x"), B, 5001, net.now);
    net.run(SECOND);
    expect(heard).toEqual(["bound to the address", "connected"]);
    expect(net.pool.ends.get("udp/port-unreachable")).toBe(1);
  });

  it("refuse a taken port, and free it when they close", () => {
    const { left } = pair();
    const any = left.udp.bind(5000, null);
    expect(() => left.udp.bind(5000, null, A)).toThrow("port: expected a port not in use");
    any.close();
    left.udp.bind(5000, null, A);
    expect(() => left.udp.bind(5000, null)).toThrow("port: expected a port not in use");
    expect(left.udp.bind(5000, null, B).port).toBe(5000);
    expect(() => left.udp.bind(65_536, null)).toThrow("a port from 0 to 65535");
  });

  it("draw ephemeral ports from Linux's range, each only once, up to their limit", () => {
    const { left } = pair();
    const { router } = left;
    const behaviour = HOST_6.sockets;
    const crowded = { below: (): number => 28_231 };
    const udp = new UdpLayer({ router, behaviour, chance: crowded, socketLimit: 3 });
    const ports = [0, 0, 0].map((port) => udp.bind(port, null).port);
    expect(ports).toEqual([60_999, 32_768, 32_769]);
    expect(() => udp.bind(0, null)).toThrow("all 3 sockets are open");
    expect(udp.size).toBe(3);
  });

  it.each([
    ["Linux 6", HOST_6, [true, false, true, true]],
    ["Linux 2.6.18", HOST_2_6_18, [false, false, true, false]],
  ])("give the packets of %s identifications as it does", (_, behaviour, isNumbered) => {
    const { net, left } = pair({ behaviour });
    const socket = left.udp.bind(4000, null);
    const connected = left.udp.bind(4001, null);
    connected.connect(B, 5000);
    const headers = (["want", "do", "dont"] as const).map((mtuDiscovery) => {
      socket.send(octets("x"), B, 5000, net.now, { mtuDiscovery });
      return lastHeader(net, "left");
    });
    connected.send(octets("x"), B, 5000, net.now, { mtuDiscovery: "dont" });
    const first = lastHeader(net, "left");
    connected.send(octets("x"), B, 5000, net.now, { mtuDiscovery: "dont" });
    const second = lastHeader(net, "left");
    expect(headers.map(({ flagsFragment }) => flagsFragment)).toEqual([0x4000, 0x4000, 0]);
    expect(headers.map(({ id }) => id !== 0)).toEqual(isNumbered.slice(0, 3));
    expect(second.id).toBe((first.id + 1) & 0xffff);
    const isOwn = second.id !== ((headers[2]?.id ?? 0) + 2) % 0x1_0000;
    expect(isOwn).toBe(isNumbered[3]);
  });

  it("count a connected socket's packets with DF in every kernel", () => {
    const { net, left } = pair({ behaviour: HOST_2_6_18 });
    const socket = left.udp.bind(4000, null);
    socket.connect(B, 5000);
    const ids = [0, 1].map(() => {
      socket.send(octets("x"), B, 5000, net.now);
      return lastHeader(net, "left").id;
    });
    expect(ids[1]).toBe(((ids[0] ?? 0) + 1) & 0xffff);
  });

  it("cut what does not fit the route unless they must not, and put it together again", () => {
    const { net, left, right } = pair();
    const heard: number[] = [];
    right.udp.bind(5000, ({ start, end }) => heard.push(end - start));
    const socket = left.udp.bind(0, null);
    const big = new Uint8Array(4000);
    expect(socket.send(big, B, 5000, net.now, { mtuDiscovery: "do" })).toBe("too-big");
    expect(socket.send(new Uint8Array(65_508), B, 5000, net.now)).toBe("too-big");
    expect(socket.send(big, B, 5000, net.now)).toBeNull();
    expect(lastHeader(net, "left").flagsFragment).toBe(2960 / 8);
    net.run(SECOND);
    expect(heard).toEqual([4000]);
  });

  it("say why nothing was sent", () => {
    const net = new Net(1, 1);
    const host = net.host("lonely", "10.0.0.1/24");
    const socket = host.udp.bind(0, null);
    expect(socket.send(octets("x"), parseIpv4("9.9.9.9"), 7, 0)).toBe("no-route");
    const held = net.pool.allocate(60);
    expect(held).not.toBeNull();
    for (let index = 0; index < 4; index += 1) net.pool.allocate(60_000);
    expect(socket.send(octets("x"), B, 7, 0)).toBe("no-room");
  });

  it("reach the own host without a frame on the wire", () => {
    const { net, left } = pair();
    const heard: string[] = [];
    left.udp.bind(5000, (arrival) => heard.push(textOf(arrival)));
    left.udp.bind(0, null).send(octets("self"), A, 5000, net.now);
    expect(heard).toEqual(["self"]);
    expect(net.sent).toEqual([]);
  });

  it("send to groups with a TTL of 1", () => {
    const net = new Net();
    const host = net.host("sender", "10.0.0.1/24", "10.0.0.2");
    host.udp.bind(0, null).send(octets("x"), parseIpv4("224.0.0.1"), 5000, 0);
    expect(lastHeader(net, "sender").ttl).toBe(1);
  });
});

describe("UDP reception", () => {
  it("answers a closed port with the octets of the datagram, not its padding", () => {
    const { net, right } = pair();
    inject(right, net, B, (view, at) => {
      // A packet longer than its datagram: what follows is not quoted.
      UDP.length.set(view, at, UDP_LENGTH);
      UDP.checksum.set(view, at, 0);
    });
    const [error = ""] = net.framesOf("right");
    expect(error.slice(46, 48)).toBe("01");
    expect(error.slice(68, 72)).toBe("0303");
    expect(error.length / 2).toBe(ETHERNET_LENGTH + 28 + IPV4_MIN_LENGTH + UDP_LENGTH);
    expect(net.pool.ends.get("udp/port-unreachable")).toBe(1);
  });

  it.each([
    ["udp/length", (view: DataView, at: number) => UDP.length.set(view, at, 7)],
    ["udp/truncated", (view: DataView, at: number) => UDP.length.set(view, at, 13)],
    ["udp/checksum", (view: DataView, at: number) => UDP.srcPort.set(view, at, 9)],
  ] as const)("discards %s in silence, at an open and at a closed port", (reason, change) => {
    const { net, right } = pair();
    inject(right, net, B, change);
    right.udp.bind(5000, () => expect.unreachable());
    inject(right, net, B, change);
    expect(net.pool.ends.get(reason)).toBe(2);
    expect(net.sent).toEqual([]);
  });

  it("takes a datagram without a checksum, and one whose checksum is still to come", () => {
    const { net, right } = pair();
    const heard: string[] = [];
    right.udp.bind(5000, () => heard.push("heard"));
    inject(right, net, B, (view, at) => UDP.checksum.set(view, at, 0));
    const packet = net.pool.allocate(ETHERNET_LENGTH + 28);
    if (packet === null) throw new RangeError("the pool is exhausted");
    const { view } = net.pool;
    packet.network = packet.frame + ETHERNET_LENGTH;
    packet.transport = packet.network + IPV4_MIN_LENGTH;
    UDP.length.set(view, packet.transport, UDP_LENGTH);
    UDP.checksum.set(view, packet.transport, 0x1234);
    UDP.dstPort.set(view, packet.transport, 5000);
    packet.hasBlankChecksum = true;
    right.udp.deliver(packet, net.now);
    expect(heard).toEqual(["heard", "heard"]);
  });

  it("hands a broadcast to every socket of the port, and is silent if there is none", () => {
    const { net, right } = pair();
    const heard: string[] = [];
    const all = parseIpv4("10.0.0.255");
    inject(right, net, all);
    right.udp.bind(5000, () => heard.push("other address"), parseIpv4("10.0.0.3"));
    right.udp.bind(5000, () => heard.push("own address"), B);
    inject(right, net, all);
    right.udp.bind(5001, () => heard.push("all addresses"));
    inject(right, net, IPV4_BROADCAST, (view, at) => {
      UDP.dstPort.set(view, at, 5001);
      UDP.checksum.set(view, at, 0);
    });
    expect(heard).toEqual(["all addresses"]);
    expect(net.pool.ends.get("udp/no-listener")).toBe(2);
    expect(net.sent).toEqual([]);
  });

  it("reads no octet behind what the packet says", () => {
    const { net, right } = pair();
    const heard: number[] = [];
    right.udp.bind(5000, ({ start, end }) => heard.push(end - start));
    inject(right, net, B, () => {}, 20);
    expect(heard).toEqual([4]);
  });
});

describe("UDP's bounds", () => {
  it("refuses limits that are none", () => {
    const { router } = pair().left;
    const behaviour = HOST_6.sockets;
    const chance = new Prng(1);
    expect(() => new UdpLayer({ router, behaviour, chance, socketLimit: 0 })).toThrow(
      "socketLimit",
    );
  });
});
