/**
 * The five hooks of a bridge, and what stands on them (Linux `include/uapi/linux/
 * netfilter_bridge.h`).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";

/** Where on its way across a bridge a frame is. */
export const BridgeHook = {
  Prerouting: 0,
  Input: 1,
  Forward: 2,
  Output: 3,
  Postrouting: 4,
} as const;
export type BridgeHook = (typeof BridgeHook)[keyof typeof BridgeHook];

/** As `ebtables` names them. */
export const BRIDGE_HOOK_NAMES = [
  "PREROUTING",
  "INPUT",
  "FORWARD",
  "OUTPUT",
  "POSTROUTING",
] as const;

/** Where a frame meets the rules: one object for each bridge, rewritten for each frame. */
export interface FrameContext {
  hook: BridgeHook;
  /** The port it came in by; `null` on OUTPUT and POSTROUTING. */
  input: Device | null;
  /** The port it will go out by; `null` on PREROUTING and INPUT. */
  output: Device | null;
  /** The bridge's own device. */
  readonly bridge: Device;
  now: Instant;
  /** Set by rules that drop: why. */
  reason: Reason;
  /** Set by rules that drop, in tracing: where, in words. */
  detail: string;
  /** Frames that rules send, each by its `output`; the bridge owns them and empties the list. */
  readonly answers: Packet[];
}

/** Judges frames on the hooks of bridges: ebtables. */
export interface FrameRules {
  /** @returns true if the frame goes on; rules may have changed it. Borrows the packet. */
  judge(packet: Packet, context: FrameContext): boolean;
}
