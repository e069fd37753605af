/**
 * For how long a lease is given, and which times an answer names: RFC 2131 section 4.3.1 and 4.4.5.
 * @module
 */
import type { DhcpdProfile } from "./dhcpd-profile.ts";
import { addressOf, type DhcpRequest } from "./dhcpd-request.ts";
import type { Seconds } from "./lease-table.ts";
import type { Evaluation, OptionState } from "./option-state.ts";
import { U32 } from "./option-type.ts";
import { Option, rawOption } from "./options.ts";

/** ISC dhcpd's defaults, in seconds. */
const DEFAULT_LEASE_TIME = 43_200;
const DEFAULT_MAX_LEASE_TIME = 86_400;
const DEFAULT_MIN_LEASE_TIME = 300;
/** ISC dhcpd's `INFINITE_TIME`. */
const FOREVER = 0xffff_ffff;
/** ISC dhcpd's `MAX_TIME`, in January 2038. */
const LAST_SECOND = 0x7fff_ffff;

/** What the end of a lease depends on besides the statements about it. */
export interface Clock {
  readonly profile: DhcpdProfile;
  /** Which second since 1970 the instant 0 is. */
  readonly epoch: Seconds;
}

/**
 * When a lease ends that is given at `time`.
 * @param offer the type of the answer; 0 for BOOTP, whose leases have no end that matters.
 */
export function endOf(
  { profile, epoch }: Clock,
  request: DhcpRequest,
  evaluation: Evaluation,
  offer: number,
  time: Seconds,
): Seconds {
  const last = LAST_SECOND - epoch;
  if (offer === 0) {
    const seconds = evaluation.number("dynamic-bootp-lease-length");
    return seconds === null ? last : time + seconds;
  }
  const seconds = leaseTime(request, evaluation);
  const end = time + seconds;
  if (!profile.endsTimeIn2038 || end + epoch <= FOREVER) return end;
  return seconds === FOREVER ? last : last - 1;
}

function leaseTime({ message }: DhcpRequest, evaluation: Evaluation): Seconds {
  const usual = evaluation.number("default-lease-time") ?? DEFAULT_LEASE_TIME;
  const longest = evaluation.number("max-lease-time") ?? DEFAULT_MAX_LEASE_TIME;
  const shortest = evaluation.number("min-lease-time") ?? Math.min(DEFAULT_MIN_LEASE_TIME, longest);
  const asked = message.options.get(Option.LeaseTime.code);
  const wanted = asked?.length === 4 ? addressOf(asked) : usual;
  const time = Math.min(wanted, longest);
  if (time >= shortest) return time;
  return shortest === 0 ? usual : shortest;
}

/** Let the answer name the lease's time, and when to renew and to rebind. */
export function setTimes(
  { givesTimers }: DhcpdProfile,
  options: OptionState,
  seconds: Seconds,
): void {
  options.set(...rawOption(Option.LeaseTime, seconds));
  if (givesTimers) {
    const half = Math.floor(seconds / 2);
    options.set(...rawOption(Option.RenewalTime, half));
    const rebinding = half + Math.floor(half / 2) + Math.floor(half / 4);
    options.set(...rawOption(Option.RebindingTime, rebinding));
    return;
  }
  let limit = seconds;
  for (const { code } of [Option.RebindingTime, Option.RenewalTime]) {
    const octets = options.find(code);
    const time = octets === null ? null : U32.decode(octets);
    if (time === null) continue;
    if (time >= limit) options.delete(code);
    else limit = time;
  }
}
