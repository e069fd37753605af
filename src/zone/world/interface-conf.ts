/**
 * `net.ipv4.conf`: settings of each interface, of `all` and of `default`, and how Linux joins them
 * (include/linux/inetdevice.h, net/ipv4/devinet.c).
 * @module
 */
import type { InterfaceSettings } from "../../l3/interface.ts";

/** Names under `net.ipv4.conf.<interface>`. */
export type ConfKey =
  | "forwarding"
  | "proxy_arp"
  | "medium_id"
  | "rp_filter"
  | "send_redirects"
  | "accept_redirects"
  | "secure_redirects"
  | "shared_media"
  | "accept_source_route"
  | "accept_local"
  | "route_localnet"
  | "log_martians"
  | "bootp_relay"
  | "src_valid_mark"
  | "proxy_arp_pvlan"
  | "arp_accept"
  | "arp_announce"
  | "arp_filter"
  | "arp_ignore";

/** What Linux begins with where it is not 0. */
const INITIAL: ReadonlyMap<string, number> = new Map([["send_redirects", 1]]);

/** The settings of all interfaces of one stack. */
export class InterfaceConf {
  readonly #devices: ReadonlyMap<string, Map<ConfKey, number>>;
  readonly #all = new Map<ConfKey, number>();
  readonly #default = new Map<ConfKey, number>();

  constructor(interfaces: readonly string[]) {
    this.#devices = new Map(interfaces.map((name) => [name, new Map()]));
  }

  /** True for the interfaces, `all` and `default`. */
  has(device: string): boolean {
    return device === "all" || device === "default" || this.#devices.has(device);
  }

  /** Write a setting of a device that is there. */
  set(device: string, key: ConfKey, value: number): void {
    if (device === "default") this.#default.set(key, value);
    else if (device !== "all") this.#devices.get(device)?.set(key, value);
    else {
      this.#all.set(key, value);
      // `inet_forward_change`: forwarding of all is that of each.
      if (key === "forwarding") for (const own of this.#devices.values()) own.set(key, value);
    }
  }

  /** What was written last for all; each interface may have another value since. */
  get forwardingOfAll(): number {
    return this.#all.get("forwarding") ?? 0;
  }

  /**
   * What decides about packets of `device`.
   * @param hasLooseRpFilter as the behaviour of that name.
   */
  settingsOf(device: string, hasLooseRpFilter: boolean): InterfaceSettings {
    const own = (key: ConfKey): number =>
      this.#devices.get(device)?.get(key) ?? this.#default.get(key) ?? INITIAL.get(key) ?? 0;
    const all = (key: ConfKey): number => this.#all.get(key) ?? INITIAL.get(key) ?? 0;
    const either = (key: ConfKey): boolean => own(key) !== 0 || all(key) !== 0;
    return {
      isForwarding: own("forwarding") !== 0,
      hasProxyArp: either("proxy_arp"),
      mediumId: own("medium_id"),
      rpFilter: hasLooseRpFilter
        ? modeOf(Math.max(own("rp_filter"), all("rp_filter")))
        : modeOf(Math.min(own("rp_filter"), all("rp_filter"), 1)),
      sendsRedirects: either("send_redirects"),
      acceptsLocal: either("accept_local"),
      routesLocalnet: either("route_localnet"),
      arpIgnore: Math.max(own("arp_ignore"), all("arp_ignore")),
      arpAnnounce: Math.max(own("arp_announce"), all("arp_announce")),
      hasArpFilter: either("arp_filter"),
      hasProxyArpPvlan: either("proxy_arp_pvlan"),
    };
  }
}

function modeOf(value: number): InterfaceSettings["rpFilter"] {
  return value === 1 || value === 2 ? value : 0;
}
