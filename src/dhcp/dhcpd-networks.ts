/**
 * The networks and hosts that a configuration declares, and how ISC dhcpd looks them up.
 * @module
 */
import { formatIpv4, type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import type { Block, DhcpdConf, Hardware, Item, Permit } from "./dhcpd-conf.ts";
import type { Scope } from "./option-state.ts";
import { Option } from "./options.ts";

/** Subnets on one link. A subnet that is declared alone has one of its own. */
export interface SharedNetwork {
  /** As declared; the subnet's number for one that is not. */
  readonly name: string;
  readonly scope: Scope;
  readonly subnets: readonly Subnet[];
  readonly pools: readonly Pool[];
}

/** One subnet declaration. */
export interface Subnet {
  readonly network: Ipv4Addr;
  readonly netmask: Ipv4Addr;
  readonly scope: Scope;
  readonly share: SharedNetwork;
}

/** Addresses that are given to whoever may have them. */
export interface Pool {
  /** Pools of one network with the same key are one; `null` is its own. */
  readonly key: string | null;
  readonly scope: Scope;
  readonly share: SharedNetwork;
  readonly ranges: readonly PoolRange[];
  readonly permits: readonly Permit[];
}

/** Addresses from `low` to `high` in one subnet. */
export interface PoolRange {
  readonly low: Ipv4Addr;
  readonly high: Ipv4Addr;
  readonly subnet: Subnet;
}

/** One host declaration. */
export interface Host {
  readonly name: string;
  readonly scope: Scope;
  /** Empty if the host declares none. */
  readonly fixedAddresses: readonly Ipv4Addr[];
  readonly hardware: Hardware | null;
  /** From `option dhcp-client-identifier` in the declaration. */
  readonly clientId: Uint8Array | null;
}

/** While a declaration is read. */
type Open<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
interface OpenShare extends Open<Omit<SharedNetwork, "pools">> {
  readonly pools: Open<Pool>[];
}

/** A key of a map for octets. */
export function keyOf(octets: Uint8Array): string {
  return octets.join(".");
}

/** A key for a hardware address: its type and octets. */
export function hardwareKey(htype: number, octets: Uint8Array): string {
  return `${htype}/${keyOf(octets)}`;
}

/** True if `address` lies in `subnet`. */
export const inSubnet = ({ network, netmask }: Subnet, address: Ipv4Addr): boolean =>
  ipv4Of(address & netmask) === network;

/** Everything that a configuration declares, indexed. */
export class Networks {
  readonly root: Scope;
  /** In the order in which they are declared. */
  readonly shares: SharedNetwork[] = [];
  readonly #hosts = new Map<string, Host>();
  /** The first match counts: narrower before wider, else later before earlier. */
  readonly #subnets: Subnet[] = [];
  readonly #byHardware = new Map<string, Host>();
  readonly #byClientId = new Map<string, Host>();
  /** ISC dhcpd chains the hosts of one hardware address and those of one identifier alike. */
  readonly #next = new Map<Host, Host>();

  constructor({ items }: DhcpdConf) {
    this.root = { parent: null, items, isAuthoritative: authorityOf(items, false) };
    this.#enterAll(items, this.root, null, false);
  }

  hasHost(name: string): boolean {
    return this.#hosts.has(name);
  }

  /** Declare a host behind all others. */
  addHost(block: Block): void {
    const { isAuthoritative } = this.root;
    this.#enterHost(block, {
      parent: this.root,
      items: block.items,
      isAuthoritative: authorityOf(block.items, isAuthoritative),
    });
  }

  /** Forget the host of that name, if it is declared. */
  removeHost(name: string): void {
    const host = this.#hosts.get(name);
    if (host === undefined) return;
    this.#hosts.delete(name);
    const keys = keysOf(host);
    const isAlone =
      keys.clientId === null &&
      keys.hardware !== null &&
      this.#byHardware.get(keys.hardware) === host &&
      !this.#next.has(host);
    if (isAlone && keys.hardware !== null) {
      this.#byHardware.delete(keys.hardware);
      return;
    }
    for (const index of [this.#byHardware, this.#byClientId, this.#next]) index.clear();
    for (const other of this.#hosts.values()) this.#index(other);
  }

  /** @returns the subnet of `address`, or `null`. */
  findSubnet(address: Ipv4Addr): Subnet | null {
    return this.#subnets.find((subnet) => inSubnet(subnet, address)) ?? null;
  }

  /** @returns the subnet of `address` among those of `share`, or `null`. */
  findOnNetwork({ subnets }: SharedNetwork, address: Ipv4Addr): Subnet | null {
    return subnets.find((subnet) => inSubnet(subnet, address)) ?? null;
  }

  /** @returns the hosts that may be meant by a hardware address, in ISC dhcpd's order. */
  hostsByHardware(htype: number, octets: Uint8Array): readonly Host[] {
    return this.#chain(this.#byHardware.get(hardwareKey(htype, octets)));
  }

  /** @returns the hosts that may be meant by a client identifier, in ISC dhcpd's order. */
  hostsByClientId(clientId: Uint8Array): readonly Host[] {
    return this.#chain(this.#byClientId.get(keyOf(clientId)));
  }

  #chain(head: Host | undefined): readonly Host[] {
    const hosts: Host[] = [];
    for (let host = head; host !== undefined; host = this.#next.get(host)) hosts.push(host);
    return hosts;
  }

  /** @param inherited the authority that held where these items' declaration stands. */
  #enterAll(
    items: readonly Item[],
    scope: Scope,
    share: OpenShare | null,
    inherited: boolean,
  ): void {
    let held = inherited;
    for (const item of items) {
      if (item.kind === "authority") held = item.isAuthoritative;
      else if ("items" in item) this.#enter(item, scope, share, held);
    }
  }

  #enter(block: Block, parent: Scope, share: OpenShare | null, held: boolean): void {
    const { items } = block;
    const scope: Scope = { parent, items, isAuthoritative: authorityOf(items, held) };
    if (block.kind === "group") {
      this.#enterAll(items, scope, share, held);
    } else if (block.kind === "host") {
      this.#enterHost(block, scope);
    } else if (block.kind === "shared-network") {
      const network: OpenShare = { name: block.name, scope, subnets: [], pools: [] };
      this.shares.push(network);
      this.#enterAll(items, scope, network, held);
    } else if (block.kind === "subnet") {
      this.#enterAll(items, scope, this.#enterSubnet(block, scope, share), held);
    } else if (share !== null) {
      enterPool(block, { ...scope, parent: share.scope }, share);
      this.#enterAll(items, scope, share, held);
    }
  }

  #enterSubnet(
    { network, netmask, items }: Block,
    scope: Scope,
    around: OpenShare | null,
  ): OpenShare {
    const share = around ?? { name: formatIpv4(network), scope, subnets: [], pools: [] };
    if (around === null) this.shares.push(share);
    const subnet: Subnet = { network, netmask, scope, share };
    insertNarrow(share.subnets, subnet, share.subnets.length);
    insertNarrow(this.#subnets, subnet, 0);
    for (const item of items) {
      if (item.kind !== "range") continue;
      const permits = item.isForBootp ? [ALL] : [ALL, NO_BOOTP];
      const key = item.isForBootp ? keyOfPermits(permits) : "implicit";
      const plain: Scope = { parent: share.scope, items: [], isAuthoritative: false };
      const pool = poolOf(share, { key, scope: plain, share, ranges: [], permits });
      pool.ranges.push({ ...item, subnet });
    }
    return share;
  }

  #enterHost({ name, items }: Block, scope: Scope): void {
    const host: Open<Host> = { name, scope, fixedAddresses: [], hardware: null, clientId: null };
    for (const item of items) {
      if (item.kind === "hardware") host.hardware = item;
      else if (item.kind === "fixed-address") host.fixedAddresses.push(...item.addresses);
      else if (item.kind === "option" && item.option.code === Option.ClientIdentifier.code) {
        host.clientId ??= item.octets;
      }
    }
    this.#hosts.set(name, host);
    this.#index(host);
  }

  #index(host: Host): void {
    const { hardware, clientId } = keysOf(host);
    const isLinked = hardware !== null && this.#link(this.#byHardware, hardware, host);
    if (clientId === null) return;
    if (!isLinked || !this.#byClientId.has(clientId)) this.#link(this.#byClientId, clientId, host);
  }

  /** @returns true if `host` now stands at the end of another's chain. */
  #link(index: Map<string, Host>, key: string, host: Host): boolean {
    const head = index.get(key);
    if (head === undefined) {
      index.set(key, host);
      return false;
    }
    const last = this.#chain(head).at(-1);
    if (last !== undefined && last !== host) this.#next.set(last, host);
    return true;
  }
}

