/** What runs in Dom0 on the store: back ends, hotplug scripts, xenconsoled, a toolstack. @module */
import type { Duration, Instant } from "../../base/time.ts";
import type { BlockDevice } from "../../storage/block-device.ts";
import type { StoreSession } from "../xenstore/session.ts";
import type { XenStore } from "../xenstore/store.ts";
import { BackendBus, type BackendDevice, type Uevent } from "./backend-bus.ts";
import { BlockScript } from "./block-script.ts";
import { ConsoleDaemon } from "./console-daemon.ts";
import type { EventLoop } from "./event-loop.ts";
import type { HostBlockDevices } from "./host-block-devices.ts";
import { HotplugAgent, type VifScript } from "./hotplug-agent.ts";
import type { BackendName, ScriptName, Toolstack, ToolstackParts } from "./toolstack.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";
import { VbdBackend, type VbdPorts } from "./vbd-backend.ts";
import { VifBackend, type VifPorts } from "./vif-backend.ts";
import type { WatchQueue } from "./watch-queue.ts";
import { Xend } from "./xend.ts";
import { Xl } from "./xl.ts";

/** What a host gives its Dom0. */
export interface Dom0ServicesOptions {
  readonly profile: ToolstackProfile;
  /** Dom0's disks and files. */
  readonly devices: HostBlockDevices<BlockDevice>;
  readonly vifPorts: VifPorts;
  readonly vbdPorts: VbdPorts<BlockDevice>;
  readonly vifScript: VifScript;
  /** How long a hotplug script takes; no time. `NEVER`: it hangs. */
  readonly scriptTime?: (name: ScriptName, device: BackendName) => Duration;
  /** Microseconds since 1970 at instant 0; 0. */
  readonly epoch?: number;
  /** Sees each connection before it is used, with its user's name: for traces. */
  readonly wrapSession?: (session: StoreSession, user: string) => StoreSession;
}

/** The hypervisor's part of a toolstack's work. */
export type HypervisorCalls = Pick<ToolstackParts, "destroyDomain" | "pauseDomain">;

/** Dom0's programs, each with a connection of its own. */
export class Dom0Services {
  readonly bus: BackendBus;
  readonly agent: HotplugAgent<BlockDevice>;
  readonly console: ConsoleDaemon;
  readonly toolstack: Toolstack;
  /** The toolstack's own connection. */
  readonly toolstackQueue: WatchQueue;
  readonly #profile: ToolstackProfile;

  constructor(
    options: Dom0ServicesOptions,
    store: XenStore,
    loop: EventLoop,
    calls: HypervisorCalls,
  ) {
    const { profile, devices, vifPorts, vbdPorts, vifScript, epoch = 0 } = options;
    const open = (session: StoreSession | null, user: string): WatchQueue =>
      loop.queueOf(
        session === null ? null : (options.wrapSession?.(session, user) ?? session),
        user,
      );
    this.#profile = profile;
    const kernel = open(store.sessionOf(0), "kernel");
    this.bus = new BackendBus({
      queue: kernel,
      onUevent: (...event) => this.#uevent(...event),
      marksClosed: profile.marksClosed,
    });
    this.console = new ConsoleDaemon(open(store.connect(), "xenconsoled"));
    this.agent = new HotplugAgent({
      client: open(store.connect(), "script").client,
      block: new BlockScript(devices, profile.blockScript),
      vif: vifScript,
      scriptTime: options.scriptTime ?? (() => 0),
      timeLimit: profile.scriptLimit,
    });
    this.bus.register("vif", new VifBackend(this.bus, kernel, vifPorts, profile.vifBackend));
    this.bus.register(
      "vbd",
      new VbdBackend(this.bus, kernel, vbdPorts, devices, profile.vbdBackend),
    );
    const queue = open(store.connect(), "toolstack");
    this.toolstackQueue = queue;
    const parts: ToolstackParts = {
      client: queue.client,
      watch: (path, token) => {
        const watching = queue.watch(path, () => undefined, token);
        return () => queue.unwatch(watching);
      },
      clock: (now) => epoch + now,
      runScript: (name, device, now) => this.agent.start(name, device, now),
      killScripts: (domid) => this.agent.kill(domid),
      now: () => loop.now,
      ...calls,
    };
    this.toolstack = profile.toolstack === "xend" ? new Xend(parts) : new Xl(parts);
  }

  /** With xend, udev starts the scripts; xl does it itself. */
  #uevent(event: Uevent, { type, domid, devid }: BackendDevice, now: Instant): void {
    if (this.#profile.toolstack !== "xend") return;
    const device = { type, domid, devid };
    if (event === "online") this.agent.start("vif-online", device, now);
    else if (event === "offline") this.agent.start("vif-offline", device, now);
    else if (type === "vbd") {
      this.agent.start(event === "add" ? "block-add" : "block-remove", device, now);
    }
    if (event === "remove") this.agent.start("cleanup", device, now);
  }
}
