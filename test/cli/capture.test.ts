import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { dissect, hasWireshark } from "../pcap/wireshark.ts";
import { dom0 } from "./dom0.ts";

const folder = mkdtempSync(join(tmpdir(), "dom0-shark-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Wireshark's PROTO_CHECKSUM_E_GOOD. */
const GOOD = "1";
const FIELDS = [
  "frame.interface_name",
  "frame.packet_id",
  "frame.comment",
  "frame.protocols",
  "_ws.malformed",
  "ip.checksum.status",
  "udp.checksum.status",
  "icmp.checksum.status",
  "arp.opcode",
  "dhcp.option.dhcp",
  "icmp.type",
  "ip.src",
  "ip.dst",
  "ip.ttl",
] as const;

type Frame = Record<(typeof FIELDS)[number], string>;

const skipped = hasWireshark ? "" : " (skipped: no tshark)";

describe.skipIf(!hasWireshark)(`Wireshark, on what a run captured${skipped}`, () => {
  const frames = new Map<string, readonly Frame[]>();
  for (const name of ["seed-host", "elastic-address", "bad-link"]) {
    const path = join(folder, `${name}.pcapng`);
    expect(dom0(["run", `examples/${name}.yaml`, "--pcapng", path]).status).toBe(0);
    frames.set(name, dissect(path, FIELDS));
  }
  const seed = frames.get("seed-host") ?? [];

  it.each(["seed-host", "elastic-address"])("finds nothing malformed: %s", (name) => {
    const own = frames.get(name) ?? [];
    expect(own.length).toBeGreaterThan(50);
    expect(own.filter((frame) => frame["_ws.malformed"] !== "")).toEqual([]);
  });

  it.each(["seed-host", "elastic-address"])("finds every checksum good: %s", (name) => {
    const own = frames.get(name) ?? [];
    for (const key of ["ip", "udp", "icmp"] as const) {
      const statuses = new Set(own.map((frame) => frame[`${key}.checksum.status`]));
      expect([...statuses].toSorted(), key).toEqual(["", GOOD]);
    }
  });

  it("finds bad checksums where the wire flips bits", () => {
    const own = frames.get("bad-link") ?? [];
    const statuses = own.flatMap((frame) => [
      frame["ip.checksum.status"],
      frame["udp.checksum.status"],
      frame["icmp.checksum.status"],
    ]);
    expect(statuses).toContain("0");
  });

  it("decodes ARP, DHCP and ICMP", () => {
    const has = (key: keyof Frame, value: string): boolean =>
      seed.some((frame) => frame[key] === value);
    for (const opcode of ["1", "2"]) expect(has("arp.opcode", opcode)).toBe(true);
    for (const type of ["1", "2", "3", "5"]) expect(has("dhcp.option.dhcp", type)).toBe(true);
    for (const type of ["0", "3", "8", "11"]) expect(has("icmp.type", type)).toBe(true);
  });

  it("sees a packet under one id on both vifs, one hop later on the second", () => {
    const ways = new Map<string, Frame[]>();
    for (const frame of seed.filter((one) => one["icmp.type"] === "8")) {
      const id = frame["frame.packet_id"];
      ways.set(id, [...(ways.get(id) ?? []), frame]);
    }
    const first = [...ways.values()].find((way) => way.length > 1) ?? [];
    const shown = first.map((frame) => [frame["frame.interface_name"], frame["ip.ttl"]]);
    expect(shown).toEqual([
      ["vif4.0", "64"],
      ["vif3.0", "63"],
    ]);
  });

  it("sees the public address outside and the private one inside", () => {
    const pairs = (name: string): string[] =>
      seed.flatMap((frame) => {
        const isEcho = frame["frame.interface_name"] === name && frame["icmp.type"] === "8";
        return isEcho ? [frame["ip.src"], frame["ip.dst"]] : [];
      });
    expect(new Set(pairs("peth0"))).toEqual(new Set(["75.101.160.7", "93.184.216.34"]));
    expect(pairs("vif3.0")).not.toContain("75.101.160.7");
  });

  it("shows why each packet that a rule dropped came to nothing", () => {
    const comments = seed
      .map((frame) => [frame["frame.interface_name"], frame["frame.comment"]])
      .filter(([, comment]) => comment?.startsWith("dropped"));
    expect(comments).toEqual([
      ["peth0", "dropped: security-group/no-permission"],
      ["vif5.0", "dropped: anti-spoof/source-address"],
      ["vif5.0", "dropped: anti-spoof/arp-sender-address"],
      ["vif5.0", "dropped: anti-spoof/dhcp-server"],
    ]);
  });
});
