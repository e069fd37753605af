/**
 * What REJECT sends (Linux `net/ipv4/netfilter/nf_reject_ipv4.c`): ICMP errors, and resets that TCP
 * of this host knows nothing of.
 * @module
 */
import type { Instant } from "../base/time.ts";
import { onesSum, pseudoHeaderSum } from "../wire/checksum.ts";
import type { Packet } from "../wire/packet.ts";
import { ETHERNET_LENGTH } from "../l2/ethernet.ts";
import { answerState, FlowState } from "../l3/flow-state.ts";
import { ICMP_LENGTH, Unreachable } from "../l3/icmp.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol, writeIpv4 } from "../l3/ipv4.ts";
import { RouteKind } from "../l3/route-table.ts";
import type { Router } from "../l3/router.ts";
import { checkTcp, TCP, TCP_MIN_LENGTH, TcpFlag } from "../l4/tcp.ts";
import { writeRefusal } from "../l4/tcp-reset.ts";
import { checkUdp, UDP, UDP_LENGTH } from "../l4/udp.ts";
import type { Rejecter, RejectWith } from "./services.ts";

/** Protocols whose integrity is not the Internet checksum of all that follows the IP header. */
const NOT_SUMMED: readonly number[] = [33, 47, 50, 51, 132, 136];

const CODES: Readonly<Record<Exclude<RejectWith, "tcp-reset">, number>> = {
  "icmp-net-unreachable": Unreachable.Net,
  "icmp-host-unreachable": Unreachable.Host,
  "icmp-proto-unreachable": Unreachable.Protocol,
  "icmp-port-unreachable": Unreachable.Port,
  "icmp-net-prohibited": Unreachable.NetProhibited,
  "icmp-host-prohibited": Unreachable.HostProhibited,
  "icmp-admin-prohibited": Unreachable.AdministrativelyProhibited,
};

/** Hears of a segment; borrows it. */
type OnReset = (segment: Packet, now: Instant) => void;

/** Answers for the rules of one router. */
export class RouterRejecter implements Rejecter {
  readonly #router: Router;
  readonly #verifies: boolean;
  readonly #onReset: OnReset;

  /**
   * @param verifies false: ICMP errors answer packets with wrong checksums too (before 3.19).
   * @param onReset told of each segment that a reset is about to answer.
   */
  constructor(router: Router, verifies: boolean, onReset: OnReset) {
    this.#router = router;
    this.#verifies = verifies;
    this.#onReset = onReset;
  }

  reject(packet: Packet, how: RejectWith, now: Instant): void {
    if (IPV4.fragmentOffset.get(packet.pool.view, packet.network) > 0) return;
    if (how === "tcp-reset") this.#reset(packet, now);
    else if (!this.#verifies || hasSoundChecksum(packet, true)) {
      this.#router.reportUnreachable(packet, CODES[how], now);
    }
  }

  #reset(segment: Packet, now: Instant): void {
    const { pool, network, transport, end, routeKind } = segment;
    const { view, bytes } = pool;
    if (end - transport < TCP_MIN_LENGTH) return;
    if ((TCP.flags.get(view, transport) & TcpFlag.Rst) !== 0) return;
    // `ip_forward` forgets the sum, which is all that a reset asks for (`skb_forward_csum`).
    if (!hasSoundChecksum(segment, routeKind === RouteKind.Local)) return;
    if (routeKind === RouteKind.Broadcast || routeKind === RouteKind.Multicast) return;
    const reset = pool.allocate(ETHERNET_LENGTH + IPV4_MIN_LENGTH + TCP_MIN_LENGTH);
    if (reset === null) return;
    const src = IPV4.dst.get(view, network);
    const dst = IPV4.src.get(view, network);
    reset.network = reset.frame + ETHERNET_LENGTH;
    const { ttl } = this.#router.settings;
    writeIpv4(reset, { protocol: Protocol.Tcp, src, dst, ttl, dontFragment: true });
    bytes.fill(0, reset.transport, reset.end);
    writeRefusal(view, segment, reset);
    // The rest of the checksum is added where it leaves: an error about it quotes the part.
    const part = pseudoHeaderSum(src, dst, Protocol.Tcp, TCP_MIN_LENGTH);
    TCP.checksum.set(view, reset.transport, onesSum(view, reset.end, reset.end, part));
    reset.hasBlankChecksum = true;
    reset.flow = segment.flow;
    reset.flowState = answerState(segment.flowState);
    this.#onReset(segment, now);
    this.#router.send(reset, now);
  }
}

/**
 * `nf_reject_verify_csum`: what has no checksum of its kind is believed.
 * @param isJudgementKnown false: what tracking found has been forgotten.
 */
function hasSoundChecksum(packet: Packet, isJudgementKnown: boolean): boolean {
  const { pool, network, transport, end } = packet;
  const { view } = pool;
  const protocol = IPV4.protocol.get(view, network);
  if (packet.hasBlankChecksum || NOT_SUMMED.includes(protocol)) return true;
  if (protocol === Protocol.Udp) {
    if (end - transport < UDP_LENGTH || UDP.checksum.get(view, transport) === 0) return true;
  }
  const hasPseudoHeader = protocol === Protocol.Udp || protocol === Protocol.Tcp;
  const src = IPV4.src.get(view, network);
  const dst = IPV4.dst.get(view, network);
  const initial = hasPseudoHeader ? pseudoHeaderSum(src, dst, protocol, end - transport) : 0;
  // What tracking judged is not summed again. Else the sum begins at the IP header: an empty
  // payload is sound, and options that were filled in since make the packet unsound.
  const from = isJudgementKnown && wasJudged(packet, protocol) ? transport : network;
  return onesSum(view, from, end, initial) === 0xffff;
}

/** True if connection tracking looked at the packet, and found a header that it could judge. */
function wasJudged({ pool, transport, end, flowState }: Packet, protocol: number): boolean {
  if (flowState === FlowState.None || flowState === FlowState.Untracked) return false;
  switch (protocol) {
    case Protocol.Tcp:
      return checkTcp(pool.view, transport, end) === null;
    case Protocol.Udp:
      return checkUdp(pool.view, transport, end) === null;
    default:
      return protocol === Protocol.Icmp && end - transport >= ICMP_LENGTH;
  }
}
