/** The rings of a host's disks: what the xenbus halves of blkback and blkfront open. @module */
import type { Machine } from "../../base/machine.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import type { BlockDevice } from "../../storage/block-device.ts";
import type { DomainIo, Hypervisor } from "../hypervisor/hypervisor.ts";
import { BLOCK_ABI_32, BLOCK_ABI_64, type BlockAbi, BlockStatus } from "../io/blkif.ts";
import { Blkback } from "../io/blkback.ts";
import { Blkfront, type UnansweredRequests } from "../io/blkfront.ts";
import type { BlockBehaviour } from "../io/block-behaviour.ts";
import type { ConnectedDisk, DiskGeometry, GuestVbdPorts, OfferedVbdRing } from "./vbd-frontend.ts";
import type { VbdPorts, VbdRings } from "./vbd-backend.ts";

/** Requests that a disk answered. */
const answeredBy = ({ counts }: Blkback): number =>
  counts.reads + counts.writes + counts.barriers + counts.flushes + counts.discards + counts.errors;

const abiOf = (protocol: string): BlockAbi =>
  protocol === BLOCK_ABI_32.name ? BLOCK_ABI_32 : BLOCK_ABI_64;

/** Dom0's side: one {@link Blkback} for each disk that is connected. */
export class HostVbdRings implements VbdPorts<BlockDevice>, Machine {
  readonly #hypervisor: Hypervisor;
  readonly behaviour: BlockBehaviour;
  readonly #onChange: (rings: Machine) => void;
  /** By domid and devid. */
  readonly #backends = new Map<number, Map<number, Blkback>>();
  /** Requests that disks served which are connected no more, by domain. */
  readonly #served = new Map<number, number>();
  /** Those with more to serve than one turn takes. */
  readonly #busy = new Set<Blkback>();
  /** The soonest deadline that was told of. */
  #told: Instant = NEVER;

  /** @param onChange told when the deadline may have moved. */
  constructor(
    hypervisor: Hypervisor,
    behaviour: BlockBehaviour,
    onChange: (rings: Machine) => void = () => undefined,
  ) {
    this.#hypervisor = hypervisor;
    this.behaviour = behaviour;
    this.#onChange = onChange;
  }

