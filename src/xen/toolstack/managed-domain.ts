/** A domain under the care of a host: what was asked for, and how it stands. @module */
import type { Chance } from "../../base/prng.ts";
import type { Instant } from "../../base/time.ts";
import type { DomainIo } from "../hypervisor/hypervisor.ts";
import type { DomainConfig, ShutdownAction } from "../hypervisor/domain-table.ts";
import { M1_SMALL_KIB } from "../hypervisor/host-memory.ts";
import type { UnansweredRequests } from "../io/blkfront.ts";
import type { GuestKernel, GuestPorts } from "./guest-kernel.ts";
import { drawUuid } from "./uuid.ts";
import { virtualDevice } from "./device-path.ts";
import {
  type DeviceName,
  type DiskConfig,
  isDisk,
  type KernelConfig,
  type NicConfig,
  type ToolstackDomain,
} from "./toolstack.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";

/** What a domain is to be. */
export interface DomainRequest {
  /** "dom_32504936". */
  readonly name: string;
  /** The host draws one unless given. */
  readonly uuid?: string;
  /** An m1.small's unless given. */
  readonly memoryKib?: number;
  /** 1. */
  readonly vcpus?: number;
  /** 256. */
  readonly weight?: number;
  /** 0: none. */
  readonly cap?: number;
  /** "destroy". */
  readonly onPoweroff?: ShutdownAction;
  /** "restart". */
  readonly onReboot?: ShutdownAction;
  /** The toolstack's own: xend's is "restart", xl's "destroy". */
  readonly onCrash?: ShutdownAction;
  /** The host's next unless given. */
  readonly domid?: number | null;
  readonly kernel?: KernelConfig;
  readonly disks?: readonly DiskConfig[];
  readonly nics?: readonly NicConfig[];
  /** Frames of its memory that input and output touch; 4,096. */
  readonly pages?: number;
  /**
   * Its drivers' rings, as it boots, or as it goes on where its image was taken (`isResumed`);
   * `null`: no kernel of ours runs in it.
   */
  readonly guest?: ((io: DomainIo, isResumed: boolean) => GuestPorts) | null;
  /** Told when it may run for the first time. */
  readonly onStart?: (now: Instant) => void;
}

/**
 * `building`: its devices are being set up. `running`: it may run, whatever it does. `shutdown`: it
 * is kept as it ended. `closing`: it is being destroyed. `gone`: nothing of it is left.
 */
export type DomainStatus = "building" | "running" | "shutdown" | "closing" | "gone";

/** One domain of a {@link XenHost}; a live view. */
export interface ManagedDomain {
  readonly domid: number;
  readonly name: string;
  /** What it would be again after a restart: devices that came and went are considered. */
  readonly request: DomainRequest;
  readonly status: DomainStatus;
  /** Why it could not be built; `null` if it was. */
  readonly failure: string | null;
  readonly io: DomainIo;
  readonly toolstack: ToolstackDomain;
}

/** What the host itself keeps of it. */
export interface DomainEntry extends ManagedDomain {
  name: string;
  request: DomainRequest;
  status: DomainStatus;
  failure: string | null;
  toolstack: ToolstackDomain;
  /** `null` before it boots, and without one of ours. */
  kernel: GuestKernel | null;
  /** What its disks did not answer before it suspended, by devid. */
  unanswered: ReadonlyMap<number, UnansweredRequests>;
  /** When its VM was restarted last; -Infinity for never. */
  readonly restartedAt: Instant;
  /** Where its VM goes on when it is gone; `null`: nowhere. */
  next: "domain" | "image" | null;
}

/** What a request leaves open, as the toolstack would have it. @param chance draws a uuid. */
export const configOf = (
  request: DomainRequest,
  chance: Chance,
  { onCrash }: ToolstackProfile,
): DomainConfig => ({
  name: request.name,
  uuid: request.uuid ?? drawUuid(chance),
  memoryKib: request.memoryKib ?? M1_SMALL_KIB,
  vcpus: request.vcpus ?? 1,
  weight: request.weight ?? 256,
  cap: request.cap ?? 0,
  onPoweroff: request.onPoweroff ?? "destroy",
  onReboot: request.onReboot ?? "restart",
  onCrash: request.onCrash ?? onCrash,
});

/** A domain as it is to be again once `device` was attached. */
export function withDevice(request: DomainRequest, device: DiskConfig | NicConfig): DomainRequest {
  const { disks = [], nics = [] } = request;
  return isDisk(device)
    ? { ...request, disks: [...disks, device] }
    : { ...request, nics: [...nics, device] };
}

/** A domain as it is to be again once a device was detached. */
export function withoutDevice(request: DomainRequest, { type, devid }: DeviceName): DomainRequest {
  const { disks = [], nics = [] } = request;
  return type === "vbd"
    ? { ...request, disks: disks.filter(({ dev }) => virtualDevice(dev) !== devid) }
    : { ...request, nics: nics.filter((_, index) => index !== devid) };
}
