/**
 * The frames that two real domUs and the outside sent to a Linux 6.18 kernel as Dom0 (routed vifs,
 * proxy
 * ARP, 1:1 NAT, ISC dhcpd 4.4.3), put into a Dom0 of the profile `linux` with one router at their
 * own
 * times, bring out what the real kernel and dhcpd sent, in their order.
 * Masked: identifications of packets that the kernel made. Nothing is left out.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parseIpv4, parseMac } from "../../src/wire/addr.ts";
import type { Device } from "../../src/wire/device.ts";
import { PacketPool } from "../../src/wire/packet.ts";
import { Dom0 } from "../../src/xen/dom0.ts";
import { LINUX } from "../../src/xen/profile.ts";
import {
  framesOf,
  lines,
  play,
  proxyDraws,
  RecordedChance,
  Recorder,
  split,
  stepsFor,
  type TimedFrame,
} from "../support/replay.ts";

const CAPTURES = join(import.meta.dirname, "../../captures/linux-kernel");
/** The replay starts here, in microseconds since 1970: just before the first capture. */
const BASE = 1_795_335_305_000_000;
/**
 * A turn of the recorded kernel's timer wheel: probes and proxied answers lie 32 and 256 ms from
 * here.
 */
const WHEEL = 1_795_335_304_400_000;
const VIF_MAC = parseMac("fe:ff:ff:ff:ff:ff");
const UPLINK_MAC = parseMac("02:00:00:00:00:02");
const OWN = new Set([parseIpv4("10.254.168.2"), parseIpv4("216.182.232.10")]);
/** The configuration without its hosts: they come with the vifs. */
const CONF = readFileSync(join(CAPTURES, "dhcpd.conf"), "utf8")
  .split("\n")
  .filter((line) => !line.startsWith("host "))
  .join("\n");

const recorded = (name: string): TimedFrame[] => framesOf(join(CAPTURES, `${name}.pcap`), BASE);

describe("a recorded Linux Dom0", () => {
  it("is matched octet for octet and frame by frame", () => {
    const first = split(recorded("domu-3"), VIF_MAC);
    const second = split(recorded("domu-4"), VIF_MAC);
    const outside = split(recorded("peth0"), UPLINK_MAC);
    const age = BASE - WHEEL;
    const draws = proxyDraws([first, second], OWN, age);
    const pool = new PacketPool();
    const dom0 = new Dom0({
      name: "kernel",
      pool,
      profile: { ...LINUX, router: { ...LINUX.router, jiffies: { hz: 250, age } } },
      chance: new RecordedChance(new Map([[200, draws]])),
      privateAddress: parseIpv4("10.254.168.2"),
      uplink: {
        mac: UPLINK_MAC,
        address: parseIpv4("216.182.232.10"),
        length: 20,
        gateway: parseIpv4("216.182.232.1"),
      },
      routers: 1,
      privateNetwork: null,
      hasAntiSpoof: false,
      hasSecurityGroups: false,
      dhcpdConf: CONF,
      dhcpdStartTime: 0,
    });
    const launch = (domid: number, last: number, mac: string): Device =>
      dom0.addVif(
        {
          domid,
          domain: `dom_${32_504_933 + domid}`,
          mac: parseMac(mac),
          addresses: [parseIpv4(`10.254.170.${last}`)],
          publicAddress: parseIpv4(`75.101.160.${4 + domid}`),
          hostName: `domU-${mac.toUpperCase().replaceAll(":", "-")}`,
        },
        0,
      ).device;
    const vif3 = launch(3, 223, "12:31:39:00:a5:11");
    const vif4 = launch(4, 222, "12:31:39:00:a5:12");
    const recorder = new Recorder();
    for (const device of [vif3, vif4, dom0.uplink]) recorder.attach(device);
    const steps = [
      ...stepsFor(vif3, first.into),
      ...stepsFor(vif4, second.into),
      ...stepsFor(dom0.uplink, outside.into),
    ];
    play(pool, dom0, steps, recorder);
    const sent = (device: Device): TimedFrame[] => recorder.frames.get(device) ?? [];
    expect(lines(sent(vif3), OWN)).toEqual(lines(first.out, OWN));
    expect(lines(sent(vif4), OWN)).toEqual(lines(second.out, OWN));
    expect(lines(sent(dom0.uplink), OWN)).toEqual(lines(outside.out, OWN));
    expect(pool.live).toBe(0);
  });
});
