/**
 * The rules that keep a domU to its own addresses, as `ec2-vif-route-dhcpd` must have made them:
 * the
 * stock script's physdev rules never match a routed packet (docs/sources.md).
 * @module
 */
import { formatIpv4, formatMac } from "../wire/addr.ts";
import type { Vif } from "./vif.ts";

/** The user chain of a vif. */
export const spoofChain = (vif: Vif): string => `spoof-${vif.name}`;

/** The rules of the vif's chain, in the words of `iptables -t raw -A`; what fits returns. */
export function spoofRules(vif: Vif): string[] {
  const chain = `-A ${spoofChain(vif)}`;
  const mac = formatMac(vif.mac).toUpperCase();
  const drop = (cause: string): string => `-m comment --comment "anti-spoof/${cause}" -j DROP`;
  const dhcpClient = "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67";
  return [
    `${chain} -m mac ! --mac-source ${mac} ${drop("source-mac")}`,
    `${chain} ${dhcpClient} -j RETURN`,
    `${chain} -p udp -m udp --sport 67 ${drop("dhcp-server")}`,
    ...vif.addresses.map((own) => `${chain} -s ${formatIpv4(own)}/32 -j RETURN`),
    `${chain} ${drop("source-address")}`,
  ];
}

/** The rule that sends the vif's packets there. */
export const spoofJump = (vif: Vif): string => `-A PREROUTING -i ${vif.name} -j ${spoofChain(vif)}`;
