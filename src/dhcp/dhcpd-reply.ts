/**
 * How ISC dhcpd writes an answer: which options, in what order, in how much room (`cons_options`).
 * @module
 */
import { IPV4_ANY, type Ipv4Addr, type Mac } from "../wire/addr.ts";
import type { NamedOption } from "./dhcpd-conf.ts";
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import type { DhcpRequest } from "./dhcpd-request.ts";
import { BootpOp, DHCP, DHCP_LENGTH, type DhcpHeader, DhcpType, encodeMessage } from "./message.ts";
import type { OptionState } from "./option-state.ts";
import { joinOctets, textOctets } from "./option-type.ts";
import { Option, packOptions, type PackedOptions, type RawOption } from "./options.ts";

/** An answer that the server frames itself, past the host's own IP stack. */
export interface RawReply {
  readonly transport: "raw";
  /** The device on which the question came. */
  readonly device: string;
  /** UDP payload. */
  readonly payload: Uint8Array;
  readonly source: Ipv4Addr;
  readonly destination: Ipv4Addr;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly destinationMac: Mac;
  readonly ttl: number;
  readonly tos: number;
  readonly id: number;
}

/** An answer that goes through the host's UDP socket, bound to port 67 of all its addresses. */
export interface SocketReply {
  readonly transport: "socket";
  /** UDP payload. */
  readonly payload: Uint8Array;
  readonly destination: Ipv4Addr;
  readonly destinationPort: number;
}

/** What to send, and how. */
export type DhcpReply = RawReply | SocketReply;

/** What stands in an answer besides the fixed part. */
export interface ReplyBody {
  readonly options: OptionState;
  /** Codes that the client asks for, or `null`. */
  readonly list: Uint8Array | null;
  /** Largest message in octets with its IP and UDP headers; 0 if nobody said. */
  readonly largest: number;
  /** If texts get a NUL at their end. */
  readonly wantsNul: boolean;
  /** If `file` and `sname` may take options. */
  readonly mayOverload: boolean;
  /** If the client identifier goes back although the client did not ask for it. */
  readonly echoesClientId: boolean;
  /** What goes back to a relay agent. */
  readonly agent: readonly RawOption[];
  /** Contents of `file`, or empty. */
  readonly file: string;
  /** Contents of `sname`, or empty. */
  readonly sname: string;
}

/** Octets of IP, UDP and the fixed part of a message. */
const HEADERS = 20 + 8 + DHCP_LENGTH;
/** Octets of the cookie. */
const COOKIE = 4;
const SMALLEST_MESSAGE = 576;
const LARGEST_MESSAGE = 1500;
/** Room for a BOOTP client's options, cookie included: RFC 951 section 3. */
const BOOTP_ROOM = 64;
/** Sub-option "relay source port", which is empty: RFC 8357 section 4. */
const RELAY_PORT = 19;
/** Room for a relay agent's option. */
const AGENT_ROOM = 1024;
/** ISC dhcpd's `PRIORITY_COUNT`. */
const LONGEST_LIST = 300;

const NO_SNAME = new Uint8Array(DHCP.sname.span);
const NO_FILE = new Uint8Array(DHCP.file.span);

/** The fixed part of an answer: what it copies from the question, and nothing else. */
export function headerFor({ message }: DhcpRequest): DhcpHeader {
  const { htype, hlen, hops, xid, secs, flags, ciaddr, giaddr, chaddr } = message;
  return {
    op: BootpOp.Reply,
    htype,
    hlen,
    hops,
    xid,
    secs,
    flags,
    ciaddr,
    yiaddr: IPV4_ANY,
    siaddr: IPV4_ANY,
    giaddr,
    chaddr,
    sname: NO_SNAME,
    file: NO_FILE,
  };
}

/**
 * The UDP payload of an answer.
 * @param named options that have names, for whether they are texts.
 */
export function encodeReply(
  profile: DhcpdProfile,
  request: DhcpRequest,
  header: DhcpHeader,
  body: ReplyBody,
  named: ReadonlyMap<number, NamedOption>,
): Uint8Array {
  const tail = agentOption(profile, request, body.agent);
  const room = roomFor(request, body, tail.length);
  const codes = orderOf(profile, request, body);
  const options: RawOption[] = [];
  for (const code of codes) {
    const octets = body.options.find(code);
    if (octets === null || octets.length === 0) continue;
    const isText = named.get(code)?.form.atoms.includes("text") ?? false;
    options.push([code, isText && body.wantsNul ? joinOctets([octets, NUL]) : octets]);
  }
  const packed = packOptions(options, {
    main: room,
    keepsRoom: codes.at(-1) !== options.at(-1)?.[0],
    file: body.mayOverload && body.file === "",
    sname: body.mayOverload && body.sname === "",
    tail,
  });
  const whole = body.file !== "" || body.sname !== "" ? withNames(header, body) : header;
  return encodeMessage(whole, hasOptions(packed, tail) ? packed : null);
}

