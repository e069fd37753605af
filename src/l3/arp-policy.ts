/**
 * Which questions of ARP a host answers, and what it says of itself in its own (Linux
 * net/ipv4/arp.c: `arp_process`, `arp_ignore`, `arp_filter`, `arp_solicit`).
 * @module
 */
import { IPV4_ANY, type Ipv4Addr, isLoopback } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { ArpJudgement, ArpRouting } from "../l2/arp-responder.ts";
import type { Addressing } from "./addressing.ts";
import type { InputRouting } from "./input-routing.ts";
import type { Interface } from "./interface.ts";
import { RouteKind } from "./route-table.ts";

/** The ARP of one stack, as its devices are set. */
export class ArpPolicy implements ArpRouting {
  readonly #addressing: Addressing;
  readonly #routing: InputRouting;

  constructor(addressing: Addressing, routing: InputRouting) {
    this.#addressing = addressing;
    this.#routing = routing;
  }

  judgeArp(device: Device, sender: Ipv4Addr, target: Ipv4Addr): ArpJudgement {
    const via = this.#addressing.interfaces.get(device);
    if (via === undefined) return "none";
    const routing = this.#routing;
    routing.decide(via, sender, target);
    if (routing.kind === RouteKind.Local) {
      const isSilent = ignores(via, sender, target) || this.#filters(via, sender);
      return isSilent ? "ignored" : "local";
    }
    const mayProxy = via.settings.isForwarding && routing.mayProxy(via, sender, target);
    return mayProxy ? "proxy" : "none";
  }

  answersProbe(device: Device, target: Ipv4Addr): boolean {
    const via = this.#addressing.interfaces.get(device);
    return via !== undefined && this.isLocal(target) && !ignores(via, IPV4_ANY, target);
  }

  routesLocalnet(device: Device): boolean {
    return this.#addressing.interfaces.get(device)?.settings.routesLocalnet === true;
  }

  isLocal(address: Ipv4Addr): boolean {
    return this.#addressing.isLocal(address);
  }

  isBroadcast(address: Ipv4Addr): boolean {
    return this.#addressing.fib.kindOf(address) === RouteKind.Broadcast;
  }

  /**
   * Who asks for `target` by `device`.
   * @param source of the packet that waits for the answer; 0.0.0.0 if none does.
   */
  senderOf(device: Device, target: Ipv4Addr, source: Ipv4Addr): Ipv4Addr {
    const via = this.#addressing.interfaces.get(device);
    const announce = via?.settings.arpAnnounce ?? 0;
    const mayTell = announce !== 2 && source !== IPV4_ANY && this.isLocal(source);
    const isKnown = announce === 0 || via?.isOnLink(target, source) === true;
    return mayTell && isKnown ? source : this.#addressing.select(device, target);
  }

  /** True if an answer to `sender` would leave by another device, and that matters. */
  #filters({ device, settings }: Interface, sender: Ipv4Addr): boolean {
    return settings.hasArpFilter && this.#addressing.routeTo(sender)?.device !== device;
  }
}

/** True if `via` does not tell `sender`, who may have no address yet, about an own address. */
function ignores(via: Interface, sender: Ipv4Addr, target: Ipv4Addr): boolean {
  const { arpIgnore } = via.settings;
  if (arpIgnore === 3) return isLoopback(target);
  if (arpIgnore !== 1 && arpIgnore !== 2) return arpIgnore === 8;
  const isHere = via.addresses.some(({ address }) => address === target);
  const isForAll = arpIgnore === 1 || sender === IPV4_ANY;
  return !isHere || !(isForAll || via.isOnLink(target, sender));
}
