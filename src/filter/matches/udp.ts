/** `-m udp`: ports (Linux `udp_mt` of `net/netfilter/xt_tcpudp.c`). @module */
import { Protocol } from "../../l3/ipv4.ts";
import { type MatchKind, newMatch } from "../match.ts";
import { ANYWHERE } from "../placement.ts";
import { askedPorts, PORT_OPTIONS, PortMatcher, printPorts, readPorts } from "./ports.ts";

/** Loaded by `-p udp` too. */
export const udp: MatchKind = {
  name: "udp",
  protocol: Protocol.Udp,
  options: PORT_OPTIONS,
  parse(given) {
    const source = readPorts(given, "sport");
    const destination = readPorts(given, "dport");
    const matcher = new PortMatcher(Protocol.Udp, source, destination);
    return newMatch({
      name: "udp",
      text: printPorts("sport", source) + printPorts("dport", destination),
      placement: { ...ANYWHERE, protocols: [Protocol.Udp] },
      isPure: true,
      askedPorts: askedPorts(source, destination),
      bind: () => matcher,
    });
  },
};
