/** `-j DSCP` and `-j TOS`: change the type of service (Linux `net/netfilter/xt_DSCP.c`). @module */
import { update16 } from "../../wire/checksum.ts";
import type { Packet } from "../../wire/packet.ts";
import { IPV4 } from "../../l3/ipv4.ts";
import { dscpOptions, readDscp } from "../dscp-names.ts";
import { option, type Options, printOption } from "../options.ts";
import { ANYWHERE } from "../placement.ts";
import { type Action, bindAction, newExtension, type TargetKind } from "../target.ts";
import { formatTos, parseTos } from "../tos-names.ts";
import { hex2, type MaskedNumber, parseNumber } from "../values.ts";

/** The bits of a type of service that hold the code point. */
const DSCP_MASK = 0xfc;
const MANGLE_ONLY = { ...ANYWHERE, table: "mangle" } as const;

/** Clears the bits of `mask`, then turns those of `value` over. */
class ServiceAction implements Action {
  readonly #value: number;
  readonly #kept: number;

  constructor({ value, mask }: MaskedNumber) {
    this.#value = value;
    this.#kept = 0xff & ~mask;
  }

  apply({ pool: { view }, network: at }: Packet): null {
    const before = IPV4.tos.get(view, at);
    const after = (before & this.#kept) ^ this.#value;
    IPV4.tos.set(view, at, after);
    const sum = IPV4.checksum.get(view, at);
    if (after !== before) IPV4.checksum.set(view, at, update16(sum, before, after));
    return null;
  }
}

/** The code point alone; only in mangle. */
export const DSCP: TargetKind = {
  name: "DSCP",
  options: dscpOptions("set-dscp", false),
  parse(given) {
    const { dscp } = readDscp(given, "set-dscp");
    return newExtension({
      name: "DSCP",
      text: printOption("set-dscp", hex2(dscp)),
      placement: MANGLE_ONLY,
      bind: bindAction(new ServiceAction({ value: dscp << 2, mask: DSCP_MASK })),
    });
  },
};

/** The whole octet, or bits of it; only in mangle. */
export const TOS: TargetKind = {
  name: "TOS",
  options: [option("set-tos"), option("and-tos"), option("or-tos"), option("xor-tos")],
  parse(given) {
    const change = readChange(given);
    return newExtension({
      name: "TOS",
      text: printOption("set-tos", formatTos(change)),
      placement: MANGLE_ONLY,
      bind: bindAction(new ServiceAction(change)),
    });
  },
};

function readChange(given: Options): MaskedNumber {
  const [name, { word }] = given.only(["set-tos", "and-tos", "or-tos", "xor-tos"]);
  if (name === "set-tos") return parseTos(word);
  const value = parseNumber(word, 0, 0xff, "a type of service");
  if (name === "and-tos") return { value: 0, mask: 0xff & ~value };
  return { value, mask: name === "or-tos" ? value : 0 };
}
