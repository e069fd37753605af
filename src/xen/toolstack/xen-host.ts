/**
 * A Xen host below its network: hypervisor, store, toolstack, back ends and scripts, in one virtual
 * time. What one writes, the others act on when {@link XenHost.settle} hands the events round, in
 * the order in which they came; nobody runs inside another's call.
 * @module
 */
import { EmulatorError } from "../../base/errors.ts";
import type { Machine } from "../../base/machine.ts";
import type { Chance } from "../../base/prng.ts";
import { type Instant, NEVER, SECOND } from "../../base/time.ts";
import type { BlockDevice } from "../../storage/block-device.ts";
import { CreditScheduler } from "../hypervisor/credit-scheduler.ts";
import { DomainError } from "../hypervisor/domain-error.ts";
import { DomainTable, type ShutdownAction, ShutdownReason } from "../hypervisor/domain-table.ts";
import type { HostMemoryOptions } from "../hypervisor/host-memory.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import { XenStore } from "../xenstore/store.ts";
import type { BackendDevice } from "./backend-bus.ts";
import { DomainChannels } from "./domain-channels.ts";
import { type DomainImage, pourImage, takeImage } from "./domain-image.ts";
import { Dom0Services, type Dom0ServicesOptions } from "./dom0-services.ts";
import { EventLoop } from "./event-loop.ts";
import { GuestKernel } from "./guest-kernel.ts";
import type { HostBlockDevices } from "./host-block-devices.ts";
import { HostLists } from "./host-lists.ts";
import {
  configOf,
  type DomainEntry,
  type DomainRequest,
  type ManagedDomain,
} from "./managed-domain.ts";
import { after, type Task, TaskRunner, unlessRefused } from "./task.ts";
import type { DeviceName, DiskConfig, NicConfig, Toolstack } from "./toolstack.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";
import { drawUuid } from "./uuid.ts";
import { checkRates } from "./vif-rate.ts";

/** What a host is made of. */
export interface XenHostOptions extends Dom0ServicesOptions {
  readonly hypervisor: Hypervisor;
  readonly memory: HostMemoryOptions;
  /** Physical processors; 2. */
  readonly cpus?: number;
  /** Draws uuids. */
  readonly chance: Chance;
  /** Told when the deadline may have moved: the place of a scheduler's `reschedule`. */
  readonly onChange?: (host: Machine) => void;
}

const KERNEL = { path: "/boot/vmlinuz-xenU", ramdisk: "/boot/initrd-xenU", commandLine: "" };

