/**
 * What a rule asks of address translation for one side of a connection (Linux
 * `struct nf_nat_range2`).
 * @module
 */
import type { Ipv4Addr } from "./addr.ts";
import type { Device } from "./device.ts";

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
