import { describe, expect, it } from "vitest";
import { type BlockDevice, MemoryDisk } from "../../../src/storage/block-device.ts";
import type { DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import { BlockOp, BlockStatus } from "../../../src/xen/io/blkif.ts";
import type { GuestPorts } from "../../../src/xen/toolstack/guest-kernel.ts";
import { HostBlockDevices } from "../../../src/xen/toolstack/host-block-devices.ts";
import {
  type ToolstackProfile,
  XEND_3_1,
  XL_4_17,
} from "../../../src/xen/toolstack/toolstack-profile.ts";
import { GuestVbdRings, HostVbdRings } from "../../../src/xen/toolstack/vbd-rings.ts";
import { undiscarding } from "../io/block-stand.ts";
import { dump, World } from "./host-world.ts";

/** A host with four devices, of which the second cannot discard, and a domU that has them all. */
function discardWorld(profile: ToolstackProfile) {
  const devices = new HostBlockDevices<BlockDevice>();
  const disk = (): BlockDevice => new MemoryDisk({ sectors: 64 });
  const add = (minor: number, one: BlockDevice): void =>
    devices.add(`/dev/vg${minor}`, { node: `/dev/vg${minor}`, major: 0xfd, minor, disk: one });
  for (const minor of [1, 3, 4]) add(minor, disk());
  add(2, undiscarding(disk()));
  const world: World = new World(profile, {
    devices,
    vbdPorts: {
      connect: (...args) => rings.connect(...args),
      disconnect: (domid, devid) => rings.disconnect(domid, devid),
    },
  });
  const rings = new HostVbdRings(world.hypervisor, profile === XL_4_17 ? BLOCKS_6 : BLOCKS_2618);
  const guests: GuestVbdRings[] = [];
  const guest = (io: DomainIo): GuestPorts => {
    const vbd = new GuestVbdRings(io, world.hypervisor, profile.vbdProtocol, rings);
    guests.push(vbd);
    return { ...world.guest(io), vbd };
  };
  const disks = [
    { dev: "sda1", type: "phy", params: "/dev/vg1", mode: "w" },
    { dev: "sda2", type: "phy", params: "/dev/vg2", mode: "w" },
    { dev: "sda3", type: "phy", params: "/dev/vg3", mode: "r" },
    { dev: "sda4", type: "phy", params: "/dev/vg4", mode: "w", discard: false },
  ] as const;
  const { domid } = world.host.create({ name: "dom_1", disks, pages: 256, guest }, 0);
  /** What is said of discard in the back end's directory of a disk, in its order. */
  const nodes = (devid: number, of = domid): string[] =>
    dump(world.host).flatMap((line) => {
      const [, key = "", value = ""] =
        new RegExp(`^/local/domain/0/backend/vbd/${of}/${devid}/(\\S*discard\\S*) = "(.*)"`).exec(
          line,
        ) ?? [];
      return key === "" ? [] : [`${key} ${value}`];
    });
  const front = (devid: number) => guests.at(-1)?.find(devid)?.front ?? null;
  const answers: number[] = [];
  const discard = (devid: number): void => {
    const completion = { completed: (status: number) => void answers.push(status) };
    const request = { operation: BlockOp.discard, sector: 3, sectors: 2 };
    front(devid)?.submit({ ...request, octets: new Uint8Array(0), completion }, 0);
  };
  return { world, devices, add, domid, nodes, front, discard, answers };
}

describe("the nodes of discard", () => {
  const UNIT = { granularity: 4096, alignment: 0, isSecure: false };
  const ABLE = [
    "discard-enable 1",
    "discard-granularity 4096",
    "discard-alignment 0",
    "discard-secure 0",
    "feature-discard 1",
  ];

  it("say with xl what the disk can, unless it may only be read or is not to", () => {
    const { nodes, front } = discardWorld(XL_4_17);
    expect(nodes(2049)).toEqual(ABLE);
    expect(nodes(2050)).toEqual(["discard-enable 1", "feature-discard 0"]);
    expect(nodes(2051)).toEqual(["discard-enable 0"]);
    expect(nodes(2052)).toEqual(["discard-enable 0"]);
    expect([2049, 2050, 2051, 2052].map((devid) => front(devid)?.discard ?? null)).toEqual([
      UNIT,
      null,
      null,
      null,
    ]);
  });

  it("are none with xend and 2.6.18", () => {
    const { nodes, front, discard, answers } = discardWorld(XEND_3_1);
    for (const devid of [2049, 2050, 2051, 2052]) {
      expect(nodes(devid)).toEqual([]);
      expect(front(devid)?.discard).toBeNull();
      discard(devid);
    }
    expect(answers).toEqual(Array.from({ length: 4 }, () => BlockStatus.notSupported));
  });

  it("are believed as Linux believes them", () => {
    const { world, domid, nodes, front } = discardWorld(XL_4_17);
    const params = "/dev/vg1";
    world.host.detach(domid, { type: "vbd", devid: 2049 }, 0);
    world.host.attach(domid, { dev: "sda1", type: "phy", params, mode: "r", discard: true }, 0);
    // xl's word counts, though nothing comes of it.
    expect(nodes(2049)).toEqual(ABLE);
    expect(front(2049)?.discard).toEqual(UNIT);
  });
});

describe("a domain that asked for a discard and is restored", () => {
  it("has it done, or is told that its new disk cannot", () => {
    const { world, devices, add, domid, front, discard, answers } = discardWorld(XL_4_17);
    const { events } = world.hypervisor;
    const disk = devices.find("/dev/vg1")?.disk;
    const into = new Uint8Array(512);
    disk?.write(3, new Uint8Array(1024).fill(9));
    events.setRunnable(0, false, 0);
    discard(2049);
    const image = world.host.save(domid, 1);
    events.setRunnable(0, true, 1);
    expect([answers, disk?.read(3, into), into[0]]).toEqual([[], 0, 9]);
    const restored = world.host.restore(image, 2);
    expect([answers, disk?.read(3, into), into[0]]).toEqual([[BlockStatus.okay], 0, 0]);

    events.setRunnable(0, false, 3);
    discard(2049);
    const again = world.host.save(restored.domid, 3);
    events.setRunnable(0, true, 3);
    devices.remove("/dev/vg1");
    add(1, undiscarding(new MemoryDisk({ sectors: 64 })));
    world.host.restore(again, 4);
    expect(answers).toEqual([BlockStatus.okay, BlockStatus.notSupported]);
    expect(front(2049)?.discard).toBeNull();
  });
});
