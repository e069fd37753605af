/**
 * What differs between a host of Xen 3.1 with xend and Linux 2.6.18, as EC2 had it, and one of
 * Xen 4.17 with xl and a current Linux.
 * @module
 */
import { type Duration, NEVER, SECOND } from "../../base/time.ts";
import type { ShutdownAction } from "../hypervisor/domain-table.ts";
import { CREDIT_3_1, CREDIT_4_17, type CreditBehaviour } from "../hypervisor/credit-accounting.ts";
import { XENSTORE_3_1, XENSTORE_4_17, type XenstoreBehaviour } from "../xenstore/behaviour.ts";
import { BLOCK_SCRIPT_3_1, BLOCK_SCRIPT_4_17, type BlockScriptStyle } from "./block-script.ts";
import type { FrontendBusStyle } from "./frontend-bus.ts";
import type { ListStyle } from "./xl-text.ts";
import type { VbdBackendStyle } from "./vbd-backend.ts";
import type { VifBackendStyle } from "./vif-backend.ts";

/** Every behaviour of a host's toolstack, its drivers and its guests' drivers. */
export interface ToolstackProfile {
  readonly name: "xend-3.1" | "xl-4.17";
  readonly toolstack: "xend" | "xl";
  readonly store: XenstoreBehaviour;
  readonly credit: CreditBehaviour;
  readonly listStyle: ListStyle;
  /** See `BackendBusOptions`. */
  readonly marksClosed: boolean;
  readonly vifBackend: VifBackendStyle;
  readonly vbdBackend: VbdBackendStyle;
  readonly blockScript: BlockScriptStyle;
  /** When a hotplug script is killed: by udev, or by xl. */
  readonly scriptLimit: Duration;
  /** What a guest's kernel does besides its devices. */
  readonly kernel: FrontendBusStyle;
  /** What its netfront writes with its rings. */
  readonly vifFeatures: readonly (readonly [string, string])[];
  /** How its blkfront's ring is laid out: guests of m1.small were 32-bit. */
  readonly vbdProtocol: "x86_32-abi" | "x86_64-abi";
  /** What it writes after the protocol. */
  readonly vbdFeatures: readonly (readonly [string, string])[];
  /** What may be done with a domain that has shut down. */
  readonly actions: readonly ShutdownAction[];
  /** What is done after a crash unless the domain says. */
  readonly onCrash: ShutdownAction;
  /** A VM that is to be restarted again sooner is destroyed, so that it does not go on so. */
  readonly minimumRestartTime: Duration;
  /** From the end of a domain to the building of the next one. */
  readonly restartDelay: Duration;
  /** A domain that was asked to shut down and still runs then is destroyed. */
  readonly shutdownTimeout: Duration;
}

/** The four that both toolstacks know. */
const ACTIONS = ["destroy", "restart", "preserve", "rename-restart"] as const;

/** What netback and netfront say in either time, in this order. */
const NETBACK_FEATURES = [
  ["feature-sg", "1"],
  ["feature-gso-tcpv4", "1"],
  ["feature-rx-copy", "1"],
  ["feature-rx-flip", "0"],
] as const;
const NETFRONT_FEATURES = [
  ["request-rx-copy", "1"],
  ["feature-rx-notify", "1"],
  ["feature-sg", "1"],
  ["feature-gso-tcpv4", "1"],
] as const;

/** EC2 2010: Xen 3.1.2 of RHEL 5, blkback without barriers as consoles of the time report. */
export const XEND_3_1: ToolstackProfile = {
  name: "xend-3.1",
  toolstack: "xend",
  store: XENSTORE_3_1,
  credit: CREDIT_3_1,
  listStyle: "xm",
  marksClosed: false,
  vifBackend: {
    features: NETBACK_FEATURES,
    goesOnlineAtOnce: true,
    waitsForHotplug: false,
    watchesRate: false,
  },
  vbdBackend: {
    probeFeatures: [],
    features: [],
    tellsPhysicalSectors: false,
    nativeProtocol: "x86_64-abi",
  },
  blockScript: BLOCK_SCRIPT_3_1,
  scriptLimit: 180 * SECOND,
  kernel: {
    watches: ["memory/target", "control/shutdown", "control/sysrq"],
    writes: [],
    earlyWatches: [],
    lateWatches: ["cpu"],
  },
  vifFeatures: NETFRONT_FEATURES,
  vbdProtocol: "x86_32-abi",
  vbdFeatures: [],
  actions: ACTIONS,
  onCrash: "restart",
  // MINIMUM_RESTART_TIME and SHUTDOWN_TIMEOUT of XendDomainInfo.py.
  minimumRestartTime: 20 * SECOND,
  restartDelay: 0,
  shutdownTimeout: 30 * SECOND,
};

/** Xen 4.17 and Linux 6.1, as captures/real-xen/ shows them. */
export const XL_4_17: ToolstackProfile = {
  name: "xl-4.17",
  toolstack: "xl",
  store: XENSTORE_4_17,
  credit: CREDIT_4_17,
  listStyle: "xl",
  marksClosed: true,
  vifBackend: {
    features: NETBACK_FEATURES,
    goesOnlineAtOnce: false,
    waitsForHotplug: true,
    watchesRate: true,
  },
  vbdBackend: {
    probeFeatures: [["feature-max-indirect-segments", "256"]],
    features: [
      ["feature-flush-cache", "1"],
      "discard",
      ["feature-barrier", "1"],
      ["feature-persistent", "1"],
    ],
    tellsPhysicalSectors: true,
    nativeProtocol: "x86_64-abi",
  },
  blockScript: BLOCK_SCRIPT_4_17,
  scriptLimit: 40 * SECOND,
  kernel: {
    watches: ["memory/target", "control/shutdown", "control/sysrq"],
    writes: [
      ["control/feature-poweroff", "1"],
      ["control/feature-reboot", "1"],
      ["control/feature-suspend", "1"],
    ],
    earlyWatches: ["backend"],
    lateWatches: ["cpu"],
  },
  vifFeatures: NETFRONT_FEATURES,
  vbdProtocol: "x86_64-abi",
  vbdFeatures: [["feature-persistent", "1"]],
  actions: [...ACTIONS, "coredump-destroy", "coredump-restart"],
  onCrash: "destroy",
  minimumRestartTime: 0,
  // xl_vmcontrol.c sleeps for two seconds, as else building fails sometimes.
  restartDelay: 2 * SECOND,
  shutdownTimeout: NEVER,
};
