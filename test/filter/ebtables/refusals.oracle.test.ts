import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ParseError } from "../../../src/base/errors.ts";
import { Ebtables } from "../../../src/filter/ebtables/ebtables.ts";
import { formatMac } from "../../../src/wire/addr.ts";
import { KernelBridge, missingForBridge } from "./kernel-bridge.ts";
import { BRIDGE_MAC } from "./stand.ts";

const missing = missingForBridge();

const TARGETS = [
  "DROP",
  "RETURN",
  "mark --mark-set 1",
  "mark",
  "dnat --to-dst 2:2:2:2:2:2",
  "dnat",
  "snat --to-src 2:2:2:2:2:2",
  "redirect",
  "arpreply --arpreply-mac 2:2:2:2:2:2",
  "own",
  "nowhere",
  "FORWARD",
];
const CHAINS = {
  filter: ["INPUT", "FORWARD", "OUTPUT", "PREROUTING"],
  nat: ["PREROUTING", "OUTPUT", "POSTROUTING", "INPUT"],
} as const;
const placements = (["filter", "nat"] as const).flatMap((table) =>
  CHAINS[table].flatMap((chain) =>
    TARGETS.flatMap((target) => [
      `*${table}\n:own ACCEPT\n-A ${chain} -p ARP -j ${target}\n`,
      ...(target === "own"
        ? []
        : [`*${table}\n:own ACCEPT\n-A own -p ARP -j ${target}\n-A ${chain} -j own\n`]),
    ]),
  ),
);

const options = [
  ...["-i p0", "-o p0", "-i +", "-o +", "-i 123456789012345", "-i 1234567890123456"],
  ...[
    "-s 1:2:3",
    "-s bga",
    "-s Anycast",
    "-d unicast/ff:ff:ff:ff:ff:ff",
    "-s 1:2:3:4:5:6/0:0:0:0:0:0",
  ],
  ...["-p 5ff", "-p 600", "-p 10000", "-p ip5", "-p ARP -p ARP", "-c 1 2", "-c 1", "-c x 2"],
  ...["--ip-src 1.2.3.4", "-p IPv4 --ip-sport 1", "-p IPv4 --ip-tos 256", "-p IPv4 --arp-op 1"],
  ...["udp", "! udp", "sctp", "dccp", "136", "gre"].map(
    (name) => `-p IPv4 --ip-proto ${name} --ip-sport 3`,
  ),
  ...["8", "8:3", "echo", "3/1:2", "3/2:1", "300"].map(
    (type) => `-p IPv4 --ip-proto icmp --ip-icmp-type ${type}`,
  ),
  ...["-p IPv4 --ip-icmp-type 8", "-p IPv4 --ip-proto icmp --ip-igmp-type 3"],
  ...[
    "-p ARP --arp-op 65536",
    "-p ARP --arp-op x",
    "-p ARP --arp-htype 70000",
    "-p ARP --arp-ptype z",
  ],
  ...[
    "--vlan-id 5",
    "-p 802_1Q --vlan-id 4094",
    "-p 802_1Q --vlan-id 4095",
    "-p 802_1Q --vlan-id 0x5",
    "-p 802_1Q --vlan-prio 0x3",
    "-p 802_1Q --vlan-prio 8",
  ],
  ...["3b", "3c", "ffff", "LENGTH"].map((type) => `-p 802_1Q --vlan-encap ${type}`),
  ...[
    "--mark x",
    "--mark 1/2/3",
    "--pkttype-type ff",
    "--pkttype-type 100",
    "--pkttype-type hosts",
  ],
  ...[
    "--limit 0/s",
    "--limit 10001/s",
    "--limit 3/x",
    "--limit-burst 3",
    "--limit 3/s --limit-burst 10001",
  ],
  ...["--log-level 8", "--log-level panic", "--among-src x", "--among-src 1:2:3:4:5:6=1.2.3.4.5"],
  ...["--foo", "foo"],
].map((option) => `*filter\n-A INPUT ${option} -j ACCEPT\n`);

const tables = [
  ...["*filter\n:INPUT RETURN", "*filter\n:INPUT CONTINUE", "*filter\n:INPUT", "*filter\n:x -"],
  ...[
    "*filter\n:ACCEPT DROP",
    "*filter\n:-a DROP",
    "*filter\n:!a DROP",
    "*filter\n:a-b_c.d/e DROP",
  ],
  ...[
    "*filter\n-D INPUT 1",
    "*filter\n-I INPUT 2 -j DROP",
    "*filter\n-E INPUT y",
    "*broute",
    "*foo",
  ],
  ...["*filter\n:a RETURN\n:b DROP\n-A a -j b\n-A b -j a", "-A INPUT -j DROP"],
  `*filter\n:${"a".repeat(28)} DROP`,
  `*filter\n:${"a".repeat(29)} DROP`,
  "*filter\n-A INPUT -j ACCEPT extra",
].map((text) => `${text}\n`);

describe.skipIf(missing !== null)(`ebtables beside the command's (${missing ?? "here"})`, () => {
  let kernel: KernelBridge;

  beforeAll(() => {
    kernel = new KernelBridge(formatMac(BRIDGE_MAC));
  });

  afterAll(() => kernel.close());

  it.each([
    ["targets where they may stand", placements],
    ["options", options],
    ["tables and chains", tables],
  ])("takes and refuses the same %s", { timeout: 30_000 }, async (_, texts) => {
    const differing: string[] = [];
    for (const text of texts) {
      const request = { text, tables: [], frames: [], logPrefix: "" };
      const theirs = await kernel.judge(request).then(
        () => true,
        () => false,
      );
      if (isTaken(text) !== theirs) differing.push(text);
    }
    expect(differing).toEqual([]);
  });
});

function isTaken(text: string): boolean {
  try {
    new Ebtables().restore(text);
    return true;
  } catch (error) {
    if (error instanceof ParseError) return false;
    throw error;
  }
}
