import { describe, expect, it } from "vitest";
import { BlockOp, BlockStatus } from "../../../src/xen/io/blkif.ts";
import { BLOCKS_2618, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";
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
});
