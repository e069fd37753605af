/**
 * The DHCP options by code and by the name that dhcpd.conf(5) gives them: RFC 2132 and later.
 * @module
 */
import {
  ADDRESS,
  ADDRESS_PAIRS,
  ADDRESSES,
  DOMAINS,
  FLAG,
  I32,
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

/** Every option that has a name here. Codes from 1 to 76 and 255 are those of RFC 2132. */
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
  /** RFC 3004. */
  UserClass: define(77, "user-class", TEXT),
  /** RFC 4702. */
  Fqdn: define(81, "fqdn", OCTETS),
  /** RFC 3046. */
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
  /** RFC 2485. */
  UapServers: define(98, "uap-servers", TEXT),
  /** RFC 4833 section 2. */
  PosixTimezone: define(100, "pcode", TEXT),
  /** RFC 4833 section 2. */
  TimezoneName: define(101, "tcode", TEXT),
  /** RFC 3679 section 3.2.2. */
  DefaultUrl: define(114, "default-url", TEXT),
  /** RFC 2563. */
  AutoConfig: define(116, "auto-config", U8),
  /** RFC 2937. */
  NameServiceSearch: define(117, "name-service-search", U16S),
  /** RFC 3011. */
  SubnetSelection: define(118, "subnet-selection", ADDRESS),
  /** RFC 3397. */
  DomainSearch: define(119, "domain-search", DOMAINS),
  /** RFC 3442; ISC dhcpd has no name for it until a configuration defines one. */
  ClasslessRoutes: define(121, "rfc3442-classless-static-routes", ROUTES),
  /** RFC 5192. */
  PanaAgents: define(136, "pana-agent", ADDRESSES),
  /** RFC 5417. */
  CapwapControllers: define(138, "capwap-ac-v4", ADDRESSES),
  /** RFC 5859. */
  TftpServerAddress: define(150, "tftp-server-address", ADDRESSES),
  /** RFC 5071 section 5. */
  LoaderConfiguration: define(209, "loader-configfile", TEXT),
  /** RFC 5071 section 6. */
  LoaderPathPrefix: define(210, "loader-pathprefix", TEXT),
  /** RFC 5071 section 7. */
  LoaderRebootTime: define(211, "loader-reboottime", U32),
} as const;
