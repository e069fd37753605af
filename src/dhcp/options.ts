/**
 * DHCP options: their names and types, and how they stand on the wire (RFC 2132 section 2), long
 * ones as RFC 3396 section 5 splits them, more than fit as RFC 2131 section 4.1 overloads.
 * @module
 */
import { assert } from "../base/assert.ts";
import { OptionError } from "../base/errors.ts";
import { OptionPlace } from "./option-place.ts";
import {
  ADDRESS,
  ADDRESS_PAIRS,
  ADDRESSES,
  DOMAINS,
  FLAG,
  I32,
  joinOctets,
  OCTETS,
  type OptionForm,
  type OptionType,
  ROUTES,
  TEXT,
  U16,
  U16S,
  U32,
  U8,
  U8S,
} from "./option-type.ts";

/** An option: its code on the wire, its name in text, the type of its value. */
export interface OptionDefinition<T = unknown> {
  readonly code: number;
  readonly name: string;
  readonly type: OptionType<T>;
}

/** An option whose value's type does not matter: one of many. */
export interface AnyOption {
  readonly code: number;
  readonly name: string;
  readonly type: OptionForm;
}

const define = <T>(code: number, name: string, type: OptionType<T>): OptionDefinition<T> =>
  Object.freeze({ code, name, type });

