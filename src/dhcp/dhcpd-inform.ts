/**
 * Answers that give no lease from a table: INFORM, NAK, and BOOTP for a fixed address.
 *
 * RFC 2131 section 4.3.5 and 4.3.2; ISC dhcpd's `dhcpinform`, `nak_lease` and `bootp`.
 * @module
 */
import { IPV4_BROADCAST, type Ipv4Addr, ipv4Of, MAC_BROADCAST } from "../wire/addr.ts";
import type { Host, Subnet } from "./dhcpd-networks.ts";
import { type DhcpReply, encodeReply, headerFor, type ReplyBody } from "./dhcpd-reply.ts";
import { addressOf, type DhcpRequest, selectionOf, type Site } from "./dhcpd-request.ts";
import { bodyOf, echoClientId, framed, nameServer, relayed, setHostName } from "./lease-grant.ts";
import type { Lease } from "./lease-table.ts";
import {
  BOOTP_LENGTH,
  BROADCAST_FLAG,
  DHCP,
  DHCP_CLIENT_PORT,
  DHCP_LENGTH,
  DHCP_SERVER_PORT,
  type DhcpHeader,
  DhcpType,
  encodeMessage,
  macOfHeader,
} from "./message.ts";
import { Evaluation, OptionState } from "./option-state.ts";
import { textOctets } from "./option-type.ts";
import { Option, rawOption } from "./options.ts";

/** Why an INFORM or a BOOTP request has no answer. */
export type InformRefusal =
  | "dhcp/no-address"
  | "dhcp/unknown-subnet"
  | "dhcp/not-authoritative"
  | "dhcp/bootp-denied"
  | "dhcp/booting-denied";

/** Answer an INFORM: RFC 2131 section 4.3.5. */
export function inform(site: Site, request: DhcpRequest): DhcpReply | InformRefusal {
  const { profile, networks, table } = site;
  const { message, source } = request;
  const client = message.ciaddr === 0 ? source : message.ciaddr;
  if (client === 0) return "dhcp/no-address";
  const isRelayed = profile.informsFully && message.giaddr !== 0 && message.ciaddr === 0;
  const selection = profile.informsFully ? selectionOf(message, profile) : null;
  if (selection !== null && selection[1].length !== 4) return "dhcp/unknown-subnet";
  const here = isRelayed ? message.giaddr : client;
  const subnet = networks.findSubnet(selection === null ? here : addressOf(selection[1]));
  if (subnet === null) return "dhcp/unknown-subnet";
  if (!subnet.scope.isAuthoritative) return "dhcp/not-authoritative";
  const evaluation = new Evaluation();
  const { options } = evaluation;
  if (selection !== null) options.set(...selection);
  evaluation.enter(subnet.scope);
  if (profile.informsFully) {
    const lease = message.ciaddr === 0 ? null : table.findByAddress(client);
    if (lease?.pool) evaluation.enter(lease.pool.scope, lease.pool.share.scope);
    const host = findHost(site, request, client);
    if (host !== null) evaluation.enter(host.scope, subnet.scope);
  }
  options.set(...rawOption(Option.MessageType, DhcpType.Ack));
  nameServer(options, request.input);
  if (options.find(Option.SubnetMask.code) === null) {
    options.set(...rawOption(Option.SubnetMask, subnet.netmask));
  }
  if (profile.informsFully) {
    for (const { code } of [Option.LeaseTime, Option.RenewalTime, Option.RebindingTime]) {
      options.delete(code);
    }
  }
  const header: DhcpHeader = {
    ...headerFor(request),
    siaddr: ipv4Of(evaluation.address("next-server") ?? 0),
    flags: isRelayed ? message.flags | BROADCAST_FLAG : message.flags,
  };
  const wantsNul = profile.informsFully && request.wantsNul;
  const body: ReplyBody = {
    ...bodyOf(evaluation, request),
    largest: 0,
    wantsNul,
    agent: profile.informsFully ? request.agent : [],
  };
  const payload = encodeReply(profile, request, header, body, site.named);
  return {
    transport: "socket",
    payload,
    destination: isRelayed ? message.giaddr : client,
    destinationPort: isRelayed ? DHCP_SERVER_PORT : DHCP_CLIENT_PORT,
  };
}

/** The host declaration that speaks of a client which has an address already. */
function findHost({ networks }: Site, request: DhcpRequest, client: Ipv4Addr): Host | null {
  const { clientId, hardware } = request;
  const byId = clientId === null ? [] : networks.hostsByClientId(clientId);
  const byHardware = networks.hostsByHardware(hardware.htype, hardware.octets);
  const hasAddress = ({ fixedAddresses }: Host): boolean => fixedAddresses.includes(client);
  const hasNone = ({ fixedAddresses }: Host): boolean => fixedAddresses.length === 0;
  return (
    byId.find(hasAddress) ??
    byHardware.find(hasAddress) ??
    byId.find(hasNone) ??
    byHardware.find(hasNone) ??
    null
  );
}

