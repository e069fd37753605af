/**
 * Random tests of what is remembered: connections, their marks and numbers, addresses seen lately,
 * rates. Ticks are the kernel's own (`WorldRouter`), so that rates may decide at any of them.
 * @module
 */
import { CONNLIMIT, HASHLIMIT, RECENT } from "../filter/state-cases.ts";
import {
  any,
  type AnyWords,
  fixed,
  list,
  maybe,
  not,
  one,
  ports,
  prefix,
  row,
  some,
} from "./rule-words.ts";

const STATES = ["NEW", "ESTABLISHED", "RELATED", "INVALID", "UNTRACKED", "SNAT", "DNAT"];
const STATUSES = ["NONE", "EXPECTED", "SEEN_REPLY", "ASSURED", "CONFIRMED"];

const states = row(not, "--ctstate", list(STATES, 3));
/** `-m conntrack` with one or two of its options and a direction. */
const connection = row(
  "-m conntrack",
  any(
    states,
    row(
      any(
        row(not, "--ctproto", one("tcp", "udp", "icmp", "gre", "udplite", "esp", "0")),
        row(not, one("--ctorigsrc", "--ctorigdst", "--ctreplsrc", "--ctrepldst"), prefix),
        row(
          not,
          one("--ctorigsrcport", "--ctorigdstport"),
          any(ports, one("0:3", "2048", "5000:1")),
        ),
        row(not, one("--ctreplsrcport", "--ctrepldstport"), any(ports, one("0:3", "2048"))),
        row(not, "--ctstatus", list(STATUSES, 2)),
        row(
          not,
          "--ctexpire",
          one("0", "1:30", "31:120", "121:", "10", "29:30", "118:119", "30:5"),
        ),
      ),
      maybe(states, 2),
    ),
  ),
  maybe(row("--ctdir", one("ORIGINAL", "REPLY")), 2),
);
const mark = row("-m connmark", not, "--mark", one("0", "1", "0x1/0xf", "0x30/0xf0", "0x0/0x1"));

/** Tests that have a state. */
export const STATEFUL: AnyWords = some(
  [4, connection],
  [2, mark],
  [2, fixed(CONNLIMIT)],
  [3, fixed(RECENT)],
  [3, fixed(HASHLIMIT)],
);