/** Every option that has a name here. Codes from 1 to 76 are those of RFC 2132 section 3 to 9. */
export const Option = {
  SubnetMask: define(1, "subnet-mask", ADDRESS),
  TimeOffset: define(2, "time-offset", I32),
  Routers: define(3, "routers", ADDRESSES),
  TimeServers: define(4, "time-servers", ADDRESSES),
  NameServers: define(5, "ien116-name-servers", ADDRESSES),
  DomainNameServers: define(6, "domain-name-servers", ADDRESSES),
  LogServers: define(7, "log-servers", ADDRESSES),
  CookieServers: define(8, "cookie-servers", ADDRESSES),
  LprServers: define(9, "lpr-servers", ADDRESSES),
  ImpressServers: define(10, "impress-servers", ADDRESSES),
  ResourceLocationServers: define(11, "resource-location-servers", ADDRESSES),
  HostName: define(12, "host-name", TEXT),
  BootSize: define(13, "boot-size", U16),
  MeritDump: define(14, "merit-dump", TEXT),
  DomainName: define(15, "domain-name", TEXT),
  SwapServer: define(16, "swap-server", ADDRESS),
  RootPath: define(17, "root-path", TEXT),
  ExtensionsPath: define(18, "extensions-path", TEXT),
  IpForwarding: define(19, "ip-forwarding", FLAG),
  NonLocalSourceRouting: define(20, "non-local-source-routing", FLAG),
  PolicyFilter: define(21, "policy-filter", ADDRESS_PAIRS),
  MaxDatagramReassembly: define(22, "max-dgram-reassembly", U16),
  DefaultIpTtl: define(23, "default-ip-ttl", U8),
  PathMtuAgingTimeout: define(24, "path-mtu-aging-timeout", U32),
  PathMtuPlateauTable: define(25, "path-mtu-plateau-table", U16S),
  InterfaceMtu: define(26, "interface-mtu", U16),
  AllSubnetsLocal: define(27, "all-subnets-local", FLAG),
  BroadcastAddress: define(28, "broadcast-address", ADDRESS),
  PerformMaskDiscovery: define(29, "perform-mask-discovery", FLAG),
  MaskSupplier: define(30, "mask-supplier", FLAG),
  RouterDiscovery: define(31, "router-discovery", FLAG),
  RouterSolicitationAddress: define(32, "router-solicitation-address", ADDRESS),
  StaticRoutes: define(33, "static-routes", ADDRESS_PAIRS),
  TrailerEncapsulation: define(34, "trailer-encapsulation", FLAG),
  ArpCacheTimeout: define(35, "arp-cache-timeout", U32),
  EthernetEncapsulation: define(36, "ieee802-3-encapsulation", FLAG),
  DefaultTcpTtl: define(37, "default-tcp-ttl", U8),
  TcpKeepaliveInterval: define(38, "tcp-keepalive-interval", U32),
  TcpKeepaliveGarbage: define(39, "tcp-keepalive-garbage", FLAG),
  NisDomain: define(40, "nis-domain", TEXT),
  NisServers: define(41, "nis-servers", ADDRESSES),
  NtpServers: define(42, "ntp-servers", ADDRESSES),
  VendorOptions: define(43, "vendor-encapsulated-options", OCTETS),
  NetbiosNameServers: define(44, "netbios-name-servers", ADDRESSES),
  NetbiosDatagramServer: define(45, "netbios-dd-server", ADDRESSES),
  NetbiosNodeType: define(46, "netbios-node-type", U8),
  NetbiosScope: define(47, "netbios-scope", TEXT),
  FontServers: define(48, "font-servers", ADDRESSES),
  XDisplayManager: define(49, "x-display-manager", ADDRESSES),
  RequestedAddress: define(50, "dhcp-requested-address", ADDRESS),
  LeaseTime: define(51, "dhcp-lease-time", U32),
  Overload: define(52, "dhcp-option-overload", U8),
  MessageType: define(53, "dhcp-message-type", U8),
  ServerIdentifier: define(54, "dhcp-server-identifier", ADDRESS),
  ParameterRequestList: define(55, "dhcp-parameter-request-list", U8S),
  Message: define(56, "dhcp-message", TEXT),
  MaxMessageSize: define(57, "dhcp-max-message-size", U16),
  RenewalTime: define(58, "dhcp-renewal-time", U32),
  RebindingTime: define(59, "dhcp-rebinding-time", U32),
  VendorClass: define(60, "vendor-class-identifier", OCTETS),
  ClientIdentifier: define(61, "dhcp-client-identifier", OCTETS),
  NwipDomain: define(62, "nwip-domain", TEXT),
  NwipSuboptions: define(63, "nwip-suboptions", OCTETS),
  NisPlusDomain: define(64, "nisplus-domain", TEXT),
  NisPlusServers: define(65, "nisplus-servers", ADDRESSES),
  TftpServerName: define(66, "tftp-server-name", TEXT),
  BootFileName: define(67, "bootfile-name", TEXT),
  MobileIpHomeAgent: define(68, "mobile-ip-home-agent", ADDRESSES),
  SmtpServer: define(69, "smtp-server", ADDRESSES),
  PopServer: define(70, "pop-server", ADDRESSES),
  NntpServer: define(71, "nntp-server", ADDRESSES),
  WwwServer: define(72, "www-server", ADDRESSES),
  FingerServer: define(73, "finger-server", ADDRESSES),
  IrcServer: define(74, "irc-server", ADDRESSES),
  StreettalkServer: define(75, "streettalk-server", ADDRESSES),
  StreettalkDirectoryServer: define(76, "streettalk-directory-assistance-server", ADDRESSES),
  /** RFC 3004 section 4. */
  UserClass: define(77, "user-class", TEXT),
  /** RFC 4702 section 2. */
  Fqdn: define(81, "fqdn", OCTETS),
  /** RFC 3046 section 2.0. */
  RelayAgent: define(82, "relay-agent-information", OCTETS),
  /** RFC 2241 section 2. */
  NdsServers: define(85, "nds-servers", ADDRESSES),
  /** RFC 2241 section 3. */
  NdsTreeName: define(86, "nds-tree-name", TEXT),
  /** RFC 2241 section 4. */
  NdsContext: define(87, "nds-context", TEXT),
  /** RFC 4280 section 4.3. */
  BcmsControllers: define(89, "bcms-controller-address", ADDRESSES),
  /** RFC 4388 section 6.1. */
  LastTransactionTime: define(91, "client-last-transaction-time", U32),
  /** RFC 4388 section 6.1. */
  AssociatedIp: define(92, "associated-ip", ADDRESSES),
  /** RFC 4578 section 2.1. */
  PxeSystemType: define(93, "pxe-system-type", U16S),
  UapServers: define(98, "uap-servers", TEXT),
  /** RFC 4833 section 2. */
  PosixTimezone: define(100, "pcode", TEXT),
  /** RFC 4833 section 2. */
  TimezoneName: define(101, "tcode", TEXT),
  /** RFC 3679 section 3.2.2. */
  DefaultUrl: define(114, "default-url", TEXT),
  /** RFC 2563 section 2. */
  AutoConfig: define(116, "auto-config", U8),
  NameServiceSearch: define(117, "name-service-search", U16S),
  SubnetSelection: define(118, "subnet-selection", ADDRESS),
  /** RFC 3397 section 2. */
  DomainSearch: define(119, "domain-search", DOMAINS),
  /** RFC 3442; ISC dhcpd has no name for it until a configuration defines one. */
  ClasslessRoutes: define(121, "rfc3442-classless-static-routes", ROUTES),
  PanaAgents: define(136, "pana-agent", ADDRESSES),
  CapwapControllers: define(138, "capwap-ac-v4", ADDRESSES),
  TftpServerAddress: define(150, "tftp-server-address", ADDRESSES),
  /** RFC 5071 section 5. */
  LoaderConfiguration: define(209, "loader-configfile", TEXT),
  /** RFC 5071 section 6. */
  LoaderPathPrefix: define(210, "loader-pathprefix", TEXT),
  /** RFC 5071 section 7. */
  LoaderRebootTime: define(211, "loader-reboottime", U32),
} as const;

