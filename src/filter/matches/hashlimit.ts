/**
 * `-m hashlimit`: a limit for each address, network or port (Linux
 * `net/netfilter/xt_hashlimit.c`, revision 3).
 * @module
 */
import type { Jiffies } from "../../base/jiffies.ts";
import { maskOf } from "../../wire/addr.ts";
import type { Packet } from "../../wire/packet.ts";
import type { HookContext } from "../../l3/hooks.ts";
import { IPV4, Protocol } from "../../l3/ipv4.ts";
import { RuleError } from "../errors.ts";
import { judge, type Matcher, type MatchKind, MatchResult, newMatch } from "../match.ts";
import { type Meter, OctetMeter, PacketMeter, WindowMeter } from "../meter.ts";
import { type AccountMasks, RateTable } from "../rate-table.ts";
import {
  HASHLIMIT_OPTIONS,
  type HashLimit,
  Mode,
  printHashLimit,
  readHashLimit,
} from "./hashlimit-text.ts";

/** Octets that hold both ports, and where they stand in the header of AH: its SPI. */
const PORTS_LENGTH = 4;
const AH = 51;
const AH_OFFSET = 4;
/** Protocols whose header begins with ports, or with what is taken for them. */
const WITH_PORTS: readonly number[] = [Protocol.Tcp, Protocol.Udp, 33, 50, AH, 132, 136];
/** Buckets of a table of which no rule says the size, and accounts for each of them. */
const DEFAULT_SIZE = 8192;
const ACCOUNTS_A_BUCKET = 8;

class HashLimitMatcher implements Matcher {
  readonly #table: RateTable;
  readonly #isInverted: boolean;

  constructor(table: RateTable, isInverted: boolean) {
    this.#table = table;
    this.#isInverted = isInverted;
  }

  matches(packet: Packet, { now }: HookContext): MatchResult {
    const { pool, network, end } = packet;
    const { view } = pool;
    const { masks } = this.#table;
    const source = IPV4.src.get(view, network) & masks.source;
    const destination = IPV4.dst.get(view, network) & masks.destination;
    let ports = 0;
    if (masks.ports !== 0) {
      const at = portsAt(packet);
      if (at > end - PORTS_LENGTH) return MatchResult.Malformed;
      ports = at < 0 ? 0 : view.getInt32(at) & masks.ports;
    }
    const isWithin = this.#table.take(source, destination, ports, end - network, now);
    return isWithin === null ? MatchResult.Malformed : judge(isWithin, this.#isInverted);
  }
}

/** Where the ports are, in later fragments too; -1 for a protocol without. */
function portsAt({ pool: { view }, network, transport }: Packet): number {
  const protocol = IPV4.protocol.get(view, network);
  if (!WITH_PORTS.includes(protocol)) return -1;
  return transport + (protocol === AH ? AH_OFFSET : 0);
}

/** One table for all rules that name it; the first of them says all but above or up to. */
export const hashlimit: MatchKind = {
  name: "hashlimit",
  protocol: null,
  options: HASHLIMIT_OPTIONS,
  parse(given) {
    const limit = readHashLimit(given);
    const listName = `hashlimit/${limit.name}`;
    return newMatch({
      name: "hashlimit",
      text: printHashLimit(limit),
      listName,
      bind({ lists: { rates }, jiffies }) {
        const meter = newMeter(limit, jiffies);
        const table = rates.get(listName, () => newTable(limit, meter, jiffies));
        if (table.meter.kind !== meter.kind) {
          const message = `hashlimit: the table ${limit.name} counts ${table.meter.kind}`;
          throw new RuleError("rule-value", limit.name, message);
        }
        return new HashLimitMatcher(table, limit.isAbove);
      },
    });
  },
};

/** @throws {RuleError} if the numbers do not fit the kernel's. */
function newMeter(limit: HashLimit, { hz }: Jiffies): Meter {
  const { period, burst, isOctets, window } = limit;
  if (window !== null) return new WindowMeter(hz, period, burst, window, isOctets);
  if (isOctets) {
    const meter = new OctetMeter(hz, period, burst);
    if (meter.cost > 0) return meter;
    throw new RuleError("rule-value", limit.name, "hashlimit: the rate is too high");
  }
  const meter = new PacketMeter(hz, period, burst);
  if (!meter.hasOverflown) return meter;
  throw new RuleError("rule-value", burst, "hashlimit: the burst is too large for the rate");
}

function newTable(limit: HashLimit, meter: Meter, jiffies: Jiffies): RateTable {
  const { expire, interval } = limit;
  const size = limit.size === 0 ? DEFAULT_SIZE : limit.size;
  const most = limit.max === 0 ? size * ACCOUNTS_A_BUCKET : Math.max(limit.max, size);
  const masks = masksOf(limit);
  return new RateTable(jiffies, { meter, masks, limit: most, expire, interval });
}

function masksOf({ modes, sourceLength, destinationLength }: HashLimit): AccountMasks {
  const sourcePort = (modes & Mode.SourcePort) === 0 ? 0 : 0xffff_0000;
  const destinationPort = (modes & Mode.DestinationPort) === 0 ? 0 : 0xffff;
  return {
    source: (modes & Mode.SourceAddress) === 0 ? 0 : maskOf(sourceLength) | 0,
    destination: (modes & Mode.DestinationAddress) === 0 ? 0 : maskOf(destinationLength) | 0,
    ports: sourcePort | destinationPort,
  };
}
