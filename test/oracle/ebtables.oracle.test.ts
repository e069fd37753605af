import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { arpCodec, ArpOp } from "../../src/l2/arp.ts";
import { EtherType } from "../../src/l2/ethernet.ts";
import { MAC_ZERO, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { buildFrame } from "../../src/testing/build-frame.ts";
import type { World } from "../../src/zone/world/world.ts";
import { missingForBridge } from "../filter/ebtables/kernel-bridge.ts";
import { withoutComments } from "./helper-process.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { record, runEmulated } from "./world-case.ts";
import { comparable } from "./world-compare.ts";
import { frameOf } from "./world-octets.ts";
import { type InputFrame, withPorts } from "./world.ts";

const CASES = Math.ceil(Number(process.env["ORACLE_CASES"] ?? 400) / 10);
const SEED = Number(process.env["ORACLE_SEED"] ?? 2010);
const ROUTER = { e0: "02:00:00:00:00:00", e1: "02:00:00:00:00:01" };
const HOST = { e0: "12:31:39:00:00:02", e1: "12:31:39:00:01:02" };
const ADDRESS = { e0: "10.1.2.2", e1: "10.2.2.2" };
const ETHERNET_ARP = { htype: 1, ptype: EtherType.Ipv4, hlen: 6, plen: 4 };
const OTHER = "02:00:00:00:00:99";

const FILTER = [
  "-A INPUT -i e0 -p ARP --arp-op Request --arp-ip-dst 10.1.2.9 -j DROP",
  "-A INPUT -p IPv4 -i ! e0 --ip-src 10.2.2.3 -j DROP",
  "-A INPUT -p IPv4 --ip-proto udp --ip-dport 53 -j DROP",
  `-A INPUT -s ${HOST.e1} -i e1 -j own`,
  "-A own -p IPv4 --ip-proto icmp -j DROP",
  "-A OUTPUT -p IPv4 -o e1 --ip-proto tcp --ip-dport 80 -j DROP",
  "-A OUTPUT -p ARP -o e0 -j CONTINUE",
  `-A OUTPUT -d ${OTHER} -j CONTINUE`,
];
const NAT = [
  `-A PREROUTING -i e0 -d ${OTHER} -j dnat --to-dst ${ROUTER.e0} --dnat-target ACCEPT`,
  `-A PREROUTING -p ARP --arp-op Request -i e1 -j arpreply --arpreply-mac ${OTHER}`,
  "-A PREROUTING -i e0 -p IPv4 --ip-proto udp -j mark --mark-set 0x7 --mark-target CONTINUE",
  `-A POSTROUTING -o e1 -p IPv4 -j snat --to-src ${OTHER} --snat-target ACCEPT`,
  `-A OUTPUT -o e0 -p IPv4 -j dnat --to-dst ${OTHER} --dnat-target ACCEPT`,
];

/** A router between two links, with some rules about frames, and one that asks their mark. */
const world: fc.Arbitrary<World> = fc
  .tuple(fc.subarray(FILTER), fc.subarray(NAT))
  .map(([filter, nat]) => {
    const device = (name: "e0" | "e1", address: string) => ({
      mac: ROUTER[name],
      addresses: [address],
      neighbors: { [ADDRESS[name]]: HOST[name] },
    });
    return {
      interfaces: { e0: device("e0", "10.1.2.1/24"), e1: device("e1", "10.2.2.1/24") },
      iptables: "*filter\n-A FORWARD -m mark --mark 0x7 -j REJECT\nCOMMIT\n",
      ebtables: [
        ...["*filter", ":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT", ":own ACCEPT"],
        ...[...filter, "*nat", ":PREROUTING ACCEPT", ":OUTPUT ACCEPT", ":POSTROUTING ACCEPT"],
        ...[...nat, ""],
      ].join("\n"),
    };
  });

/** A frame of one link's host to the router, the other host, or nobody. */
const frame: fc.Arbitrary<InputFrame> = fc
  .record({
    on: fc.constantFrom("e0" as const, "e1" as const),
    to: fc.constantFrom("router", "router", "router", "other", "all"),
    src: fc.constantFrom(2, 2, 3),
    isForRouter: fc.boolean(),
    what: fc.constantFrom("arp" as const, "udp" as const, "tcp" as const, "echo" as const),
    port: fc.constantFrom(53, 80, 4000),
  })
  .map(({ on, to, src, isForRouter, what, port }) => {
    const [far, network] = on === "e0" ? (["e1", 1] as const) : (["e0", 2] as const);
    const own = `10.${network}.2.1`;
    const address = `10.${network}.2.${src}`;
    const mac = to === "router" ? ROUTER[on] : to === "other" ? OTHER : "FF:FF:FF:FF:FF:FF";
    const ends = { src: address, dst: isForRouter ? own : ADDRESS[far] };
    const envelope = { from: HOST[on], to: mac };
    const ports = { srcPort: 4001, dstPort: port };
    const question = { op: ArpOp.Request, sha: parseMac(HOST[on]), spa: parseIpv4(address) };
    const asked = parseIpv4(isForRouter ? own : `10.${network}.2.9`);
    const message = arpCodec.encode({ ...ETHERNET_ARP, ...question, tha: MAC_ZERO, tpa: asked });
    const frames = {
      arp: frameOf(mac, HOST[on], EtherType.Arp, message),
      udp: buildFrame({ ...envelope, ...ends, udp: ports }),
      tcp: buildFrame({ ...envelope, ...ends, tcp: ports }),
      echo: buildFrame({ ...envelope, ...ends, echo: { id: 1, sequence: port } }),
    };
    const octets = frames[what];
    return { at: 0, interface: on, octets: Buffer.from(octets).toString("hex") };
  });

const SAVE = ["filter", "nat"].map((table) => ["ebtables-nft-save", "-c", "-t", table]);

const missing = missingForKernel() ?? missingForBridge();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`a world whose interfaces are bridges${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  it(
    "lets the same frames pass as the kernel's bridges, and counts them alike",
    async () => {
      await fc.assert(
        fc.asyncProperty(
          world,
          fc.array(frame, { minLength: 1, maxLength: 20 }),
          async (one, all) => {
            const recording = await record(kernel, { world: one, frames: all }, 0, SAVE);
            const twin = runEmulated(recording);
            expect(comparable(one, twin.sent)).toEqual(comparable(one, recording.sent));
            const theirs = recording.shown.map(withoutComments);
            expect(withPorts(one, twin.world.frameRules())).toBe(theirs.join(""));
          },
        ),
        { numRuns: CASES, seed: SEED },
      );
    },
    60_000 + CASES * 1000,
  );
});
