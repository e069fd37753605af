/**
 * What `/etc/xen/scripts/ec2-vif-route-dhcpd` does when a vif comes or goes, reconstructed from Xen
 * 3.1's vif-route and vif-nat (docs/sources.md). The steps run before the domU's kernel is alive.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { formatIpv4, type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import { newRoute } from "../l3/route-table.ts";
import type { Router } from "../l3/router.ts";
import { ArpFilter } from "./arp-filter.ts";
import type { DhcpdService } from "./dhcpd-service.ts";
import type { HostRules } from "./host-rules.ts";
import type { Vif } from "./vif.ts";

/** `ifconfig` without a broadcast address sets that of the address's class: for 10/8 this one. */
const classBroadcast = (address: Ipv4Addr): Ipv4Addr => {
  if (address >>> 31 === 0) return ipv4Of(address | 0xff_ffff);
  return ipv4Of(address | (address >>> 30 === 2 ? 0xffff : 0xff));
};

/** What the script works with. */
export interface HotplugOptions {
  /** Where vifs are. */
  readonly router: Router;
  /** `main_ip`: Dom0's private address, which every vif bears. */
  readonly mainAddress: Ipv4Addr;
  /** Metric of the host routes: none in Xen 3, 2 since 4.x. */
  readonly routeMetric: number;
  readonly rules: HostRules;
  /** `null` for a host without dhcpd. */
  readonly dhcpd: DhcpdService | null;
  /** Where the NAT gateway reaches the vifs' router; `null` where there is one router. */
  readonly inward: { readonly router: Router; readonly device: Device } | null;
  /** False: forged ARP is taken, as a plain `vif-route` does. */
  readonly filtersArp: boolean;
}

/** Runs the script for the vifs of one host. */
export class Hotplug {
  readonly #options: HotplugOptions;

  constructor(options: HotplugOptions) {
    this.#options = options;
  }

  /** `online`: the vif can be used when this returns. @returns the commands, in their order. */
  online(vif: Vif, now: Instant): string[] {
    const { rules, dhcpd } = this.#options;
    return [
      ...this.#route(vif),
      ...rules.guardVif(vif),
      ...rules.openVif(vif),
      ...rules.bindPublic(vif),
      ...(dhcpd?.addHost(vif, now) ?? []),
      `xenstore-write ${pathOf(vif)}/hotplug-status connected`,
    ];
  }

  /**
   * `offline`: the reverse; entries of connection tracking stay, as no stock script flushes them.
   */
  offline(vif: Vif, now: Instant): string[] {
    const { rules, dhcpd } = this.#options;
    return [
      ...(dhcpd?.removeHost(vif, now) ?? []),
      ...rules.unbindPublic(vif),
      ...rules.closeVif(vif),
      ...rules.unguardVif(vif),
      ...this.#unroute(vif, now),
    ];
  }

  /**
   * Give a vif another public address, or none: connections keep what they have, new ones meet it.
   */
  associate(vif: Vif, address: Ipv4Addr | null): string[] {
    const { rules } = this.#options;
    const removed = rules.unbindPublic(vif);
    vif.publicAddress = address;
    return [...removed, ...rules.bindPublic(vif)];
  }

  /** `vif-route`: Dom0's own address on the vif, proxy ARP, a host route for each address. */
  #route(vif: Vif): string[] {
    const { router, mainAddress, routeMetric, filtersArp } = this.#options;
    const { addressing } = router;
    const { stackDevice: device } = vif;
    const via = addressing.addInterface(device, { isForwarding: true, hasProxyArp: true });
    if (filtersArp) via.addFilter(new ArpFilter(vif.mac, vif.addresses));
    const broadcast = classBroadcast(mainAddress);
    addressing.addAddress(via, mainAddress, 32, broadcast);
    for (const address of vif.addresses) {
      const prefix = { address, length: 32 };
      addressing.fib.add(newRoute({ prefix, device, source: mainAddress, metric: routeMetric }));
    }
    this.#routeInward(vif);
    const main = formatIpv4(mainAddress);
    const metric = routeMetric > 0 ? ` metric ${routeMetric}` : "";
    return [
      `ifconfig ${vif.name} ${main} netmask 255.255.255.255 up`,
      `echo 1 >/proc/sys/net/ipv4/conf/${vif.name}/proxy_arp`,
      ...vif.addresses.map(
        (own) => `ip route add ${formatIpv4(own)} dev ${vif.name} src ${main}${metric}`,
      ),
    ];
  }

  /** Let the gateway know whose addresses are behind Dom0. */
  #routeInward({ addresses }: Vif): void {
    const { inward, mainAddress } = this.#options;
    if (inward === null) return;
    const { fib } = inward.router.addressing;
    for (const address of addresses) {
      const prefix = { address, length: 32 };
      fib.add(newRoute({ prefix, device: inward.device, gateway: mainAddress }));
    }
  }

  #unroute(vif: Vif, now: Instant): string[] {
    const { router, inward } = this.#options;
    router.removeInterface(vif.stackDevice, now);
    inward?.router.addressing.fib.remove(
      ({ device, prefix }) => device === inward.device && vif.addresses.includes(prefix.address),
    );
    return vif.addresses.map((own) => `ip route del ${formatIpv4(own)} dev ${vif.name}`);
  }
}

/** The vif's directory in XenStore. */
const pathOf = ({ domid, handle }: Vif): string => `backend/vif/${domid}/${handle}`;
