/** `-j TTL`: change the time to live (Linux `ttl_tg` of `net/netfilter/xt_HL.c`). @module */
import { update16 } from "../../wire/checksum.ts";
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { option, printOption } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";
import { parseNumber } from "../values.ts";

class TtlAction implements Action {
  readonly #scale: number;
  readonly #step: number;

  /** The new value is `scale` times the old one, and `step`; it stays within an octet. */
  constructor(scale: 0 | 1, step: number) {
    this.#scale = scale;
    this.#step = step;
  }

  apply({ pool: { view }, network: at }: Packet): null {
    const before = IPV4.ttl.get(view, at);
    const after = Math.min(Math.max(before * this.#scale + this.#step, 0), 255);
    IPV4.ttl.set(view, at, after);
    const sum = IPV4.checksum.get(view, at);
    if (after !== before) IPV4.checksum.set(view, at, update16(sum, before << 8, after << 8));
    return null;
  }
}

/** Set, raise, lower; only in mangle. */
export const TTL: TargetKind = {
  name: "TTL",
  options: [option("ttl-set"), option("ttl-dec"), option("ttl-inc")],
  parse(given) {
    const [name, { word }] = given.only(["ttl-set", "ttl-dec", "ttl-inc"]);
    const value = parseNumber(word, name === "ttl-set" ? 0 : 1, 255, "a time to live");
    const isSet = name === "ttl-set";
    return newExtension({
      name: "TTL",
      text: printOption(name, value),
      placement: { ...ANYWHERE, table: "mangle" },
      bind: bindAction(new TtlAction(isSet ? 0 : 1, name === "ttl-dec" ? -value : value)),
    });
  },
};
