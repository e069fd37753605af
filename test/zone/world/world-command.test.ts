/** Changes of a router at work; test/oracle compares them with a kernel. */
import { describe, expect, it } from "vitest";
import { EmulatorError } from "../../../src/base/errors.ts";
import { RouterWorld } from "../../../src/zone/world/router-world.ts";
import { udp } from "../../nat/packets.ts";
import { frameOf } from "../../oracle/world-octets.ts";

const MAC = "02:00:00:00:00:00";
const PEER = "12:31:39:00:00:00";
const ENDS = { src: "10.1.2.2", dst: "10.2.2.2", srcPort: 4000, dstPort: 53 };

function opened(iptables = ""): RouterWorld {
  return new RouterWorld({
    interfaces: {
      e0: { mac: MAC, addresses: ["10.1.2.1/24", "10.1.2.9/24"], neighbors: { "10.1.2.2": PEER } },
      e1: {
        mac: "02:00:00:00:00:01",
        addresses: ["10.2.2.1/24"],
        neighbors: { "10.2.2.2": PEER, "10.2.2.3": PEER },
      },
    },
    routes: ["8.8.8.0/24 via 10.2.2.2", "9.9.9.0/24 dev e1 src 10.1.2.9", "blackhole 7.7.7.7"],
    iptables,
  });
}

/** How many frames leave by e1 for a datagram to `dst`. */
function sentTo(router: RouterWorld, dst = ENDS.dst): number {
  router.receive("e0", frameOf(MAC, PEER, 0x0800, udp({ ...ENDS, dst })));
  return router.sent("e1").length;
}

describe("a command to a router at work", () => {
  it("changes its rules", () => {
    const router = opened();
    router.command("iptables -A FORWARD -p udp -j DROP");
    expect(sentTo(router)).toBe(0);
    router.command("iptables -D FORWARD 1");
    expect(sentTo(router)).toBe(1);
  });

  it("forgets connections: all, or those that are meant", () => {
    const router = opened("*filter\n-A FORWARD -m state --state NEW\nCOMMIT\n");
    const lines = (): number => router.connections().split("\n").length - 1;
    for (const [command, left] of [
      ["conntrack -D -p tcp", 1],
      ["conntrack -D -s 10.2.2.2", 1],
      ["conntrack -D -p udp -s 10.1.2.2 -d 10.2.2.2", 0],
      ["conntrack -F", 0],
    ] as const) {
      sentTo(router);
      router.command(command);
      expect(lines()).toBe(left);
    }
  });

  it("adds and deletes routes, those that came with an address too", () => {
    const router = opened();
    expect(sentTo(router, "8.8.8.8")).toBe(1);
    router.command("ip route del 8.8.8.0/24");
    expect(sentTo(router, "8.8.8.8")).toBe(0);
    router.command("ip route add 8.8.0.0/16 via 10.2.2.3 dev e1");
    expect(sentTo(router, "8.8.8.8")).toBe(1);
    router.command("ip route del 10.2.2.0/24 dev e1");
    expect(sentTo(router)).toBe(0);
    router.command("ip route del blackhole 7.7.7.7");
    expect(router.routes()).not.toContain("blackhole");
  });

  it("takes with a primary address its secondary ones and the routes from it", () => {
    const router = opened();
    router.command("ip addr del 10.1.2.1/24 dev e0");
    expect(router.addresses()).not.toContain("10.1.2");
    expect(router.routes()).not.toContain("9.9.9.0/24");
    expect(router.neighbors()).not.toContain("10.1.2.2");
    router.command("ip addr add 10.1.2.1/24 dev e0");
    expect(router.routes()).toContain("10.1.2.0/24 dev e0");
  });

  it("takes a link down, with its routes and neighbors, and up again", () => {
    const router = opened();
    router.command("ip link set e1 down");
    expect(sentTo(router)).toBe(0);
    expect(router.routes()).toBe(
      "blackhole 7.7.7.7\n10.1.2.0/24 dev e0 proto kernel scope link src 10.1.2.1\n",
    );
    expect(router.neighbors()).not.toContain("e1");
    expect(router.addresses()).toContain("e1: <BROADCAST,MULTICAST> mtu");
    expect(() => router.command("ip route add 8.8.8.0/24 dev e1")).toThrow(EmulatorError);
    router.command("ip addr add 10.3.0.1/24 dev e1");
    expect(router.routes()).not.toContain("10.3.0.0");
    router.command("ip link set e1 up");
    router.command("ip link set e1 up");
    expect(router.routes()).toContain("10.3.0.0/24 dev e1");
    router.command("ip neigh replace 10.2.2.2 lladdr 02:00:00:00:00:09 dev e1 nud permanent");
    expect(sentTo(router)).toBe(1);
  });

  it("sets and deletes neighbors, and tells who waited for one", () => {
    const router = opened();
    router.command("ip neigh del 10.2.2.2 dev e1");
    expect(sentTo(router)).toBe(1);
    expect(router.sent("e0")).toEqual([]);
    router.command("ip neigh del 10.2.2.2 dev e1");
    expect(router.sent("e0")).toHaveLength(1);
    router.command("ip neigh replace 10.2.2.2 lladdr 02:00:00:00:00:09 dev e1 nud permanent");
    expect(router.neighbors()).toContain("10.2.2.2 dev e1 lladdr 02:00:00:00:00:09 PERMANENT");
  });

  it("heeds settings that change, and refuses those that hold from the start", () => {
    const router = opened();
    router.command("sysctl -w net.ipv4.conf.e0.forwarding=0");
    expect(sentTo(router)).toBe(0);
    router.command("sysctl -w net.ipv4.conf.e0.forwarding=1 net.ipv4.ip_default_ttl=9");
    expect(sentTo(router)).toBe(1);
    router.command("sysctl -w net.ipv4.conf.all.rp_filter=1");
    router.receive("e0", frameOf(MAC, PEER, 0x0800, udp({ ...ENDS, src: "10.2.2.3" })));
    expect(router.sent("e1")).toEqual([]);
  });

  it("ends what was masqueraded as an address that goes", () => {
    const router = opened("*nat\n-A POSTROUTING -o e1 -j MASQUERADE\nCOMMIT\n");
    router.command("ip addr add 10.9.0.1/24 dev e1");
    sentTo(router);
    router.command("ip addr del 10.9.0.1/24 dev e1");
    expect(router.connections()).toContain("dst=10.2.2.1");
    router.command("ip addr del 10.2.2.1/24 dev e1");
    expect(router.connections()).toBe("");
  });

  it.each([
    "route -n",
    "sysctl net.ipv4.ip_forward",
    "sysctl -w net.ipv4.icmp_ratelimit=0",
    "sysctl -w net.ipv4.conf.e9.rp_filter=1",
    "sysctl -w net.ipv4.ip_forward=2",
    "ip link set e9 down",
    "ip link set e0 mtu 900",
    "ip route del 6.6.6.6",
    "ip route add 8.8.8.0/24 via 10.2.2.2",
    "ip route add 8.8.4.0/24 dev e9",
    "ip addr del 10.1.2.3/24 dev e0",
    "ip addr add 10.1.2.1/24 dev e0",
    "ip addr add 10.1.2.1/24",
    "ip neigh del 10.1.2.3 dev e0",
    "ip neigh del 10.1.2.2",
    "ip neigh replace 10.1.2.3 dev e0",
    "conntrack -L",
    "conntrack -D --mark 1",
    "iptables -D FORWARD 1",
  ])("is refused: %s", (command) => {
    const router = opened();
    expect(() => router.command(command)).toThrow(EmulatorError);
  });
});
