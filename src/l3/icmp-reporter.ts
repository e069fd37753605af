/**
 * The ICMP errors that a stack sends: RFC 1812 section 4.3.2, as Linux's `icmp_send` does it.
 * @module
 */
import type { Jiffies } from "../base/jiffies.ts";
import type { Chance } from "../base/prng.ts";
import { type Duration, type Instant, SECOND } from "../base/time.ts";
import { IPV4_ANY, type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import { Cast, type Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import type { Addressing } from "./addressing.ts";
import type { RouterBehaviour } from "./behaviour.ts";
import { answerState } from "./flow-state.ts";
import {
  ICMP,
  ICMP_LENGTH,
  IcmpType,
  isIcmpError,
  isIcmpQuery,
  sealIcmp,
  TimeExceeded,
  Unreachable,
} from "./icmp.ts";
import { headerLengthOf, IPV4, IPV4_MIN_LENGTH, Protocol, writeIpv4 } from "./ipv4.ts";
import { echoOptions, type EchoedOptions, writeEchoed } from "./ipv4-options.ts";
import type { IcmpSocket } from "./icmp-socket.ts";
import type { PacketOptions } from "./packet-options.ts";
import type { Peers } from "./peers.ts";
import { type Route, RouteKind } from "./route-table.ts";
import type { StackSettings } from "./stack-settings.ts";

/** Octets of the largest ICMP error, IP header included (RFC 1812 section 4.3.2.3). */
const LARGEST_ERROR = 576;
/** Type of service bits of the offender that its error keeps, and the precedence it gets. */
const TOS_KEPT = 0x1e;
const INTERNETWORK_CONTROL = 0xc0;
/** The IPv4 dummy address, 192.0.0.8, of hosts that have none. */
const DUMMY = ipv4Of(0xc000_0008);
/** The one redirect code that Linux sends: for this host alone. */
const REDIRECT_HOST = 1;

/** What the reporter asks of its router. */
export interface ReportHost {
  readonly addressing: Addressing;
  readonly peers: Peers;
  readonly options: PacketOptions;
  readonly jiffies: Jiffies;
  readonly settings: StackSettings;
  readonly icmpSocket: IcmpSocket;
  /** Milliseconds since midnight UTC at `now`. */
  timeOfDay(now: Instant): number;
}

/** What differs between kernels. */
export type ReportBehaviour = Pick<RouterBehaviour, "icmpGlobalLimit" | "hasDummyAddress">;
type GlobalLimit = RouterBehaviour["icmpGlobalLimit"];

/** Sends errors about packets, and keeps them few. Borrows every packet that it reports. */
export class IcmpReporter {
  readonly #host: ReportHost;
  readonly #chance: Chance;
  readonly #globalLimit: GlobalLimit;
  readonly #dummy: Ipv4Addr;
  #credit: number;
  #creditAt: Instant = 0;

  constructor(host: ReportHost, chance: Chance, behaviour: ReportBehaviour) {
    this.#host = host;
    this.#chance = chance;
    this.#globalLimit = behaviour.icmpGlobalLimit;
    this.#dummy = behaviour.hasDummyAddress ? DUMMY : IPV4_ANY;
    this.#credit = this.#globalLimit?.burst ?? 0;
  }

  unreachable(offender: Packet, code: number, now: Instant): void {
    this.#report(offender, IcmpType.Unreachable, code, 0, now);
  }

  /** A route refuses: the sender's bucket is asked twice (`ip_error`). */
  refused(offender: Packet, code: number, now: Instant): void {
    const src = IPV4.src.get(offender.pool.view, offender.network);
    if (this.#host.peers.mayRefuse(src, now)) this.unreachable(offender, code, now);
  }

  /** Nobody answered for the next hop of a packet that waited (`ipv4_send_dest_unreach`). */
  hostUnreachable(offender: Packet, now: Instant): void {
    const wrong = this.#host.options.readAgain(offender, now);
    if (wrong < 0) this.unreachable(offender, Unreachable.Host, now);
  }

  tooBig(offender: Packet, now: Instant): void {
    const code = Unreachable.FragmentationNeeded;
    this.#report(offender, IcmpType.Unreachable, code, offender.pathMtu, now);
  }

  timeExceeded(offender: Packet, now: Instant): void {
    this.#report(offender, IcmpType.TimeExceeded, TimeExceeded.InTransit, 0, now);
  }

  /** `first` is the first fragment of a datagram that did not become whole. */
  reassemblyTimeExceeded(first: Packet, now: Instant): void {
    this.#host.options.readAgain(first, now);
    this.#report(first, IcmpType.TimeExceeded, TimeExceeded.Reassembly, 0, now);
  }

  /** @param at the octet that is wrong, from the header's first. */
  parameterProblem(offender: Packet, at: number, now: Instant): void {
    this.#report(offender, IcmpType.ParameterProblem, 0, at * 2 ** 24, now);
  }

  /** The packet goes back out where it came in: its sender could send it there itself. */
  redirect(offender: Packet, now: Instant): void {
    const src = IPV4.src.get(offender.pool.view, offender.network);
    const { peers } = this.#host;
    if (!peers.mayRedirect(src, now)) return;
    this.#report(offender, IcmpType.Redirect, REDIRECT_HOST, offender.nextHop, now);
    peers.noteRedirect(src, now);
  }

  /** `icmp_send`; `rest` is the message's second word. */
  #report(offender: Packet, type: number, code: number, rest: number, now: Instant): void {
    const { icmpSocket } = this.#host;
    if (icmpSocket.isBusy || !isReportable(offender, type)) return;
    const { view } = offender.pool;
    const { addressing, options, peers } = this.#host;
    const isLimited = this.#isLimited(type, code);
    if (isLimited && !this.#isWithinGlobalLimit(now)) return;
    const echoed = echoOptions(view, offender.network, options.current);
    const dst = echoed?.firstHop ?? IPV4.src.get(view, offender.network);
    const route = echoed === null ? null : addressing.routeTo(dst);
    if (route === null || echoed === null) return;
    if (addressing.isStray(IPV4.dst.get(view, offender.network), route)) return;
    const isToSelf = route.kind === RouteKind.Local;
    if (isLimited && !isToSelf && !peers.mayReport(dst, now)) return;
    const error = this.#write(offender, echoed, route, now);
    if (error === null) return;
    ICMP.type.set(view, error.transport, type);
    ICMP.code.set(view, error.transport, code);
    ICMP.rest.set(view, error.transport, rest >>> 0);
    sealIcmp(view, error.transport, error.end);
    icmpSocket.send(error, now);
  }

  /** An error but for its type, code and checksum. */
  #write(offender: Packet, echoed: EchoedOptions, route: Route, now: Instant): Packet | null {
    const { pool, network: at } = offender;
    const { view, bytes } = pool;
    const { addressing, peers, settings } = this.#host;
    const optionsLength = echoed.octets.length;
    const overhead = IPV4_MIN_LENGTH + optionsLength + ICMP_LENGTH;
    const room = Math.min(addressing.mtuOf(route), LARGEST_ERROR) - overhead;
    if (room <= IPV4_MIN_LENGTH) return null;
    const quoted = Math.min(offender.end - at, room);
    const error = pool.allocate(ETHERNET_LENGTH + overhead + quoted);
    if (error === null) return null;
    const dst = echoed.firstHop ?? IPV4.src.get(view, at);
    const isToSelf = offender.routeKind === RouteKind.Local;
    const own = isToSelf ? IPV4.dst.get(view, at) : addressing.sourceFor(route);
    const src = own === IPV4_ANY ? this.#dummy : own;
    const tos = (IPV4.tos.get(view, at) & TOS_KEPT) | INTERNETWORK_CONTROL;
    const id = peers.nextId(dst, now);
    error.network = error.frame + ETHERNET_LENGTH;
    const origin = { protocol: Protocol.Icmp, src, dst, tos, id, ttl: settings.ttl };
    writeIpv4(error, { ...origin, optionsLength });
    writeEchoed(view, error.network, echoed, src, this.#host.timeOfDay(now));
    bytes.copyWithin(error.transport + ICMP_LENGTH, at, at + quoted);
    error.flow = offender.flow;
    error.flowState = answerState(offender.flowState);
    return error;
  }

  /**
   * Whether this host may answer a request of `dst` now with a message of `type`; usually no answer
   * is limited.
   */
  mayAnswer(type: number, dst: Ipv4Addr, now: Instant): boolean {
    if (!this.#isLimited(type, 0)) return true;
    const { addressing, peers } = this.#host;
    if (!this.#isWithinGlobalLimit(now)) return false;
    return addressing.isLocal(dst) || peers.mayReport(dst, now);
  }

  /** `icmpv4_mask_allow`: "fragmentation needed" is exempt, as path MTU discovery needs it. */
  #isLimited(type: number, code: number): boolean {
    if (type === IcmpType.Unreachable && code === Unreachable.FragmentationNeeded) return false;
    return ((this.#host.settings.icmpLimitedTypes >>> type) & 1) === 1;
  }

  /** `icmp_global_allow`: a bucket of the whole host, each message costs 0 to 2 by chance. */
  #isWithinGlobalLimit(now: Instant): boolean {
    if (this.#globalLimit === null) return true;
    const { perSecond, burst } = this.#globalLimit;
    const tick = this.#host.jiffies.floor(now);
    const elapsed: Duration = Math.min(tick - this.#creditAt, SECOND);
    const isRefilled = elapsed >= SECOND / 50;
    if (this.#credit === 0 && !isRefilled) return false;
    if (isRefilled) {
      this.#creditAt = tick;
      const added = Math.floor((perSecond * elapsed) / SECOND);
      this.#credit = Math.min(this.#credit + added, burst);
    }
    if (this.#credit === 0) return false;
    this.#credit = Math.max(this.#credit - this.#chance.below(3), 0);
    return true;
  }
}

/** RFC 1812 section 4.3.2.7: no error about errors, later fragments, broadcasts and multicasts. */
function isReportable(offender: Packet, type: number): boolean {
  const { view } = offender.pool;
  const at = offender.network;
  if (offender.cast !== Cast.Host) return false;
  if (offender.routeKind === RouteKind.Broadcast) return false;
  if (offender.routeKind === RouteKind.Multicast) return false;
  if (IPV4.fragmentOffset.get(view, at) > 0) return false;
  if (IPV4.src.get(view, at) === IPV4_ANY) return false;
  if (!isIcmpError(type) || IPV4.protocol.get(view, at) !== Protocol.Icmp) return true;
  const message = at + headerLengthOf(view, at);
  if (message >= offender.end) return false;
  return isIcmpQuery(ICMP.type.get(view, message));
}
