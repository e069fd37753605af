/** `-j TCPMSS`: lower the segment size of a SYN (Linux `net/netfilter/xt_TCPMSS.c`). @module */
import { update16, update32 } from "../../wire/checksum.ts";
import type { Packet } from "../../wire/packet.ts";
import { gather } from "../../l3/fragment.ts";
import { Hook, type HookContext } from "../../l3/hooks.ts";
import { IPV4, IPV4_MIN_LENGTH, Protocol } from "../../l3/ipv4.ts";
import { TCP, TCP_MAX_LENGTH, TCP_MIN_LENGTH, tcpHeaderLengthOf } from "../../l4/tcp.ts";
import { TCP_MSS, TCP_OPTION, TCP_OPTION_LENGTH, TcpOptionKind } from "../../l4/tcp-options.ts";
import { option, printOption } from "../options.ts";
import { ALL_HOOKS, ANYWHERE, hookBits } from "../placement.ts";
import type { RuleServices } from "../services.ts";
import { type Action, type FilterReason, newExtension, type TargetKind } from "../target.ts";
import { parseNumber } from "../values.ts";

/** Octets of the option. */
const MSS_LENGTH = TCP_OPTION_LENGTH.mss;
/** What a SYN without the option means: RFC 9293 section 3.7.1. */
const DEFAULT_MSS = 536;
const MAX_MSS = 65_515;
const HEADERS = IPV4_MIN_LENGTH + TCP_MIN_LENGTH;

class MssAction implements Action {
  /** `null` takes what the path leaves. */
  readonly #mss: number | null;
  readonly #pathMtu: RuleServices["pathMtu"];

  constructor(mss: number | null, pathMtu: RuleServices["pathMtu"]) {
    this.#mss = mss;
    this.#pathMtu = pathMtu;
  }

  apply(packet: Packet, _context: HookContext): FilterReason | null {
    const { view } = packet.pool;
    const at = packet.transport;
    if (IPV4.fragmentOffset.get(view, packet.network) !== 0) return null;
    gather(packet, packet.end);
    const length = packet.end - at;
    if (length < TCP_MIN_LENGTH) return "filter/malformed";
    const headerLength = tcpHeaderLengthOf(view, at);
    if (headerLength < TCP_MIN_LENGTH || headerLength > length) return "filter/malformed";
    const mss = this.#mss ?? this.#leastMtu(packet) - HEADERS;
    if (this.#mss === null && mss <= 0) return "filter/no-mss";
    const place = findMss(view, at, at + headerLength);
    if (place >= 0) lower(view, at, place, mss);
    else if (headerLength === length && headerLength < TCP_MAX_LENGTH) add(packet, length, mss);
    return null;
  }

  /** Both ways count: an answer must fit, too (`tcpmss_reverse_mtu`). */
  #leastMtu({ pathMtu, pool, network }: Packet): number {
    const back = this.#pathMtu?.(IPV4.src.get(pool.view, network)) ?? pathMtu;
    return Math.min(pathMtu, back);
  }
}

/** Where the option stands among the options; -1 if it does not. Steps over what is unsound. */
function findMss(view: DataView, header: number, end: number): number {
  let at = header + TCP_MIN_LENGTH;
  while (at <= end - MSS_LENGTH) {
    const kind = TCP_OPTION.kind.get(view, at);
    const length = TCP_OPTION.length.get(view, at);
    if (kind === TcpOptionKind.Mss && length === MSS_LENGTH) return at;
    at += kind <= TcpOptionKind.NoOperation ? 1 : Math.max(length, 1);
  }
  return -1;
}

/** A size is never raised, even when it is set. */
function lower(view: DataView, header: number, place: number, mss: number): void {
  const before = TCP_MSS.mss.get(view, place);
  if (before <= mss) return;
  TCP_MSS.mss.set(view, place, mss);
  mend(view, header, before, mss);
}

/** Put the option before all others. A packet for whose growth there is no room stays as it is. */
function add(packet: Packet, length: number, mss: number): void {
  const { view, bytes } = packet.pool;
  const { transport: at, network } = packet;
  if (packet.end + MSS_LENGTH > packet.slot + packet.capacity) return;
  const place = at + TCP_MIN_LENGTH;
  bytes.copyWithin(place + MSS_LENGTH, place, packet.end);
  packet.end += MSS_LENGTH;
  TCP_MSS.kind.set(view, place, TcpOptionKind.Mss);
  TCP_MSS.length.set(view, place, MSS_LENGTH);
  TCP_MSS.mss.set(view, place, Math.min(mss, DEFAULT_MSS));
  const offset = TCP.offsetReserved.get(view, at);
  const grown = offset + ((MSS_LENGTH / 4) << 4);
  const flags = TCP.flags.get(view, at);
  TCP.offsetReserved.set(view, at, grown);
  mend(view, at, length, length + MSS_LENGTH);
  TCP.checksum.set(view, at, update32(TCP.checksum.get(view, at), 0, view.getUint32(place)));
  mend(view, at, (offset << 8) | flags, (grown << 8) | flags);
  const total = IPV4.totalLength.get(view, network);
  IPV4.totalLength.set(view, network, total + MSS_LENGTH);
  const sum = update16(IPV4.checksum.get(view, network), total, total + MSS_LENGTH);
  IPV4.checksum.set(view, network, sum);
}

function mend(view: DataView, header: number, before: number, after: number): void {
  TCP.checksum.set(view, header, update16(TCP.checksum.get(view, header), before, after));
}

/** Needs a rule that asks for SYN; the path is known where a packet has been routed. */
export const TCPMSS: TargetKind = {
  name: "TCPMSS",
  options: [option("set-mss"), option("clamp-mss-to-pmtu", { operands: 0 })],
  parse(given) {
    const [name, { word }] = given.only(["set-mss", "clamp-mss-to-pmtu"]);
    const mss = name === "set-mss" ? parseNumber(word, 0, MAX_MSS, "a segment size") : null;
    return newExtension({
      name: "TCPMSS",
      text: mss === null ? " --clamp-mss-to-pmtu" : printOption("set-mss", mss),
      placement: {
        ...ANYWHERE,
        hooks: mss === null ? hookBits(Hook.Forward, Hook.Output, Hook.Postrouting) : ALL_HOOKS,
        protocols: [Protocol.Tcp],
      },
      objection: (matches) =>
        matches.some(({ asksForSyn }) => asksForSyn) ? null : "TCPMSS needs a rule with --syn",
      bind: ({ pathMtu }) => ({ kind: "action", action: new MssAction(mss, pathMtu) }),
    });
  },
};
