/**
 * A virtual machine behind a vif: QEMU's own stream framing, and the DHCP client of iPXE, the boot
 * ROM of its network card.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { decodeMessage, type DhcpMessage, DhcpType, macOfHeader } from "../../src/dhcp/message.ts";
import { findOption, Option } from "../../src/dhcp/options.ts";
import { readCapture } from "../../src/pcap/capture-reader.ts";
import { formatIpv4, formatMac } from "../../src/wire/addr.ts";
import { Serving } from "./serving.ts";

const QEMU = "qemu-system-x86_64";
const ROM = "/usr/lib/ipxe/qemu/pxe-virtio.rom";
const MAC = "12:31:39:00:a5:0d";
/** Where BOOTP begins behind Ethernet, IPv4 without options and UDP. */
const BOOTP = 14 + 20 + 8;

const hasQemu = spawnSync(QEMU, ["--version"]).error === undefined && existsSync(ROM);
const skipped = hasQemu ? "" : " (skipped: no qemu-system-x86 or no ipxe-qemu)";

const folder = mkdtempSync(join(tmpdir(), "dom0-qemu-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The DHCP messages of the machine with {@link MAC} in a capture. */
function messagesOf(path: string): DhcpMessage[] {
  return readCapture(readFileSync(path)).records.flatMap(({ octets }) => {
    const message = decodeMessage(octets, BOOTP, octets.length);
    if (typeof message === "string") return [];
    const mac = macOfHeader(message);
    return mac !== null && formatMac(mac) === MAC ? [message] : [];
  });
}

const typeOf = ({ options }: DhcpMessage): number | null => findOption(options, Option.MessageType);

describe.skipIf(!hasQemu)(`QEMU on a vif${skipped}`, { timeout: 120_000 }, () => {
  it("boots with a lease of ours", async () => {
    const capture = join(folder, "boot.pcapng");
    const serving = await Serving.start("--state", join(folder, "state"), "--pcapng", capture);
    const vif = serving.vif("vif5.0");
    const words = [
      ...["-machine", "pc,accel=tcg", "-m", "64", "-display", "none", "-no-reboot"],
      ...["-serial", "none", "-monitor", "none", "-boot", "n"],
      ...["-netdev", `stream,id=n0,addr.type=unix,addr.path=${vif}`],
      ...["-device", `virtio-net-pci,netdev=n0,mac=${MAC}`],
    ];
    const machine = spawn(QEMU, words, { stdio: "ignore" });
    onTestFinished(() => void machine.kill("SIGKILL"));
    const isLeased = (): boolean =>
      messagesOf(capture).some((message) => typeOf(message) === DhcpType.Ack);
    await expect.poll(isLeased, { timeout: 60_000, interval: 500 }).toBe(true);
    machine.kill("SIGKILL");
    const { status, stderr } = await serving.stop();
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const messages = messagesOf(capture);
    const types = messages.map(typeOf);
    const { Discover, Offer, Request, Ack } = DhcpType;
    expect([...new Set(types)]).toEqual([Discover, Offer, Request, Ack]);
    const [first] = messages;
    expect(first === undefined ? null : findOption(first.options, Option.UserClass)).toBe("iPXE");
    const leased = messages.filter((message) => typeOf(message) === Ack);
    expect(leased.map(({ yiaddr }) => formatIpv4(yiaddr))).toContain("10.254.170.221");
  });
});
