/**
 * Rules of translation live in `filter`, translation itself in `nat`; both know this.
 * @module
 */
import type { NatRange } from "../wire/nat-range.ts";
import type { Packet } from "../wire/packet.ts";
import type { HookContext } from "./hooks.ts";

/** The rules that translation asks, once for each side of each new connection. */
export interface NatRules {
  /**
   * True if they answer connections between the same ends alike until known ways are forgotten,
   * but for what they tell `Packet.path`; the first packets of others are asked about each.
   */
  readonly notesPaths?: boolean;
  /**
   * @returns what to change; `null` for a null binding; "drop" if a rule forbids the packet
   * (the rules then have set `context.reason`).
   */
  selectNat(packet: Packet, context: HookContext): NatRange | null | "drop";
}
