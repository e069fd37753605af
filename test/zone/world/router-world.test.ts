import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/base/time.ts";
import { readCapture } from "../../../src/pcap/capture-reader.ts";
import { summaryOf } from "../../../src/pcap/summary.ts";
import { buildFrame } from "../../../src/testing/build-frame.ts";
import { RouterWorld, type RouterWorldOptions } from "../../../src/zone/world/router-world.ts";
import { type World, WorldError } from "../../../src/zone/world/world.ts";
import { concat } from "../../oracle/world-octets.ts";

const VIF = "FE:FF:FF:FF:FF:FF";
const GUEST = "12:31:39:00:A5:11";
const UPLINK = "02:00:00:00:00:02";
const GATEWAY = "02:00:00:00:00:99";

/** The world of DESIGN's section 6. */
const WORLD: World = {
  profile: "linux",
  interfaces: {
    "vif1.0": {
      mac: VIF,
      addresses: ["10.254.168.2/32"],
      proxyArp: true,
      neighbors: { "10.254.170.223": GUEST },
    },
    peth0: {
      mac: UPLINK,
      addresses: ["216.182.232.10/20"],
      neighbors: { "216.182.232.1": GATEWAY },
    },
  },
  routes: ["10.254.170.223/32 dev vif1.0 src 10.254.168.2", "default via 216.182.232.1"],
  sysctl: { "net.ipv4.conf.all.rp_filter": 0, "net.ipv4.icmp_ratelimit": 0 },
  iptables: `*nat
-A POSTROUTING -s 10.254.170.223 -o peth0 -j SNAT --to-source 75.101.160.7
COMMIT
`,
};

const OUT = { from: GUEST, to: VIF, src: "10.254.170.223", dst: "93.184.216.34" };
const BACK = { from: GATEWAY, to: UPLINK, src: "93.184.216.34", dst: "75.101.160.7" };
const syn = buildFrame({ ...OUT, tcp: { srcPort: 4000, dstPort: 80 } });
const answer = buildFrame({
  ...BACK,
  tcp: { srcPort: 80, dstPort: 4000, flags: "S.", seq: 9, ack: 1 },
});

const open = (change: Partial<World> = {}, options: RouterWorldOptions = {}): RouterWorld =>
  new RouterWorld({ ...WORLD, ...change }, options);
const saidBy = (world: RouterWorld, name: string): string[] =>
  world.sent(name).map(({ octets }) => summaryOf(octets));