/** Options by code, in the order of their first octets on the wire. */
export type DhcpOptions = ReadonlyMap<number, Uint8Array>;
/** An option to send: its code, 1 to 254, and its octets, however many. */
export type RawOption = readonly [code: number, octets: Uint8Array];

/** No options at all. */
export const NO_OPTIONS: DhcpOptions = new Map();

const PAD = 0;
const END = 255;
/** What one length octet counts at most; a longer option is split. */
const LONGEST_PART = 255;

/**
 * Read options from all of `octets` until End, adding to `found`; parts of one code are joined in
 * the order in which they come (RFC 3396 section 7). A missing End is no fault.
 * @param parts takes the parts one by one.
 * @returns false if an option's length is missing or runs past the last octet.
 */
export function readOptions(
  octets: Uint8Array,
  found: Map<number, Uint8Array>,
  parts: RawOption[] = [],
): boolean {
  let at = 0;
  while (at < octets.length) {
    const code = octets[at];
    assert(code !== undefined, "the walk stays inside the octets");
    if (code === END) return true;
    at += 1;
    if (code === PAD) continue;
    const length = octets[at];
    if (length === undefined || at + 1 + length > octets.length) return false;
    const part = octets.slice(at + 1, at + 1 + length);
    parts.push([code, part]);
    const before = found.get(code);
    found.set(code, before === undefined ? part : joinOctets([before, part]));
    at += 1 + length;
  }
  return true;
}

/** @returns the value of `option`; `null` if it is absent, or its octets are not of its type. */
export function findOption<T>(options: DhcpOptions, option: OptionDefinition<T>): T | null {
  const octets = options.get(option.code);
  return octets === undefined ? null : option.type.decode(octets);
}

/**
 * An option to send.
 * @throws {RangeFault} if `value` does not fit the option's type.
 */
export function rawOption<T>(option: OptionDefinition<T>, value: T): RawOption {
  return [option.code, option.type.encode(value)];
}

/** Where options may be put, in octets. */
export interface OptionRoom {
  /** Behind the cookie, End included, `tail` not; {@link SMALLEST_ROOM}. */
  readonly main?: number;
  /** True if `file` holds no name, so that its 128 octets may hold options; false. */
  readonly file?: boolean;
  /** True if `sname` holds no name, so that its 64 octets may hold options; false. */
  readonly sname?: boolean;
  /** True if the last option, too, keeps away from the room for "option overload"; false. */
  readonly keepsRoom?: boolean;
  /** Octets that follow all other options: a relay agent's own option (RFC 3046 section 2.2). */
  readonly tail?: Uint8Array;
}

/** Options in their places. */
export interface PackedOptions {
  /** What follows the cookie. */
  readonly main: Uint8Array;
  /** 128 octets for `file`; `null` if it holds no options. */
  readonly file: Uint8Array | null;
  /** 64 octets for `sname`; `null` if it holds no options. */
  readonly sname: Uint8Array | null;
  /** Codes for which there was no room. */
  readonly left: readonly number[];
}

