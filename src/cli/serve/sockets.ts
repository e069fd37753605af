/** What a server lets others reach: a socket for each external vif and each XenStore. @module */
import { EmulatorError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { openPlug, type Plug } from "../../backend/plug.ts";
import type { RealTime } from "../../backend/real-time.ts";
import type { UnixListener } from "../../backend/unix-listener.ts";
import { vifJack } from "../../backend/vif-jack.ts";
import { openXenstoreSocket } from "../../backend/xenstore-socket.ts";
import type { StoreSession } from "../../xen/xenstore/session.ts";
import type { XenStore } from "../../xen/xenstore/store.ts";
import type { Domain } from "../../zone/domain.ts";
import type { ZoneHost } from "../../zone/zone-host.ts";
import { faultAt, InputError } from "../failure.ts";
import type { Plan } from "../scenario/plan.ts";
import type { Running, World } from "../scenario/world.ts";
import type { StateFolder } from "./state-folder.ts";

/** What sockets are opened for and with. */
export interface SocketsOptions {
  readonly plan: Plan;
  readonly world: World;
  /** Each domain has its host's store on a socket of its own as well, as the domain sees it. */
  readonly hasGuestStores: boolean;
  readonly realTime: RealTime;
  readonly folder: StateFolder;
  readonly log: Logger;
  /** Told the vif and the address of each plug that is in another vif than it was told to be. */
  readonly onPlug: (vif: string, address: string) => void;
  /** Told why a socket could not be opened later. */
  readonly onError: (error: unknown) => void;
}

/** Addresses by name, in the order of their opening. */
export type Addresses = ReadonlyMap<string, string>;

/** The sockets of one server, which come and go with the domains. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #stores = new Map<ZoneHost, UnixListener>();
  readonly #guestStores = new Map<Domain, UnixListener>();
  readonly #plugs = new Map<Domain, Plug>();
  /** The vif that each plug was told to be in last: a restarted domain has another. */
  readonly #told = new Map<Domain, string>();
  /** Changes are made one after the other. */
  #changes: Promise<void> = Promise.resolve();

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** The stores, by host. */
  get stores(): Addresses {
    return new Map([...this.#stores].map(([{ name }, { path }]) => [name, `unix:${path}`]));
  }

  /** The stores as guests see them, by domain. */
  get guestStores(): Addresses {
    return new Map([...this.#guestStores].map(([{ name }, { path }]) => [name, `unix:${path}`]));
  }

  /** The plugs, by vif. */
  get vifs(): Addresses {
    return new Map([...this.#plugs].map(([one, { address }]) => [this.#vifOf(one), address]));
  }

  /** Open what there is to be opened. @throws {InputError} if one cannot be, with its place. */
  async open(): Promise<void> {
    const { world } = this.#options;
    for (const host of world.hosts) {
      const listener = await this.#openStore(host, "xenstore", () => host.xenstore.connect());
      this.#stores.set(host, listener);
    }
    for (const running of world.running) {
      await this.#openGuestStore(running);
      await this.#plug(running);
    }
    for (const domain of this.#plugs.keys()) this.#told.set(domain, this.#vifOf(domain));
  }

  /** The domains may be others now. */
  update(): void {
    const { onError } = this.#options;
    this.#changes = this.#changes.then(() => this.#update()).catch(onError);
  }

  /** Disconnect everybody and leave nothing. */
  async close(): Promise<void> {
    await this.#changes;
    const open = [this.#plugs, this.#guestStores, this.#stores].flatMap((all) => [...all.values()]);
    await Promise.all(open.map((one) => one.close()));
  }

  async #update(): Promise<void> {
    const { world, onPlug } = this.#options;
    const running = new Set([...world.running].map(({ domain }) => domain));
    for (const all of [this.#plugs, this.#guestStores]) {
      for (const [domain, one] of all) {
        if (running.has(domain)) continue;
        all.delete(domain);
        this.#told.delete(domain);
        await one.close();
      }
    }
    for (const one of world.running) {
      await this.#openGuestStore(one);
      await this.#plug(one);
    }
    for (const [domain, { address }] of this.#plugs) {
      const vif = this.#vifOf(domain);
      if (this.#told.get(domain) === vif) continue;
      this.#told.set(domain, vif);
      onPlug(vif, address);
    }
  }

  async #openGuestStore({ host, domain }: Running): Promise<void> {
    if (!this.#options.hasGuestStores || this.#guestStores.has(domain)) return;
    const { domid } = domain;
    const name = `xenstore-dom${domid}`;
    // A domain that was restarted has another number.
    const connect = (): StoreSession | null => host.xenstore.connect({ domid: domain.domid });
    const listener = await this.#openStore(host, name, connect);
    this.#guestStores.set(domain, listener);
  }

  async #openStore(
    host: ZoneHost,
    name: string,
    connect: () => ReturnType<XenStore["connect"]>,
  ): Promise<UnixListener> {
    const { world, folder, realTime, log } = this.#options;
    const isAlone = [...world.hosts].length === 1;
    const path = folder.pathOf(`${isAlone ? "" : `${host.name}-`}${name}.sock`);
    return openXenstoreSocket({ path, connect, realTime, log });
  }

  /** As people call it, now. */
  #vifOf(domain: Domain): string {
    return this.#options.world.nameOf(domain.backend.device);
  }

  /** Plug it in, if there is something to plug into, and it is not yet. */
  async #plug(running: Running): Promise<void> {
    const { domain, listen } = running;
    const { external } = domain;
    if (external === null || this.#plugs.has(domain)) return;
    const { folder, realTime, log } = this.#options;
    const name = this.#vifOf(domain);
    const address = listen ?? `unix:${folder.pathOf(`${name.replace("/", "-")}.sock`)}`;
    const jack = vifJack(() => this.#vifOf(domain), external, realTime);
    try {
      const plug = await openPlug(address, { jack, log });
      this.#plugs.set(domain, plug);
    } catch (error) {
      if (!(error instanceof EmulatorError) || listen === null) throw error;
      throw this.#blame(running, error);
    }
  }

  /** The fault with the place in the file where the socket is named. */
  #blame({ host, domain }: Running, error: EmulatorError): InputError {
    const { plan } = this.#options;
    const index = plan.hosts.findIndex(({ name }) => name === host.name);
    const { message } = error;
    const at = plan.hosts[index]?.domains.findIndex(({ name }) => name === domain.name) ?? -1;
    if (at < 0) return new InputError([faultAt({ file: plan.file, line: 0 }, "", message)]);
    const key = `hosts[${index}].domains[${at}].vif.listen`;
    const place = { file: plan.file, line: plan.lineOf(index, at) };
    return new InputError([faultAt(place, key, message)]);
  }
}
