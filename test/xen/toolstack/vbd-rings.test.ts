import { describe, expect, it } from "vitest";
import type { DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import type { Blkfront } from "../../../src/xen/io/blkfront.ts";
import { BlockOp, BlockStatus } from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
import type { GuestPorts } from "../../../src/xen/toolstack/guest-kernel.ts";
import { XEND_3_1, XL_4_17 } from "../../../src/xen/toolstack/toolstack-profile.ts";
import { GuestVbdRings, HostVbdRings } from "../../../src/xen/toolstack/vbd-rings.ts";
import { EBS, EC2_DISKS, ec2Devices, World } from "./host-world.ts";

describe.each([
  [XEND_3_1, BLOCKS_2618],
  [XL_4_17, BLOCKS_6],
])("$name", (profile, behaviour) => {
  it("reads what was written to a disk, and loses the disk when it is detached", () => {
    let rings: GuestVbdRings | null = null;
    const devices = ec2Devices();
    const world: World = new World(profile, {
      devices,
      vbdPorts: {
        connect: (...args) => host.connect(...args),
        disconnect: (domid, devid) => host.disconnect(domid, devid),
      },
    });
    const host = new HostVbdRings(world.hypervisor, behaviour);
    const { domid } = world.host.create(
      {
        name: "dom_1",
        disks: EC2_DISKS,
        pages: 256,
        guest: (io) => {
          rings = new GuestVbdRings(io, world.hypervisor, profile.vbdProtocol, host);
          return { ...world.guest(io), vbd: rings };
        },
      },
      0,
    );
    const disks = rings as GuestVbdRings | null;
    expect(host.size).toBe(3);
    expect(disks?.find(2051)?.geometry).toEqual({ sectors: 1_835_008, info: 0 });
    const ask = (devid: number, operation: number, sector: number, octets: Uint8Array): number => {
      let status = 99;
      const completion = { completed: (answer: number): void => void (status = answer) };
      disks?.find(devid)?.front.submit({ operation, sector, octets, completion }, 0);
      return status;
    };
    const written = Uint8Array.from({ length: 9216 }, (_, at) => at % 251);
    expect(ask(2049, BlockOp.write, 20_971_502, written)).toBe(BlockStatus.okay);
    const read = new Uint8Array(9216);
    expect(ask(2049, BlockOp.read, 20_971_502, read)).toBe(BlockStatus.okay);
    expect(read).toEqual(written);
    expect(ask(2049, BlockOp.read, 20_971_503, read)).toBe(BlockStatus.error);
    expect(ask(2050, BlockOp.read, 20_971_502, read)).toBe(BlockStatus.okay);
    expect(read.every((octet) => octet === 0)).toBe(true);
    world.host.attach(domid, EBS, 0);
    expect(ask(2128, BlockOp.write, 0, written)).toBe(BlockStatus.okay);
    world.host.detach(domid, { type: "vbd", devid: 2128 }, 0);
    expect(disks?.find(2128)).toBeNull();
    expect(host.size).toBe(3);
    // The volume keeps what was written: it can be attached again.
    world.host.attach(domid, EBS, 0);
    expect(ask(2128, BlockOp.read, 0, read)).toBe(BlockStatus.okay);
    expect(read).toEqual(written);
    world.host.destroy(domid, 0);
    expect([host.size, world.hypervisor.dom0.table.mappings]).toEqual([0, 0]);
  });

  it("does after a restore what its guest asked for before it was saved", () => {
    let rings: GuestVbdRings | null = null;
    const world: World = new World(profile, {
      vbdPorts: {
        connect: (...args) => host.connect(...args),
        disconnect: (domid, devid) => host.disconnect(domid, devid),
      },
    });
    const host = new HostVbdRings(world.hypervisor, behaviour);
    const guest = (io: DomainIo): GuestPorts => {
      rings = new GuestVbdRings(io, world.hypervisor, profile.vbdProtocol, host);
      return { ...world.guest(io), vbd: rings };
    };
    const { domid } = world.host.create({ name: "dom_1", disks: EC2_DISKS, pages: 256, guest }, 0);
    const front = (): Blkfront | null => rings?.find(2049)?.front ?? null;
    const answers: string[] = [];
    const ask = (name: string, operation: number, octets: Uint8Array): void => {
      const completion = {
        completed: (status: number): void => void answers.push(`${name} ${status}`),
      };
      front()?.submit({ operation, sector: 7, octets, completion }, 0);
    };
    const { events } = world.hypervisor;
    ask("first", BlockOp.write, new Uint8Array(512).fill(1));
    events.setRunnable(0, false, 0);
    ask("second", BlockOp.write, new Uint8Array(512).fill(2));
    const read = new Uint8Array(512);
    ask("third", BlockOp.read, read);
    expect(answers).toEqual(["first 0"]);
    const image = world.host.save(domid, 1);
    expect([answers, image.unanswered.get(2049)?.placed.length]).toEqual([["first 0"], 2]);
    events.setRunnable(0, true, 1);
    expect(host.size).toBe(0);
    const restored = world.host.restore(image, 2);
    expect([restored.status, restored.failure]).toEqual(["running", null]);
    expect(answers).toEqual(["first 0", "second 0", "third 0"]);
    expect(read[0]).toBe(2);
    // Where its disk is not there any more, it has no answer ever.
    events.setRunnable(0, false, 3);
    ask("fourth", BlockOp.write, new Uint8Array(512));
    const again = world.host.save(restored.domid, 3);
    events.setRunnable(0, true, 3);
    const without = { ...again, request: { ...again.request, disks: [] } };
    const last = world.host.restore(without, 4);
    expect(answers).toHaveLength(3);
    world.host.destroy(last.domid, 5);
    expect([host.size, world.hypervisor.dom0.table.mappings]).toEqual([0, 0]);
  });
});
