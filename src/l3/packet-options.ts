/**
 * The options of the packet that is on its way through a stack: read after routing, finished when
 * the packet leaves (Linux `ip_rcv_options` and `ip_forward_options`).
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Instant } from "../base/time.ts";
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Packet } from "../wire/packet.ts";
import type { Addressing } from "./addressing.ts";
import type { Interface } from "./interface.ts";
import { IPV4, IPV4_MIN_LENGTH, sealHeader } from "./ipv4.ts";
import { Ipv4Options, type OptionHost } from "./ipv4-options.ts";
import { type Route, RouteKind } from "./route-table.ts";

/** Reads and finishes the options of one packet after the other. */
export class PacketOptions implements OptionHost {
  /** The options that were read last. */
  current = new Ipv4Options(this);
  readonly #addressing: Addressing;
  readonly #timeOfDay: (now: Instant) => number;
  #packet: Packet | null = null;
  #via: Interface;
  #now: Instant = 0;
  /** True while what was read last is not to be written over. */
  #isKept = false;

  constructor(addressing: Addressing, timeOfDay: (now: Instant) => number) {
    this.#addressing = addressing;
    this.#timeOfDay = timeOfDay;
    this.#via = addressing.loopback;
  }

  /**
   * Read the options of a routed packet that came in by `via`.
   * @returns -1 if they are sound, or the position of the octet that is wrong.
   */
  read(via: Interface, packet: Packet, now: Instant): number {
    if (this.#isKept) this.current = new Ipv4Options(this);
    this.#isKept = false;
    if (packet.transport - packet.network === IPV4_MIN_LENGTH) {
      this.current.clear();
      return -1;
    }
    this.#packet = packet;
    this.#via = via;
    this.#now = now;
    const wrong = this.current.read(packet.pool.view, packet.network);
    this.#packet = null;
    return wrong;
  }

  /**
   * Read again the options of a packet that waited in the stack; it is stamped once more.
   * @returns as {@link read}: a record route may have no room for a second address.
   */
  readAgain(packet: Packet, now: Instant): number {
    const via = packet.input === null ? null : this.#addressing.interfaces.get(packet.input);
    return this.read(via ?? this.#addressing.loopback, packet, now);
  }

  /** Do `work`, in which other packets may come in, and keep what was read of this one. */
  keep(work: () => void): void {
    const kept = this.current;
    this.#isKept = kept.length > 0;
    work();
    this.#isKept = false;
    this.current = kept;
  }

  /** The packet leaves by `route`: record where, and mend the header's checksum. */
  finish(packet: Packet, route: Route): void {
    const { view } = packet.pool;
    this.current.fill(view, packet.network, this.#addressing.sourceFor(route));
    if (this.current.isChanged) sealHeader(view, packet.network);
    this.current.isChanged = false;
  }

  specificAddress(): Ipv4Addr {
    const packet = this.#packet;
    assert(packet !== null, "options are read of a packet");
    const { view } = packet.pool;
    if (packet.routeKind === RouteKind.Local) return IPV4.dst.get(view, packet.network);
    return this.#addressing.specificAddress(this.#via, IPV4.src.get(view, packet.network));
  }

  isForeign(address: Ipv4Addr): boolean {
    return this.#addressing.fib.kindOf(address) === RouteKind.Unicast;
  }

  timeOfDay(): number {
    return this.#timeOfDay(this.#now);
  }
}
