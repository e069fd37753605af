/** What rules at the edges of their options do: values that the random worlds draw too seldom. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { query, tcp, udp } from "../nat/packets.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { differencesOf, recordTalk } from "./talk-case.ts";
import { frameOf } from "./world-octets.ts";
import type { StepSpec } from "./world-talk.ts";

const PEER = "12:31:39:00:00:00";
const INNER = "02:00:00:00:00:00";
const OUTER = "02:00:00:00:00:01";
const INTERFACES = {
  e0: {
    mac: INNER,
    addresses: ["10.1.2.1/24 brd +"],
    neighbors: { "10.1.2.2": PEER, "10.1.2.3": PEER },
  },
  e1: {
    mac: OUTER,
    addresses: ["10.2.2.1/24 brd +", "10.2.9.1/24"],
    neighbors: { "10.2.2.2": PEER, "10.2.9.2": PEER },
  },
};
const ENDS = { src: "10.1.2.2", dst: "10.2.2.2", srcPort: 4000, dstPort: 53 };
const BACK = { src: "10.2.2.2", dst: "10.1.2.2", srcPort: 53, dstPort: 4000 };

const from =
  (name: "e0" | "e1", packet: Uint8Array): StepSpec =>
  () => {
    const mac = name === "e0" ? INNER : OUTER;
    return [{ interface: name, octets: frameOf(mac, PEER, 0x0800, packet) }];
  };
const to = (dst: string): StepSpec => from("e0", udp({ ...ENDS, dst }));
const syn = { flags: "S", seq: 100 };

/** Datagrams out and back, to the router, to everybody; a handshake; an echo. */
const STEPS: readonly StepSpec[] = [
  from("e0", udp(ENDS)),
  from("e1", udp(BACK)),
  from("e1", udp({ ...BACK, dst: "10.2.2.1" })),
  from("e0", udp({ ...ENDS, srcPort: 4001 })),
  from("e0", udp({ ...ENDS, srcPort: 0 })),
  from("e0", udp({ ...ENDS, srcPort: 600, dstPort: 0 })),
  from("e0", tcp({ ...ENDS, dstPort: 80 }, syn)),
  from("e0", tcp({ ...ENDS, dst: "10.1.2.1", dstPort: 80 }, syn)),
  from("e1", tcp({ ...BACK, srcPort: 80 }, { flags: "SA", seq: 500, ack: 101 })),
  from("e0", query({ ...ENDS, srcPort: 7 })),
  ...["10.1.2.1", "10.1.2.255", "224.0.0.1", "255.255.255.255", "10.9.9.9"].map(to),
];

const table = (name: string, ...rules: readonly string[]): string =>
  `*${name}\n${rules.map((rule) => `-A ${rule}\n`).join("")}COMMIT\n`;
/** Every combination of a beginning and an end. */
const each = (
  name: string,
  beginnings: readonly string[],
  ends: readonly string[],
): readonly string[] =>
  beginnings.flatMap((beginning) => ends.map((end) => table(name, `${beginning} ${end}`)));

const ADDRESSES = [
  ...["0.0.0.0", "255.255.255.255", "127.0.0.1", "224.0.0.1", "10.2.2.255", "10.2.2.1"],
  ...["10.1.2.1", "10.1.2.1-10.1.2.2", "1.1.1.1-1.1.1.255"],
];
const PORTS = ["0", "0-65535", "65535", "53-54", "1-1", "1024-1025", "600"];
const MATCHES = [
  ...["length --length 60:20", "length ! --length 60:20", "mark --mark 1/0", "mark ! --mark 0/0"],
  ...["iprange --src-range 10.9.0.0-10.0.0.0", "iprange ! --src-range 10.9.0.0-10.0.0.0"],
  ...["conntrack --ctorigsrcport 5000:1", "conntrack ! --ctorigsrcport 5000:1"],
  ...["conntrack --ctexpire 600:0", "conntrack ! --ctexpire 600:0", "conntrack ! --ctproto 0"],
  ...["conntrack --ctstatus NONE", "conntrack ! --ctstatus NONE", "conntrack --ctdir REPLY"],
  ...["recent --set --mask 0.0.0.0", "addrtype --dst-type UNSPEC", "pkttype --pkt-type broadcast"],
  ...["addrtype --dst-type LOCAL --limit-iface-in", "addrtype --src-type UNICAST --limit-iface-in"],
  ...["tos --tos 0/0", "ttl --ttl-lt 0", "ttl --ttl-gt 255", "connlimit --connlimit-upto 0"],
  ...["statistic --mode random ! --probability 1", "statistic --mode nth ! --every 1 --packet 0"],
  ...["connlimit --connlimit-above 0 --connlimit-mask 0", "limit --limit 1/hour --limit-burst 2"],
];
const MARKS = [
  ...["--save-mark", "--restore-mark", "--set-mark 5", "--and-mark 0"],
  ...["--set-xmark 5/3 --left-shift-mark 31", "--save-mark --left-shift-mark 30"],
  ...["--restore-mark --right-shift-mark 31", "--xor-mark 0xffffffff --right-shift-mark 1"],
];