describe("the router of a world", () => {
  it("translates a connection and its answers", () => {
    const world = open();
    const id = world.receive("vif1.0", syn, 1000);
    expect(world.sent("vif1.0")).toEqual([]);
    const [frame] = world.sent("peth0");
    expect(frame).toMatchObject({ interface: "peth0", at: 1000, id });
    expect(summaryOf(frame?.octets ?? new Uint8Array(0))).toBe(
      `${UPLINK} > ${GATEWAY}: 75.101.160.7 > 93.184.216.34 ttl 63 id 0 DF ` +
        "TCP 4000 > 80 [S] seq 0 ack 0 win 65535, 0 octets",
    );
    world.receive("peth0", answer, 2000);
    expect(saidBy(world, "vif1.0")).toEqual([
      expect.stringContaining("93.184.216.34 > 10.254.170.223 ttl 63"),
    ]);
  });

  it("tells its state as its own tools do", () => {
    const world = open();
    world.receive("vif1.0", syn, 1000);
    expect(world.addresses()).toContain("    inet 10.254.168.2/32 scope global vif1.0\n");
    expect(world.routes()).toContain("10.254.170.223 dev vif1.0 scope link src 10.254.168.2\n");
    expect(world.neighbors()).toContain(
      `216.182.232.1 dev peth0 lladdr ${GATEWAY.toLowerCase()} PERMANENT\n`,
    );
    expect(world.rules()).toContain(
      "[1:40] -A POSTROUTING -s 10.254.170.223/32 -o peth0 -j SNAT --to-source 75.101.160.7\n",
    );
    expect(world.connections()).toMatch(
      /^tcp +6 120 SYN_SENT src=10\.254\.170\.223 .* dst=75\.101\.160\.7 sport=80 dport=4000/,
    );
    expect(open({ iptables: "" }).connections()).toBe("");
  });

  it("explains a packet, with what rules LOG as a step", () => {
    const heard: string[] = [];
    const iptables = '*filter\n-A FORWARD -p tcp -j LOG --log-prefix "seen "\nCOMMIT\n';
    const log = { log: (_level: number, line: string): void => void heard.push(line) };
    const world = open({ iptables }, { log });
    const story = world.explain(world.receive("vif1.0", syn));
    const steps = story?.steps.map(({ where, what }) => `${where}: ${what}`) ?? [];
    expect(steps).toContain("router route: 0.0.0.0/0 via 216.182.232.1 dev peth0");
    expect(steps).toContainEqual(expect.stringMatching(/^log: seen IN=vif1\.0 OUT=peth0 /));
    expect(heard).toHaveLength(1);
    expect(story?.ends).toEqual([{ at: 0, fate: "delivered", reason: "world/sent" }]);
    expect(open({}, { traceLimit: 0 }).explain(1)).toBeNull();
  });

  it("captures frames that came in and that left, with the reasons of the rest", () => {
    const chunks: Uint8Array[] = [];
    const world = open({}, { epoch: 5_000_000 });
    world.writeTo((chunk) => chunks.push(chunk.slice()));
    world.receive("vif1.0", syn, 1000);
    world.receive("vif1.0", new Uint8Array(9), 2000);
    world.close();
    const { interfaces, records } = readCapture(concat(...chunks));
    expect(interfaces.map(({ name }) => name)).toEqual(["vif1.0", "peth0"]);
    expect(
      records.map(({ interface: at, direction, comment, ticks }) => [
        at.name,
        direction,
        comment,
        ticks,
      ]),
    ).toEqual([
      ["vif1.0", "inbound", null, 5_001_000_000n],
      ["peth0", "outbound", null, 5_001_000_000n],
      ["vif1.0", "inbound", "discarded: ethernet/truncated", 5_002_000_000n],
    ]);
  });

  it("has bridges over its links where rules speak of frames", () => {
    const pass = open({ ebtables: "*filter\n" });
    pass.receive("vif1.0", syn, 1000);
    const plain = open();
    plain.receive("vif1.0", syn, 1000);
    expect(pass.sent()).toEqual(plain.sent());
    expect([plain.ebtables, plain.frameRules()]).toEqual([null, ""]);
    const rule = "-A OUTPUT -p IPv4 -o peth0 --ip-proto tcp -j DROP";
    const world = open({ ebtables: `*filter\n${rule}\n` });
    const story = world.explain(world.receive("vif1.0", syn, 1000));
    expect(world.sent()).toEqual([]);
    expect(story?.ends).toEqual([{ at: 1000, fate: "dropped", reason: "filter/dropped" }]);
    expect(story?.steps.map(({ where, what }) => `${where}: ${what}`)).toContain(
      `peth0 OUTPUT: ebtables table filter, chain OUTPUT, rule 1: ${rule}`,
    );
    expect(world.frameRules()).toContain(`[1:40] ${rule}\n`);
    expect(world.routes()).toBe(plain.routes());
  });

  it("sends what is due while time passes, and nothing twice", () => {
    const peth0 = { mac: UPLINK, addresses: ["216.182.232.10/20"] };
    const world = open({ interfaces: { ...WORLD.interfaces, peth0 } });
    world.receive("vif1.0", syn, 1000);
    world.expire(4 * SECOND);
    const asked = world.sent();
    expect(asked.map(({ octets }) => summaryOf(octets)).slice(0, 3)).toEqual(
      Array.from(
        { length: 3 },
        () => expect.stringContaining("ARP who-has 216.182.232.1") as string,
      ),
    );
    expect(asked.map(({ at }) => at)).toEqual(asked.map(({ at }) => at).toSorted((a, b) => a - b));
    expect(summaryOf(asked.at(-1)?.octets ?? new Uint8Array(0))).toContain("ICMP unreachable host");
    expect(world.sent()).toEqual([]);
    expect(world.now).toBe(4 * SECOND);
  });

  it("heeds its settings: TTL, limits, silence, fragments", () => {
    const ping = buildFrame({ ...OUT, dst: "10.254.168.2", echo: { id: 1, sequence: 1 } });
    const pong = (sysctl: World["sysctl"]): string[] => {
      const world = open(sysctl === undefined ? {} : { sysctl });
      for (let count = 0; count < 8; count += 1) world.receive("vif1.0", ping);
      return saidBy(world, "vif1.0");
    };
    expect(pong({ "net.ipv4.ip_default_ttl": 9 })[0]).toContain(" ttl 9 ");
    expect(pong({ "net.ipv4.icmp_echo_ignore_all": 1 })).toEqual([]);
    expect(pong({})).toHaveLength(8);
    expect(pong({ "net.ipv4.icmp_ratemask": 1 })).toHaveLength(6);
    expect(pong({ "net.ipv4.icmp_ratemask": 1, "net.ipv4.icmp_ratelimit": 0 })).toHaveLength(8);
    const part = ping.slice();
    part[20] = 0x20;
    part[24] = (part[24] ?? 0) + 0x20;
    const world = open({ iptables: "", sysctl: { "net.ipv4.ipfrag_time": 2 } });
    world.receive("vif1.0", part);
    world.expire(3 * SECOND);
    expect(saidBy(world, "vif1.0")).toEqual([
      expect.stringContaining("ICMP time exceeded in reassembly"),
    ]);
  });

  it("answers what goes to all, from its own address, if it is told to", () => {
    const to = { from: GATEWAY, to: UPLINK, src: "216.182.232.1", dst: "216.182.239.255" };
    const ping = buildFrame({ ...to, echo: { id: 1, sequence: 1 } });
    const name = "net.ipv4.icmp_echo_ignore_broadcasts";
    for (const [value, count] of [
      [1, 0],
      [0, 1],
    ] as const) {
      const world = open({ sysctl: { [name]: value } });
      world.receive("peth0", ping);
      const said = saidBy(world, "peth0");
      expect(said).toHaveLength(count);
      for (const line of said) expect(line).toContain("216.182.232.10 > 216.182.232.1 ");
    }
  });

  it("draws the same for the same seed", () => {
    const iptables = "*nat\n-A POSTROUTING -o peth0 -j MASQUERADE --random\nCOMMIT\n";
    const play = (seed: number): string[] => {
      const world = open({ iptables }, { seed });
      world.receive("vif1.0", syn);
      return saidBy(world, "peth0");
    };
    expect(play(3)).toEqual(play(3));
    expect(play(3)).not.toEqual(play(4));
  });

  it("keeps no more frames than it is told, the latest", () => {
    const world = open({}, { sentLimit: 2 });
    const ids = [1, 2, 3].map((at) => world.receive("vif1.0", syn, at));
    expect(world.sent().map(({ id }) => id)).toEqual(ids.slice(1));
  });

  it("takes no frame that it has no room for", () => {
    const world = open({}, { packetSlots: 1 });
    expect(world.receive("vif1.0", new Uint8Array(70_000))).toBe(0);
    expect(world.pool.exhausted).toBe(1);
  });

  it("refuses interfaces that it has not, and a time that is past", () => {
    const world = open();
    expect(() => world.receive("eth9", syn)).toThrow(/expected one of vif1\.0, peth0, got "eth9"/);
    world.expire(10);
    expect(() => world.receive("vif1.0", syn, 9)).toThrow(/at: expected an instant from 10 on/);
    expect(() => world.expire(Number.NaN)).toThrow(/instant/);
  });
});

