/**
 * The life of a host's domains: building, boot, what is done when one has shut down, its end. The
 * steps and waits are those of xend 3.1 (XendDomainInfo.py) and of xl 4.17 (xl_vmcontrol.c).
 * @module
 */
import { EmulatorError, OptionError } from "../../base/errors.ts";
import type { Chance } from "../../base/prng.ts";
import { type Instant, NEVER } from "../../base/time.ts";
import type { CreditScheduler } from "../hypervisor/credit-scheduler.ts";
import type { DomainMemory } from "../hypervisor/domain-memory.ts";
import type { DomainConfig, DomainTable, ShutdownAction } from "../hypervisor/domain-table.ts";
import { ShutdownReason } from "../hypervisor/domain-table.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { StoreSession } from "../xenstore/session.ts";
import type { XenStore } from "../xenstore/store.ts";
import type { DomainChannels } from "./domain-channels.ts";
import { type DomainImage, pourImage } from "./domain-image.ts";
import type { EventLoop } from "./event-loop.ts";
import { GuestKernel } from "./guest-kernel.ts";
import {
  configOf,
  type DomainEntry,
  type DomainRequest,
  type ManagedDomain,
} from "./managed-domain.ts";
import { after, type Task, TaskRunner, unlessRefused } from "./task.ts";
import type { Toolstack } from "./toolstack.ts";
import type { ToolstackProfile } from "./toolstack-profile.ts";
import { drawUuid } from "./uuid.ts";

/** Hears what becomes of domains; what it does to them waits for its turn. */
export interface DomainListener {
  /** It may run for the first time. */
  started(domain: ManagedDomain, now: Instant): void;
  /** It is held, or goes on. */
  paused(domain: ManagedDomain, isPaused: boolean, now: Instant): void;
  /** Nothing of its guest runs any more, whatever is kept of it. */
  halted(domain: ManagedDomain, now: Instant): void;
  /** Nothing of this domain is left; its VM may go on. */
  gone(domain: ManagedDomain, now: Instant): void;
  /** Nothing of it is left, and its VM goes on nowhere: not in another domain, not as an image. */
  ended(domain: ManagedDomain, now: Instant): void;
  /** Its memory as it crashed, for the file at `path` of Dom0; borrowed until return. */
  dumped(domain: ManagedDomain, path: string, memory: DomainMemory, now: Instant): void;
}

/** What domains live on. */
export interface DomainLivesParts {
  readonly profile: ToolstackProfile;
  readonly hypervisor: Hypervisor;
  readonly table: DomainTable;
  readonly scheduler: CreditScheduler;
  readonly channels: DomainChannels;
  readonly store: XenStore;
  readonly loop: EventLoop;
  /** Let everybody act on what changed. */
  readonly settle: (now: Instant) => void;
  readonly toolstack: () => Toolstack;
  readonly chance: Chance;
  /** See `Dom0ServicesOptions`. */
  readonly wrapSession: ((session: StoreSession, user: string) => StoreSession) | null;
  readonly listener: Partial<DomainListener>;
}

const KERNEL = { path: "/boot/vmlinuz-xenU", ramdisk: "/boot/initrd-xenU", commandLine: "" };

/** The domains of one host, and what is under way for them. */
export class DomainLives {
  /** Work for domains. */
  readonly tasks = new TaskRunner();
  readonly #parts: DomainLivesParts;
  readonly #domains = new Map<number, DomainEntry>();

  constructor(parts: DomainLivesParts) {
    this.#parts = parts;
  }

  /** Those that are not gone, by their coming. */
  get all(): Iterable<DomainEntry> {
    return this.#domains.values();
  }

  find(domid: number): DomainEntry | null {
    return this.#domains.get(domid) ?? null;
  }

