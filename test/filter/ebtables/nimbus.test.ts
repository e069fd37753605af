/**
 * Rule sets that people ran beside Xen in 2009 and 2010, as their scripts give them to `ebtables`
 * (Nimbus' `xen-ebtables-config.sh`, 30 Dec 2009).
 */
import { describe, expect, it } from "vitest";
import { Ebtables } from "../../../src/filter/ebtables/ebtables.ts";
import { Bridge } from "../../../src/l2/bridge.ts";
import { Device } from "../../../src/wire/device.ts";
import { PacketPool } from "../../../src/wire/packet.ts";
import { BRIDGE_MAC } from "./stand.ts";

const MAC = "a2aabb000001";
const OTHER = "a2aabb000002";
const SERVER = "02000000dddd";

/** What the script does for `add VIF MAC IP DHCPIF`. */
const add = (vif: string, mac: string, ip: string, dhcp: string): string[] => [
  `-N DHCP-${dhcp}`,
  `-A DHCP-${dhcp} -o ${dhcp} -j ACCEPT`,
  `-P DHCP-${dhcp} DROP`,
  `-N ${vif}`,
  `-P ${vif} ACCEPT`,
  `-A ${vif} -s ! ${mac} -j DROP`,
  `-A ${vif} -p IPv4 --ip-proto 17 --ip-dport 67 -j DHCP-${dhcp}`,
  `-A ${vif} -p IPv4 --ip-src ! ${ip} -j DROP`,
  `-A FORWARD -i ${vif} -j ${vif}`,
];
/** And for `rem VIF`. */
const remove = (vif: string): string[] => [`-D FORWARD -i ${vif} -j ${vif}`, `-X ${vif}`];

const udp = (dst: string, src: string, source: string, port: number): string =>
  [
    `${dst}${src}0800`,
    `4500001c0001000040110000${source}0a0000ff`,
    `0044${port.toString(16).padStart(4, "0")}00080000`,
  ].join("");
const DISCOVER = udp("ffffffffffff", MAC, "00000000", 67);

function newHost(): { rules: Ebtables; send: (port: string, frame: string) => string[] } {
  const pool = new PacketPool({ slots: 16, largeSlots: 0 });
  const rules = new Ebtables();
  const bridge = new Bridge({ name: "xenbr0", mac: BRIDGE_MAC, rules });
  const seen: string[] = [];
  const ports = ["peth0", "vif1.0", "vif2.0", "vifdhcp"].map((name) => {
    const port = new Device({ name, mac: BRIDGE_MAC });
    bridge.addPort(port);
    port.attachCarrier({
      carry: (from, packet, now) => {
        seen.push(from.name);
        pool.end(packet, "consumed", "test/noted", now);
      },
    });
    return port;
  });
  const send = (name: string, frame: string): string[] => {
    const packet = pool.copyIn(Buffer.from(frame, "hex"));
    if (packet !== null) ports.find((port) => port.name === name)?.receive(packet, 0);
    expect(pool.live).toBe(0);
    return seen.splice(0).toSorted();
  };
  return { rules, send };
}

describe("the rules of Nimbus", () => {
  const guarded = (): ReturnType<typeof newHost> => {
    const host = newHost();
    const commands = add("vif1.0", "A2:AA:BB:00:00:01", "10.0.0.1", "vifdhcp");
    for (const command of commands) host.rules.command(command);
    return host;
  };

  it("read and print as the installed ebtables does", () => {
    expect(guarded().rules.save()).toBe(
      [
        "*filter",
        ...[":INPUT ACCEPT", ":FORWARD ACCEPT", ":OUTPUT ACCEPT"],
        ...[":DHCP-vifdhcp DROP", ":vif1.0 ACCEPT"],
        "-A FORWARD -i vif1.0 -j vif1.0",
        "-A DHCP-vifdhcp -o vifdhcp -j ACCEPT",
        "-A vif1.0 -s ! a2:aa:bb:00:00:01 -j DROP",
        "-A vif1.0 -p IPv4 --ip-proto udp --ip-dport 67 -j DHCP-vifdhcp",
        "-A vif1.0 -p IPv4 --ip-src ! 10.0.0.1 -j DROP",
        "",
      ].join("\n"),
    );
  });

  it("let a workspace's DHCP reach its server and nobody else", () => {
    const { send } = guarded();
    expect(send("vif1.0", DISCOVER)).toEqual(["vifdhcp"]);
    expect(send("vif2.0", udp("ffffffffffff", OTHER, "00000000", 67))).toEqual([
      "peth0",
      "vif1.0",
      "vifdhcp",
    ]);
  });

  it("keep a workspace to its own addresses, on every way across the bridge", () => {
    const { send } = guarded();
    const all = ["peth0", "vif2.0", "vifdhcp"];
    expect(send("vif1.0", udp(SERVER, MAC, "0a000001", 53))).toEqual(all);
    expect(send("vif1.0", udp(SERVER, MAC, "0a000002", 53))).toEqual([]);
    expect(send("vif1.0", udp(SERVER, OTHER, "0a000001", 53))).toEqual([]);
  });

  it("go with the workspace; its chain goes with its rules", () => {
    const { rules, send } = guarded();
    for (const command of remove("vif1.0")) rules.command(command);
    expect(send("vif1.0", udp(SERVER, OTHER, "0a000002", 53))).toHaveLength(3);
    expect(rules.save()).not.toContain("vif1.0");
  });
});
