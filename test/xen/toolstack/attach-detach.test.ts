/** Devices that come and go on a running domain, with rings of their own, leave nothing behind. */
import { describe, expect, it } from "vitest";
import { parseMac } from "../../../src/wire/addr.ts";
import { Device, PatchCable, type Stack } from "../../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../../src/wire/packet.ts";
import type { DomainIo } from "../../../src/xen/hypervisor/hypervisor.ts";
import { BlockOp } from "../../../src/xen/io/blkif.ts";
import { Netback } from "../../../src/xen/io/netback.ts";
import { Netfront } from "../../../src/xen/io/netfront.ts";
import { EC2_2010, LINUX, type Profile } from "../../../src/xen/profile.ts";
import type { GuestPorts } from "../../../src/xen/toolstack/guest-kernel.ts";
import { GuestVbdRings, HostVbdRings } from "../../../src/xen/toolstack/vbd-rings.ts";
import { GuestVifRings, HostVifRings } from "../../../src/xen/toolstack/vif-rings.ts";
import { frameOf } from "../io/vif-pair.ts";
import { dump, EBS, EC2_NIC, World } from "./host-world.ts";

const EBS_DEVID = 2128;
const MAC = parseMac("12:31:39:00:a5:11");

/** A host whose one domain has real front ends, and no device yet. */
class Stage implements Stack {
  readonly world: World;
  readonly pool = new PacketPool({ slots: 256 });
  readonly domid: number;
  readonly io: DomainIo;
  readonly vbds: HostVbdRings;
  disks: GuestVbdRings | null = null;
  /** Frames that came to a guest's device, or to Dom0's. */
  arrived = 0;
  /** The vif that came last: its handle, the guest's device, and Dom0's. */
  last: { readonly handle: number; readonly guest: Device; readonly vif: Device } | null = null;
  readonly #vifs = new HostVifRings();
  readonly #profile: Profile;

  constructor(profile: Profile) {
    this.#profile = profile;
    this.world = new World(profile.toolstack, {
      vifPorts: this.#vifs,
      vbdPorts: {
        connect: (...args) => this.vbds.connect(...args),
        disconnect: (domid, devid) => this.vbds.disconnect(domid, devid),
      },
      vifScript: {
        online: ({ domid, devid }, now) => {
          this.#online(domid, devid, now);
          return null;
        },
        offline: ({ domid, devid }) => this.#vifs.remove(domid, devid),
      },
    });
    const { hypervisor, host } = this.world;
    this.vbds = new HostVbdRings(hypervisor, profile.blocks);
    const guest = (io: DomainIo): GuestPorts => this.#guest(io);
    ({ domid: this.domid, io: this.io } = host.create({ name: "dom_1", pages: 1024, guest }, 0));
  }

  /** What stands anywhere, in memory and in the store. */
  get traces(): Record<string, unknown> {
    const { world, domid, io } = this;
    const { events } = world.hypervisor;
    // The lowest port that is free is the one that comes next.
    const nextPort = (owner: number): number => {
      const port = events.allocUnbound(owner, 0);
      events.close(owner, port);
      return port;
    };
    return {
      ...world.leftovers,
      frames: io.memory.allocated,
      references: io.grants.available,
      ports: [nextPort(0), nextPort(domid)],
      packets: this.pool.live,
      vbds: this.vbds.size,
      // xend counts the vifs that it ever made.
      nodes: dump(world.host).filter((line) => !line.includes("nextDeviceID")),
    };
  }

  receive(_device: Device, packet: Packet, now: number): void {
    this.arrived += 1;
    packet.pool.end(packet, "delivered", "test/kept", now);
  }

  #guest(io: DomainIo): GuestPorts {
    const { hypervisor } = this.world;
    const { toolstack, netfront: behaviour } = this.#profile;
    const netfront = (handle: number): Netfront => {
      const guest = new Device({ name: `eth${handle}`, mac: MAC });
      guest.attachStack(this);
      const vif = this.last?.vif ?? guest;
      this.last = { handle, guest, vif };
      return new Netfront({ device: guest, pool: this.pool, grants: io.grants, behaviour });
    };
    this.disks = new GuestVbdRings(io, hypervisor, toolstack.vbdProtocol, this.vbds);
    const vif = new GuestVifRings({ io, hypervisor, host: this.#vifs, netfront });
    return { vif, vbd: this.disks };
  }

  #online(domid: number, handle: number, now: number): void {
    const { hypervisor } = this.world;
    const { netback: behaviour } = this.#profile;
    const vif = new Device({ name: `vif${domid}.${handle}`, mac: MAC });
    vif.attachStack(this);
    const netback = new Netback({ domid, vif, pool: this.pool, hypervisor, behaviour }, now);
    new PatchCable(netback.device, vif);
    this.#vifs.add(handle, netback);
    this.last = { handle, guest: this.last?.guest ?? vif, vif };
  }
}

/** One disk and one vif come, work, and go. */
function round(stage: Stage, now: number): void {
  const { world, domid, pool, disks } = stage;
  const { host } = world;
  host.attach(domid, EBS, now);
  host.attach(domid, EC2_NIC, now);
  const front = disks?.find(EBS_DEVID)?.front;
  let answers = 0;
  front?.submit(
    {
      operation: BlockOp.write,
      sector: 0,
      octets: new Uint8Array(8192).fill(7),
      completion: { completed: () => void (answers += 1) },
    },
    now,
  );
  const before = stage.arrived;
  for (const device of [stage.last?.guest, stage.last?.vif]) {
    const packet = pool.copyIn(frameOf(now));
    if (packet !== null) device?.transmit(packet, now);
  }
  expect([answers, stage.arrived - before]).toEqual([1, 2]);
  host.detach(domid, { type: "vbd", devid: EBS_DEVID }, now);
  host.detach(domid, { type: "vif", devid: stage.last?.handle ?? -1 }, now);
  expect(front?.lostFrames).toBe(0);
}

describe.each([EC2_2010, LINUX])("a running domain of $name", (profile) => {
  it("has every page, reference and port again after 5,000 devices", { timeout: 300_000 }, () => {
    const stage = new Stage(profile);
    round(stage, 1);
    const before = stage.traces;
    for (let now = 2; now <= 2500; now += 1) round(stage, now);
    expect(stage.traces).toEqual(before);
  });

  it("asks nothing more of a device that closes, and keeps its rings until it is gone", () => {
    const stage = new Stage(profile);
    const { world, domid, io, disks } = stage;
    const { host, hypervisor } = world;
    host.attach(domid, EBS, 1);
    const front = disks?.find(EBS_DEVID)?.front;
    const back = "/local/domain/0/backend/vbd/1/2128";
    const write = (node: string, value: string): void => {
      host.store.sessionOf(0)?.write(node, new TextEncoder().encode(value));
    };
    const frames = io.memory.allocated;
    expect(hypervisor.dom0.table.mappings).toBe(1);
    write(`${back}/online`, "1");
    write(`${back}/state`, "5");
    host.settle(2);
    const octets = new Uint8Array(512);
    const completion = { completed: (): void => undefined };
    expect(front?.submit({ operation: BlockOp.read, sector: 0, octets, completion }, 2)).toBe(
      false,
    );
    expect([hypervisor.dom0.table.mappings, io.memory.allocated]).toEqual([0, frames]);
    const ended = disks?.find(EBS_DEVID);
    expect(ended?.front).toBe(front);
    host.store.sessionOf(0)?.rm("/local/domain/1/device/vbd/2128");
    host.settle(3);
    expect([disks?.find(EBS_DEVID), io.memory.allocated]).toEqual([null, frames - 1]);
  });
});
