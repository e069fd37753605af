/** A domU's kernel, as far as its devices go: it boots, follows its toolstack, stops. @module */
import type { Instant } from "../../base/time.ts";
import type { UnansweredRequests } from "../io/blkfront.ts";
import { ShutdownReason } from "../hypervisor/domain-table.ts";
import { FrontendBus } from "./frontend-bus.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";
import { type GuestVbdPorts, VbdFrontend } from "./vbd-frontend.ts";
import { type GuestVifPorts, VifFrontend } from "./vif-frontend.ts";
import type { WatchQueue } from "./watch-queue.ts";

/** What runs in a domain: the rings of its devices. */
export interface GuestPorts {
  readonly vif: GuestVifPorts;
  readonly vbd: GuestVbdPorts;
}

/** What `control/shutdown` may ask for, and what a kernel then does. */
const REQUESTS = new Map<string, ShutdownReason>([
  ["poweroff", ShutdownReason.Poweroff],
  ["halt", ShutdownReason.Poweroff],
  ["reboot", ShutdownReason.Reboot],
  ["suspend", ShutdownReason.Suspend],
]);

/** The kernel of one domain from its boot to its end. */
export class GuestKernel {
  readonly #bus: FrontendBus;
  readonly #queue: WatchQueue;
  readonly #ports: GuestPorts;

  /** @param queue the domain's own connection to the store. */
  constructor(queue: WatchQueue, ports: GuestPorts, profile: ToolstackProfile) {
    this.#queue = queue;
    this.#ports = ports;
    this.#bus = new FrontendBus(queue, profile.kernel);
    this.#bus.register("vif", new VifFrontend(this.#bus, ports.vif, profile.vifFeatures));
    this.#bus.register(
      "vbd",
      new VbdFrontend(this.#bus, ports.vbd, profile.vbdProtocol, profile.vbdFeatures),
    );
  }

  /** Find the devices. @param onShutdown told when the kernel shuts itself down. */
  boot(now: Instant, onShutdown: (reason: ShutdownReason, now: Instant) => void): void {
    this.#bus.boot(now, (request, at) => {
      const reason = REQUESTS.get(request);
      if (reason !== undefined) onShutdown(reason, at);
    });
  }

  /** Its processors are held, or go on: it hears of nothing meanwhile. */
  pause(isPaused: boolean): void {
    this.#queue.hold(isPaused);
  }

  /** It suspends, and is to be stopped. @returns what its disks were asked and did not answer. */
  suspend(): ReadonlyMap<number, UnansweredRequests> {
    return this.#ports.vbd.suspend();
  }

  /** Nothing of it runs any more. */
  stop(now: Instant): void {
    this.#bus.stop(now);
    this.#queue.mute();
  }
}