/** Room behind the cookie in an IP packet of 576 octets: RFC 2131 section 2. */
const SMALLEST_ROOM = 308;

/** Octets of "option overload" with its End. */
const OVERLOAD_LENGTH = 4;
const FILE_LENGTH = 128;
const SNAME_LENGTH = 64;

/**
 * Put options where there is room, in their order, as ISC dhcpd 4 does: an option goes whole into
 * the first of main, `file` and `sname` that takes it; one that is longer than 255 octets or fits
 * nowhere is split over what is free; one that still does not fit is left out. Main keeps room for
 * "option overload" and End; the last option may take that for overload if nothing is overloaded.
 * @throws {OptionError} for a code that is Pad, End, overload or no octet; for less than 4 octets
 *   of room in main.
 */
export function packOptions(options: readonly RawOption[], room: OptionRoom = {}): PackedOptions {
  const { keepsRoom = false } = room;
  const length = room.main ?? SMALLEST_ROOM;
  if (!Number.isInteger(length) || length < OVERLOAD_LENGTH) {
    throw new OptionError("main", length, `an integer from ${OVERLOAD_LENGTH}`);
  }
  const main = new OptionPlace(length, 4, 3);
  const file = new OptionPlace(room.file === true ? FILE_LENGTH : 0, 2, 1);
  const sname = new OptionPlace(room.sname === true ? SNAME_LENGTH : 0, 2, 1);
  const places = [main, file, sname];
  const left: number[] = [];
  options.forEach(([code, value], index) => {
    checkCode(code);
    const isLast = index === options.length - 1 && file.used + sname.used === 0;
    if (isLast && !keepsRoom && value.length <= Math.min(LONGEST_PART, main.room(1))) {
      main.put(code, value);
    } else if (!putOption(places, code, value)) {
      left.push(code);
    }
  });
  return closePlaces(main, file, sname, room.tail ?? NO_OCTETS, left);
}

const NO_OCTETS = new Uint8Array(0);

function checkCode(code: number): void {
  const isSendable = Number.isInteger(code) && code > PAD && code < END;
  if (!isSendable || code === Option.Overload.code) {
    throw new OptionError("code", code, "an option code from 1 to 254 other than 52");
  }
}

function putOption(places: readonly OptionPlace[], code: number, value: Uint8Array): boolean {
  if (value.length <= LONGEST_PART) {
    const whole = places.find((place) => value.length <= place.room(place.wholeReserve));
    if (whole !== undefined) {
      whole.put(code, value);
      return true;
    }
    if (value.length === 0) return false;
  }
  const before = places.map(({ used }) => used);
  for (let at = 0; at < value.length;) {
    const place = places.find((candidate) => candidate.room(candidate.partReserve) >= 2);
    if (place === undefined) {
      places.forEach((each, index) => {
        each.used = before[index] ?? 0;
      });
      return false;
    }
    const length = Math.min(LONGEST_PART, place.room(place.partReserve));
    place.put(code, value.subarray(at, at + length));
    at = Math.min(at + length, value.length);
  }
  return true;
}

function closePlaces(
  main: OptionPlace,
  file: OptionPlace,
  sname: OptionPlace,
  tail: Uint8Array,
  left: readonly number[],
): PackedOptions {
  const fileOctets = file.close();
  const snameOctets = sname.close();
  const used =
    (fileOctets === null ? 0 : Overload.File) + (snameOctets === null ? 0 : Overload.Sname);
  if (used !== 0) main.put(Option.Overload.code, Uint8Array.of(used));
  const hasEnd = main.used < main.octets.length;
  return {
    main: joinOctets([
      main.octets.subarray(0, main.used),
      tail,
      hasEnd ? Uint8Array.of(END) : NO_OCTETS,
    ]),
    file: fileOctets,
    sname: snameOctets,
    left,
  };
}

/** Bits of the option "option overload": RFC 2132 section 9.3. */
export const Overload = { File: 1, Sname: 2 } as const;