const RULES: readonly (readonly [string, readonly string[]])[] = [
  [
    "addresses of translation",
    [
      ...each("nat", ["POSTROUTING -o e1 -j SNAT --to-source"], ADDRESSES),
      ...each(
        "nat",
        ["PREROUTING -i e0 -j DNAT --to-destination", "OUTPUT -j DNAT --to-destination"],
        ADDRESSES,
      ),
      ...each(
        "nat",
        ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
        ["0.0.0.0/0", "10.2.9.0/24", "10.2.2.2", "10.2.2.0/31"].map(
          (network) => `-j NETMAP --to ${network}`,
        ),
      ),
    ],
  ],
  [
    "ports of translation",
    ["udp", "tcp", "icmp"].flatMap((name) =>
      PORTS.flatMap((ports) => [
        table("nat", `POSTROUTING -o e1 -p ${name} -j MASQUERADE --to-ports ${ports}`),
        table("nat", `PREROUTING -i e0 -p ${name} -j REDIRECT --to-ports ${ports}`),
        table("nat", `PREROUTING -p ${name} -j DNAT --to-destination 10.2.2.2:${ports}`),
      ]),
    ),
  ],
  [
    "changes of packets",
    [
      ...each(
        "mangle",
        ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"],
        ["--ttl-set 0", "--ttl-set 255", "--ttl-dec 63", "--ttl-dec 255", "--ttl-inc 255"].map(
          (how) => `-j TTL ${how}`,
        ),
      ),
      ...each(
        "mangle",
        ["PREROUTING", "POSTROUTING"].map((chain) => `${chain} -p tcp --syn -j TCPMSS --set-mss`),
        ["0", "1", "535", "537", "65515"],
      ),
      ...MARKS.map((how) =>
        table(
          "mangle",
          "PREROUTING -j MARK --set-mark 0xf000000f",
          `PREROUTING -j CONNMARK ${how}`,
          `POSTROUTING -j CONNMARK ${how}`,
          "POSTROUTING -m mark --mark 0x0/0xf",
          "POSTROUTING -m connmark --mark 5/5",
        ),
      ),
    ],
  ],
  [
    "matches",
    MATCHES.flatMap((asked) => [
      table(
        "mangle",
        `PREROUTING -m ${asked} -j MARK --set-mark 1`,
        "FORWARD -m mark --mark 1 -j TOS --set-tos 8",
      ),
      table("filter", `INPUT -m ${asked} -j DROP`, `FORWARD -m ${asked} -j DROP`),
    ]),
  ],
];

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`rules at the edges of their options${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  /** What differs once the steps were played under these rules. */
  async function play(iptables: string): Promise<readonly string[]> {
    const routes = ["default via 10.2.2.2"];
    const world = { interfaces: INTERFACES, routes, sysctl: {}, iptables };
    const site = { world, own: [], onLink: [], routed: [], blockEnds: [] };
    const one = { site: { ...site, hasSctp: true, rules: "" }, world, steps: STEPS };
    const { recording } = await recordTalk(kernel, one);
    return differencesOf(recording);
  }

  it.each(RULES)("do what the kernel's do: %s", { timeout: 120_000 }, async (_, texts) => {
    const differing: string[] = [];
    for (const text of texts) if ((await play(text)).length > 0) differing.push(text);
    expect(differing).toEqual([]);
  });

  it.each(["224.0.0.1", "0.0.0.0"])("answer otherwise whom INPUT made %s", async (address) => {
    const differing = await play(table("nat", `INPUT -j SNAT --to-source ${address}`));
    expect(differing.join("\n")).toContain("frames of e0");
  });
});
