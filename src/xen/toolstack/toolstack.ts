/** What a toolstack is told of a domain, and what it does about it. @module */
import type { Instant } from "../../base/time.ts";
import type { DomainInfo } from "../hypervisor/domain-table.ts";
import type { StoreClient } from "../xenstore/client.ts";
import type { BackendDevice } from "./backend-bus.ts";
import type { DeviceClass } from "./device-path.ts";
import type { Task } from "./task.ts";

/** A disk of a domain, as its configuration has it. */
export interface DiskConfig {
  /** "sda1". */
  readonly dev: string;
  /** `phy`: a block device of Dom0. `file`: a file, reached by a loop device. */
  readonly type: "phy" | "file";
  /** "/dev/VolGroupDomU/instance_swap_store_3". */
  readonly params: string;
  readonly mode: "r" | "w" | "w!";
  /** `discard` or `no-discard` of xl; without, a disk may discard if it may be written. */
  readonly discard?: boolean;
}

/** A network interface of a domain, as its configuration has it. */
export interface NicConfig {
  /** As the store is to show it: "12:31:39:00:A5:11". */
  readonly mac: string;
  /** "/etc/xen/scripts/ec2-vif-route-dhcpd". */
  readonly script: string;
  /** "10.251.34.5", several with blanks between; `null` for none. */
  readonly ip: string | null;
  /** What it may send: "10Mb/s@50ms"; without, as much as it can. */
  readonly rate?: string | null;
}

/** What the kernel of a domain is started with. */
export interface KernelConfig {
  readonly path: string;
  readonly ramdisk: string;
  readonly commandLine: string;
}

/** A domain under the care of a toolstack. */
export interface ToolstackDomain {
  readonly info: DomainInfo;
  readonly kernel: KernelConfig;
  readonly disks: readonly DiskConfig[];
  readonly nics: readonly NicConfig[];
  /** Frame and event channel of its store ring. */
  readonly storeGfn: number;
  readonly storePort: number;
  /** Frame and event channel of its console. */
  readonly consoleGfn: number;
  readonly consolePort: number;
}

/** A device that a toolstack made. */
export interface DeviceName {
  readonly type: DeviceClass;
  readonly devid: number;
}

/** What Dom0's scripts can be started for. */
export type ScriptName = "block-add" | "block-remove" | "vif-online" | "vif-offline" | "cleanup";

/** What a toolstack stands on. */
export interface ToolstackParts {
  /** A connection for itself. */
  readonly client: StoreClient;
  /** Watch a path, so that it is told to look; returns what ends that. */
  readonly watch: (path: string, token: string) => () => void;
  /** Microseconds since 1970. */
  readonly clock: (now: Instant) => number;
  /** Start a script. @returns what tells whether it has ended. */
  readonly runScript: (name: ScriptName, device: BackendName, now: Instant) => () => boolean;
  /** Kill the scripts that set up devices of a domain. */
  readonly killScripts: (domid: number) => void;
  /** Kill a domain; its devices may still be there. */
  readonly destroyDomain: (domid: number, now: Instant) => void;
  readonly pauseDomain: (domid: number, now: Instant) => void;
  /** The time, where a task has waited. */
  readonly now: () => Instant;
}

/** Which back end a script is for. */
export type BackendName = Pick<BackendDevice, "type" | "domid" | "devid">;

/** A device could not be set up: what people are told. */
export interface DeviceFailure {
  readonly device: DeviceName;
  readonly reason: string;
}

/** xend or xl. Its tasks write what the real one writes, in the same order and transactions. */
export interface Toolstack {
  /** Its own connection to the store. */
  readonly client: StoreClient;
  /** Dom0's own nodes. */
  prepare(memoryKib: number, now: Instant): void;
  /** From the creation of the domain until it may run; its devices are set up, or one failed. */
  build(domain: ToolstackDomain, onFailure: (failure: DeviceFailure) => void): Task;
  /** Set up one more device of a running domain. */
  attach(
    domain: ToolstackDomain,
    device: DiskConfig | NicConfig,
    onFailure: (failure: DeviceFailure) => void,
  ): Task;
  /** Take a device from a running domain. */
  detach(domain: ToolstackDomain, device: DeviceName): Task;
  /**
   * Destroy a domain and all that was set up for it.
   * @param isRestarting true: its VM goes on in another domain.
   */
  destroy(domain: ToolstackDomain, isRestarting: boolean): Task;
  /** Ask a guest to shut down, by its own node. */
  requestShutdown(domain: ToolstackDomain, request: string, now: Instant): void;
  /** What a domain that shut down is called when it is kept beside its successor. */
  nameOfPreserved(domain: ToolstackDomain, uuid: string): string;
  /** A domain that shut down is kept, under another name if `name` is not `null`. */
  preserve(domain: ToolstackDomain, name: { name: string; uuid: string } | null): void;
}

/** True if it is a disk. */
export const isDisk = (device: DiskConfig | NicConfig): device is DiskConfig => "dev" in device;

/**
 * Remove a node and those above it that are empty then, as `xenstore-rm -t` does.
 * @returns false if it was not there.
 */
export function removeTidily(client: StoreClient, path: string): boolean {
  if (client.find(path) === null) return false;
  client.rm(path);
  for (let parent = parentOf(path); parent !== "" && isEmpty(client, parent);) {
    client.rm(parent);
    parent = parentOf(parent);
  }
  return true;
}

const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));

const isEmpty = (client: StoreClient, path: string): boolean =>
  client.find(path) === "" && client.list(path).length === 0;
