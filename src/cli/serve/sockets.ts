/** What a server lets others reach: a socket for each external vif and each XenStore. @module */
import { EmulatorError } from "../../base/errors.ts";
import type { Logger } from "../../base/log.ts";
import { openPlug, type Plug } from "../../backend/plug.ts";
import type { RealTime } from "../../backend/real-time.ts";
import { vifJack } from "../../backend/vif-jack.ts";
import type { Domain } from "../../zone/domain.ts";
import { faultAt, InputError } from "../failure.ts";
import type { Plan } from "../scenario/plan.ts";
import type { Running, World } from "../scenario/world.ts";
import type { StateFolder } from "./state-folder.ts";

/** What sockets are opened for and with. */
export interface SocketsOptions {
  readonly plan: Plan;
  readonly world: World;
  readonly realTime: RealTime;
  readonly folder: StateFolder;
  readonly log: Logger;
  /** Told the vif and the address of each plug that is opened later than {@link Sockets.open}. */
  readonly onPlug: (vif: string, address: string) => void;
  /** Told why a socket could not be opened later. */
  readonly onError: (error: unknown) => void;
}

/** The sockets of one server, which come and go with the domains. */
export class Sockets {
  readonly #options: SocketsOptions;
  readonly #plugs = new Map<Domain, Plug>();
  /** Changes are made one after the other. */
  #changes: Promise<void> = Promise.resolve();

  constructor(options: SocketsOptions) {
    this.#options = options;
  }

  /** Addresses of the plugs, by vif. */
  get vifs(): [string, string][] {
    const { world } = this.#options;
    return [...this.#plugs].map(([domain, { address }]) => [
      world.nameOf(domain.backend.device),
      address,
    ]);
  }

  /** Open what there is to be opened. @throws {InputError} if one cannot be, with its place. */
  async open(): Promise<void> {
    const { world } = this.#options;
    for (const running of world.running) await this.#plug(running);
  }

  /** The domains may be others now. */
  update(): void {
    const { onError } = this.#options;
    this.#changes = this.#changes.then(() => this.#update()).catch(onError);
  }

  /** Disconnect everybody and leave nothing. */
  async close(): Promise<void> {
    await this.#changes;
    await Promise.all([...this.#plugs.values()].map((plug) => plug.close()));
    this.#plugs.clear();
  }

  async #update(): Promise<void> {
    const { world, onPlug } = this.#options;
    const running = [...world.running];
    const isGone = (domain: Domain): boolean => !running.some((one) => one.domain === domain);
    const gone = [...this.#plugs].filter(([domain]) => isGone(domain));
    for (const [domain, plug] of gone) {
      this.#plugs.delete(domain);
      await plug.close();
    }
    for (const one of running) {
      const plug = await this.#plug(one);
      if (plug !== null) onPlug(world.nameOf(one.domain.backend.device), plug.address);
    }
  }

  /** @returns the new plug; `null` if there is nothing to plug into, or there is one. */
  async #plug(running: Running): Promise<Plug | null> {
    const { domain, listen } = running;
    const { external } = domain;
    if (external === null || this.#plugs.has(domain)) return null;
    const { world, folder, realTime, log } = this.#options;
    const name = world.nameOf(domain.backend.device);
    const address = listen ?? `unix:${folder.pathOf(`${name.replace("/", "-")}.sock`)}`;
    const jack = vifJack(name, external, realTime);
    try {
      const plug = await openPlug(address, { jack, log });
      this.#plugs.set(domain, plug);
      return plug;
    } catch (error) {
      if (!(error instanceof EmulatorError) || listen === null) throw error;
      throw this.#blame(running, error);
    }
  }

  /** The fault with the place in the file where the socket is named. */
  #blame({ host, domain }: Running, error: EmulatorError): InputError {
    const { plan } = this.#options;
    const index = plan.hosts.findIndex(({ name }) => name === host.name);
    const at = plan.hosts[index]?.domains.findIndex(({ name }) => name === domain.name) ?? -1;
    if (at < 0) return new InputError([faultAt({ file: plan.file, line: 0 }, "", error.message)]);
    const key = `hosts[${index}].domains[${at}].vif.listen`;
    const place = { file: plan.file, line: plan.lineOf(index, at) };
    return new InputError([faultAt(place, key, error.message)]);
  }
}
