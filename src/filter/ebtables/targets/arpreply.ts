/**
 * `arpreply`: answers ARP requests by itself (Linux `net/bridge/netfilter/ebt_arpreply.c`).
 * @module
 */
import { formatMac, type Mac, MAC_ZERO } from "../../../wire/addr.ts";
import type { Packet } from "../../../wire/packet.ts";
import { ARP, ARP_LENGTH, ArpOp, writeArp } from "../../../l2/arp.ts";
import { BridgeHook, type FrameContext } from "../../../l2/bridge-hooks.ts";
import { ETHERNET_LENGTH, EtherType, writeEthernet } from "../../../l2/ethernet.ts";
import { option } from "../../options.ts";
import { parseLooseMac } from "../addresses.ts";
import { requireType } from "../frame-match.ts";
import {
  type FrameAction,
  type FrameReason,
  type FrameTargetKind,
  formatVerdict,
  FrameVerdict,
  readVerdict,
} from "../frame-target.ts";

class ArpReplyAction implements FrameAction {
  readonly #mac: Mac;
  readonly #verdict: FrameVerdict;

  constructor(mac: Mac, verdict: FrameVerdict) {
    this.#mac = mac;
    this.#verdict = verdict;
  }

  /** What is no request for an IPv4 address goes on; one that is cut short ends here. */
  apply(packet: Packet, context: FrameContext): FrameVerdict {
    const { view } = packet.pool;
    const at = packet.frame + ETHERNET_LENGTH;
    context.reason = "filter/malformed" satisfies FrameReason;
    if (packet.end - at < ARP.sha.offset) return FrameVerdict.Drop;
    const isRequest =
      ARP.op.get(view, at) === ArpOp.Request &&
      ARP.hlen.get(view, at) === 6 &&
      ARP.ptype.get(view, at) === EtherType.Ipv4 &&
      ARP.plen.get(view, at) === 4;
    if (!isRequest) return FrameVerdict.Continue;
    if (packet.end - at < ARP_LENGTH) return FrameVerdict.Drop;
    this.#answer(packet, at, context);
    context.reason = "filter/arp-answered" satisfies FrameReason;
    return this.#verdict;
  }

  /** A full pool sends nothing. */
  #answer(packet: Packet, request: number, { input, answers }: FrameContext): void {
    const { pool } = packet;
    const { view } = pool;
    const reply = pool.allocate(ETHERNET_LENGTH + ARP_LENGTH);
    if (reply === null) return;
    const asker = ARP.sha.get(view, request);
    reply.network = reply.frame + ETHERNET_LENGTH;
    reply.output = input;
    writeEthernet(view, reply.frame, asker, this.#mac, EtherType.Arp);
    writeArp(
      view,
      reply.network,
      ArpOp.Reply,
      this.#mac,
      ARP.tpa.get(view, request),
      asker,
      ARP.spa.get(view, request),
    );
    answers.push(reply);
  }
}

/** Needs `-p ARP`. The request ends here unless `--arpreply-target` says otherwise. */
export const arpreply: FrameTargetKind = {
  name: "arpreply",
  options: [option("arpreply-mac"), option("arpreply-target")],
  parse(given, protocol) {
    requireType(given.owner, protocol, EtherType.Arp);
    const found = given.find("arpreply-mac");
    const mac = found === null ? MAC_ZERO : parseLooseMac(found.word);
    const verdict = readVerdict(given.find("arpreply-target"), FrameVerdict.Drop);
    const target =
      verdict === FrameVerdict.Drop ? "" : ` --arpreply-target ${formatVerdict(verdict)}`;
    return {
      kind: "extension",
      name: "arpreply",
      text: `--arpreply-mac ${formatMac(mac)}${target}`,
      table: "nat",
      hooks: [BridgeHook.Prerouting],
      action: new ArpReplyAction(mac, verdict),
    };
  },
};