  /** Disks that are connected. */
  get size(): number {
    let size = 0;
    for (const disks of this.#backends.values()) size += disks.size;
    return size;
  }

  /** @returns `null` if it is not connected. */
  find(domid: number, devid: number): Blkback | null {
    return this.#backends.get(domid)?.get(devid) ?? null;
  }

  /** Requests of a domain that were answered, by all of its disks. */
  requestsOf(domid: number): number {
    let requests = this.#served.get(domid) ?? 0;
    for (const disk of this.#backends.get(domid)?.values() ?? []) requests += answeredBy(disk);
    return requests;
  }

  /** The domain is gone: its number is another's. */
  forget(domid: number): void {
    this.#served.delete(domid);
  }

  connect(rings: VbdRings<BlockDevice>, now: Instant): boolean {
    const { domid, devid, ringRef, eventChannel, protocol, disk, isReadonly, isPersistent } = rings;
    const backend = new Blkback({
      disk,
      isReadonly,
      frontend: domid,
      grants: this.#hypervisor.dom0.table,
      events: this.#hypervisor.events,
      behaviour: this.behaviour,
    });
    const ring = { ringRef, port: eventChannel, abi: abiOf(protocol), isPersistent };
    if (ringRef < 0 || backend.connect(ring, now) !== null) return false;
    const disks = this.#backends.get(domid) ?? new Map<number, Blkback>();
    this.#backends.set(domid, disks.set(devid, backend));
    return true;
  }

  disconnect(domid: number, devid: number): void {
    const backend = this.find(domid, devid);
    if (backend === null) return;
    backend.disconnect();
    this.#served.set(domid, (this.#served.get(domid) ?? 0) + answeredBy(backend));
    const disks = this.#backends.get(domid);
    disks?.delete(devid);
    if (disks?.size === 0) this.#backends.delete(domid);
    this.#busy.delete(backend);
  }

  /** A front end has rung: its back end may have more to do than it did. */
  rung(domid: number, devid: number): void {
    const backend = this.find(domid, devid);
    if (backend === null || backend.nextDeadline() === NEVER) return;
    this.#busy.add(backend);
    if (backend.nextDeadline() >= this.#told) return;
    this.#told = backend.nextDeadline();
    this.#onChange(this);
  }

  nextDeadline(): Instant {
    let soonest = NEVER;
    for (const backend of this.#busy) soonest = Math.min(soonest, backend.nextDeadline());
    return soonest;
  }

  expire(now: Instant): void {
    for (const backend of this.#busy) {
      backend.expire(now);
      if (backend.nextDeadline() === NEVER) this.#busy.delete(backend);
    }
    this.#told = this.nextDeadline();
  }
}

/** A disk as a guest has it. */
export interface GuestDisk {
  readonly front: Blkfront;
  /** `null` until it is connected. */
  readonly geometry: DiskGeometry | null;
}

interface OpenDisk extends GuestDisk {
  readonly port: number;
  geometry: DiskGeometry | null;
}

/** Frames that a ring and the grants of one full request take. */
const LEAST_FRAMES = 12;

/** A domU's side: one {@link Blkfront} for each of its disks. */
export class GuestVbdRings implements GuestVbdPorts {
  readonly #io: DomainIo;
  readonly #hypervisor: Hypervisor;
  readonly #abi: BlockAbi;
  readonly #host: HostVbdRings;
  readonly #disks = new Map<number, OpenDisk>();
  /** Of a domain that goes on here, until their disks are connected. */
  readonly #unanswered = new Map<number, UnansweredRequests>();

  /** @param protocol "x86_32-abi" or "x86_64-abi". @param host where its back ends are. */
  constructor(io: DomainIo, hypervisor: Hypervisor, protocol: string, host: HostVbdRings) {
    this.#io = io;
    this.#hypervisor = hypervisor;
    this.#abi = abiOf(protocol);
    this.#host = host;
  }

  /** By the number of the virtual device; `null` if it has none. */
  find(devid: number): GuestDisk | null {
    return this.#disks.get(devid) ?? null;
  }

  open(devid: number, backendId: number, now: Instant): OfferedVbdRing | null {
    const { memory, grants } = this.#io;
    const { events } = this.#hypervisor;
    if (memory.pages - memory.allocated < LEAST_FRAMES || grants.available < LEAST_FRAMES) {
      return null;
    }
    const port = events.allocUnbound(memory.domid, backendId);
    const notifier = events.portOf(memory.domid, port);
    if (notifier === null) return null;
    const front = new Blkfront({
      memory,
      grants,
      backend: backendId,
      handle: devid,
      abi: this.#abi,
      behaviour: this.#host.behaviour,
      notifier: {
        notify: (at) => {
          notifier.notify(at);
          this.#host.rung(memory.domid, devid);
        },
      },
    });
    events.setHandler(memory.domid, port, front, now);
    this.#disks.set(devid, { front, port, geometry: null });
    return { ringRef: front.ringRef, eventChannel: port };
  }

  connected(devid: number, connected: ConnectedDisk, now: Instant): void {
    const disk = this.#disks.get(devid);
    if (disk === undefined) return;
    disk.geometry = { sectors: connected.sectors, info: connected.info };
    disk.front.negotiate(connected);
    const unanswered = this.#unanswered.get(devid);
    this.#unanswered.delete(devid);
    if (unanswered !== undefined) disk.front.recover(unanswered, now);
  }

  suspend(): ReadonlyMap<number, UnansweredRequests> {
    const unanswered = new Map(this.#unanswered);
    for (const [devid, { front, geometry }] of this.#disks) {
      if (geometry !== null) unanswered.set(devid, front.suspend());
    }
    this.#unanswered.clear();
    return unanswered;
  }

  resume(unanswered: ReadonlyMap<number, UnansweredRequests>): void {
    for (const [devid, requests] of unanswered) this.#unanswered.set(devid, requests);
  }

  stop(devid: number): void {
    this.#disks.get(devid)?.front.stop();
  }

  close(devid: number, now: Instant): void {
    const { placed = [], queued = [] } = this.#unanswered.get(devid) ?? {};
    this.#unanswered.delete(devid);
    for (const { completion } of [...placed, ...queued]) {
      completion.completed(BlockStatus.error, now);
    }
    const disk = this.#disks.get(devid);
    if (disk === undefined) return;
    this.#disks.delete(devid);
    this.#hypervisor.events.close(this.#io.memory.domid, disk.port);
    disk.front.close(now);
  }
}
