/** Matches that have a state, or ask for that of a connection, as people write them. */
import fc from "fast-check";
import {
  address,
  any,
  maybe,
  not,
  number,
  one,
  ports,
  rising,
  state,
  type Text,
  u32,
  words,
} from "./texts.ts";

const addressMask = fc
  .tuple(address, fc.nat(32))
  .map(([value, length]) => `${value}${length === 32 ? "" : `/${length}`}`);
/** `-m conntrack` with every option. */
export const CONNECTION: Text = words(
  "-m conntrack",
  maybe(words(not, "--ctstate", any(state, one("SNAT", "DNAT,NEW", "INVALID,SNAT")))),
  maybe(words(not, "--ctproto", one("tcp", "17", "icmp", "gre", "0"))),
  maybe(words(not, "--ctorigsrc", addressMask)),
  maybe(words(not, "--ctorigdst", addressMask)),
  maybe(words(not, "--ctreplsrc", addressMask)),
  maybe(words(not, "--ctrepldst", addressMask)),
  maybe(words(not, "--ctorigsrcport", ports)),
  maybe(words(not, "--ctorigdstport", ports)),
  maybe(words(not, "--ctreplsrcport", ports)),
  maybe(words(not, "--ctrepldstport", ports)),
  maybe(words(not, "--ctstatus", one("NONE", "ASSURED", "expected,SEEN", "CONFIRMED,NONE"))),
  maybe(words(not, "--ctexpire", any(u32, rising(0, 5000, ":"), one("5:", ":7")))),
  maybe(words("--ctdir", one("ORIGINAL", "REPLY", "reply"))),
).filter((text) => text !== "-m conntrack");
/** `-m connlimit`. */
export const CONNLIMIT: Text = words(
  "-m connlimit",
  not,
  one("--connlimit-upto", "--connlimit-above"),
  number(0, 1000),
  maybe(words("--connlimit-mask", any(fc.nat(32).map(String), one("255.255.0.0")))),
  one("", "--connlimit-saddr", "--connlimit-daddr"),
);
const listName = (prefix: string): Text => one("a", "b.c", "d-e_f").map((name) => prefix + name);
/** `-m recent`; lists are few, so that rules share them. */
export const RECENT: Text = any(
  words("-m recent", not, one("--set", "--remove"), maybe(words("--name", listName("")))),
  words(
    "-m recent",
    not,
    one("--rcheck", "--update"),
    maybe(words("--seconds", number(1, 5000), one("", "--reap"))),
    maybe(words("--hitcount", number(0, 20))),
    one("", "--rttl"),
    maybe(words("--name", listName(""))),
    one("", "--rsource", "--rdest"),
    maybe(words("--mask", one("255.255.255.0", "255.0.255.0", "0.0.0.0"))),
  ),
);
const rate = words(
  fc.integer({ min: 1, max: 10_000 }).map(String),
  one("/s", "/sec", "/minute", "/MIN", "/hour", "/day", ""),
).map((text) => text.replace(" /", "/"));
const octetRate = any(
  fc.integer({ min: 16, max: 100_000 }).map((count) => `${count}b/s`),
  fc.integer({ min: 1, max: 100_000 }).map((count) => `${count}kb/s`),
  fc.integer({ min: 1, max: 10_000 }).map((count) => `${count}mb/s`),
);
const hashlimitRest = [
  maybe(
    words(
      "--hashlimit-mode",
      fc
        .subarray(["dstport", "srcip", "dstip", "srcport"], { minLength: 1 })
        .map((modes) => modes.join(",")),
    ),
  ),
  maybe(words("--hashlimit-srcmask", fc.nat(32).map(String))),
  maybe(words("--hashlimit-dstmask", any(fc.nat(32).map(String), one("255.255.255.0")))),
  maybe(words("--hashlimit-htable-size", number(1, 2_000_000))),
  maybe(words("--hashlimit-htable-max", number(1, 2_000_000))),
  maybe(words("--hashlimit-htable-gcinterval", any(number(1, 5000), one("1000")))),
  maybe(words("--hashlimit-htable-expire", any(number(1, 90_000), one("1000", "60000")))),
];
const hashlimitSide = words(not, one("--hashlimit-upto", "--hashlimit-above", "--hashlimit"));
/** `-m hashlimit`; tables whose names begin alike count alike. */
export const HASHLIMIT: Text = any(
  words(
    words("-m hashlimit", hashlimitSide, rate, "--hashlimit-name", listName("p")),
    maybe(words("--hashlimit-burst", any(number(1, 100), one("2k")))),
    ...hashlimitRest,
  ),
  words(
    words("-m hashlimit", hashlimitSide, octetRate, "--hashlimit-name", listName("o")),
    ...hashlimitRest,
  ),
  words(
    words("-m hashlimit", hashlimitSide),
    one(
      "50kb/s --hashlimit-burst 4000mb",
      "1mb/s --hashlimit-burst 4100000kb",
      "1234567b/s --hashlimit-burst 3294967295b",
      "1234567b/s --hashlimit-burst 1300000b",
      "50kb/s --hashlimit-burst 100kb",
    ),
    words("--hashlimit-name", listName("o")),
    ...hashlimitRest,
  ),
  words(
    words("-m hashlimit", hashlimitSide, rate, "--hashlimit-name", listName("w")),
    "--hashlimit-rate-match",
    maybe(words("--hashlimit-rate-interval", fc.integer({ min: 1, max: 100 }).map(String))),
    ...hashlimitRest,
  ),
  words(
    words("-m hashlimit", hashlimitSide, octetRate, "--hashlimit-name", listName("x")),
    "--hashlimit-rate-match",
    ...hashlimitRest,
  ),
);
