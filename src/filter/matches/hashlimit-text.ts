/** The words of `-m hashlimit` (`libxt_hashlimit.c`, revision 3). @module */
import { refuse } from "../errors.ts";
import { octetsOf, PACKET_SCALE, periodOf } from "../meter.ts";
import { option, type Options, type OptionSpec, printOption } from "../options.ts";
import { formatRate, parseRate } from "../rates.ts";
import { findNumber, MAX_UINT, parseListName, parseNumber, parsePrefixLength } from "../values.ts";

/** What tells accounts apart, as bits. */
export const Mode = {
  SourceAddress: 1,
  SourcePort: 2,
  DestinationAddress: 4,
  DestinationPort: 8,
} as const;

/** In the order in which `iptables-save` prints them. */
const MODES = [
  ["srcip", Mode.SourceAddress],
  ["srcport", Mode.SourcePort],
  ["dstip", Mode.DestinationAddress],
  ["dstport", Mode.DestinationPort],
] as const;

const DEFAULT_BURST = 5;
const MAX_BURST = 1_000_000;
const DEFAULT_INTERVAL = 1000;
/** Seconds that accounts of octets live, without and with a burst. */
const OCTETS_EXPIRE = 15;
const OCTETS_BURST_EXPIRE = 60;
/** Buckets, and accounts, that the kernel lets a table have. */
const MAX_SIZE = 1_048_576;
/** Characters of a name that `iptables` keeps. */
const MAX_NAME = 254;
const MAX_WINDOW = 0x7fff_ffff;
const KIBI = 1024;
const FACTORS: Readonly<Record<string, number>> = { "": 1, k: KIBI, m: KIBI * KIBI };

/** Everything but `--hashlimit-name` and one of the first two may be left out. */
export const HASHLIMIT_OPTIONS: readonly OptionSpec[] = [
  option("hashlimit-upto", { aliases: ["hashlimit"], isInvertible: true }),
  option("hashlimit-above", { isInvertible: true }),
  option("hashlimit-burst"),
  option("hashlimit-mode"),
  option("hashlimit-name"),
  option("hashlimit-htable-size"),
  option("hashlimit-htable-max"),
  option("hashlimit-htable-gcinterval"),
  option("hashlimit-htable-expire"),
  option("hashlimit-srcmask"),
  option("hashlimit-dstmask"),
  option("hashlimit-rate-match", { operands: 0 }),
  option("hashlimit-rate-interval"),
];

/** What a rule says. */
export interface HashLimit {
  readonly name: string;
  /** True for `--hashlimit-above`. */
  readonly isAbove: boolean;
  /** True if octets are counted, not packets. */
  readonly isOctets: boolean;
  /** What the rate is kept as: see `PacketMeter` and `OctetMeter`. */
  readonly period: number;
  /** Packets; or how often an account of octets is filled up at once. */
  readonly burst: number;
  /** {@link Mode} bits. */
  readonly modes: number;
  readonly sourceLength: number;
  readonly destinationLength: number;
  /** Buckets; 0 leaves it to the kernel. */
  readonly size: number;
  /** Most accounts; 0 leaves it to the kernel. */
  readonly max: number;
  /** Milliseconds. */
  readonly interval: number;
  /** Milliseconds. */
  readonly expire: number;
  /** Seconds of `--hashlimit-rate-interval`; `null` without `--hashlimit-rate-match`. */
  readonly window: number | null;
}

/** @throws {ParseError} with the word that is wrong. */
export function readHashLimit(given: Options): HashLimit {
  const [name, { word, isInverted }] = given.only(["hashlimit-upto", "hashlimit-above"]);
  const rate = readRate(given, word);
  const expire = given.find("hashlimit-htable-expire");
  return {
    name: parseListName(given.get("hashlimit-name").word, MAX_NAME),
    isAbove: (name === "hashlimit-above") !== isInverted,
    isOctets: rate.isOctets,
    period: rate.period,
    burst: rate.burst,
    modes: readModes(given),
    sourceLength: parsePrefixLength(given.find("hashlimit-srcmask")?.word ?? "32"),
    destinationLength: parsePrefixLength(given.find("hashlimit-dstmask")?.word ?? "32"),
    size: Math.min(readNumber(given, "hashlimit-htable-size", 0) ?? 0, MAX_SIZE),
    max: Math.min(readNumber(given, "hashlimit-htable-max", 0) ?? 0, MAX_SIZE),
    interval: readNumber(given, "hashlimit-htable-gcinterval", 1) ?? DEFAULT_INTERVAL,
    expire: expire === null ? rate.expire : parseNumber(expire.word, 1, MAX_UINT, "a lifetime"),
    window: rate.window,
  };
}

type ReadRate = Pick<HashLimit, "isOctets" | "period" | "burst" | "expire" | "window">;

function readRate(given: Options, word: string): ReadRate {
  const isWindow = given.has("hashlimit-rate-match");
  const interval = given.find("hashlimit-rate-interval");
  if (interval !== null && !isWindow) {
    refuse("--hashlimit-rate-interval", "there is no interval without --hashlimit-rate-match");
  }
  const seconds = interval === null ? null : parseNumber(interval.word, 1, MAX_WINDOW, "seconds");
  const [, count, unit = ""] = /^(\d+)([km]?)b\/s(?:ec(?:ond)?)?$/.exec(word) ?? [];
  if (count !== undefined) {
    const { period, burst, expire } = readOctets(given, word, Number(count) * (FACTORS[unit] ?? 1));
    return { isOctets: true, period, burst, expire, window: isWindow ? (seconds ?? 1) : null };
  }
  const rate = parseRate(word, PACKET_SCALE);
  const period = isWindow ? Math.floor(rate.period / rate.unit) : rate.period;
  if (period === 0) refuse(word, `the rate ${word} is too fast`);
  if (isWindow && period > MAX_UINT) refuse(word, `the rate ${word} is too slow`);
  return {
    isOctets: false,
    period,
    burst: readBurst(given, MAX_BURST) ?? DEFAULT_BURST,
    expire: rate.unit * 1000,
    window: isWindow ? (seconds ?? rate.unit) : null,
  };
}

