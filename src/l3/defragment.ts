/**
 * Defragmentation before connection tracking, so that filters see whole packets only (Linux
 * nf_defrag_ipv4). What does not become whole vanishes; only its own host may say so.
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Machine } from "../base/machine.ts";
import type { Packet } from "../wire/packet.ts";
import { pullHead } from "./fragment.ts";
import { Hook, type HookContext, type HookFunction, HookPriority, Verdict } from "./hooks.ts";
import { IPV4, isFragment, Protocol } from "./ipv4.ts";
import { Reassembler } from "./reassembly.ts";
import type { Router } from "./router.ts";
import type { ReassemblyBehaviour } from "./reassembly.ts";

/** Hangs on PREROUTING and OUTPUT of one router. */
export class Defragmenter implements HookFunction, Machine {
  readonly name = "defragment";
  readonly #reassembler: Reassembler;
  readonly #drawsTcpHeader: boolean;

  constructor({ hooks, jiffies }: Router, behaviour: ReassemblyBehaviour) {
    this.#drawsTcpHeader = behaviour.drawsTcpHeader;
    this.#reassembler = new Reassembler({ behaviour, jiffies });
    hooks.register(Hook.Prerouting, HookPriority.Defragment, this);
    hooks.register(Hook.Output, HookPriority.Defragment, this);
  }

  onHook(packet: Packet, context: HookContext): Verdict {
    if (!isFragment(packet.pool.view, packet.network)) return Verdict.Accept;
    const whole = this.#reassembler.receive(packet, context.now);
    if (whole === null) return Verdict.Stolen;
    context.packet = whole;
    if (this.#drawsTcpHeader && context.hook === Hook.Prerouting) drawTcpHeader(whole);
    return Verdict.Accept;
  }

  nextDeadline(): Instant {
    return this.#reassembler.nextDeadline();
  }

  expire(now: Instant): void {
    this.#reassembler.expire(now);
  }
}

/** Octets of TCP's header without options. */
const TCP_HEADER = 20;

function drawTcpHeader(whole: Packet): void {
  const { pool, network, transport, end } = whole;
  if (IPV4.protocol.get(pool.view, network) !== Protocol.Tcp) return;
  if (end - transport >= TCP_HEADER) pullHead(whole, transport + TCP_HEADER - network);
}
