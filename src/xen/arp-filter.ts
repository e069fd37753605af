/**
 * What `arptables -A INPUT -i <vif>` would hold: a domU speaks ARP for itself alone. Proxy ARP and
 * entries by device already keep domUs from each other; this keeps the forgery off Dom0 as well.
 * @module
 */
import type { Ipv4Addr, Mac } from "../wire/addr.ts";
import { formatIpv4, formatMac, IPV4_ANY } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import { ARP, ArpOp, checkArp } from "../l2/arp.ts";
import { ETHERNET, EtherType } from "../l2/ethernet.ts";
import type { FrameFilter } from "../l3/interface.ts";

/** Why an ARP message of a domU is dropped. */
export type ArpForgery =
  | "anti-spoof/source-mac"
  | "anti-spoof/arp-sender-mac"
  | "anti-spoof/arp-sender-address";

/** Judges the ARP messages of one vif. */
export class ArpFilter implements FrameFilter {
  readonly isArpOnly = true;
  readonly #mac: Mac;
  readonly #addresses: readonly Ipv4Addr[];

  /** @param mac the domU's; @param addresses all that are the domU's own. */
  constructor(mac: Mac, addresses: readonly Ipv4Addr[]) {
    this.#mac = mac;
    this.#addresses = addresses;
  }

  judgeFrame(packet: Packet): ArpForgery | null {
    const { view } = packet.pool;
    if (ETHERNET.type.get(view, packet.frame) !== EtherType.Arp) return null;
    if (ETHERNET.src.get(view, packet.frame) !== this.#mac) return "anti-spoof/source-mac";
    if (checkArp(view, packet.network, packet.end) !== null) return null;
    if (ARP.sha.get(view, packet.network) !== this.#mac) return "anti-spoof/arp-sender-mac";
    const spa = ARP.spa.get(view, packet.network);
    const isProbe = spa === IPV4_ANY && ARP.op.get(view, packet.network) === ArpOp.Request;
    const isOwn = isProbe || this.#addresses.includes(spa);
    return isOwn ? null : "anti-spoof/arp-sender-address";
  }

  /** The rules as `arptables-save` would print them. */
  toText(vif: string): string {
    const mac = formatMac(this.#mac);
    const input = `-A INPUT -i ${vif}`;
    return [
      `${input} ! --source-mac ${mac} -j DROP`,
      `${input} --source-ip 0.0.0.0 --opcode Request -j ACCEPT`,
      ...this.#addresses.map((own) => `${input} --source-ip ${formatIpv4(own)} -j ACCEPT`),
      `${input} -j DROP`,
      "",
    ].join("\n");
  }
}