function readOctets(
  given: Options,
  word: string,
  rate: number,
): Pick<HashLimit, "period" | "burst" | "expire"> {
  if (rate < 16 || rate >= 2 ** 36 - 16) {
    refuse(word, "a rate of octets is from 16b/s to less than 64 GiB a second");
  }
  const period = periodOf(rate);
  const burst = readBurst(given, MAX_UINT);
  if (burst === null) return { period, burst: 0, expire: OCTETS_EXPIRE * 1000 };
  const least = octetsOf(period);
  if (burst < least) refuse(`${burst}`, `the burst cannot be smaller than ${least}b`);
  const times = Math.ceil(burst / least);
  const printed = formatBurst(least * times);
  const read = parseSize(printed);
  if (read > MAX_UINT || Math.ceil(read / least) !== times) {
    refuse(`${burst}`, `iptables-save would print this burst as ${printed}, which is another one`);
  }
  return { period, burst: times, expire: OCTETS_BURST_EXPIRE * 1000 };
}

/** Packets, or octets as "10kb", of which `iptables` keeps 32 bits; without a unit, fewer. */
function readBurst(given: Options, limit: number): number | null {
  const found = given.find("hashlimit-burst");
  if (found === null) return null;
  const most = /[kmb]$/i.test(found.word) ? limit : MAX_BURST;
  const burst = parseSize(found.word);
  if (burst < 1 || burst > most) {
    refuse(found.word, `a burst is from 1 to ${most}, not "${found.word}"`);
  }
  return burst;
}

/** The number that "10", "10k" or "10kb" says; 0 if it says none. */
function parseSize(word: string): number {
  const [, text = "", unit = ""] = /^(0x[\da-f]+|\d+)([km]?)b?$/i.exec(word) ?? [];
  return (findNumber(text) ?? 0) * (FACTORS[unit.toLowerCase()] ?? 1);
}

function readNumber(given: Options, name: string, least: number): number | null {
  const found = given.find(name);
  return found === null ? null : parseNumber(found.word, least, MAX_UINT, `--${name}`);
}

function readModes(given: Options): number {
  const found = given.find("hashlimit-mode");
  if (found === null) return 0;
  return found.word.split(/[,|]/).reduce((bits, word) => {
    const [, bit] =
      MODES.find(([name]) => name === word) ??
      refuse(word, `a mode is ${MODES.map(([name]) => name).join(", ")}, not "${word}"`);
    return bits | bit;
  }, 0);
}

/** As `iptables-save` prints it. */
export function printHashLimit(limit: HashLimit): string {
  const { modes, size, max, interval, expire, sourceLength, destinationLength, window } = limit;
  const { text, unit } = limit.isOctets ? formatOctets(limit) : formatPackets(limit);
  const names = MODES.filter(([, bit]) => (modes & bit) !== 0).map(([name]) => name);
  return [
    printOption(limit.isAbove ? "hashlimit-above" : "hashlimit-upto", text),
    names.length === 0 ? "" : printOption("hashlimit-mode", names.join(",")),
    printOption("hashlimit-name", limit.name),
    size === 0 ? "" : printOption("hashlimit-htable-size", size),
    max === 0 ? "" : printOption("hashlimit-htable-max", max),
    interval === DEFAULT_INTERVAL ? "" : printOption("hashlimit-htable-gcinterval", interval),
    expire === unit * 1000 ? "" : printOption("hashlimit-htable-expire", expire),
    sourceLength === 32 ? "" : printOption("hashlimit-srcmask", sourceLength),
    destinationLength === 32 ? "" : printOption("hashlimit-dstmask", destinationLength),
    window === null ? "" : " --hashlimit-rate-match",
    window === null || window === 1 ? "" : printOption("hashlimit-rate-interval", window),
  ].join("");
}

/** With the burst, and the seconds that an account lives if the rule does not say it. */
interface PrintedRate {
  readonly text: string;
  readonly unit: number;
}

function formatPackets({ period, burst }: HashLimit): PrintedRate {
  const { text, unit } = formatRate(period, PACKET_SCALE);
  return { text: text + printOption("hashlimit-burst", burst), unit };
}

function formatOctets({ period, burst }: HashLimit): PrintedRate {
  const rate = octetsOf(period);
  // `iptables` looks at the lower 32 bits alone.
  const lower = rate % 2 ** 32;
  const isExact = (size: number): boolean =>
    rate >= size && periodOf(lower - (lower % size)) === period;
  const text = `${formatSize(rate, isExact)}b/s`;
  if (burst === 0) return { text, unit: OCTETS_EXPIRE };
  return {
    text: text + printOption("hashlimit-burst", formatBurst(rate * burst)),
    unit: OCTETS_BURST_EXPIRE,
  };
}

const formatBurst = (octets: number): string => `${formatSize(octets, (size) => octets >= size)}b`;

/** In the largest unit that fits. */
function formatSize(octets: number, fits: (size: number) => boolean): string {
  if (fits(KIBI * KIBI)) return `${Math.floor(octets / (KIBI * KIBI))}m`;
  return fits(KIBI) ? `${Math.floor(octets / KIBI)}k` : `${octets}`;
}
