/**
 * What a rule of the nat table asks of address translation (Linux `struct nf_nat_range2`).
 * Rules live in `filter`, translation in `nat`; both know this.
 * @module
 */
import type { Ipv4Addr } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import type { HookContext } from "./hooks.ts";

/** New addresses and ports for one side of a connection. */
export interface NatRange {
  /** Which side of the connection's first packet is changed. */
  readonly side: "source" | "destination";
  /**
   * First and last address to choose from; `null` keeps the address (a null binding, REDIRECT's
   * kin).
   */
  readonly addresses: { readonly lower: Ipv4Addr; readonly upper: Ipv4Addr } | null;
  /** First and last port or ICMP id to choose from, from 0 to 65,535; `null` keeps it if it can. */
  readonly ports: { readonly lower: number; readonly upper: number } | null;
  /** `--random`: ports are drawn, not kept. */
  readonly isRandom: boolean;
  /**
   * MASQUERADE: the device whose address it is. A connection that is to leave by another one ends
   * where the kernel has it so; absent for none.
   */
  readonly device?: Device;
  /** `--persistent`: one source always gets the same address. */
  readonly isPersistent: boolean;
}

/** The rules that translation asks, once for each side of each new connection. */
export interface NatRules {
  /**
   * @returns what to change; `null` for a null binding; "drop" if a rule forbids the packet
   * (the rules then have set `context.reason`).
   */
  selectNat(packet: Packet, context: HookContext): NatRange | null | "drop";
}
