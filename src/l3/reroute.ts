/**
 * What translation makes of a packet of this host must have a way, or no later rule sees it (Linux
 * `nf_nat_ipv4_local_fn`, `ip_route_me_harder`).
 * @module
 */
import type { Packet } from "../wire/packet.ts";
import type { Addressing } from "./addressing.ts";
import { type HookContext, type HookFunction, Verdict } from "./hooks.ts";
import { IPV4 } from "./ipv4.ts";

/** Hangs on OUTPUT behind translation; the packet is routed again when all hooks are done. */
export class RerouteCheck implements HookFunction {
  readonly name = "reroute";
  readonly #addressing: Addressing;

  constructor(addressing: Addressing) {
    this.#addressing = addressing;
  }

  onHook({ pool, network }: Packet, context: HookContext): Verdict {
    const dst = IPV4.dst.get(pool.view, network);
    if (this.#addressing.routeTo(dst, context.output) !== null) return Verdict.Accept;
    context.reason = "route/none";
    return Verdict.Drop;
  }
}
