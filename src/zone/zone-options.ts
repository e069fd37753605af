/** What a zone, its hosts and the internet's may be told. @module */
import type { Logger } from "../base/log.ts";
import type { Duration } from "../base/time.ts";
import type { Ipv4Addr, Mac, Prefix } from "../wire/addr.ts";
import type { WayOptions } from "../sim/link.ts";
import type { DiskSource } from "../storage/disk-source.ts";
import type { Profile } from "../xen/profile.ts";
import type { SecurityGroupLimits } from "../xen/security-group.ts";
import type { CpuPrices } from "./cpu-work.ts";

/** What a zone may be told; every part has a default. */
export interface ZoneOptions {
  /** Decides every draw of chance: any integer below 2^53; 1. */
  readonly seed?: number;
  /** "ec2-2010" or "linux", or a profile of your own. */
  readonly profile?: "ec2-2010" | "linux" | Profile;
  /** Packets whose way is remembered for {@link Zone.explain}; 4,096, 0 for none. */
  readonly traceLimit?: number;
  /** Frames that may be alive at once; 4,096. */
  readonly packetSlots?: number;
  /** How many groups and permissions there may be; those of 2008. */
  readonly securityGroupLimits?: SecurityGroupLimits;
  /** Hears what Dom0 does; silent. */
  readonly log?: Logger;
  /** Microseconds since 1970 at instant 0, for captures and timestamps; 2010-02-01T00:00:00Z. */
  readonly epoch?: number;
  /** Where disks lie; in memory. */
  readonly disks?: DiskSource;
}

/** What a host may decide; the zone's plan decides the rest. */
export interface HostOptions {
  readonly name?: string;
  readonly privateAddress?: Ipv4Addr;
  /** With its prefix length; 216.182.232.10/20 for the first host. */
  readonly externalAddress?: Prefix;
  /** 2. */
  readonly routers?: 1 | 2;
  /** The vifs' address instead of the profile's. */
  readonly vifMac?: Mac;
  readonly hasAntiSpoof?: boolean;
  readonly hasSecurityGroups?: boolean;
  /** Rules about the vifs' frames as `ebtables-save` prints them; none. */
  readonly ebtables?: string;
  /** How long dhcpd is deaf when it is restarted; a second. */
  readonly dhcpdStartTime?: Duration;
  /** Of the whole host, Dom0's gigabyte among it; more than enough. */
  readonly memoryKib?: number;
  /** What frames, disk requests and boots cost the processors, where it differs from a guess. */
  readonly cpuPrices?: Partial<CpuPrices>;
  /** The way to the fabric; 150 microseconds each way. */
  readonly link?: WayOptions;
}

/** What an internet host does. */
export interface InternetHostOptions {
  readonly name: string;
  readonly address: Ipv4Addr;
  /** UDP ports that echo; port 7. */
  readonly echoPorts?: readonly number[];
  /** The way to the fabric; 10 ms each way. */
  readonly link?: WayOptions;
}