const withNames = (header: DhcpHeader, { file, sname }: ReplyBody): DhcpHeader => ({
  ...header,
  file: file === "" ? header.file : textOctets(file.slice(0, DHCP.file.span)),
  sname: sname === "" ? header.sname : textOctets(sname.slice(0, DHCP.sname.span)),
});

const NO_OCTETS = new Uint8Array(0);
const NUL = Uint8Array.of(0);

/** `cons_options` fails if nothing stands in the main place, and the answer goes out without. */
const hasOptions = ({ main }: PackedOptions, tail: Uint8Array): boolean =>
  main.length > tail.length + 1;

/** Room behind the cookie, the relay agent's option not counted. */
function roomFor({ message, type }: DhcpRequest, { largest }: ReplyBody, agent: number): number {
  const wanted = message.options.get(Option.MaxMessageSize.code);
  const [high = 0, low = 0] = wanted ?? [];
  const size = wanted !== undefined && wanted.length >= 2 ? high * 256 + low : largest;
  const isRoomy = message.length >= BOOTP_ROOM + DHCP_LENGTH;
  let room = SMALLEST_MESSAGE - HEADERS;
  if (size > 0) room = Math.min(Math.max(size, SMALLEST_MESSAGE), LARGEST_MESSAGE) - HEADERS;
  else if (type === 0) room = isRoomy ? message.length - DHCP_LENGTH : BOOTP_ROOM;
  const whole = Math.min(room + agent, LARGEST_MESSAGE - HEADERS);
  return (whole > agent ? whole - agent : whole) - COOKIE;
}

/** The relay agent's option as it goes back: RFC 3046 section 2.2. */
function agentOption(
  profile: DhcpdProfile,
  { message }: DhcpRequest,
  agent: readonly RawOption[],
): Uint8Array {
  if (message.giaddr === 0 && !profile.echoesAnyAgent) return NO_OCTETS;
  const seen = new Set<number>();
  const parts: Uint8Array[] = [];
  for (const [code, octets] of agent) {
    const isSeen = seen.has(code);
    seen.add(code);
    const isBare = octets.length === 0 && code !== RELAY_PORT;
    if (profile.prunesAgentOption && (isSeen || isBare)) continue;
    parts.push(Uint8Array.of(code, octets.length), octets);
  }
  if (parts.length === 0) return NO_OCTETS;
  const { main } = packOptions([[Option.RelayAgent.code, joinOctets(parts)]], { main: AGENT_ROOM });
  return main.subarray(0, main.length - 1);
}

/** Codes in the order in which room is given to them, each once. */
function orderOf(profile: DhcpdProfile, request: DhcpRequest, body: ReplyBody): readonly number[] {
  const { list } = body;
  const order = [...profile.first];
  if (list === null || list.length === 0) {
    order.push(...profile.usual, ...body.options.codes(), ...profile.last);
  } else {
    if (body.options.find(Option.SubnetSelection.code) !== null) {
      order.push(Option.SubnetSelection.code);
    }
    if (body.echoesClientId) order.push(Option.ClientIdentifier.code);
    order.push(...list.slice(0, LONGEST_LIST - order.length));
    order.push(...unasked(profile, request).slice(0, LONGEST_LIST - order.length));
  }
  const once = order.filter(
    (code, at) => code !== Option.RelayAgent.code && order.indexOf(code) === at,
  );
  if (profile.putsMaskFirst) putMaskFirst(once);
  return once;
}

/** What a client gets that asked for others by name. */
function unasked({ addsMask }: DhcpdProfile, { message, type }: DhcpRequest): readonly number[] {
  if (!addsMask) return [];
  const asked = type === DhcpType.Discover || type === DhcpType.Request;
  return [
    ...(message.options.has(Option.Fqdn.code) ? [Option.Fqdn.code] : []),
    ...(asked ? [Option.SubnetMask.code] : []),
  ];
}

function putMaskFirst(codes: number[]): void {
  const mask = codes.indexOf(Option.SubnetMask.code);
  const routers = codes.indexOf(Option.Routers.code);
  if (routers < 0 || routers > mask) return;
  codes[routers] = Option.SubnetMask.code;
  codes[mask] = Option.Routers.code;
}
