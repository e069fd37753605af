/** What a real host of Xen 4.17 did, beside what ours does (captures/real-xen/). */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type BlockDevice, MemoryDisk } from "../../../src/storage/block-device.ts";
import { HostBlockDevices } from "../../../src/xen/toolstack/host-block-devices.ts";
import { XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { dump, World } from "./host-world.ts";
import { recordRequests } from "./request-log.ts";

const read = (name: string): string[] =>
  readFileSync(join(import.meta.dirname, "../../../captures/real-xen", name), "utf8")
    .split("\n")
    .filter((line) => line !== "");

/**
 * Nodes that drivers of later years have for features that our rings have not
 * (docs/deviations.md).
 */
const MODERN = [
  "multi-queue-max-queues",
  "multi-queue-num-queues",
  "max-ring-page-order",
  "feature-gso-tcpv6",
  "feature-ipv6-csum-offload",
  "feature-xdp-headroom",
  "xdp-headroom",
  "feature-multicast-control",
  "feature-dynamic-multicast-control",
  "request-multicast-control",
  "feature-split-event-channels",
  "feature-ctrl-ring",
];
const isModern = (line: string): boolean =>
  MODERN.some((key) => new RegExp(`/${key}\\b`).test(line));

/** The recorded host, its domain d1 or d2. */
function realWorld(options: ConstructorParameters<typeof World>[1] = {}): World {
  const devices = new HostBlockDevices<BlockDevice>({ busy: 3 });
  const disk = (): BlockDevice => new MemoryDisk({ sectors: 32_768 });
  for (const [index, name] of ["d1", "d2"].entries()) {
    devices.addFile(`/var/lib/lab/${name}-sda1.img`, disk());
    const lvm = `/dev/mapper/vg0-${name}--sda2`;
    const volume = { node: lvm, major: 0xfd, minor: index, disk: disk() };
    devices.add(`/dev/vg0/${name}-sda2`, volume);
    const loop = { node: `/dev/loop${index + 1}`, major: 7, minor: index + 1, disk: disk() };
    devices.add(`/dev/${name}-sda3`, loop);
  }
  return new World(XL_4_17, { devices, epoch: 1_795_335_479_040_000, ...options });
}

const request = (name: string, index: number, uuid: string) => ({
  name,
  uuid,
  memoryKib: 262_144,
  kernel: {
    path: "/run/vmlinuz",
    ramdisk: "/run/irdU.gz",
    commandLine: `console=hvc0 loglevel=4 mitigations=off net.ifnames=0 host=${name}`,
  },
  disks: [
    { dev: "sda1", type: "file", params: `/var/lib/lab/${name}-sda1.img`, mode: "w" },
    { dev: "sda2", type: "phy", params: `/dev/vg0/${name}-sda2`, mode: "w" },
    { dev: "sda3", type: "phy", params: `/dev/${name}-sda3`, mode: "w" },
  ] as const,
  nics: [
    {
      mac: `12:31:3B:00:00:0${index + 5}`,
      script: "/etc/xen/scripts/vif-route",
      ip: `10.251.34.${index + 5}`,
    },
  ],
});
const D1 = "9f797a4b-3318-4ccf-b6cd-c1437a20ad81";
const D2 = "e2f10da6-e34f-46f3-9daf-5f5090c800f4";

describe("the handshake of a domain", () => {
  /** Each program's connection in the recording. */
  const USERS = new Map([
    ["0x5648edd2f520", "toolstack"],
    ["0x5648edd0adc0", "kernel"],
    ["0x5648edd21950", "guest"],
    ["0x5648edd18270", "script"],
    ["0x5648edd0de60", "xenconsoled"],
  ]);

  /** One request, without what differs from run to run: frames, references, ports, tokens. */
  const normal = (line: string): string =>
    line
      .replace(/^(UN)?WATCH \(([^ ]+) .*\)$/, "$1WATCH ($2)")
      .replace("event-channel-tx", "event-channel")
      .replace(/((?:ring-ref|event-channel) )\d+/, "$1#")
      .replace(/INTRODUCE \((\d+) \d+ (\d+)/, "INTRODUCE ($1 # $2")
      .replace(/\/dev\/pts\/\d+/, "/dev/pts/#");

  const recorded = (user: string): string[] =>
    read("handshake-create-and-boot-d2.txt").flatMap((line) => {
      const [, connection = "", , what = ""] = /^(\S+) (\S+) (.*)$/.exec(line) ?? [];
      const isSkipped = isModern(line) || /event-channel-rx|@releaseDomain/.test(line);
      if (USERS.get(connection) !== user || isSkipped) return [];
      return [normal(what.replace(/ ?\)$/, ")"))];
    });

  const ours = new Map<string, string[]>();
  const world = realWorld({ wrapSession: recordRequests(ours) });
  world.host.create({ ...request("d1", 0, D1), domid: 1 }, 0);
  ours.clear();
  world.host.create({ ...request("d2", 1, D2), domid: 3, guest: world.guest }, 0);

  it.each(["toolstack", "guest", "xenconsoled"])(
    "has the requests of the real one's %s, in its order",
    (user) => {
      const lines = (ours.get(user) ?? []).map(normal);
      expect(lines).toEqual(recorded(user));
    },
  );

  it.each(["kernel", "script"])(
    "has the requests of the real one's %s: of each device, all in its order",
    (user) => {
      const byDevice = (lines: readonly string[]): Record<string, string[]> => {
        const groups: Record<string, string[]> = {};
        for (const line of lines) {
          const [, device = ""] = /(?:backend|device)\/((?:vif|vbd)\/(?:3\/)?\d+)/.exec(line) ?? [];
          (groups[device.replace("/3/", "/")] ??= []).push(line);
        }
        return groups;
      };
      const lines = (ours.get(user) ?? []).map((line) =>
        normal(line).replace("(/local/domain/0/", "("),
      );
      expect(byDevice(lines)).toEqual(byDevice(recorded(user)));
      expect(lines).toHaveLength(recorded(user).length);
    },
  );
});

describe("the store of the real host", () => {
  const pick = (lines: readonly string[], domid: number): string[] =>
    lines.filter(
      (line) =>
        !isModern(line) &&
        [`local/domain/${domid}`, `local/domain/0/backend/\\w+/${domid}`, `libxl/${domid}`].some(
          (path) => new RegExp(`^/${path}[/ ]`).test(line),
        ),
    );
  const normal = (line: string): string =>
    line
      .replace(/((?:ring-ref|event-channel|event-channel-tx|store\/ring-ref) = )"\d+"/, '$1"#"')
      .replace("event-channel-tx", "event-channel")
      .replace(/\/dev\/pts\/\d+/, "/dev/pts/#");
  const recorded = (name: string): string[] =>
    pick(read(name), 1)
      .filter((line) => !line.includes("event-channel-rx"))
      .map(normal);

  it("is ours with one domain paused: keys, values, permissions, order", () => {
    const world = realWorld({ scriptTime: () => 0 });
    world.host.create({ ...request("d1", 0, D1), domid: 1 }, 0);
    expect(pick(dump(world.host), 1).map(normal)).toEqual(recorded("xenstore-d1-paused.txt"));
  });

  it("is ours with a domain running", () => {
    const world = realWorld();
    world.host.create({ ...request("d1", 0, D1), domid: 1, guest: world.guest }, 0);
    expect(pick(dump(world.host), 1).map(normal)).toEqual(recorded("xenstore-dom0-running.txt"));
  });
});
