/**
 * A Xen host below its network: hypervisor, store, toolstack, back ends and scripts, in one virtual
 * time. What one writes, the others act on when {@link XenHost.settle} hands the events round, in
 * the order in which they came; nobody runs inside another's call.
 * @module
 */
import type { Machine } from "../../base/machine.ts";
import type { Chance } from "../../base/prng.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import type { BlockDevice } from "../../storage/block-device.ts";
import { CreditScheduler, type WorkSource } from "../hypervisor/credit-scheduler.ts";
import { DomainError } from "../hypervisor/domain-error.ts";
import { DomainTable, ShutdownReason } from "../hypervisor/domain-table.ts";
import type { HostMemoryOptions } from "../hypervisor/host-memory.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { XenStore } from "../xenstore/store.ts";
import type { BackendDevice } from "./backend-bus.ts";
import { DomainChannels } from "./domain-channels.ts";
import { type DomainImage, takeImage } from "./domain-image.ts";
import { DomainLives, type DomainListener } from "./domain-lives.ts";
import { Dom0Services, type Dom0ServicesOptions } from "./dom0-services.ts";
import { EventLoop } from "./event-loop.ts";
import type { HostBlockDevices } from "./host-block-devices.ts";
import { HostLists } from "./host-lists.ts";
import {
  type DomainEntry,
  type DomainRequest,
  type ManagedDomain,
  withDevice,
  withoutDevice,
} from "./managed-domain.ts";
import type { Task } from "./task.ts";
import type { DeviceName, DiskConfig, NicConfig, Toolstack } from "./toolstack.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";
import { checkRates } from "./vif-rate.ts";

/** What a host is made of. */
export interface XenHostOptions extends Dom0ServicesOptions {
  readonly hypervisor: Hypervisor;
  readonly memory: HostMemoryOptions;
  /** Physical processors; 2. */
  readonly cpus?: number;
  /** What domains do besides what their scheduler is told; nothing. */
  readonly work?: WorkSource;
  /** Draws uuids. */
  readonly chance: Chance;
  /** Hears what becomes of domains. */
  readonly listener?: Partial<DomainListener>;
  /** Told when the deadline may have moved: the place of a scheduler's `reschedule`. */
  readonly onChange?: (host: Machine) => void;
}

/** One host. */
export class XenHost implements Machine {
  readonly profile: ToolstackProfile;
  readonly hypervisor: Hypervisor;
  readonly store: XenStore;
  readonly table: DomainTable;
  readonly scheduler: CreditScheduler;
  readonly devices: HostBlockDevices<BlockDevice>;
  /** What `xm list` or `xl list` prints, and its kin. */
  readonly lists: HostLists;
  readonly #options: XenHostOptions;
  readonly #channels: DomainChannels;
  readonly #loop: EventLoop;
  readonly #services: Dom0Services;
  readonly #lives: DomainLives;

