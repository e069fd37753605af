/**
 * What a dhcpd is started with: its configuration, and the interfaces of its command line. Scripts
 * change it between a start and the next: each change costs the same, however many hosts there are.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Block, DhcpdConf, NamedOption } from "./dhcpd-conf.ts";
import { Networks, type SharedNetwork } from "./dhcpd-networks.ts";
import { BUILT_IN_OPTIONS, namedOption } from "./dhcpd-parser.ts";
import type { DhcpInterface, ServedInterface } from "./dhcpd-request.ts";

/** A setup. A server that was started with it hears of changes when it is started again. */
export class DhcpdSetup {
  readonly networks: Networks;
  /** The options that have names, by code. */
  readonly named: ReadonlyMap<number, NamedOption>;
  readonly #interfaces = new Map<string, DhcpInterface>();
  readonly #served = new Map<string, ServedInterface>();
  readonly #byShare = new Map<SharedNetwork, Set<ServedInterface>>();

  /** @throws {OptionError} as {@link DhcpdSetup.addInterface}. */
  constructor(conf: DhcpdConf, interfaces: Iterable<DhcpInterface> = []) {
    this.networks = new Networks(conf);
    this.named = namesOf(conf);
    for (const one of interfaces) this.addInterface(one);
  }

  /** The command line, in its order. */
  get interfaces(): Iterable<DhcpInterface> {
    return this.#interfaces.values();
  }

  /** Names of the devices that a server listens on. */
  get listening(): readonly string[] {
    return [...this.#served.keys()];
  }

  /** Names of the devices without a subnet declaration: a server takes nothing from them. */
  get ignored(): readonly string[] {
    return [...this.#interfaces.keys()].filter((name) => !this.#served.has(name));
  }

  /** True if there is anything to listen on. */
  get hasNetwork(): boolean {
    return this.#served.size > 0;
  }

  /** The device called `name`, if a server listens there. */
  find(name: string): ServedInterface | null {
    return this.#served.get(name) ?? null;
  }

  /** The first device on a network, or `null`. */
  firstOn(share: SharedNetwork): ServedInterface | null {
    return this.#byShare.get(share)?.values().next().value ?? null;
  }

  /** Put a device last on the command line. @throws {OptionError} if it is on two networks. */
  addInterface(added: DhcpInterface): void {
    const share = shareOf(this.networks, added);
    this.removeInterface(added.name);
    this.#interfaces.set(added.name, added);
    const [address] = added.addresses;
    if (share === null || address === undefined) return;
    const served = { ...added, address, share };
    this.#served.set(added.name, served);
    const others = this.#byShare.get(share) ?? new Set();
    this.#byShare.set(share, others.add(served));
  }

  /** Take a device off the command line, if it is there. */
  removeInterface(name: string): void {
    const served = this.find(name);
    if (served !== null) this.#byShare.get(served.share)?.delete(served);
    this.#served.delete(name);
    this.#interfaces.delete(name);
  }

  /** Declare a host behind all others. */
  addHost(host: Block): void {
    this.networks.addHost(host);
  }

  /** Forget the host of that name, if it is declared. */
  removeHost(name: string): void {
    this.networks.removeHost(name);
  }
}

function namesOf({ items }: DhcpdConf): ReadonlyMap<number, NamedOption> {
  const names = new Map(BUILT_IN_OPTIONS.map((option) => [option.code, namedOption(option)]));
  for (const item of items) {
    if (item.kind === "definition") names.set(item.option.code, item.option);
  }
  return names;
}

function shareOf(networks: Networks, { name, addresses }: DhcpInterface): SharedNetwork | null {
  const shares = new Set<SharedNetwork>();
  for (const address of addresses) {
    const subnet = networks.findSubnet(address);
    if (subnet !== null) shares.add(subnet.share);
  }
  const [share = null, ...others] = shares;
  if (others.length > 0) {
    throw new OptionError("interfaces", name, "an interface on one shared network only");
  }
  return share;
}
