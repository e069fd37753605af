/**
 * dhcpd.conf of a host before its first domU: a shared network that joins Dom0's block with the
 * domUs', for dhcpd ignores a device without a subnet (docs/sources.md).
 * @module
 */
import { formatIpv4, type Ipv4Addr, ipv4Of, maskOf, parseIpv4, type Prefix } from "../wire/addr.ts";
import { placeOf } from "./address-plan.ts";

/** EC2 2010: every host presented the same server. */
export const DHCP_SERVER: Ipv4Addr = parseIpv4("169.254.1.0");
/** EC2 2010: the resolver, reached by routing. */
const RESOLVER = "172.16.0.23";

/** The text for a host with `privateAddress` whose domUs lie in `guestBlocks`. */
export function dhcpdText(privateAddress: Ipv4Addr, guestBlocks: readonly Prefix[]): string {
  const own = { address: ipv4Of(privateAddress & maskOf(24)), length: 24 };
  return [
    "authoritative;",
    "default-lease-time 86400;",
    "max-lease-time 86400;",
    `server-identifier ${formatIpv4(DHCP_SERVER)};`,
    "shared-network vifs {",
    `  ${subnet(own)} { }`,
    ...guestBlocks.map((block) => `  ${subnet(block)} { ${options(block)} }`),
    "}",
    "",
  ].join("\n");
}

const subnet = ({ address, length }: Prefix): string =>
  `subnet ${formatIpv4(address)} netmask ${formatIpv4(maskOf(length))}`;

function options({ address, length }: Prefix): string {
  const last = ipv4Of(address | ~maskOf(length));
  return [
    `option routers ${formatIpv4(placeOf(address).gateway)};`,
    `option broadcast-address ${formatIpv4(last)};`,
    'option domain-name "compute-1.internal";',
    `option domain-name-servers ${RESOLVER};`,
  ].join(" ");
}
