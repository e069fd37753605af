/**
 * What netfilter is on one router: rules, and, where something needs them, defragmentation,
 * connection tracking and address translation.
 * @module
 */
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { IPV4_ANY, type Ipv4Addr } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { RouterRejecter } from "../filter/rejecter.ts";
import { RuleSet } from "../filter/rule-set.ts";
import type { RuleServices } from "../filter/services.ts";
import { IPV4_MAX_PACKET } from "../l3/ipv4.ts";
import { Defragmenter } from "../l3/defragment.ts";
import { Hook, HookPriority } from "../l3/hooks.ts";
import { RerouteCheck } from "../l3/reroute.ts";
import type { Router } from "../l3/router.ts";
import { FlowConnections } from "../nat/flow-connections.ts";
import { Conntrack } from "../nat/conntrack.ts";
import { Nat } from "../nat/nat.ts";
import { AddressTypes } from "./address-types.ts";
import type { Profile } from "./profile.ts";

/** Who takes what rules have to say; without `packetLog`, rules with NFLOG are refused. */
export type Sinks = Partial<Pick<RuleServices, "log" | "packetLog">>;

/** The netfilter of one router. */
export class Firewall {
  readonly rules: RuleSet;
  readonly #router: Router;
  readonly #profile: Profile;
  readonly #chance: Chance;
  #conntrack: Conntrack | null = null;
  #nat: Nat | null = null;
  readonly #machines: Machine[] = [];

  /** @param sinks take what LOG and TRACE say and what NFLOG copies. */
  constructor(router: Router, profile: Profile, chance: Chance, sinks: Sinks = {}) {
    this.#router = router;
    this.#profile = profile;
    this.#chance = chance;
    const { addressing, jiffies } = router;
    this.rules = new RuleSet({
      jiffies,
      chance,
      addressTypes: new AddressTypes(addressing),
      interfaceAddresses: {
        first: (device) => addressing.interfaces.get(device)?.addresses[0]?.address ?? null,
        select: (device, target) => {
          const own = addressing.select(device, target);
          return own === IPV4_ANY ? null : own;
        },
      },
      pathMtu: profile.clampsToWayBack
        ? (address) => {
            const route = addressing.routeTo(address);
            return route === null ? IPV4_MAX_PACKET : addressing.mtuOf(route);
          }
        : null,
      rejecter: new RouterRejecter(router, profile.verifiesRejected, (segment, now) => {
        if (profile.closesRejected) this.#conntrack?.close(segment.flow, now);
      }),
      ...sinks,
      connections: new FlowConnections(profile.flows.conntrack, jiffies.hz, () => this.#conntrack),
    });
    this.rules.attach(router.hooks);
    if (profile.tracksAlways) this.#track();
  }

  /** Connection tracking; `null` while nothing needs it. */
  get conntrack(): Conntrack | null {
    return this.#conntrack;
  }

  /** What has deadlines. */
  get machines(): readonly Machine[] {
    return this.#machines;
  }

  /**
   * Do what an `iptables` command line says.
   * @returns the command, for logs.
   * @throws {ParseError} or {RuleError} as {@link RuleSet.command}.
   */
  iptables(command: string): string {
    this.rules.command(command);
    this.#update();
    return `iptables ${command}`;
  }

  /**
   * Read tables as `iptables-restore` does.
   * @throws {ParseError} as {@link RuleSet.restore}.
   */
  restore(text: string): void {
    this.rules.restore(text);
    this.#update();
  }

  /**
   * `device` lost `address`, or went down (`null`): what was masqueraded there ends, where the
   * kernel notes devices.
   */
  loseAddress(device: Device, address: Ipv4Addr | null): void {
    this.#nat?.endMasqueraded(device, address);
  }

  /** Connections are tracked once a rule needs it, translated once there is a nat table. */
  #update(): void {
    const conntrack = this.#conntrack ?? (this.rules.usesConntrack ? this.#track() : null);
    if (conntrack === null || this.#nat !== null) return;
    if (this.rules.tables.some(({ name }) => name === "nat")) this.#translate(conntrack);
  }

  #track(): Conntrack {
    const { flows, router } = this.#profile;
    const { hooks, jiffies } = this.#router;
    const conntrack = new Conntrack({ behaviour: flows.conntrack, jiffies });
    this.#machines.push(new Defragmenter(this.#router, router.reassembly), conntrack);
    conntrack.attach(hooks);
    this.#conntrack = conntrack;
    return conntrack;
  }

  #translate(conntrack: Conntrack): void {
    const behaviour = this.#profile.flows.nat;
    this.#nat = new Nat({ conntrack, behaviour, rules: this.rules, chance: this.#chance });
    const { hooks, addressing } = this.#router;
    this.#nat.attach(hooks);
    hooks.register(Hook.Output, HookPriority.Reroute, new RerouteCheck(addressing));
  }
}
