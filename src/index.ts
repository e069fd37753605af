/**
 * dom0: EC2-Classic's host network, brought back packet by packet. The public interface; what is
 * not
 * here is internal.
 * @module
 */
export { EmulatorError, OptionError, ParseError, RangeFault } from "./base/errors.ts";
export type { Logger } from "./base/log.ts";
export type { Machine } from "./base/machine.ts";
export { type Chance, Prng } from "./base/prng.ts";
export {
  DAY,
  type Duration,
  HOUR,
  type Instant,
  MILLISECOND,
  MINUTE,
  parseDuration,
  SECOND,
} from "./base/time.ts";
export {
  formatIpv4,
  formatMac,
  formatPrefix,
  type Ipv4Addr,
  type Mac,
  parseIpv4,
  parseMac,
  parsePrefix,
  type Prefix,
} from "./wire/addr.ts";
export { type Carrier, Device, PatchCable, type Stack, type Tap } from "./wire/device.ts";
export {
  Cast,
  type Fate,
  type Observer,
  Packet,
  PacketPool,
  type PacketPoolOptions,
  type Reason,
} from "./wire/packet.ts";
export { Bridge, type BridgeOptions } from "./l2/bridge.ts";
export type { FrameContext, FrameRules } from "./l2/bridge-hooks.ts";
export { ARP, arpCodec, type ArpMessage, ArpOp, checkArp } from "./l2/arp.ts";
export {
  checkEthernet,
  ETHERNET,
  ETHERNET_LENGTH,
  ethernetCodec,
  type EthernetHeader,
  EtherType,
} from "./l2/ethernet.ts";
export { checkIpv4, IPV4, ipv4Codec, type Ipv4Header, Protocol } from "./l3/ipv4.ts";
export { checkIcmp, ICMP, icmpCodec, type IcmpHeader, IcmpType } from "./l3/icmp.ts";
export { parseAddressWords, parseRouteWords, type RouteWords } from "./l3/ip-words.ts";
export { ipAddrText, ipNeighText, ipRouteText } from "./l3/ip-text.ts";
export type { RouterBehaviour } from "./l3/behaviour.ts";
export { newRoute, type Route, RouteKind } from "./l3/route-table.ts";
export { Router, type RouterOptions } from "./l3/router.ts";
export { checkTcp, TCP, tcpCodec, type TcpHeader } from "./l4/tcp.ts";
export { checkUdp, UDP, udpCodec, type UdpHeader } from "./l4/udp.ts";
export { Defragmenter } from "./l3/defragment.ts";
export type { NatRange } from "./wire/nat-range.ts";
export type { NatRules } from "./l3/nat-rules.ts";
export {
  type ConntrackBehaviour,
  type FlowBehaviour,
  FLOWS_2618,
  FLOWS_6,
  type NatBehaviour,
} from "./nat/behaviour.ts";
export { type Binding, Bindings } from "./nat/bindings.ts";
export { Conntrack, type ConntrackOptions } from "./nat/conntrack.ts";
export type { EndpointDependence, EndpointMapping } from "./nat/endpoint-mapping.ts";
export { EndpointNat, type EndpointNatOptions } from "./nat/endpoint-nat.ts";
export type { FlowEntry } from "./nat/flow-entry.ts";
export { Nat, type NatOptions } from "./nat/nat.ts";
export { decodeMessage, type DhcpMessage, encodeMessage } from "./dhcp/message.ts";
export { parseDhcpdConf } from "./dhcp/dhcpd-parser.ts";
export { RuleSet } from "./filter/rule-set.ts";
export type { LogSink } from "./filter/services.ts";
export { Ebtables, type EbtablesBehaviour } from "./filter/ebtables/ebtables.ts";
export type { PacketCopy, PacketLog } from "./filter/services.ts";
export { type CaptureFile, readCapture } from "./pcap/capture-reader.ts";
export { digestOf } from "./pcap/digest.ts";
export { summaryOf } from "./pcap/summary.ts";
export { PcapngWriter } from "./pcap/pcapng-writer.ts";
export type { WayOptions } from "./sim/link.ts";
export type { FaultOptions } from "./sim/faults.ts";
export type { PingOptions } from "./guest/ping.ts";
export type { TracerouteOptions } from "./guest/traceroute.ts";
export { Guest } from "./guest/guest.ts";
export { Host } from "./guest/host.ts";
export {
  type BlockDevice,
  type DiscardUnit,
  DiskStatus,
  MemoryDisk,
  type MemoryDiskOptions,
} from "./storage/block-device.ts";
export { type DiskPlace, type DiskSource, MemoryDisks } from "./storage/disk-source.ts";
export { Dom0, type Dom0Options, type UplinkOptions } from "./xen/dom0.ts";
export { DomainError } from "./xen/hypervisor/domain-error.ts";
export { DomainMemory, type DomainMemoryOptions } from "./xen/hypervisor/domain-memory.ts";
export { ShutdownReason } from "./xen/hypervisor/domain-table.ts";
export type { EventChannels } from "./xen/hypervisor/event-channels.ts";
export { GrantMap, GrantStatus } from "./xen/hypervisor/grant-operations.ts";
export type { GrantTable } from "./xen/hypervisor/grant-table.ts";
export type { GuestGrants } from "./xen/hypervisor/guest-grants.ts";
export { type DomainIo, Hypervisor } from "./xen/hypervisor/hypervisor.ts";
export { Blkback, type BlkbackOptions } from "./xen/io/blkback.ts";
export { Blkfront, type BlkfrontOptions } from "./xen/io/blkfront.ts";
export { BlockOp, BlockStatus } from "./xen/io/blkif.ts";
export { joinVif } from "./xen/io/join-vif.ts";
export { Netback, type NetbackOptions } from "./xen/io/netback.ts";
export { Netfront, type NetfrontOptions } from "./xen/io/netfront.ts";
export { BackRing, FrontRing, initializeRing } from "./xen/io/shared-ring.ts";
export {
  type CidrPermission,
  formatPermission,
  type GroupPermission,
  type Permission,
  SecurityGroupError,
} from "./xen/permission.ts";
export { EC2_2010, LINUX, type Profile, VIF_MAC_NETBACK, VIF_MAC_REPORTED } from "./xen/profile.ts";
export {
  type SecurityGroupLimits,
  type SecurityGroupListener,
  SecurityGroups,
} from "./xen/security-group.ts";
export type { XenHost } from "./xen/toolstack/xen-host.ts";
export { Vif, type VifConfig } from "./xen/vif.ts";
export { XENSTORE_3_1, XENSTORE_4_17, type XenstoreBehaviour } from "./xen/xenstore/behaviour.ts";
export { StoreClient } from "./xen/xenstore/client.ts";
export { StoreConnection, type StoreConnectionOptions } from "./xen/xenstore/connection.ts";
export { RingTransport, type RingTransportOptions } from "./xen/xenstore/ring-transport.ts";
export type { StoreSession } from "./xen/xenstore/session.ts";
export { XenStore, type XenStoreOptions } from "./xen/xenstore/store.ts";
export type { Domain } from "./zone/domain.ts";
export type { DomainEvent } from "./zone/domain-event.ts";
export type { ExternalVif } from "./zone/external-vif.ts";
export { domainName, instanceId, serialOfDomain, serialOfInstance } from "./zone/naming.ts";
export type { PacketStory, TraceEnd, TraceStep } from "./zone/packet-trace.ts";
export type { LaunchOptions, ZoneHost } from "./zone/zone-host.ts";
export { RouterWorld, type RouterWorldOptions, type SentFrame } from "./zone/world/router-world.ts";
export { type World, WorldError, type WorldInterface } from "./zone/world/world.ts";
export { Zone } from "./zone/zone.ts";
export type { HostOptions, InternetHostOptions, ZoneOptions } from "./zone/zone-options.ts";
