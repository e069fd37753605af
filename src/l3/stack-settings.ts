/**
 * What an administrator sets for a whole stack: `/proc/sys/net/ipv4`, as far as it decides about
 * packets here. What a kernel cannot be told is in behaviour.ts.
 * @module
 */
import { type Duration, SECOND } from "../base/time.ts";
import { DEFAULT_TTL } from "./ipv4.ts";

/** One stack's settings, with Linux's names. */
export interface StackSettings {
  /** `ip_default_ttl`: of this host's own packets, 1 to 255. */
  readonly ttl: number;
  /** `icmp_ratelimit`: time between limited messages to one address; 0 for no limit. */
  readonly icmpInterval: Duration;
  /** `icmp_ratemask`: bit n limits messages of type n. */
  readonly icmpLimitedTypes: number;
  /** `icmp_echo_ignore_all`. */
  readonly ignoresEcho: boolean;
  /** `icmp_echo_ignore_broadcasts`: echo and timestamp requests to many get no answer. */
  readonly ignoresBroadcastEcho: boolean;
  /** `ipfrag_time`: how long a datagram may stay incomplete. */
  readonly reassemblyTime: Duration;
}

/** Linux's: unreachable, source quench, time exceeded and parameter problem are limited. */
export const DEFAULT_STACK_SETTINGS: StackSettings = {
  ttl: DEFAULT_TTL,
  icmpInterval: SECOND,
  icmpLimitedTypes: 0x1818,
  ignoresEcho: false,
  ignoresBroadcastEcho: true,
  reassemblyTime: 30 * SECOND,
};
