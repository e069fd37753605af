/** Chance that draws what a kernel drew: the ports of translated connections. @module */
import type { Chance } from "../../src/base/prng.ts";
import type { HookContext } from "../../src/l3/hooks.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import type { NatRange } from "../../src/wire/nat-range.ts";
import type { NatRules } from "../../src/l3/nat-rules.ts";
import type { Packet } from "../../src/wire/packet.ts";
import type { NewFlow } from "./kernel.ts";

/** The ports from which Linux chooses for a source without a range, by the port that it had. */
const FIRST_USER_PORT = 1024;
const FIRST_RESERVED_PORT = 600;
const FIRST_SYSTEM_PORT = 1;
/**
 * What the kernel drew for a connection that came to nothing: nobody sees it but by its being
 * another number than the packet had.
 */
const UNSEEN = 0x5a3c;

/**
 * Stands for the kernel's random numbers in address translation. It sees which range the rules of
 * the emulated router asked for, and which connections the kernel began: what the kernel drew is
 * the way from the first port of the range to the one that it chose.
 */
export class ReplayedChance implements Chance {
  #flows: readonly NewFlow[] = [];
  #range: NatRange | null = null;
  #protocol = 0;

  /** The next packet made the kernel begin `flows`. */
  watch(flows: readonly NewFlow[]): void {
    this.#flows = flows;
  }

  /** Listen to what `rules` decide from now on. */
  spyOn(rules: NatRules): void {
    const select = rules.selectNat.bind(rules);
    rules.selectNat = (packet: Packet, context: HookContext) => {
      const range = select(packet, context);
      this.#range = range === "drop" ? null : range;
      const { pool, network } = packet;
      this.#protocol = pool.view.getUint8(network + 9);
      return range;
    };
  }

  below(bound: number): number {
    const drawn = this.#flows.find(([protocol]) => protocol === this.#protocol);
    if (drawn === undefined) return UNSEEN % bound;
    const [protocol, replySource, replyTarget] = drawn;
    const isSource = this.#range?.side !== "destination";
    const port = isSource ? replyTarget : replySource;
    return (port - this.#first(protocol, port) + bound) % bound;
  }

  /** The first of the ports that the kernel chose from. */
  #first(protocol: number, port: number): number {
    const ports = this.#range?.ports ?? null;
    if (ports !== null) return Math.min(ports.lower, ports.upper);
    if (protocol === Protocol.Icmp) return 0;
    if (port >= FIRST_USER_PORT) return FIRST_USER_PORT;
    return port >= FIRST_RESERVED_PORT ? FIRST_RESERVED_PORT : FIRST_SYSTEM_PORT;
  }
}