/** Tell a client that it may not use its address: RFC 2131 section 4.3.2. */
export function refuse(
  site: Site,
  request: DhcpRequest,
  subnet: Subnet | null,
  text: string,
): DhcpReply {
  const { profile } = site;
  const { message, input } = request;
  const network = profile.nakKnowsNetwork ? networkOf(site, request, subnet) : new Evaluation();
  const options = new OptionState();
  options.set(...rawOption(Option.MessageType, DhcpType.Nak));
  options.set(Option.Message.code, textOctets(text));
  const source = nameServer(network.options, input);
  options.set(...rawOption(Option.ServerIdentifier, source));
  echoClientId(network, options, request);
  const body: ReplyBody = { ...PLAIN, options, agent: [...request.agent, ...request.stashed] };
  const header: DhcpHeader = {
    ...headerFor(request),
    ciaddr: ipv4Of(0),
    siaddr: profile.nakNamesServer ? input.address : ipv4Of(0),
    flags: message.flags | BROADCAST_FLAG,
  };
  const payload = encodeReply(profile, request, header, body, site.named);
  if (message.giaddr !== 0) return relayed(message.giaddr, payload);
  return framed(profile, request, payload, source, IPV4_BROADCAST, MAC_BROADCAST);
}

/** What holds on the client's network: ISC dhcpd 4.4's `eval_network_statements`. */
function networkOf({ networks }: Site, { share }: DhcpRequest, subnet: Subnet | null): Evaluation {
  const evaluation = new Evaluation();
  evaluation.enter((share === null ? subnet : (share.subnets[0] ?? share))?.scope ?? networks.root);
  const pool = share?.pools[0];
  if (pool !== undefined) evaluation.enter(pool.scope, pool.share.scope);
  return evaluation;
}

const PLAIN: Omit<ReplyBody, "options"> = {
  list: null,
  largest: 0,
  wantsNul: false,
  mayOverload: false,
  echoesClientId: false,
  agent: [],
  file: "",
  sname: "",
};

/** Answer a BOOTP client that has a fixed address: RFC 951 section 7.3. */
export function bootReply(
  site: Site,
  request: DhcpRequest,
  lease: Lease,
): DhcpReply | InformRefusal {
  const { profile } = site;
  const { message, input } = request;
  const evaluation = new Evaluation();
  evaluation.enter(lease.subnet.scope);
  if (lease.host !== null) evaluation.enter(lease.host.scope, lease.subnet.scope);
  if (evaluation.isDenied("bootp")) return "dhcp/bootp-denied";
  if (evaluation.isDenied("booting")) return "dhcp/booting-denied";
  const isBroadcast =
    (message.flags & BROADCAST_FLAG) !== 0 || evaluation.flag("always-broadcast") === true;
  const first = site.firstOn(lease.subnet.share) ?? input;
  const header: DhcpHeader = {
    ...headerFor(request),
    yiaddr: lease.address,
    siaddr: ipv4Of(evaluation.address("next-server") ?? first.address),
    flags: isBroadcast ? message.flags | BROADCAST_FLAG : message.flags,
    file: message.file,
  };
  const payload = bootPayload(site, request, header, evaluation, lease);
  if (message.giaddr !== 0) {
    return {
      transport: "socket",
      payload,
      destination: message.giaddr,
      destinationPort: DHCP_SERVER_PORT,
    };
  }
  const mac = macOfHeader(message) ?? MAC_BROADCAST;
  const destination = isBroadcast ? IPV4_BROADCAST : lease.address;
  return framed(profile, request, payload, input.address, destination, mac);
}

/** A client without the cookie gets its own vendor area back. */
function bootPayload(
  { profile, named }: Site,
  request: DhcpRequest,
  header: DhcpHeader,
  evaluation: Evaluation,
  lease: Lease,
): Uint8Array {
  const { options } = evaluation;
  const file = evaluation.text("filename");
  const sname = evaluation.text("server-name");
  if (!request.message.hasCookie && evaluation.flag("always-reply-rfc1048") !== true) {
    const names = {
      file: file === "" ? header.file : textOctets(file.slice(0, DHCP.file.span)),
      sname: textOctets(sname.slice(0, DHCP.sname.span)),
    };
    const shortest = profile.copiesVendorArea
      ? Math.max(BOOTP_LENGTH, request.octets.length)
      : BOOTP_LENGTH;
    const payload = encodeMessage({ ...header, ...names }, null, shortest);
    payload.set(request.octets.subarray(DHCP_LENGTH, payload.length), DHCP_LENGTH);
    return payload;
  }
  if (options.find(Option.SubnetMask.code) === null) {
    options.set(...rawOption(Option.SubnetMask, lease.subnet.netmask));
  }
  if (profile.namesBootpHosts) setHostName(evaluation, lease.host);
  return encodeReply(profile, request, header, { ...PLAIN, options, file, sname }, named);
}