/** Under which keys a host is looked up; an empty identifier is none. */
function keysOf({ hardware, clientId }: Host): {
  readonly hardware: string | null;
  readonly clientId: string | null;
} {
  return {
    hardware: hardware === null ? null : hardwareKey(hardware.htype, hardware.octets),
    clientId: clientId === null || clientId.length === 0 ? null : keyOf(clientId),
  };
}

const ALL: Permit = { kind: "permit", verdict: "allow", clients: "all clients" };
const NO_BOOTP: Permit = { kind: "permit", verdict: "deny", clients: "dynamic bootp clients" };

/** The last word about authority among `items`; it counts for what is declared after it. */
function authorityOf(items: readonly Item[], inherited: boolean): boolean {
  return items.reduce(
    (said, item) => (item.kind === "authority" ? item.isAuthoritative : said),
    inherited,
  );
}

/** Before the first that it lies in and is narrower than, else at `otherwise`. */
function insertNarrow(subnets: Subnet[], subnet: Subnet, otherwise: number): void {
  const at = subnets.findIndex(
    (other) => inSubnet(other, subnet.network) && subnet.netmask > other.netmask,
  );
  subnets.splice(at < 0 ? otherwise : at, 0, subnet);
}

function enterPool({ items }: Block, scope: Scope, share: OpenShare): void {
  const permits = items.filter((item) => item.kind === "permit");
  const isPlain = items.every(({ kind }) => kind === "permit" || kind === "range");
  const isOpen = permits.every(({ verdict }) => verdict === "allow");
  const key = isPlain && isOpen ? keyOfPermits(permits) : null;
  const pool = poolOf(share, { key, scope, share, ranges: [], permits });
  for (const item of items) {
    if (item.kind !== "range") continue;
    const subnet = share.subnets.find((one) => inSubnet(one, item.low));
    if (subnet !== undefined) pool.ranges.push({ ...item, subnet });
  }
}

/** The pool that one of this key is one with, or `added` itself. */
function poolOf(share: OpenShare, added: Open<Pool>): Open<Pool> {
  const same = share.pools.find(({ key }) => key !== null && key === added.key);
  if (same !== undefined) return same;
  share.pools.push(added);
  return added;
}

const keyOfPermits = (permits: readonly Permit[]): string =>
  permits
    .map(({ clients }) => clients)
    .sort()
    .join();
