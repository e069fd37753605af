/** What a scenario names is one machine's alone, and can be a machine's. @module */
import {
  contains,
  formatIpv4,
  formatMac,
  formatPrefix,
  type Ipv4Addr,
  ipv4Of,
  maskOf,
} from "../../wire/addr.ts";
import { blocksBeside, placeOf, ZONE_ADDRESSES } from "../../zone/address-plan.ts";
import { FABRIC_ADDRESS } from "../../zone/fabric.ts";
import { isAddress } from "./address-text.ts";
import type { FaultList } from "./fault-list.ts";
import { type Plan, type PlannedDomain, plannedDomains } from "./plan.ts";
import type { Path } from "./path.ts";

/** Values of one kind that may be given once. */
class Unique {
  readonly #faults: FaultList;
  readonly #places = new Map<string, Path>();

  constructor(faults: FaultList) {
    this.#faults = faults;
  }

  add(value: string, path: Path): void {
    if (this.#places.has(value)) this.refuse(value, path);
    else this.#places.set(value, path);
  }

  /** Nothing may be where `value` is meant, if somebody has it. */
  refuse(value: string, path: Path): void {
    const other = this.#places.get(value);
    if (other === undefined) return;
    this.#faults.add(path, `${value} is taken by ${this.#faults.placeOf(other)}`);
  }

  get values(): string[] {
    return [...this.#places.keys()];
  }
}

/** Values that may be given once for each host, by host. */
class UniqueByHost {
  readonly #faults: FaultList;
  readonly #hosts = new Map<number, Unique>();

  constructor(faults: FaultList) {
    this.#faults = faults;
  }

  at(host: number): Unique {
    const known = this.#hosts.get(host) ?? new Unique(this.#faults);
    this.#hosts.set(host, known);
    return known;
  }
}

/** Check who is who. @returns the names of hosts, internet hosts and domains. */
export function checkIdentities(plan: Plan, faults: FaultList): string[] {
  const names = new Unique(faults);
  const addresses = new Unique(faults);
  const place = (path: Path, address: Ipv4Addr | undefined | null): void => {
    if (address === undefined || address === null) return;
    if (address === FABRIC_ADDRESS) faults.add(path, `${formatIpv4(address)} is the fabric's own`);
    else addresses.add(formatIpv4(address), path);
  };
  for (const [index, { name, privateAddress, externalAddress }] of plan.hosts.entries()) {
    const path = ["hosts", index];
    addName(names, name, [...path, "name"], faults);
    place([...path, "privateAddress"], privateAddress);
    place([...path, "externalAddress"], externalAddress?.address);
  }
  for (const [index, { name, address }] of plan.internet.entries()) {
    addName(names, name, ["internet", index, "name"], faults);
    place(["internet", index, "address"], address);
  }
  const macs = new Unique(faults);
  const plugs = new Unique(faults);
  const domids = new UniqueByHost(faults);
  const paths = new UniqueByHost(faults);
  const domains = plannedDomains(plan);
  for (const planned of domains) {
    const { host, domain, path } = planned;
    const { name, mac, domid, vif, volumes = [] } = domain;
    if (name !== undefined) names.add(name, [...path, "name"]);
    if (mac !== undefined) macs.add(formatMac(mac), [...path, "mac"]);
    if (domid !== undefined) domids.at(host).add(String(domid), [...path, "domid"]);
    if (vif !== undefined) plugs.add(vif.listen, [...path, "vif", "listen"]);
    place([...path, "privateAddress"], domain.privateAddress?.address);
    checkPlace(planned, plan, faults);
    const devices = new Unique(faults);
    for (const [index, volume] of volumes.entries()) {
      devices.add(volume.device, [...path, "volumes", index, "device"]);
      paths.at(host).add(volume.path, [...path, "volumes", index, "path"]);
    }
  }
  // What steps associate may be a domain's public address before, and no other.
  for (const { index, action } of plan.steps) {
    if (action.kind !== "associate") continue;
    const path = ["steps", index, "associate", "address"];
    if (action.address === FABRIC_ADDRESS) place(path, action.address);
    else addresses.refuse(formatIpv4(action.address), path);
  }
  for (const { domain, path } of domains) {
    place([...path, "publicAddress"], domain.publicAddress);
  }
  return names.values;
}

/** A name by which steps find a machine: neither an address nor a domain's. */
function addName(names: Unique, name: string, path: Path, faults: FaultList): void {
  names.add(name, path);
  if (isAddress(name)) faults.add(path, `expected a name, got the address ${name}`);
  else if (/^dom_\d+$/.test(name)) faults.add(path, `expected another name: ${name} is a domain's`);
}

/** A domU's address lies in a block of its host, and says no other length than the block has. */
function checkPlace({ host, domain, path }: PlannedDomain, plan: Plan, faults: FaultList): void {
  const { privateAddress } = domain;
  if (privateAddress === undefined) return;
  const { address, length } = privateAddress;
  const own = [...path, "privateAddress"];
  const text = formatIpv4(address);
  const { length: planned, gateway } = placeOf(address);
  if (length !== 32 && length !== planned) {
    const expected = `expected ${text}/${planned}, as the address plan has it`;
    faults.add(own, `${expected}, got ${text}/${length}`);
  }
  const found = plan.hosts[host];
  if (found === undefined) return;
  const blocks = blocksBeside(found.privateAddress ?? ZONE_ADDRESSES.private.address);
  const block = blocks.find((one) => contains(one, address));
  if (block === undefined) {
    const texts = blocks.map(formatPrefix).join(" or ");
    const hint = found.privateAddress === undefined ? "; the host has no privateAddress" : "";
    faults.add(own, `expected an address of the host's blocks ${texts}, got ${text}${hint}`);
    return;
  }
  const last = ipv4Of(address | ~maskOf(planned));
  if (address !== block.address && address !== last && address !== gateway) return;
  faults.add(own, `expected an address of a machine, got ${text} of ${formatPrefix(block)}`);
}