/** xend: a VM that is to be restarted again sooner is destroyed, so that it does not go on so. */
const MINIMUM_RESTART_TIME = 20 * SECOND;

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
  readonly #tasks = new TaskRunner();
  readonly #domains = new Map<number, DomainEntry>();

  constructor(options: XenHostOptions) {
    const { profile, hypervisor, memory } = options;
    this.#options = options;
    this.profile = profile;
    this.hypervisor = hypervisor;
    this.devices = options.devices;
    this.table = new DomainTable({
      ...memory,
      isReferenced: (domid) => this.#services.bus.countOf(domid) > 0,
      onGone: (domid) => this.#gone(domid),
    });
    this.scheduler = new CreditScheduler({ cpus: options.cpus ?? 2, behaviour: profile.credit });
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
      destroyDomain: (domid, now) => this.#kill(domid, now),
      pauseDomain: (domid, now) => this.pause(domid, now),
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
    return this.#domains.values();
  }

  /** Back ends that Dom0's kernel has. */
  get backends(): Iterable<BackendDevice> {
    return this.#services.bus.devices;
  }

  /** @returns `null` if there is none. */
  find(domid: number): ManagedDomain | null {
    return this.#domains.get(domid) ?? null;
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
    const entry = this.#domains.get(domid);
    if (entry === undefined || entry.status === "closing") return;
    this.#tasks.cancel(domid);
    this.#start(now, domid, this.#close(entry));
  }

  /** Add a device to a running domain. @throws {DomainError} "no-domain" or "domain-state". */
  attach(domid: number, device: DiskConfig | NicConfig, now: Instant): void {
    const entry = this.#running(domid);
    checkRates(this.profile, [device]);
    const onFailure = ({ reason }: { readonly reason: string }): void => {
      entry.failure = reason;
    };
    entry.failure = null;
    this.#start(now, domid, this.#toolstack.attach(entry.toolstack, device, onFailure));
  }

  /** Take a device from a running domain, as soon as its guest lets it go. @throws as attach. */
  detach(domid: number, device: DeviceName, now: Instant): void {
    const entry = this.#running(domid);
    this.#start(now, domid, this.#toolstack.detach(entry.toolstack, device));
  }

  /** Ask the guest to shut down, by its node `control/shutdown`. @throws as attach. */
  requestShutdown(domid: number, request: "poweroff" | "reboot" | "suspend", now: Instant): void {
    this.#running(domid);
    const { client } = this.#services.toolstackQueue;
    client.write(`/local/domain/${domid}/control/shutdown`, request);
    this.settle(now);
  }

  /** The guest shuts itself down, or crashes. @throws {DomainError} if it is gone. */
  guestShutdown(domid: number, reason: ShutdownReason, now: Instant): void {
    const entry = this.#domains.get(domid);
    if (entry === undefined) throw new DomainError("no-domain", domid, "the domid of a domain");
    this.#halt(entry, now);
    const action = this.table.shutdown(domid, reason);
    this.store.checkDomains();
    if (entry.status === "closing") return;
    this.#tasks.cancel(domid);
    entry.status = "shutdown";
    this.#start(now, domid, this.#afterShutdown(entry, action));
  }

  /**
   * Ask the guest to suspend, keep what it is, and destroy the domain (`xm save`).
   * @throws {DomainError} if it does not run, or has no kernel that would suspend.
   */
  save(domid: number, now: Instant): DomainImage {
    const entry = this.#running(domid);
    this.requestShutdown(domid, "suspend", now);
    if (this.table.find(domid)?.shutdown !== ShutdownReason.Suspend) {
      throw new DomainError("domain-state", domid, "a guest that suspends");
    }
    const { client } = this.#services.toolstackQueue;
    const image = takeImage(entry.request, entry.io.memory, client);
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

  pause(domid: number, now: Instant): void {
    this.table.pause(domid);
    this.scheduler.pause(domid, now);
    this.hypervisor.events.setRunnable(domid, false, now);
  }

  unpause(domid: number, now: Instant): void {
    this.table.unpause(domid);
    if (this.table.find(domid)?.isPaused === true) return;
    this.scheduler.unpause(domid, now);
    this.hypervisor.events.setRunnable(domid, true, now);
    this.settle(now);
  }

  nextDeadline(): Instant {
    return Math.min(
      this.#loop.nextDeadline(),
      this.#services.agent.nextDeadline(),
      this.#tasks.nextDeadline(),
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
    return this.#tasks.run(now) || hasScripts;
  }

  /** A task begins when the others have their turn, so that its clock is theirs. */
  #start(now: Instant, domid: number, task: Task): void {
    this.#tasks.start(domid, after(unlessRefused(task)));
    this.settle(now);
  }

  #create(request: DomainRequest, now: Instant, image: DomainImage | null): ManagedDomain {
    checkRates(this.profile, request.nics ?? []);
    const entry = this.#allocate(request, now, Number.NEGATIVE_INFINITY);
    this.#start(now, entry.domid, this.#launch(entry, image));
    return entry;
  }

  #allocate(request: DomainRequest, now: Instant, restartedAt: Instant): DomainEntry {
    const config = configOf(request, this.#options.chance);
    const info = this.table.create(config, now, request.domid ?? null);
    const { domid } = info;
    const { events } = this.hypervisor;
    const io = this.hypervisor.createDomain({ domid, pages: request.pages ?? 4096 });
    events.setRunnable(domid, false, now);
    this.scheduler.add(domid, config);
    this.scheduler.pause(domid, now);
    const entry: DomainEntry = {
      domid,
      name: config.name,
      request: { ...request, uuid: config.uuid },
      status: "building",
      failure: null,
      io,
      toolstack: {
        info,
        kernel: request.kernel ?? KERNEL,
        disks: request.disks ?? [],
        nics: request.nics ?? [],
        storeGfn: io.memory.allocate(),
        storePort: events.allocUnbound(domid, 0, 0),
        consoleGfn: io.memory.allocate(),
        consolePort: events.allocUnbound(domid, 0, 0),
      },
      kernel: null,
      restartedAt,
    };
    this.#domains.set(domid, entry);
    this.#channels.add(domid, entry.toolstack.storeGfn);
    return entry;
  }

  *#launch(entry: DomainEntry, image: DomainImage | null): Task {
    const onFailure = ({ reason }: { readonly reason: string }): void => {
      entry.failure ??= reason;
    };
    try {
      yield* this.#toolstack.build(entry.toolstack, onFailure);
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      entry.failure ??= error.message;
    }
    if (entry.failure !== null) {
      yield* this.#close(entry);
      return;
    }
    if (image !== null) {
      const { memory } = entry.io;
      pourImage(image, memory, memory.allocated, this.#services.toolstackQueue.client);
    }
    entry.status = "running";
    this.#boot(entry);
    this.unpause(entry.domid, this.#loop.now);
    entry.request.onStart?.(this.#loop.now);
  }

  /** The guest's kernel boots. */
  #boot(entry: DomainEntry): void {
    const { domid, request, io } = entry;
    const session = this.store.sessionOf(domid);
    const ports = request.guest?.(io) ?? null;
    if (session === null || ports === null) return;
    const user = "guest";
    const wrapped = this.#options.wrapSession?.(session, user) ?? session;
    entry.kernel = new GuestKernel(this.#loop.queueOf(wrapped, user), ports, this.profile);
    entry.kernel.boot(this.#loop.now, (reason, now) => this.guestShutdown(domid, reason, now));
  }

  /** Nothing of the guest runs any more. */
  #halt(entry: DomainEntry, now: Instant): void {
    entry.kernel?.stop(now);
    entry.kernel = null;
  }

  /** @param isRestarting true: its VM goes on in another domain. */
  *#close(entry: DomainEntry, isRestarting = false): Task {
    entry.status = "closing";
    this.#halt(entry, this.#loop.now);
    yield* unlessRefused(this.#toolstack.destroy(entry.toolstack, isRestarting));
    const { domid } = entry;
    this.#kill(domid, this.#loop.now);
    yield { isMet: () => this.table.reap(domid), until: NEVER };
  }

  *#afterShutdown(entry: DomainEntry, action: ShutdownAction | null): Task {
    const { toolstack } = entry;
    const isTooFast = this.#loop.now - entry.restartedAt < MINIMUM_RESTART_TIME;
    if (action === null) return;
    if (action === "destroy" || (action !== "preserve" && isTooFast)) {
      yield* this.#close(entry);
    } else if (action === "preserve") {
      this.#toolstack.preserve(toolstack, null);
    } else if (action === "restart") {
      yield* this.#close(entry, true);
      this.#restart(entry);
    } else {
      const uuid = drawUuid(this.#options.chance);
      const name = `Domain-${uuid}`;
      this.#toolstack.preserve(toolstack, { name, uuid });
      this.table.rename(entry.domid, name);
      entry.name = name;
      this.#restart(entry);
    }
  }

  /** The same VM in a new domain. */
  #restart({ request }: DomainEntry): void {
    const { now } = this.#loop;
    const entry = this.#allocate({ ...request, domid: null }, now, now);
    this.#tasks.start(entry.domid, this.#launch(entry, null));
  }

  #running(domid: number): DomainEntry {
    const entry = this.#domains.get(domid);
    if (entry === undefined) throw new DomainError("no-domain", domid, "the domid of a domain");
    if (entry.status !== "running") {
      throw new DomainError("domain-state", entry.status, "a running domain");
    }
    return entry;
  }

  #kill(domid: number, now: Instant): void {
    const entry = this.#domains.get(domid);
    if (entry === undefined) return;
    this.#halt(entry, now);
    this.scheduler.remove(domid, now);
    this.hypervisor.destroyDomain(domid);
    this.table.destroy(domid);
    this.store.checkDomains();
  }

  /** Nobody maps its pages any more. */
  #gone(domid: number): void {
    const entry = this.#domains.get(domid);
    this.#domains.delete(domid);
    this.#channels.delete(domid);
    if (entry !== undefined) entry.status = "gone";
  }
}
