/**
 * The rules that the hotplug script keeps on a host: each vif's own addresses, its security groups,
 * its public address.
 * @module
 */
import type { Machine } from "../base/machine.ts";
import { formatIpv4, formatPrefix, ipv4Of, type Prefix } from "../wire/addr.ts";
import { spoofChain, spoofJump, spoofRules } from "./anti-spoof.ts";
import type { Firewall } from "./firewall.ts";
import { ESTABLISHED_RULE, removal } from "./group-rules.ts";
import { HostGroups } from "./host-groups.ts";
import type { SecurityGroups } from "./security-group.ts";
import type { Vif } from "./vif.ts";

/** What a host's rules are about. */
export interface HostRulesOptions {
  /** Of the router that has the vifs. */
  readonly inside: Firewall;
  /** Of the router that has the uplink; the same where there is one router. */
  readonly outside: Firewall;
  /** The device by which translated packets leave. */
  readonly uplink: string;
  /** The gateway's device towards the vifs; `null` where there is one router. */
  readonly inward: string | null;
  /** Keep vifs to their own addresses. */
  readonly hasAntiSpoof: boolean;
  /** Ask a permission for packets to domUs; `null` lets all pass. */
  readonly groups: SecurityGroups | null;
  readonly hasNat: boolean;
  /** Where domUs go by their private addresses; `null` translates whatever leaves by the uplink. */
  readonly privateNetwork: Prefix | null;
}

/** All rules of one host. Each method answers the commands that it ran. */
export class HostRules {
  readonly #options: HostRulesOptions;
  readonly #groups: HostGroups | null;

  constructor(options: HostRulesOptions) {
    const { groups } = options;
    this.#options = options;
    this.#groups =
      groups === null ? null : new HostGroups(groups, (command) => this.#inside(command));
    if (groups !== null) this.#inside(ESTABLISHED_RULE);
    if (options.inward !== null && options.hasNat) this.#guardGateway(options.uplink);
  }

  get machines(): readonly Machine[] {
    const { inside, outside } = this.#options;
    return inside === outside ? inside.machines : [...inside.machines, ...outside.machines];
  }

  /**
   * What no connection accounts for would leave with its private source (`nat` passes it by), and
   * what comes for a public address of nobody would go back out by the uplink.
   */
  #guardGateway(uplink: string): void {
    const drop = (cause: string): string => `-m comment --comment "gateway/${cause}" -j DROP`;
    this.#outside(`-A FORWARD -m state --state INVALID ${drop("invalid")}`);
    this.#outside(`-A FORWARD -i ${uplink} -o ${uplink} ${drop("no-such-address")}`);
  }

  /** Anti-spoofing for a vif. */
  guardVif(vif: Vif): string[] {
    if (!this.#options.hasAntiSpoof) return [];
    return [
      this.#inside(`-t raw -N ${spoofChain(vif)}`),
      ...spoofRules(vif).map((rule) => this.#inside(`-t raw ${rule}`)),
      this.#inside(`-t raw ${spoofJump(vif)}`),
    ];
  }

  unguardVif(vif: Vif): string[] {
    if (!this.#options.hasAntiSpoof) return [];
    return [
      this.#inside(`-t raw ${removal(spoofJump(vif))}`),
      this.#inside(`-t raw -F ${spoofChain(vif)}`),
      this.#inside(`-t raw -X ${spoofChain(vif)}`),
    ];
  }

  /** The permissions of a vif's groups. */
  openVif(vif: Vif): string[] {
    return this.#groups?.open(vif) ?? [];
  }

  closeVif(vif: Vif): string[] {
    return this.#groups?.close(vif) ?? [];
  }

  /** Map a vif's public address to its first private one. */
  bindPublic(vif: Vif): string[] {
    return this.#natRules(vif).map((rule) => this.#outside(`-t nat ${rule}`));
  }

  unbindPublic(vif: Vif): string[] {
    return this.#natRules(vif).map((rule) => this.#outside(`-t nat ${removal(rule)}`));
  }

  /**
   * To the public address: to the domU. From the domU to the outside: from the public address. By
   * way of another domU's public address, the gateway turns packets round, and the receiver sees
   * the public one as well (docs/sources.md).
   */
  #natRules({ publicAddress, addresses }: Vif): string[] {
    const { uplink, inward, hasNat, privateNetwork } = this.#options;
    if (publicAddress === null || !hasNat) return [];
    const [own = ipv4Of(0)] = addresses;
    const toPrivate = `-j DNAT --to-destination ${formatIpv4(own)}`;
    const from = `-A POSTROUTING -s ${formatIpv4(own)}/32`;
    const toPublic = `-j SNAT --to-source ${formatIpv4(publicAddress)}`;
    const except = privateNetwork === null ? "" : ` ! -d ${formatPrefix(privateNetwork)}`;
    return [
      `-A PREROUTING -d ${formatIpv4(publicAddress)}/32 ${toPrivate}`,
      `${from}${except} -o ${uplink} ${toPublic}`,
      ...(inward === null ? [] : [`${from} -o ${inward} ${toPublic}`]),
    ];
  }

  #inside(command: string): string {
    return this.#options.inside.iptables(command);
  }

  #outside(command: string): string {
    return this.#options.outside.iptables(command);
  }
}