  /**
   * A domain that is there, and no more than that.
   * @param restartedAt when its VM was restarted; -Infinity for never.
   * @throws {DomainError} if domid, name or memory are not to be had, {OptionError} for an action
   * that the toolstack does not know.
   */
  allocate(request: DomainRequest, now: Instant, restartedAt: Instant): DomainEntry {
    const { table, hypervisor, scheduler, channels, chance, profile } = this.#parts;
    const config = configOf(request, chance, profile);
    checkActions(config, profile);
    const info = table.create(config, now, request.domid ?? null);
    const { domid } = info;
    const { events } = hypervisor;
    const io = hypervisor.createDomain({ domid, pages: request.pages ?? 4096 });
    events.setRunnable(domid, false, now);
    scheduler.add(domid, config);
    scheduler.pause(domid, now);
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
      unanswered: new Map(),
      restartedAt,
      next: null,
    };
    this.#domains.set(domid, entry);
    channels.add(domid, entry.toolstack.storeGfn);
    return entry;
  }

  /** Do work for a domain when the others have their turn, so that its clock is theirs. */
  start(entry: DomainEntry, task: Task, now: Instant): void {
    this.tasks.start(entry, after(unlessRefused(task)));
    this.#parts.settle(now);
  }

  /** Build a domain, from an image if there is one, and let it run. */
  *launch(entry: DomainEntry, image: DomainImage | null): Task {
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
      yield* this.close(entry);
      return;
    }
    if (image !== null) {
      const { memory } = entry.io;
      pourImage(image, memory, memory.allocated, this.#client);
    }
    entry.status = "running";
    this.#boot(entry, image);
    this.unpause(entry.domid, this.#now);
    entry.request.onStart?.(this.#now);
    this.#parts.listener.started?.(entry, this.#now);
  }

  /** Hold a domain; holds nest. @throws {DomainError} if it is not there, or dying. */
  pause(domid: number, now: Instant): void {
    const { table, scheduler, hypervisor, listener } = this.#parts;
    table.pause(domid);
    scheduler.pause(domid, now);
    hypervisor.events.setRunnable(domid, false, now);
    const entry = this.find(domid);
    entry?.kernel?.pause(true);
    if (entry?.status === "running") listener.paused?.(entry, true, now);
  }

  /** Let go of one hold. @throws {DomainError} as {@link pause}, and if it is not held. */
  unpause(domid: number, now: Instant): void {
    const { table, scheduler, hypervisor, listener } = this.#parts;
    table.unpause(domid);
    const info = table.find(domid);
    if (info?.isPaused !== false || info.shutdown !== null) return;
    const entry = this.find(domid);
    // Its programs first, for its drivers hand them what waited.
    if (entry?.status === "running") listener.paused?.(entry, false, now);
    scheduler.unpause(domid, now);
    hypervisor.events.setRunnable(domid, true, now);
    entry?.kernel?.pause(false);
  }

  /** A guest shuts itself down, or crashes; once. */
  shutDown(entry: DomainEntry, reason: ShutdownReason, now: Instant): void {
    const { table, store } = this.#parts;
    if (table.find(entry.domid)?.shutdown !== null) return;
    if (reason === ShutdownReason.Suspend && entry.kernel !== null) {
      entry.unanswered = entry.kernel.suspend();
    }
    this.halt(entry, now);
    const action = table.shutdown(entry.domid, reason);
    store.checkDomains();
    if (entry.status === "closing") return;
    this.tasks.cancel(entry);
    entry.status = "shutdown";
    this.start(entry, this.#afterShutdown(entry, action), now);
  }

  /** Nothing of the guest runs any more. */
  halt(entry: DomainEntry, now: Instant): void {
    const { kernel } = entry;
    if (kernel === null) return;
    entry.kernel = null;
    kernel.stop(now);
    this.#parts.listener.halted?.(entry, now);
  }

  /** Destroy a domain, as its toolstack does. */
  *close(entry: DomainEntry): Task {
    entry.status = "closing";
    this.halt(entry, this.#now);
    yield* unlessRefused(this.#toolstack.destroy(entry.toolstack, entry.next === "domain"));
    const { domid } = entry;
    this.kill(domid, this.#now);
    yield { isMet: () => this.#parts.table.reap(domid), until: NEVER };
  }

  /** What the configuration wants done with a domain that shut down; `null` for nothing. */
  *#afterShutdown(entry: DomainEntry, action: ShutdownAction | null): Task {
    if (action === null) return;
    const { minimumRestartTime } = this.#parts.profile;
    const isTooFast = this.#now - entry.restartedAt < minimumRestartTime;
    if (action.startsWith("coredump")) this.#dump(entry);
    if (action === "preserve") {
      this.#toolstack.preserve(entry.toolstack, null);
    } else if (action === "destroy" || action === "coredump-destroy" || isTooFast) {
      yield* this.close(entry);
    } else if (action === "rename-restart") {
      if (this.#rename(entry)) yield* this.#restart(entry);
    } else {
      entry.next = "domain";
      yield* this.close(entry);
      yield* this.#restart(entry);
    }
  }

  /** The hypervisor's part of a domain's end: its devices may still be there. */
  kill(domid: number, now: Instant): void {
    const entry = this.find(domid);
    if (entry === null) return;
    this.halt(entry, now);
    const { scheduler, hypervisor, table, store } = this.#parts;
    scheduler.remove(domid, now);
    hypervisor.destroyDomain(domid);
    table.destroy(domid);
    store.checkDomains();
  }

  /** Nobody maps its pages any more. */
  gone(domid: number): void {
    const entry = this.find(domid);
    this.#domains.delete(domid);
    this.#parts.channels.delete(domid);
    if (entry === null) return;
    entry.status = "gone";
    this.#parts.listener.gone?.(entry, this.#now);
    if (entry.next === null) this.#parts.listener.ended?.(entry, this.#now);
  }

  get #now(): Instant {
    return this.#parts.loop.now;
  }

  get #toolstack(): Toolstack {
    return this.#parts.toolstack();
  }

  get #client() {
    return this.#toolstack.client;
  }

  /** The guest's kernel boots, or goes on as its image has it. */
  #boot(entry: DomainEntry, image: DomainImage | null): void {
    const { store, loop, profile, wrapSession, hypervisor } = this.#parts;
    const { domid, request, io } = entry;
    const session = store.sessionOf(domid);
    if (request.guest !== undefined) hypervisor.events.startKernel(domid);
    const ports = request.guest?.(io, image !== null) ?? null;
    if (session === null || ports === null) return;
    if (image !== null) ports.vbd.resume(image.unanswered);
    const user = "guest";
    const wrapped = wrapSession?.(session, user) ?? session;
    entry.kernel = new GuestKernel(loop.queueOf(wrapped, user), ports, profile);
    entry.kernel.boot(this.#now, (reason, now) => this.shutDown(entry, reason, now));
  }

  #dump(entry: DomainEntry): void {
    const path = `/var/lib/xen/dump/${entry.name}`;
    this.#parts.listener.dumped?.(entry, path, entry.io.memory, this.#now);
  }

  /** The dead domain is kept under another name and uuid. @returns false if it cannot be. */
  #rename(entry: DomainEntry): boolean {
    const { table, chance } = this.#parts;
    const uuid = drawUuid(chance);
    const name = this.#toolstack.nameOfPreserved(entry.toolstack, uuid);
    if (table.findByName(name) !== null) return false;
    this.#toolstack.preserve(entry.toolstack, { name, uuid });
    table.rename(entry.domid, name, uuid);
    entry.name = name;
    return true;
  }

  /** The same VM in a new domain. One that cannot be is not tried again. */
  *#restart(old: DomainEntry): Task {
    const { restartDelay } = this.#parts.profile;
    if (restartDelay > 0) yield { isMet: () => false, until: this.#now + restartDelay };
    let entry: DomainEntry;
    try {
      entry = this.allocate({ ...old.request, domid: null }, this.#now, this.#now);
    } catch (error) {
      if (!(error instanceof EmulatorError)) throw error;
      if (old.status === "gone") this.#parts.listener.ended?.(old, this.#now);
      return;
    }
    this.tasks.start(entry, unlessRefused(this.launch(entry, null)));
  }
}

/** xend 3.1 dumps no core by an action of a domain; it knows the other four. */
function checkActions(config: DomainConfig, { actions }: ToolstackProfile): void {
  for (const key of ["onPoweroff", "onReboot", "onCrash"] as const) {
    const action = config[key];
    if (!actions.includes(action)) throw new OptionError(key, action, actions.join(", "));
  }
}
