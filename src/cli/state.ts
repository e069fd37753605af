/** The state of a host as its own tools would print it. @module */
import { ipAddrText, ipNeighText, ipRouteText } from "../l3/ip-text.ts";
import type { Router } from "../l3/router.ts";
import { ArpFilter } from "../xen/arp-filter.ts";
import type { Firewall } from "../xen/firewall.ts";
import type { ZoneHost } from "../zone/zone-host.ts";

/** What one command prints. */
export interface StateText {
  readonly host: string;
  /** "dom0" or "gateway"; "dom0" where there is one router. */
  readonly router: string;
  /** The command, such as "ip route". */
  readonly command: string;
  readonly text: string;
}

/**
 * `ip addr`, `ip route`, `ip neigh`, `iptables-save` of each router, `ebtables-save`, dhcpd.conf.
 */
export function stateOf({ name: host, dom0 }: ZoneHost): StateText[] {
  const { router, gateway, firewall, gatewayFirewall, ebtables, dhcpd } = dom0;
  const texts = [
    ...routerTexts(router, firewall).map((text) => ({ host, router: "dom0", ...text })),
    ...(gateway === router ? [] : routerTexts(gateway, gatewayFirewall)).map((text) => ({
      host,
      router: "gateway",
      ...text,
    })),
  ];
  if (ebtables !== null) {
    const text = ebtables.save({ hasCounters: true });
    texts.push({ host, router: "dom0", command: "ebtables-save -c", text });
  }
  if (dhcpd === null) return texts;
  return [...texts, { host, router: "dom0", command: "cat /etc/dhcpd.conf", text: dhcpd.conf }];
}

function routerTexts(router: Router, { rules }: Firewall): Omit<StateText, "host" | "router">[] {
  const arp = arptablesText(router);
  return [
    { command: "ip addr", text: ipAddrText(router) },
    { command: "ip route", text: ipRouteText(router) },
    { command: "ip neigh", text: ipNeighText(router) },
    { command: "iptables-save -c", text: rules.save({ hasCounters: true }) },
    ...(arp === "" ? [] : [{ command: "arptables-save", text: arp }]),
  ];
}

function arptablesText({ addressing }: Router): string {
  return [...addressing.interfaces.values()]
    .flatMap(({ device, filters }) =>
      filters.map((filter) => (filter instanceof ArpFilter ? filter.toText(device.name) : "")),
    )
    .join("");
}
