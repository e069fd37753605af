/**
 * VMs as a zone's hosts keep them: what was asked for, and the domain that each one is at the time.
 * @module
 */
import type { EmulatorError } from "../base/errors.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Netback } from "../xen/io/netback.ts";
import type { DomainImage } from "../xen/toolstack/domain-image.ts";
import type { DomainRequest, ManagedDomain } from "../xen/toolstack/managed-domain.ts";
import type { GuestVbdRings } from "../xen/toolstack/vbd-rings.ts";
import type { Vif, VifConfig } from "../xen/vif.ts";
import type { InstanceDisks } from "./instance-store.ts";

/** What a domain is launched with. */
export interface DomainPlan {
  readonly name: string;
  /** `null` for the host's next; a restarted domain has another. */
  readonly domid: number | null;
  /** All but what the toolstack knows. */
  readonly vif: Omit<VifConfig, "domid" | "domain">;
  /**
   * The domU boots, or goes on where its image was taken (`isResumed`): its own end of its network.
   */
  readonly boot: (isResumed: boolean) => Device;
  readonly hasInstanceStore: boolean;
  /** What the vif takes from the domU, as xm and xl read it: "10Mb/s@50ms"; `null`: no limit. */
  readonly rate: string | null;
  /** What is done when it has shut down; what is left out is the toolstack's decision. */
  readonly actions: ShutdownActions;
}

/** What is done when a domain has shut down: `on_poweroff`, `on_reboot`, `on_crash`. */
export type ShutdownActions = Pick<DomainRequest, "onPoweroff" | "onReboot" | "onCrash">;

/** A volume to attach. */
export interface VolumeOptions {
  /** What the domU is to call it: "sdf". */
  readonly dev: string;
  /** What Dom0 calls it: "/dev/gnbd89". */
  readonly path: string;
  /** Of 512 octets. */
  readonly sectors: number;
}

/** The vif of a domain, and Dom0's end of its rings: to be joined to the vif. */
export interface OnlineVif {
  readonly vif: Vif;
  readonly netback: Netback;
}

/**
 * How a VM stands. `building`: its devices are being set up. `shutdown`: its guest has ended, and
 * it is kept. `restarting`: its domain is gone, the next one is to come. `saved`: it is an image.
 */
export type VmState =
  | "building"
  | "running"
  | "paused"
  | "shutdown"
  | "restarting"
  | "saved"
  | "gone";

/** Hears what becomes of a host's VMs, by their names. */
export interface VmListener {
  /** It runs: for the first time, or again in another domain, with another vif. */
  started(name: string, online: OnlineVif, now: Instant): void;
  paused(name: string, isPaused: boolean, now: Instant): void;
  /** Nothing of its guest runs any more. */
  halted(name: string, now: Instant): void;
  /** Its vif goes offline. */
  offline(name: string, vif: Vif, now: Instant): void;
  /** Nothing of it is left. */
  ended(name: string, now: Instant): void;
  /** Its memory as it crashed, for the file at `path` of Dom0; borrowed until return. */
  dumped(name: string, path: string, memory: Uint8Array, now: Instant): void;
}

/** What is kept of a VM, by its name. */
export interface Vm {
  readonly plan: DomainPlan;
  readonly store: InstanceDisks | null;
  /** Block devices that were imported for it. */
  readonly volumes: string[];
  /** The domain that it is or was last; `null` before the first. */
  managed: ManagedDomain | null;
  /** While it is saved. */
  image: DomainImage | null;
  /** The last one, online or not. */
  vif: Vif | null;
  /** `null` while the vif is offline. */
  netback: Netback | null;
  disks: GuestVbdRings | null;
  /** What the vif's script failed with. */
  error: EmulatorError | null;
  isLaunched: boolean;
}

/** A VM that is nowhere: it can be restored. */
export interface SavedVm {
  readonly plan: DomainPlan;
  readonly image: DomainImage;
}

/** A VM that was never built, or is an image. */
export const newVm = (
  plan: DomainPlan,
  store: InstanceDisks | null,
  image: DomainImage | null,
): Vm => ({
  plan,
  store,
  volumes: [],
  managed: null,
  image,
  vif: null,
  netback: null,
  disks: null,
  error: null,
  isLaunched: false,
});

/** @returns `null` while its vif is offline. */
export const onlineOf = ({ vif, netback }: Vm): OnlineVif | null =>
  vif === null || netback === null ? null : { vif, netback };

/** A plan with the public address that the VM has by now. */
export const withAddress = (
  plan: DomainPlan,
  publicAddress: Ipv4Addr | null = null,
): DomainPlan => ({
  ...plan,
  vif: { ...plan.vif, publicAddress },
});
