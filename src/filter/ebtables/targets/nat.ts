/**
 * `snat`, `dnat`, `redirect`: other addresses in the frame's header (Linux
 * `net/bridge/netfilter/ebt_snat.c`, `ebt_dnat.c`, `ebt_redirect.c`).
 * @module
 */
import { formatMac, isGroupMac, type Mac, MAC_BROADCAST } from "../../../wire/addr.ts";
import { Cast, type Packet } from "../../../wire/packet.ts";
import { ARP } from "../../../l2/arp.ts";
import { BridgeHook, type FrameContext } from "../../../l2/bridge-hooks.ts";
import { ETHERNET, EtherType } from "../../../l2/ethernet.ts";
import { option } from "../../options.ts";
import { parseLooseMac } from "../addresses.ts";
import { payloadAt, payloadType } from "../frame.ts";
import {
  type FrameAction,
  type FrameReason,
  type FrameTargetKind,
  formatVerdict,
  FrameVerdict,
  readVerdict,
} from "../frame-target.ts";

const MAC_LENGTH = 6;

class SourceAction implements FrameAction {
  readonly #mac: Mac;
  readonly #changesArp: boolean;
  readonly #verdict: FrameVerdict;

  constructor(mac: Mac, changesArp: boolean, verdict: FrameVerdict) {
    this.#mac = mac;
    this.#changesArp = changesArp;
    this.#verdict = verdict;
  }

  /** A message must be long enough for the sender's address, even if it has another form. */
  apply(packet: Packet, context: FrameContext): FrameVerdict {
    const { view } = packet.pool;
    ETHERNET.src.set(view, packet.frame, this.#mac);
    if (!this.#changesArp || payloadType(packet) !== EtherType.Arp) return this.#verdict;
    const at = payloadAt(packet);
    if (packet.end - at < ARP.spa.offset) {
      context.reason = "filter/malformed" satisfies FrameReason;
      return FrameVerdict.Drop;
    }
    if (ARP.hlen.get(view, at) !== MAC_LENGTH) return this.#verdict;
    ARP.sha.set(view, at, this.#mac);
    return this.#verdict;
  }
}

/** On OUTPUT, a single station's address leaves the frame's kind as it is. */
class DestinationAction implements FrameAction {
  readonly #mac: Mac;
  readonly #verdict: FrameVerdict;
  readonly #isGroup: boolean;

  constructor(mac: Mac, verdict: FrameVerdict) {
    this.#mac = mac;
    this.#verdict = verdict;
    this.#isGroup = isGroupMac(mac);
  }

  apply(packet: Packet, { hook, bridge }: FrameContext): FrameVerdict {
    ETHERNET.dst.set(packet.pool.view, packet.frame, this.#mac);
    if (this.#isGroup) {
      packet.cast = this.#mac === MAC_BROADCAST ? Cast.Broadcast : Cast.Multicast;
    } else if (hook === BridgeHook.Prerouting) {
      packet.cast = this.#mac === bridge.mac ? Cast.Host : Cast.OtherHost;
    }
    return this.#verdict;
  }
}

class RedirectAction implements FrameAction {
  readonly #verdict: FrameVerdict;

  constructor(verdict: FrameVerdict) {
    this.#verdict = verdict;
  }

  apply(packet: Packet, { bridge }: FrameContext): FrameVerdict {
    ETHERNET.dst.set(packet.pool.view, packet.frame, bridge.mac);
    packet.cast = Cast.Host;
    return this.#verdict;
  }
}

/** Another sender; with `--snat-arp`, in the ARP message as well. */
export const snat: FrameTargetKind = {
  name: "snat",
  options: [
    option("to-source", { aliases: ["to-src"] }),
    option("snat-arp", { operands: 0 }),
    option("snat-target"),
  ],
  parse(given) {
    const mac = parseLooseMac(given.get("to-source").word);
    const changesArp = given.has("snat-arp");
    const verdict = readVerdict(given.find("snat-target"), FrameVerdict.Accept);
    const arp = changesArp ? " --snat-arp" : "";
    return {
      kind: "extension",
      name: "snat",
      text: `--to-src ${formatMac(mac)}${arp} --snat-target ${formatVerdict(verdict)}`,
      table: "nat",
      hooks: [BridgeHook.Postrouting],
      action: new SourceAction(mac, changesArp, verdict),
    };
  },
};

/** Another destination. */
export const dnat: FrameTargetKind = {
  name: "dnat",
  options: [option("to-destination", { aliases: ["to-dst"] }), option("dnat-target")],
  parse(given) {
    const mac = parseLooseMac(given.get("to-destination").word);
    const verdict = readVerdict(given.find("dnat-target"), FrameVerdict.Accept);
    return {
      kind: "extension",
      name: "dnat",
      text: `--to-dst ${formatMac(mac)} --dnat-target ${formatVerdict(verdict)}`,
      table: "nat",
      hooks: [BridgeHook.Prerouting, BridgeHook.Output],
      action: new DestinationAction(mac, verdict),
    };
  },
};

/** To the host: the destination is the bridge's own address. */
export const redirect: FrameTargetKind = {
  name: "redirect",
  options: [option("redirect-target")],
  parse(given) {
    const verdict = readVerdict(given.find("redirect-target"), FrameVerdict.Accept);
    return {
      kind: "extension",
      name: "redirect",
      text: verdict === FrameVerdict.Accept ? "" : `--redirect-target ${formatVerdict(verdict)}`,
      table: "nat",
      hooks: [BridgeHook.Prerouting],
      action: new RedirectAction(verdict),
    };
  },
};
