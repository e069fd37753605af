/** Commands in mid-run: what the random worlds meet too seldom, or must not ask. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import { udp } from "../nat/packets.ts";
import { Kernel, missingForKernel } from "./kernel.ts";
import { differencesOf, recordTalk, type TalkRecording } from "./talk-case.ts";
import { frameOf } from "./world-octets.ts";
import type { StepSpec } from "./world-talk.ts";

const MAC = "02:00:00:00:00:00";
const PEER = "12:31:39:00:00:00";
const ENDS = { src: "10.1.2.2", dst: "10.2.2.2", srcPort: 4000, dstPort: 53 };
const INTERFACES = {
  e0: { mac: MAC, addresses: ["10.1.2.1/24"], neighbors: { "10.1.2.2": PEER } },
  e1: {
    mac: "02:00:00:00:00:01",
    addresses: ["10.2.2.1/24", "10.2.9.1/24"],
    neighbors: { "10.2.2.2": PEER, "10.2.9.2": PEER },
  },
};

/** A datagram to `dst`. */
const talk =
  (dst = ENDS.dst, srcPort = ENDS.srcPort): StepSpec =>
  () => [
    {
      interface: "e0",
      octets: frameOf(MAC, PEER, 0x0800, udp({ ...ENDS, dst, srcPort })),
    },
  ];
const command =
  (text: string): StepSpec =>
  () => [{ interface: "", octets: new Uint8Array(0), command: text }];

const missing = missingForKernel();
const skipped = missing === null ? "" : ` (skipped: ${missing})`;

describe.skipIf(missing !== null)(`a router at work, beside the kernel${skipped}`, () => {
  let kernel: Kernel;
  beforeAll(async () => {
    kernel = await Kernel.open();
  });
  afterAll(() => kernel.close());

  async function play(iptables: string, ...steps: StepSpec[]): Promise<TalkRecording> {
    const world = { interfaces: INTERFACES, routes: [], sysctl: {}, iptables };
    const site = { world, own: [], onLink: [], routed: [], blockEnds: [] };
    const one = { site: { ...site, hasSctp: true, rules: "" }, world, steps };
    const { recording } = await recordTalk(kernel, one);
    return recording;
  }

  it("ends what was masqueraded as an address that goes, and nothing else", async () => {
    const rules = "*nat\n-A POSTROUTING -o e1 -j MASQUERADE\nCOMMIT\n";
    const recording = await play(
      rules,
      talk(),
      talk("10.2.9.2"),
      command("ip addr del 10.2.9.1/24 dev e1"),
      talk("10.2.2.2", 4001),
    );
    expect(differencesOf(recording)).toEqual([]);
    expect(recording.sent).toHaveLength(3);
    expect(recording.end.connections).toHaveLength(2);
    expect(recording.end.connections.join("\n")).not.toContain("dst=10.2.9.1");
  });

  it("ends the third as the first of what is masqueraded alike", async () => {
    const recording = await play(
      "*nat\n-A POSTROUTING -o e1 -j MASQUERADE\nCOMMIT\n",
      ...[4000, 4001, 4002, 4003].map((port) => talk("10.2.9.2", port)),
      command("ip addr del 10.2.9.1/24 dev e1"),
    );
    expect(differencesOf(recording)).toEqual([]);
    expect(recording.sent).toHaveLength(4);
    expect(recording.end.connections).toEqual([]);
  });

  it("goes on to mask as another address of the device", async () => {
    const recording = await play(
      "*nat\n-A POSTROUTING -o e1 -j MASQUERADE\nCOMMIT\n",
      talk(),
      command("ip addr add 10.2.2.7/24 dev e1"),
      command("ip addr del 10.2.2.7/24 dev e1"),
      talk(),
    );
    expect(differencesOf(recording)).toEqual([]);
    expect(recording.end.connections).toHaveLength(1);
  });

  it("ends what a device masqueraded when its link goes down", async () => {
    const rules = "*nat\n-A POSTROUTING -o e1 -j MASQUERADE\nCOMMIT\n";
    for (const [name, left] of [
      ["e0", 1],
      ["e1", 0],
    ] as const) {
      const recording = await play(rules, talk(), command(`ip link set ${name} down`));
      expect(differencesOf(recording)).toEqual([]);
      expect(recording.end.connections).toHaveLength(left);
    }
  });

  it("has the kernel's routes after each change of a link", async () => {
    const world = { interfaces: INTERFACES, routes: ["8.8.8.0/24 via 10.2.2.2 src 10.1.2.1"] };
    const twin = new RouterWorld(world);
    const said: string[] = [];
    for (const text of [
      "ip link set e0 down",
      "ip addr add 10.1.3.1/24 dev e0",
      "ip link set e1 down",
      "ip link set e0 up",
      "ip addr del 10.1.2.1/24 dev e0",
      "ip link set e1 up",
    ]) {
      said.push(text);
      const frames = said.map((one) => ({ at: 0, interface: "", octets: "", command: one }));
      const { shown } = await kernel.play(world, frames, 0, [["ip", "route"]]);
      twin.command(text);
      expect(twin.routes(), text).toBe((shown[0] ?? "").replaceAll(/ +$/gm, ""));
    }
  });

  it("leaves each interface alone when forwarding of all stays what it was", async () => {
    const steps = [command("sysctl -w net.ipv4.conf.e0.forwarding=0"), talk()];
    const all = ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"];
    for (const name of all) {
      const kept = await play("", ...steps, command(`sysctl -w ${name}=1`), talk());
      expect(differencesOf(kept)).toEqual([]);
      expect(kept.sent).toHaveLength(0);
      const off = command(`sysctl -w ${name}=0`);
      const turned = await play("", ...steps, off, command(`sysctl -w ${name}=1`), talk());
      expect(differencesOf(turned)).toEqual([]);
      expect(turned.sent).toHaveLength(1);
    }
  });

  it("stops tracking with the last rule that needs it; the emulated one goes on", async () => {
    const rules = "*filter\n-A FORWARD -m state --state NEW\nCOMMIT\n";
    const recording = await play(
      rules,
      talk(),
      command("iptables -D FORWARD 1"),
      talk("10.2.2.2", 4001),
    );
    expect(recording.sent).toHaveLength(2);
    expect(recording.end.connections).toHaveLength(1);
    const [what = "", theirs = "", ours = "", ...others] = differencesOf(recording);
    expect(what).toBe("connections 1");
    expect(theirs).toContain("- nothing");
    expect(ours).toContain("sport=4001");
    expect(others).toEqual([]);
  });
});
