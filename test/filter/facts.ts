/** Packets for rules, in octets and in plain values, from few enough values to meet the rules. */
import fc from "fast-check";
import { ethernetCodec, ETHERNET_LENGTH, EtherType } from "../../src/l2/ethernet.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { ipv4Codec, IPV4_MIN_LENGTH, Protocol, sealHeader } from "../../src/l3/ipv4.ts";
import { ipv4Of, macOf } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Cast, type Packet, type PacketPool } from "../../src/wire/packet.ts";

/** A packet as the model sees it. */
export interface Facts {
  readonly src: number;
  readonly dst: number;
  readonly protocol: number;
  readonly totalLength: number;
  /** In units of eight octets. */
  readonly fragmentOffset: number;
  /** Everything after the IP header. */
  readonly transport: Uint8Array;
  /** `null` if it came in by no Ethernet. */
  readonly sourceMac: number | null;
  readonly cast: Cast;
  readonly flowState: number;
  /** Empty for none. */
  readonly input: string;
  readonly output: string;
  tos: number;
  ttl: number;
  mark: number;
}

/** What a frame is made of. */
export interface FrameParts {
  readonly src: number;
  readonly dst: number;
  readonly protocol: number;
  readonly tos: number;
  readonly ttl: number;
  readonly flagsFragment: number;
  /** Words of IP options: no operations. */
  readonly options: number;
  readonly transport: Uint8Array;
  readonly sourceMac: number;
}

/** 10.0.0.x and 10.0.1.x: addresses that rules ask for. */
export const ADDRESSES = [0x0a00_0001, 0x0a00_0002, 0x0a00_0101, 0x0a00_0102, 0xc0a8_0001];
export const PORTS = [0, 22, 53, 80, 81, 1024, 65_535];
export const DEVICE_NAMES = ["vif1.0", "vif2.0", "peth0"];
export const MACS = [0x0200_0000_0001, 0x1231_3900_a511];

const small = (values: readonly number[]): fc.Arbitrary<number> => fc.constantFrom(...values);
const u16 = (value: number): number[] => [value >>> 8, value & 255];

const ports = fc.tuple(small(PORTS), small(PORTS));

const tcp = fc
  .record({
    ports,
    offset: fc.constantFrom(5, 5, 5, 6, 7, 4, 15),
    flags: fc.nat(255),
    options: fc.array(small([0, 1, 2, 3, 4, 5, 8, 255]), { maxLength: 16 }),
  })
  .map(({ ports: [source, destination], offset, flags, options }) =>
    Uint8Array.from([
      ...u16(source),
      ...u16(destination),
      ...[0, 0, 0, 1, 0, 0, 0, 2],
      offset << 4,
      flags,
      ...[0x20, 0, 0, 0, 0, 0],
      ...options,
    ]),
  );

const udp = ports.map(([source, destination]) =>
  Uint8Array.from([...u16(source), ...u16(destination), 0, 12, 0, 0, 1, 2, 3, 4]),
);

const icmp = fc
  .tuple(small([0, 3, 8, 11, 255]), small([0, 1, 4, 255]))
  .map(([type, code]) => Uint8Array.from([type, code, 0, 0, 0, 1, 0, 2, 9, 9]));

const TRANSPORTS = new Map<number, fc.Arbitrary<Uint8Array>>([
  [Protocol.Tcp, tcp],
  [Protocol.Udp, udp],
  [Protocol.Icmp, icmp],
]);

/** Some transport headers are cut short, and some packets are fragments. */
export const frameParts: fc.Arbitrary<FrameParts> = small([6, 6, 17, 1, 132, 47]).chain(
  (protocol) => {
    const whole =
      TRANSPORTS.get(protocol) ?? ports.map(([a, b]) => Uint8Array.from([...u16(a), ...u16(b)]));
    const cut = fc.tuple(whole, fc.nat(24)).map(([octets, length]) => octets.slice(0, length));
    return fc.record({
      src: small(ADDRESSES),
      dst: small(ADDRESSES),
      protocol: fc.constant(protocol),
      tos: small([0, 0x10, 0x28, 0xb8, 0xb9]),
      ttl: small([1, 5, 64, 255]),
      flagsFragment: fc.oneof(
        { weight: 6, arbitrary: small([0, 0x4000]) },
        { weight: 1, arbitrary: small([0x2000, 0x2001, 1, 2, 0x1fff]) },
      ),
      options: small([0, 0, 0, 1, 3]),
      transport: fc.oneof({ weight: 4, arbitrary: whole }, { weight: 1, arbitrary: cut }),
      sourceMac: small(MACS),
    });
  },
);

