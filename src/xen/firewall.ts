/**
 * What netfilter is on one router: rules, and, where something needs them, defragmentation,
 * connection tracking and address translation.
 * @module
 */
import type { Machine } from "../base/machine.ts";
import type { Chance } from "../base/prng.ts";
import { IPV4_ANY } from "../wire/addr.ts";
import { RouterRejecter } from "../filter/rejecter.ts";
import { RuleSet } from "../filter/rule-set.ts";
import type { RuleServices } from "../filter/services.ts";
import { Defragmenter } from "../l3/defragment.ts";
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
      rejecter: new RouterRejecter(router, profile.verifiesRejected),
      ...sinks,
      connections: new FlowConnections(
        profile.flows.conntrack.limit,
        jiffies.hz,
        () => this.#conntrack,
      ),
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
    if (this.#conntrack === null && this.rules.usesConntrack) this.#track();
    return `iptables ${command}`;
  }

  #track(): void {
    const { hooks, jiffies } = this.#router;
    const { flows, router } = this.#profile;
    const conntrack = new Conntrack({ behaviour: flows.conntrack, jiffies });
    const nat = new Nat({
      conntrack,
      behaviour: flows.nat,
      rules: this.rules,
      chance: this.#chance,
    });
    this.#conntrack = conntrack;
    this.#machines.push(new Defragmenter(this.#router, router.reassembly), conntrack);
    conntrack.attach(hooks);
    nat.attach(hooks);
  }
}
