/** A chain of rules about frames, and what happens after the last. @module */
import type { BridgeHook } from "../../l2/bridge-hooks.ts";
import type { FrameStep } from "./frame-step.ts";
import { FrameVerdict } from "./frame-target.ts";

/** What happens to frames that no rule decides about; a built-in chain cannot return. */
export type FramePolicy = Exclude<FrameVerdict, typeof FrameVerdict.Continue>;

/** Rules in order. */
export class FrameChain {
  name: string;
  /** Where a built-in chain hangs; `null` for a chain that only jumps lead to. */
  readonly hook: BridgeHook | null;
  policy: FramePolicy = FrameVerdict.Accept;
  readonly steps: FrameStep[] = [];

  constructor(name: string, hook: BridgeHook | null) {
    this.name = name;
    this.hook = hook;
  }
}
