/**
 * In what ISC dhcpd 3.0.5 (EC2 2010) and 4.4.3 differ on the wire, each difference by name.
 *
 * From the sources of both and their release notes; 4.4.3 is also compared with the program itself.
 * @module
 */
import { Option } from "./options.ts";

/** How a dhcpd behaves. */
export interface DhcpdProfile {
  /** IP time to live of the frames that it builds itself. */
  readonly ttl: number;
  /** Options that stand first, in this order. */
  readonly first: readonly number[];
  /** Options that follow them if the client asks for none by name. */
  readonly usual: readonly number[];
  /** Options that it thinks of last if the client asks for none by name. */
  readonly last: readonly number[];
  /** If a client that asks by name gets the subnet mask unasked, behind all others. */
  readonly addsMask: boolean;
  /** If the subnet mask changes places with routers that stand before it: RFC 2132 section 3.3. */
  readonly putsMaskFirst: boolean;
  /** If it always has renewal and rebinding times to give, half and seven eighths of the lease. */
  readonly givesTimers: boolean;
  /** If a relay agent's option goes back also to an agent that does not set `giaddr`. */
  readonly echoesAnyAgent: boolean;
  /** If a sub-option of a relay agent goes back once only, and not without contents. */
  readonly prunesAgentOption: boolean;
  /** If a NAK carries the interface's address in `siaddr`. */
  readonly nakNamesServer: boolean;
  /** If the server identifier and the echo that hold on a network hold for its NAKs, too. */
  readonly nakKnowsNetwork: boolean;
  /** If INFORM knows hosts, pools, relay agents and subnet selection, and names no times. */
  readonly informsFully: boolean;
  /** If a relay agent may name the client's link in its option. */
  readonly knowsLinkSelection: boolean;
  /** If a message with an empty client identifier is dropped. */
  readonly dropsEmptyClientId: boolean;
  /** If a client without BOOTP's vendor area gets back all of its own, not only 64 octets. */
  readonly copiesVendorArea: boolean;
  /** If `use-host-decl-names` holds for BOOTP clients with fixed addresses. */
  readonly namesBootpHosts: boolean;
  /** If a client's leases on other networks are released when it comes to a new one. */
  readonly releasesElsewhere: boolean;
  /** If an abandoned lease is free again after its time, and is offered over and over before. */
  readonly forgetsAbandoned: boolean;
  /** If a client may ask for an abandoned lease that it was offered. */
  readonly reclaimsAbandoned: boolean;
  /** If an abandoned lease is pinged although its client was heard just now. */
  readonly pingsAbandoned: boolean;
  /** If a lease that would end after 2106 ends in 2038 instead. */
  readonly endsTimeIn2038: boolean;
  /** Per cent of a lease's time during which it is repeated unchanged. */
  readonly cacheThreshold: number;
}

const { SubnetMask, Routers, DomainNameServers, HostName, RequestedAddress, Message } = Option;
const { MessageType, ServerIdentifier, LeaseTime, RenewalTime, RebindingTime } = Option;
const { AssociatedIp, Fqdn, NwipSuboptions, VendorOptions } = Option;
const codes = (...options: readonly { readonly code: number }[]): readonly number[] =>
  options.map(({ code }) => code);

/** ISC dhcpd 3.0.5: RHEL 5, EC2 2010. */
export const ISC_3_0_5: DhcpdProfile = {
  ttl: 16,
  first: codes(MessageType, ServerIdentifier, LeaseTime, Message, RequestedAddress, Fqdn),
  usual: codes(SubnetMask, Routers, DomainNameServers, HostName),
  last: codes(VendorOptions),
  addsMask: false,
  putsMaskFirst: false,
  givesTimers: true,
  echoesAnyAgent: false,
  prunesAgentOption: false,
  nakNamesServer: true,
  nakKnowsNetwork: false,
  informsFully: false,
  knowsLinkSelection: false,
  dropsEmptyClientId: false,
  copiesVendorArea: false,
  namesBootpHosts: false,
  releasesElsewhere: true,
  forgetsAbandoned: false,
  reclaimsAbandoned: false,
  pingsAbandoned: false,
  endsTimeIn2038: false,
  cacheThreshold: 0,
};

/** ISC dhcpd 4.4.3: Debian 12. */
export const ISC_4_4_3: DhcpdProfile = {
  ttl: 128,
  first: codes(
    MessageType,
    ServerIdentifier,
    LeaseTime,
    RenewalTime,
    RebindingTime,
    Message,
    RequestedAddress,
    AssociatedIp,
  ),
  usual: codes(SubnetMask, Routers, DomainNameServers, HostName, Fqdn),
  last: [NwipSuboptions.code, Fqdn.code, 124, 125, VendorOptions.code],
  addsMask: true,
  putsMaskFirst: true,
  givesTimers: false,
  echoesAnyAgent: true,
  prunesAgentOption: true,
  nakNamesServer: false,
  nakKnowsNetwork: true,
  informsFully: true,
  knowsLinkSelection: true,
  dropsEmptyClientId: true,
  copiesVendorArea: true,
  namesBootpHosts: true,
  releasesElsewhere: false,
  forgetsAbandoned: true,
  reclaimsAbandoned: true,
  pingsAbandoned: true,
  endsTimeIn2038: true,
  cacheThreshold: 25,
};