  constructor(options: XenHostOptions) {
    const { profile, hypervisor, memory } = options;
    this.#options = options;
    this.profile = profile;
    this.hypervisor = hypervisor;
    this.devices = options.devices;
    this.table = new DomainTable({
      ...memory,
      isReferenced: (domid) => this.#services.bus.countOf(domid) > 0,
      onGone: (domid) => this.#lives.gone(domid),
    });
    this.scheduler = new CreditScheduler({
      cpus: options.cpus ?? 2,
      behaviour: profile.credit,
      ...(options.work === undefined ? {} : { work: options.work }),
    });
    this.scheduler.add(0, { weight: 256, cap: 0, vcpus: 1 });
    this.#channels = new DomainChannels(this.table, hypervisor.events, {
      introduced: (domid) => this.#services.console.add(domid),
      released: (domid) => this.#services.console.remove(domid),
    });
    this.store = new XenStore({ behaviour: profile.store, host: this.#channels });
    this.#loop = new EventLoop(
      (now) => this.#work(now),
      () => options.onChange?.(this),
    );
    this.#services = new Dom0Services(options, this.store, this.#loop, {
      destroyDomain: (domid, now) => this.#lives.kill(domid, now),
      pauseDomain: (domid, now) => this.#lives.pause(domid, now),
    });
    this.#lives = new DomainLives({
      profile,
      hypervisor,
      table: this.table,
      scheduler: this.scheduler,
      channels: this.#channels,
      store: this.store,
      loop: this.#loop,
      settle: (now) => this.settle(now),
      toolstack: () => this.#toolstack,
      chance: options.chance,
      wrapSession: options.wrapSession ?? null,
      listener: options.listener ?? {},
    });
    this.lists = new HostLists({
      style: profile.listStyle,
      table: this.table,
      scheduler: this.scheduler,
      client: this.#services.toolstackQueue.client,
    });
    this.#toolstack.prepare(memory.dom0Kib, 0);
    this.settle(0);
  }

  /** The domains that are not gone, by their coming. */
  get domains(): Iterable<ManagedDomain> {
    return this.#lives.all;
  }

  /** Back ends that Dom0's kernel has. */
  get backends(): Iterable<BackendDevice> {
    return this.#services.bus.devices;
  }

  /** @returns `null` if there is none. */
  find(domid: number): ManagedDomain | null {
    return this.#lives.find(domid);
  }

  /**
   * Create a domain: paused at first, it runs when its devices are set up. That takes no time
   * unless a script does.
   * @throws {DomainError} if domid, name or memory are not to be had, {ParseError} for a rate.
   */
  create(request: DomainRequest, now: Instant): ManagedDomain {
    return this.#create(request, now, null);
  }

  /** Destroy a domain in any state; nothing if it is not there. */
  destroy(domid: number, now: Instant): void {
    const entry = this.#lives.find(domid);
    if (entry === null || entry.status === "closing") return;
    this.#lives.tasks.cancel(entry);
    this.#lives.start(entry, this.#lives.close(entry), now);
  }

  /** A domain that is gone is not restarted, if that was still to come (xl waits two seconds). */
  giveUp(domain: ManagedDomain): void {
    if (domain.status === "gone") this.#lives.tasks.cancel(domain);
  }

  /** Add a device to a running domain. @throws {DomainError} "no-domain" or "domain-state". */
  attach(domid: number, device: DiskConfig | NicConfig, now: Instant): void {
    const entry = this.#running(domid);
    checkRates(this.profile, [device]);
    this.#lives.start(entry, this.#attach(entry, device), now);
  }

  /** Take a device from a running domain, as soon as its guest lets it go. @throws as attach. */
  detach(domid: number, device: DeviceName, now: Instant): void {
    const entry = this.#running(domid);
    entry.request = withoutDevice(entry.request, device);
    this.#lives.start(entry, this.#toolstack.detach(entry.toolstack, device), now);
  }

  /**
   * Ask the guest to shut down, by its node `control/shutdown`; xend destroys one that still runs
   * after 30 seconds. @throws as attach.
   */
  requestShutdown(domid: number, request: "poweroff" | "reboot" | "suspend", now: Instant): void {
    const entry = this.#running(domid);
    this.#toolstack.requestShutdown(entry.toolstack, request, now);
    if (request !== "suspend" && this.profile.shutdownTimeout < NEVER) {
      this.#lives.start(entry, this.#awaitShutdown(entry), now);
    } else this.settle(now);
  }

  /** The guest shuts itself down, or crashes. @throws {DomainError} if it is gone. */
  guestShutdown(domid: number, reason: ShutdownReason, now: Instant): void {
    this.#lives.shutDown(this.#get(domid), reason, now);
  }

  /**
   * Ask the guest to suspend, keep what it is, and destroy the domain (`xm save`).
   * @throws {DomainError} if it does not run, is paused, or has no kernel that would suspend.
   */
  save(domid: number, now: Instant): DomainImage {
    const entry = this.#running(domid);
    const suspends = "a guest that suspends";
    if (entry.kernel === null || this.table.find(domid)?.isPaused === true) {
      throw new DomainError("domain-state", domid, suspends);
    }
    this.requestShutdown(domid, "suspend", now);
    if (this.table.find(domid)?.shutdown !== ShutdownReason.Suspend) {
      throw new DomainError("domain-state", domid, suspends);
    }
    const image = takeImage(entry, this.#toolstack.client);
    entry.next = "image";
    this.destroy(domid, now);
    return image;
  }

  /**
   * Make a domain of an image (`xm restore`): its domid is another, its devices connect anew.
   * @throws {DomainError} as {@link create}.
   */
  restore(image: DomainImage, now: Instant): ManagedDomain {
    return this.#create(image.request, now, image);
  }

  /** Hold a domain; holds nest. @throws {DomainError} if it is not there, or dying. */
  pause(domid: number, now: Instant): void {
    this.#lives.pause(domid, now);
  }

  /** Let go of one hold. @throws {DomainError} as {@link pause}, and if it is not held. */
  unpause(domid: number, now: Instant): void {
    this.#lives.unpause(domid, now);
    this.settle(now);
  }

  nextDeadline(): Instant {
    return Math.min(
      this.#loop.nextDeadline(),
      this.#services.agent.nextDeadline(),
      this.#lives.tasks.nextDeadline(),
      this.scheduler.nextDeadline(),
    );
  }

  expire(now: Instant): void {
    this.scheduler.expire(now);
    this.settle(now);
  }

  /** Let everybody act on what changed, until nobody has anything to do. */
  settle(now: Instant): void {
    this.#loop.settle(now);
    this.#options.onChange?.(this);
  }

  get #toolstack(): Toolstack {
    return this.#services.toolstack;
  }

  #work(now: Instant): boolean {
    const { agent } = this.#services;
    const scripts = agent.size;
    agent.expire(now);
    const hasScripts = agent.size !== scripts;
    return this.#lives.tasks.run(now) || hasScripts;
  }

  #create(request: DomainRequest, now: Instant, image: DomainImage | null): ManagedDomain {
    checkRates(this.profile, request.nics ?? []);
    const entry = this.#lives.allocate(request, now, Number.NEGATIVE_INFINITY);
    this.#lives.start(entry, this.#lives.launch(entry, image), now);
    return entry;
  }

  /** What is attached to a domain is there again after a restart. */
  *#attach(entry: DomainEntry, device: DiskConfig | NicConfig): Task {
    entry.failure = null;
    yield* this.#toolstack.attach(entry.toolstack, device, ({ reason }) => {
      entry.failure = reason;
    });
    if (entry.failure === null) entry.request = withDevice(entry.request, device);
  }

  /** A guest that does not do what it was asked for is destroyed, by xend. */
  *#awaitShutdown(entry: DomainEntry): Task {
    const until = this.#loop.now + this.profile.shutdownTimeout;
    const hasEnded = yield { isMet: () => entry.status !== "running", until };
    if (!hasEnded) this.destroy(entry.domid, this.#loop.now);
  }

  #get(domid: number): DomainEntry {
    const entry = this.#lives.find(domid);
    if (entry === null) throw new DomainError("no-domain", domid, "the domid of a domain");
    return entry;
  }

  #running(domid: number): DomainEntry {
    const entry = this.#get(domid);
    if (entry.status !== "running") {
      throw new DomainError("domain-state", entry.status, "a running domain");
    }
    return entry;
  }
}
