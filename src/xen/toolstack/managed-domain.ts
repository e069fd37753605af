/** A domain under the care of a host: what was asked for, and how it stands. @module */
import type { Chance } from "../../base/prng.ts";
import type { Instant } from "../../base/time.ts";
import type { DomainIo } from "../hypervisor/hypervisor.ts";
import type { DomainConfig, ShutdownAction } from "../hypervisor/domain-table.ts";
import { M1_SMALL_KIB } from "../hypervisor/host-memory.ts";
import type { GuestKernel, GuestPorts } from "./guest-kernel.ts";
import { drawUuid } from "./uuid.ts";
import type { DiskConfig, KernelConfig, NicConfig, ToolstackDomain } from "./toolstack.ts";

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
  /** "restart", as xend has it. */
  readonly onCrash?: ShutdownAction;
  /** The host's next unless given. */
  readonly domid?: number | null;
  readonly kernel?: KernelConfig;
  readonly disks?: readonly DiskConfig[];
  readonly nics?: readonly NicConfig[];
  /** Frames of its memory that input and output touch; 4,096. */
  readonly pages?: number;
  /** Its drivers' rings, as it boots; `null`: no kernel of ours runs in it. */
  readonly guest?: ((io: DomainIo) => GuestPorts) | null;
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
  status: DomainStatus;
  failure: string | null;
  toolstack: ToolstackDomain;
  /** `null` before it boots, and without one of ours. */
  kernel: GuestKernel | null;
  /** When its VM was restarted last; -Infinity for never. */
  readonly restartedAt: Instant;
}

/** What a request leaves open, as xend would have it. @param chance draws a uuid. */
export const configOf = (request: DomainRequest, chance: Chance): DomainConfig => ({
  name: request.name,
  uuid: request.uuid ?? drawUuid(chance),
  memoryKib: request.memoryKib ?? M1_SMALL_KIB,
  vcpus: request.vcpus ?? 1,
  weight: request.weight ?? 256,
  cap: request.cap ?? 0,
  onPoweroff: request.onPoweroff ?? "destroy",
  onReboot: request.onReboot ?? "restart",
  onCrash: request.onCrash ?? "restart",
});
