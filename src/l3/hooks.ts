/**
 * The five netfilter hooks, and who hangs on them by priority (Linux
 * `include/linux/netfilter_ipv4.h`).
 * @module
 */
import type { Instant } from "../base/time.ts";
import type { Device } from "../wire/device.ts";
import type { Packet, Reason } from "../wire/packet.ts";
import { FlowCache } from "./flow-cache.ts";

/** Where on its way a packet is. */
export const Hook = { Prerouting: 0, Input: 1, Forward: 2, Output: 3, Postrouting: 4 } as const;
export type Hook = (typeof Hook)[keyof typeof Hook];

/** As `iptables` names them. */
export const HOOK_NAMES = ["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"] as const;

/** Lower runs first. */
export const HookPriority = {
  Defragment: -400,
  Raw: -300,
  Conntrack: -200,
  Mangle: -150,
  NatDestination: -100,
  Reroute: -99,
  Filter: 0,
  NatSource: 100,
  Confirm: 2 ** 31 - 1,
} as const;

/** What a hook decides: the packet goes on, a rule forbids it, or the hook keeps it. */
export const Verdict = { Accept: 0, Drop: 1, Stolen: 2 } as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

/** Where a packet meets a hook. One object for each hook, rewritten for each packet. */
export interface HookContext {
  readonly hook: Hook;
  /** The packet that goes on; a hook that returns another one sets it here (reassembly). */
  packet: Packet | null;
  /** Where the packet came in; `null` if this host made it. */
  input: Device | null;
  /** Where it will go out; `null` before routing, and for packets to this host. */
  output: Device | null;
  now: Instant;
  /** Set by whoever drops: why. */
  reason: Reason;
  /** Set by whoever drops and knows more: words for people. */
  detail: string;
}

/** One function on a hook. On {@link Verdict.Stolen} it owns the packet, else it borrows it. */
export interface HookFunction {
  /** For people: what stands here. */
  readonly name: string;
  /** True if it tells `Packet.path` what it does; packets that meet another are always asked. */
  readonly notesPaths?: boolean;
  onHook(packet: Packet, context: HookContext): Verdict;
}

interface Entry {
  readonly priority: number;
  readonly hooked: HookFunction;
}

/** The functions on the hooks of one stack. */
export class Hooks {
  /** The ways that packets take past the hooks. */
  readonly paths = new FlowCache();
  readonly #prerouting = new HookList(Hook.Prerouting);
  readonly #input = new HookList(Hook.Input);
  readonly #forward = new HookList(Hook.Forward);
  readonly #output = new HookList(Hook.Output);
  readonly #postrouting = new HookList(Hook.Postrouting);

  /** Hang `hooked` on `hook`; equal priorities run in the order of their registration. */
  register(hook: Hook, priority: number, hooked: HookFunction): void {
    this.#list(hook).register(priority, hooked);
    this.paths.invalidate();
  }

  /** Take `hooked` off every hook. */
  unregister(hooked: HookFunction): void {
    for (const hook of Object.values(Hook)) this.#list(hook).unregister(hooked);
    this.paths.invalidate();
  }

  /**
   * Run the hook over `packet`. A dropped packet is ended here.
   * @returns the packet that goes on, as a rule the same; `null` if it is gone.
   */
  pass(
    hook: Hook,
    packet: Packet,
    input: Device | null,
    output: Device | null,
    now: Instant,
  ): Packet | null {
    const list = this.#list(hook);
    return list.isEmpty ? packet : list.pass(packet, input, output, now);
  }

  #list(hook: Hook): HookList {
    switch (hook) {
      case Hook.Prerouting:
        return this.#prerouting;
      case Hook.Input:
        return this.#input;
      case Hook.Forward:
        return this.#forward;
      case Hook.Output:
        return this.#output;
      case Hook.Postrouting:
        return this.#postrouting;
    }
  }
}

class HookList {
  readonly #entries: Entry[] = [];
  readonly #context: HookContext;
  isEmpty = true;

  constructor(hook: Hook) {
    this.#context = {
      hook,
      packet: null,
      input: null,
      output: null,
      now: 0,
      reason: "filter/dropped",
      detail: "",
    };
  }

  register(priority: number, hooked: HookFunction): void {
    const place = this.#entries.findIndex((entry) => entry.priority > priority);
    this.#entries.splice(place < 0 ? this.#entries.length : place, 0, { priority, hooked });
    this.isEmpty = false;
  }

  unregister(hooked: HookFunction): void {
    const kept = this.#entries.filter((entry) => entry.hooked !== hooked);
    this.#entries.splice(0, this.#entries.length, ...kept);
    this.isEmpty = kept.length === 0;
  }

  pass(packet: Packet, input: Device | null, output: Device | null, now: Instant): Packet | null {
    const context = this.#context;
    let current = packet;
    for (const { hooked } of this.#entries) {
      context.packet = current;
      context.input = input;
      context.output = output;
      context.now = now;
      context.reason = "filter/dropped";
      context.detail = "";
      if (hooked.notesPaths !== true) current.path?.spoil();
      const verdict = hooked.onHook(current, context);
      if (verdict === Verdict.Drop) {
        this.#drop(current);
        return null;
      }
      if (verdict === Verdict.Stolen || context.packet === null) return null;
      current = context.packet;
    }
    return current;
  }

  #drop(packet: Packet): void {
    const { pool } = packet;
    const { hook, reason, detail, now } = this.#context;
    if (pool.isTracing && detail !== "") pool.observer?.step(packet, HOOK_NAMES[hook], detail, now);
    pool.end(packet, "dropped", reason, now);
  }
}