describe("a world is refused", () => {
  const faultOf = (change: Partial<World>): Partial<WorldError> | null => {
    try {
      open(change);
    } catch (error) {
      if (!(error instanceof WorldError)) throw error;
      const { path, line, reason } = error;
      return { path, line, reason };
    }
    return null;
  };
  const device = (change: object): Partial<World> => ({
    interfaces: { e0: { mac: VIF, ...change } },
    routes: [],
    iptables: "",
  });

  it.each<[string, Partial<World>, (string | number)[], RegExp]>([
    ["MAC", device({ mac: "1" }), ["interfaces", "e0", "mac"], /expected a MAC address/],
    ["MTU", device({ mtu: 12 }), ["interfaces", "e0"], /mtu: expected 68 to 65535/],
    ["address", device({ addresses: ["x"] }), ["interfaces", "e0", "addresses", 0], /got "x"/],
    [
      "address that there is",
      device({ addresses: ["10.0.0.1/8", "10.0.0.1/9", "10.0.0.1/8 brd +"] }),
      ["interfaces", "e0", "addresses", 2],
      /already/,
    ],
    ["source", { routes: ["8.0.0.0/8 dev peth0 src 8.8.8.8"] }, ["routes", 0], /no address of/],
    [
      "neighbor",
      device({ neighbors: { x: VIF } }),
      ["interfaces", "e0", "neighbors", "x"],
      /got "x"/,
    ],
    ["name", { ...device({}), interfaces: { "a b": { mac: VIF } } }, ["interfaces", "a b"], /name/],
    ["device", { routes: ["10.0.0.0/8 dev e9"] }, ["routes", 0], /no interface "e9"/],
    ["gateway", { routes: ["default via 8.8.8.8"] }, ["routes", 0], /8\.8\.8\.8 is on no link/],
    [
      "gateway of another link",
      { routes: ["default via 216.182.232.1 dev vif1.0"] },
      ["routes", 0],
      /is on no link/,
    ],
    [
      "route that there is",
      { routes: ["blackhole 8.0.0.0/8", "prohibit 8.0.0.0/8"] },
      ["routes", 1],
      /already/,
    ],
    [
      "setting",
      { sysctl: { "net.ipv4.tcp_syncookies": 1 } },
      ["sysctl", "net.ipv4.tcp_syncookies"],
      /not emulated/,
    ],
  ])("by its %s", (_, change, path, reason) => {
    expect(faultOf(change)).toMatchObject({ path, line: 0 });
    expect(faultOf(change)?.reason).toMatch(reason);
  });

  it("by a line of its rules", () => {
    const iptables = "*filter\n-A FORWARD -j ACCEPT\n-A FORWARD -m nonsense\nCOMMIT\n";
    expect(faultOf({ iptables })).toMatchObject({ path: ["iptables"], line: 3 });
    expect(() => open({ iptables })).toThrow(/^iptables: line 3: .*nonsense/);
    const ebtables = "*filter\n-A INPUT -p IPv4 -j NOWHERE\n";
    expect(faultOf({ ebtables })).toMatchObject({ path: ["ebtables"], line: 2 });
  });

  it("but not for a gateway off every link that is vouched for", () => {
    const routes = ["default via 8.8.8.8 dev peth0 metric 5 mtu lock 1400 onlink"];
    expect(open({ routes }).routes()).toContain(
      "default via 8.8.8.8 dev peth0 metric 5 onlink mtu lock 1400\n",
    );
  });
});