/** True unless it is a segment with the bit that the newest kernels call AE. */
export const isClassic = ({ protocol, transport }: FrameParts): boolean =>
  protocol !== Protocol.Tcp || ((transport[12] ?? 0) & 1) === 0;

/** The octets of a frame to `dst`, with a sound IP header. */
export function buildFrame(parts: FrameParts, dst: number): Uint8Array {
  const { transport, options, sourceMac, flagsFragment, src, protocol, tos, ttl } = parts;
  const header = IPV4_MIN_LENGTH + options * 4;
  const frame = new Uint8Array(ETHERNET_LENGTH + header + transport.length).fill(1);
  ethernetCodec.encodeInto(
    { dst: macOf(dst), src: macOf(sourceMac), type: EtherType.Ipv4 },
    frame,
    0,
  );
  ipv4Codec.encodeInto(
    {
      versionIhl: 0x45 + options,
      tos,
      totalLength: header + transport.length,
      id: 0x1234,
      flagsFragment,
      ttl,
      protocol,
      checksum: 0,
      src: ipv4Of(src),
      dst: ipv4Of(parts.dst),
    },
    frame,
    ETHERNET_LENGTH,
  );
  frame.set(transport, ETHERNET_LENGTH + header);
  sealHeader(viewOf(frame), ETHERNET_LENGTH);
  return frame;
}

/** What a packet is besides its octets. */
export interface Circumstances {
  readonly input: string | null;
  readonly output: string | null;
  readonly cast: Cast;
  readonly flowState: number;
  readonly mark: number;
}

export const circumstances: fc.Arbitrary<Circumstances> = fc.record({
  input: fc.constantFrom(...DEVICE_NAMES, null),
  output: fc.constantFrom(...DEVICE_NAMES, null),
  cast: fc.constantFrom(Cast.Host, Cast.Broadcast, Cast.Multicast),
  flowState: fc.constantFrom(...Object.values(FlowState)),
  mark: small([0, 1, 0x10, 0x8000_0001]),
});

/** What the model sees of a frame. */
export function factsOf(parts: FrameParts, place: Circumstances): Facts {
  const { src, dst, protocol, tos, ttl, flagsFragment, options, transport, sourceMac } = parts;
  return {
    src,
    dst,
    protocol,
    totalLength: IPV4_MIN_LENGTH + options * 4 + transport.length,
    fragmentOffset: flagsFragment & 0x1fff,
    transport,
    sourceMac: place.input === null ? null : sourceMac,
    cast: place.cast,
    flowState: place.flowState,
    input: place.input ?? "",
    output: place.output ?? "",
    tos,
    ttl,
    mark: place.mark,
  };
}

/** One device for each of {@link DEVICE_NAMES}. */
export const DEVICES = new Map(
  DEVICE_NAMES.map((name, index) => [
    name,
    new Device({ name, mac: macOf(0x0200_0000_0100 + index) }),
  ]),
);

export const deviceOf = (name: string | null): Device | null =>
  name === null ? null : (DEVICES.get(name) ?? null);

/** A packet of `pool` as it stands at a hook. @throws {Error} if the pool has no room. */
export function packetOf(
  pool: PacketPool,
  parts: FrameParts,
  place: Circumstances,
  dst = 0x0200_0000_0100,
): Packet {
  const packet = pool.copyIn(buildFrame(parts, dst));
  if (packet === null) throw new Error("the pool is exhausted");
  packet.network = packet.frame + ETHERNET_LENGTH;
  packet.transport = packet.network + IPV4_MIN_LENGTH + parts.options * 4;
  packet.input = deviceOf(place.input);
  packet.output = deviceOf(place.output);
  packet.cast = place.cast;
  packet.flowState = place.flowState;
  packet.mark = place.mark;
  return packet;
}
