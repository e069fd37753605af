/** `-m comment`: words for people; every packet matches. @module */
import { type MatchKind, newMatch } from "../match.ts";
import { PortBits } from "../../wire/path-notes.ts";
import { option, printOption } from "../options.ts";
import { cutOctets, quote } from "../words.ts";

/** Octets that the kernel keeps; `iptables` cuts off the others without a word. */
const MAX_LENGTH = 255;

/** A comment of the form `word/more-words` is the reason of what its rule drops. */
export const comment: MatchKind = {
  name: "comment",
  protocol: null,
  options: [option("comment")],
  parse(given) {
    const words = cutOctets(given.get("comment").word, MAX_LENGTH);
    return newMatch({
      name: "comment",
      text: printOption("comment", quote(words)),
      comment: words,
      isPure: true,
      askedPorts: PortBits.None,
      bind: () => null,
    });
  },
};
