/** A host with Dom0, domUs, and virtual disks between them. @module */
import { type BlockDevice, DiskStatus, MemoryDisk } from "../../../src/storage/block-device.ts";
import { DomainMemory } from "../../../src/xen/hypervisor/domain-memory.ts";
import { EventChannels } from "../../../src/xen/hypervisor/event-channels.ts";
import type { EventPort } from "../../../src/xen/hypervisor/event-port.ts";
import { type GrantTable, GrantTables } from "../../../src/xen/hypervisor/grant-table.ts";
import { GuestGrants } from "../../../src/xen/hypervisor/guest-grants.ts";
import { Blkback } from "../../../src/xen/io/blkback.ts";
import { type BackFeatures, Blkfront, type BlockRequest } from "../../../src/xen/io/blkfront.ts";
import { BLOCK_ABI_64, type BlockAbi, BlockOp } from "../../../src/xen/io/blkif.ts";
import { type BlockBehaviour, BLOCKS_6 } from "../../../src/xen/io/block-behaviour.ts";

/** A domain and what its kernel has of its tables. */
export interface BlockDomain {
  readonly domid: number;
  readonly memory: DomainMemory;
  readonly table: GrantTable;
  readonly grants: GuestGrants;
}

/** What tables and channels know of all domains; domain 0 is there. */
export interface BlockHost {
  readonly tables: GrantTables;
  readonly events: EventChannels;
  readonly domain: (domid: number) => BlockDomain;
  readonly dom0: BlockDomain;
}

/** A host with Dom0. */
export function blockHost(pages = 512, isShared = false): BlockHost {
  const tables = new GrantTables();
  const events = new EventChannels();
  const domain = (domid: number): BlockDomain => {
    const memory = new DomainMemory({ domid, pages, isShared: isShared && domid !== 0 });
    events.create({ memory, isPrivileged: domid === 0 });
    const table = tables.create(memory);
    return { domid, memory, table, grants: new GuestGrants(memory, table.frames) };
  };
  return { tables, events, domain, dom0: domain(0) };
}

/** What a test says of a disk. */
export interface DiskOptions {
  readonly behaviour?: BlockBehaviour;
  readonly abi?: BlockAbi;
  readonly sectors?: number;
  readonly isReadonly?: boolean;
  readonly limit?: number;
  /** False: as a disk in a file, it has no discard. */
  readonly canDiscard?: boolean;
  /** What the two ends agree on; nothing. */
  readonly features?: Partial<BackFeatures>;
}

/** The port that `owner` opens for Dom0. */
export function openPort({ events }: BlockHost, owner: BlockDomain): EventPort {
  const port = events.portOf(owner.domid, events.allocUnbound(owner.domid, 0));
  if (port === null) throw new Error("a port is free");
  return port;
}

/** A disk behind its back end. */
export interface BackedDisk {
  readonly disk: MemoryDisk;
  readonly back: Blkback;
}

/** A disk of `owner`'s behind a back end that is not connected yet. */
export function diskOf(
  { dom0, events }: BlockHost,
  owner: BlockDomain,
  options: DiskOptions,
): BackedDisk {
  const { sectors = 1024, limit = 2 ** 24, isReadonly = false, behaviour = BLOCKS_6 } = options;
  const disk = new MemoryDisk({ sectors, limit });
  const back = new Blkback({
    disk: options.canDiscard === false ? undiscarding(disk) : disk,
    isReadonly,
    frontend: owner.domid,
    grants: dom0.table,
    events,
    behaviour,
  });
  return { disk, back };
}

/** The disk, without discard. */
export const undiscarding = (disk: BlockDevice): BlockDevice => ({
  sectors: disk.sectors,
  isReadonly: disk.isReadonly,
  discardUnit: null,
  read: (sector, into) => disk.read(sector, into),
  write: (sector, from) => disk.write(sector, from),
  discard: () => DiskStatus.notSupported,
  flush: () => disk.flush(),
});

/** A disk that its domain can use. */
export interface ConnectedDisk extends BackedDisk {
  readonly front: Blkfront;
  readonly port: EventPort;
  /** @returns the status of the answer; `null` while there is none. */
  readonly ask: (operation: number, sector: number, octets?: Uint8Array) => number | null;
  readonly discard: (sector: number, sectors: number, isSecure?: boolean) => number | null;
  readonly read: (sector: number, octets: number) => Uint8Array;
}

/** A disk with both ends, connected. */
export function connectedDisk(
  host: BlockHost,
  owner: BlockDomain,
  options: DiskOptions = {},
): ConnectedDisk {
  const { abi = BLOCK_ABI_64, features = null } = options;
  const { disk, back } = diskOf(host, owner, options);
  const port = openPort(host, owner);
  const { memory, grants } = owner;
  const { behaviour } = back;
  const front = new Blkfront({ memory, grants, handle: 2049, abi, notifier: port, behaviour });
  host.events.setHandler(owner.domid, port.number, front, 0);
  const isPersistent = features?.isPersistent ?? false;
  const ring = { ringRef: front.ringRef, port: port.number, abi, isPersistent };
  const wrong = back.connect(ring, 0);
  if (wrong !== null) throw new Error(wrong);
  front.negotiate({ isPersistent, indirectSegments: 0, discard: null, ...features });
  const submit = (request: Omit<BlockRequest, "completion">): number | null => {
    let answer: number | null = null;
    const completion = { completed: (status: number) => void (answer = status) };
    front.submit({ ...request, completion }, 0);
    return answer;
  };
  const ask = (
    operation: number,
    sector: number,
    octets: Uint8Array = new Uint8Array(0),
  ): number | null => submit({ operation, sector, octets });
  const discard = (sector: number, sectors: number, isSecure = false): number | null =>
    submit({ operation: BlockOp.discard, sector, octets: new Uint8Array(0), sectors, isSecure });
  const read = (sector: number, octets: number): Uint8Array => {
    const into = new Uint8Array(octets);
    if (ask(BlockOp.read, sector, into) !== 0) throw new Error("cannot be read");
    return into;
  };
  return { disk, back, front, port, ask, discard, read };
}
