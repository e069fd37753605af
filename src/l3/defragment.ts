/**
 * Defragmentation before connection tracking, so that filters see whole packets only (Linux
 * nf_defrag_ipv4). What does not become whole vanishes; only its own host may say so.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Machine } from "../base/machine.ts";
import type { Packet } from "../wire/packet.ts";
import { Hook, type HookContext, type HookFunction, HookPriority, Verdict } from "./hooks.ts";
import { isFragment } from "./ipv4.ts";
import { Reassembler } from "./reassembly.ts";
import type { Router } from "./router.ts";
import type { ReassemblyBehaviour } from "./reassembly.ts";

/** Hangs on PREROUTING and OUTPUT of one router. */
export class Defragmenter implements HookFunction, Machine {
  readonly name = "defragment";
  readonly notesPaths = true;
  readonly #reassembler: Reassembler;

  constructor({ hooks, jiffies, settings }: Router, behaviour: ReassemblyBehaviour) {
    const timeout = settings.reassemblyTime;
    this.#reassembler = new Reassembler({ behaviour, jiffies, timeout });
    hooks.register(Hook.Prerouting, HookPriority.Defragment, this);
    hooks.register(Hook.Output, HookPriority.Defragment, this);
  }

  onHook(packet: Packet, context: HookContext): Verdict {
    if (!isFragment(packet.pool.view, packet.network)) return Verdict.Accept;
    const whole = this.#reassembler.receive(packet, context.now);
    if (whole === null) return Verdict.Stolen;
    context.packet = whole;
    return Verdict.Accept;
  }

  nextDeadline(): Instant {
    return this.#reassembler.nextDeadline();
  }

  expire(now: Instant): void {
    this.#reassembler.expire(now);
  }
}
