/** What rules can ask, as text and as a naive judgement. */
import fc from "fast-check";
import { FlowState } from "../../src/l3/flow-state.ts";
import { formatIpv4, formatMac, ipv4Of, macOf } from "../../src/wire/addr.ts";
import type { Answer, Question } from "../model/rule-evaluator.ts";
import { ADDRESSES, DEVICE_NAMES, type Facts, MACS, PORTS } from "./facts.ts";

/** A question that is the same for every packet. */
const asks = (text: string, judge: (facts: Facts) => Answer): Question<Facts> => ({
  text,
  start: () => judge,
});

const yes = (isYes: boolean): Answer => (isYes ? "yes" : "no");
const not = (isInverted: boolean): string => (isInverted ? "! " : "");

const address = fc.record({
  value: fc.constantFrom(...ADDRESSES),
  length: fc.constantFrom(32, 32, 24, 8, 1),
  isInverted: fc.boolean(),
});

const addressQuestion = (letter: "s" | "d"): fc.Arbitrary<Question<Facts>> =>
  address.map(({ value, length, isInverted }) => {
    const size = 2 ** (32 - length);
    const base = Math.floor(value / size) * size;
    return asks(`${not(isInverted)}-${letter} ${formatIpv4(ipv4Of(base))}/${length}`, (facts) => {
      const asked = letter === "s" ? facts.src : facts.dst;
      return yes((asked >= base && asked < base + size) !== isInverted);
    });
  });

const deviceQuestion = (letter: "i" | "o"): fc.Arbitrary<Question<Facts>> =>
  fc
    .tuple(fc.constantFrom(...DEVICE_NAMES, "vif+", "p+", "eth9"), fc.boolean())
    .map(([name, isInverted]) =>
      asks(`${not(isInverted)}-${letter} ${name}`, ({ input, output }) => {
        const device = letter === "i" ? input : output;
        const isSame = name.endsWith("+") ? device.startsWith(name.slice(0, -1)) : device === name;
        return yes(isSame !== isInverted);
      }),
    );

const fragmentQuestion = fc
  .boolean()
  .map((isInverted) =>
    asks(`${not(isInverted)}-f`, (facts) => yes((facts.fragmentOffset !== 0) !== isInverted)),
  );

/** A range, and how it is printed; "" if it is every port. */
const portRange = fc
  .tuple(fc.constantFrom(...PORTS), fc.constantFrom(...PORTS), fc.boolean(), fc.boolean())
  .map(([one, other, isSingle, isInverted]) => {
    const [from, to] = isSingle ? [one, one] : [Math.min(one, other), Math.max(one, other)];
    const isAll = from === 0 && to === 65_535;
    return { from, to, isInverted: isInverted && !isAll, isAll };
  });

type PortRange = typeof portRange extends fc.Arbitrary<infer T> ? T : never;

const portText = (name: string, { from, to, isInverted, isAll }: PortRange): string =>
  isAll ? "" : ` ${not(isInverted)}--${name} ${from === to ? from : `${from}:${to}`}`;

const inRange = ({ from, to, isInverted }: PortRange, port: number): boolean =>
  (port >= from && port <= to) !== isInverted;

const portAt = (octets: Uint8Array, at: number): number =>
  (octets[at] ?? 0) * 256 + (octets[at + 1] ?? 0);

const FLAG_NAMES = ["FIN", "SYN", "RST", "PSH", "ACK", "URG"];
const flagText = (bits: number): string =>
  FLAG_NAMES.filter((_, index) => (bits >> index) % 2 === 1).join(",") || "NONE";

const flagTest = fc.option(
  fc.record({ mask: fc.integer({ min: 1, max: 63 }), set: fc.nat(63), isInverted: fc.boolean() }),
);
const optionTest = fc.option(
  fc.record({ kind: fc.constantFrom(2, 4, 8, 255), isInverted: fc.boolean() }),
);

/** As `tcp_find_option` walks them; `null` if they are not all there. */
function hasOption(octets: Uint8Array, kind: number): boolean | null {
  const length = ((octets[12] ?? 0) >> 4) * 4;
  if (length < 20 || length > octets.length) return null;
  for (let at = 20; at < length;) {
    const here = octets[at] ?? 0;
    if (here === kind) return true;
    at += here < 2 ? 1 : (octets[at + 1] ?? 0) || 1;
  }
  return false;
}

const tcpQuestion = fc
  .tuple(portRange, portRange, flagTest, optionTest)
  .map(([sport, dport, flags, option]) => {
    const optionText =
      option === null ? "" : ` ${not(option.isInverted)}--tcp-option ${option.kind}`;
    const flagsText =
      flags === null
        ? ""
        : ` ${not(flags.isInverted)}--tcp-flags ${flagText(flags.mask)} ${flagText(flags.set)}`;
    const portsText = portText("sport", sport) + portText("dport", dport);
    const text = `-m tcp${portsText}${optionText}${flagsText}`;
    return asks(text, ({ fragmentOffset, transport }) => {
      if (fragmentOffset !== 0) return fragmentOffset === 1 ? "malformed" : "no";
      if (transport.length < 20) return "malformed";
      if (!inRange(sport, portAt(transport, 0))) return "no";
      if (!inRange(dport, portAt(transport, 2))) return "no";
      const set = transport[13] ?? 0;
      if (flags !== null && ((set & flags.mask) === flags.set) === flags.isInverted) return "no";
      if (option === null) return "yes";
      const isThere = hasOption(transport, option.kind);
      return isThere === null ? "malformed" : yes(isThere !== option.isInverted);
    });
  });

const udpQuestion = fc.tuple(portRange, portRange).map(([sport, dport]) =>
  asks(
    `-m udp${portText("sport", sport)}${portText("dport", dport)}`,
    ({ fragmentOffset, transport }) => {
      if (fragmentOffset !== 0) return "no";
      if (transport.length < 8) return "malformed";
      return yes(inRange(sport, portAt(transport, 0)) && inRange(dport, portAt(transport, 2)));
    },
  ),
);

const icmpQuestion = fc
  .tuple(fc.constantFrom(0, 3, 8, 255), fc.constantFrom(null, 0, 4), fc.boolean())
  .map(([type, code, isInverted]) => {
    const typeText = type === 255 ? "any" : `${type}${code === null ? "" : `/${code}`}`;
    return asks(`-m icmp ${not(isInverted)}--icmp-type ${typeText}`, (facts) => {
      if (facts.fragmentOffset !== 0) return "no";
      if (facts.transport.length < 8) return "malformed";
      const isType = type === 255 || facts.transport[0] === type;
      const isCode = type === 255 || code === null || facts.transport[1] === code;
      return yes((isType && isCode) !== isInverted);
    });
  });

const multiportQuestion = fc
  .tuple(
    fc.constantFrom("sports", "dports", "ports"),
    fc.array(portRange, { minLength: 1, maxLength: 5 }),
    fc.boolean(),
  )
  .map(([side, ranges, isInverted]) => {
    const list = ranges
      .map(({ from, to }) => (from === to ? `${from}` : `${from}:${to}`))
      .join(",");
    return asks(`-m multiport ${not(isInverted)}--${side} ${list}`, (facts) => {
      if (facts.fragmentOffset !== 0) return "no";
      if (facts.transport.length < 4) return "malformed";
      const [source, destination] = [portAt(facts.transport, 0), portAt(facts.transport, 2)];
      const asked = { sports: [source], dports: [destination], ports: [source, destination] }[side];
      const isIn = asked?.some((port) => ranges.some(({ from, to }) => port >= from && port <= to));
      return yes(isIn !== isInverted);
    });
  });

const PROTOCOL_QUESTIONS = {
  tcp: [tcpQuestion, multiportQuestion],
  udp: [udpQuestion, multiportQuestion],
  icmp: [icmpQuestion],
  sctp: [multiportQuestion],
  gre: [],
};

/** `-p` and what it allows to ask. */
const protocolQuestions: fc.Arbitrary<Question<Facts>[]> = fc
  .tuple(fc.constantFrom("tcp", "udp", "icmp", "sctp", "gre"), fc.boolean())
  .chain(([name, isInverted]) => {
    const number = { tcp: 6, udp: 17, icmp: 1, sctp: 132, gre: 47 }[name];
    const own = asks(`${not(isInverted)}-p ${name}`, ({ protocol }) =>
      yes((protocol === number) !== isInverted),
    );
    const more = isInverted ? [] : PROTOCOL_QUESTIONS[name];
    if (more.length === 0) return fc.constant([own]);
    return fc.array(fc.oneof(...more), { maxLength: 2 }).map((asked) => [own, ...asked]);
  });

const STATE_NAMES = ["INVALID", "NEW", "RELATED", "ESTABLISHED", "UNTRACKED"];
const STATE_OF: Readonly<Record<number, string>> = {
  [FlowState.New]: "NEW",
  [FlowState.Established]: "ESTABLISHED",
  [FlowState.EstablishedReply]: "ESTABLISHED",
  [FlowState.Related]: "RELATED",
  [FlowState.RelatedReply]: "RELATED",
  [FlowState.Untracked]: "UNTRACKED",
};

/** What only a simulated packet has: states, a cast, a mark from elsewhere. */
export const stateQuestion = fc
  .tuple(
    fc.constantFrom("state --state", "conntrack --ctstate"),
    fc.subarray(STATE_NAMES, { minLength: 1 }),
    fc.boolean(),
  )
  .map(([form, states, isInverted]) => {
    const [match, option] = form.split(" ");
    return asks(`-m ${match} ${not(isInverted)}${option} ${states.join(",")}`, ({ flowState }) =>
      yes(states.includes(STATE_OF[flowState] ?? "INVALID") !== isInverted),
    );
  });

const macQuestion = fc
  .tuple(fc.constantFrom(...MACS), fc.boolean())
  .map(([value, isInverted]) =>
    asks(`-m mac ${not(isInverted)}--mac-source ${formatMac(macOf(value))}`, ({ sourceMac }) =>
      yes(sourceMac !== null && (sourceMac === value) !== isInverted),
    ),
  );

const hex = (value: number): string => `0x${value.toString(16)}`;
const hex2 = (value: number): string => `0x${value.toString(16).padStart(2, "0")}`;

const markQuestion = fc
  .tuple(
    fc.constantFrom(0, 1, 0x10, 0x8000_0001, 0xffff_ffff),
    fc.constantFrom(0xffff_ffff, 0xff, 0x8000_0000),
    fc.boolean(),
  )
  .map(([value, mask, isInverted]) => {
    const maskText = mask === 0xffff_ffff ? "" : `/${hex(mask)}`;
    return asks(`-m mark ${not(isInverted)}--mark ${hex(value)}${maskText}`, ({ mark }) =>
      yes(((BigInt(mark) & BigInt(mask)) === BigInt(value)) !== isInverted),
    );
  });

const castQuestion = fc.tuple(fc.nat(3), fc.boolean()).map(([cast, isInverted]) => {
  const name = ["unicast", "broadcast", "multicast", "otherhost"][cast];
  return asks(`-m pkttype ${not(isInverted)}--pkt-type ${name}`, (facts) =>
    yes((facts.cast === cast) !== isInverted),
  );
});

const lengthQuestion = fc
  .tuple(fc.constantFrom(20, 28, 40), fc.constantFrom(0, 1, 20), fc.boolean())
  .map(([from, more, isInverted]) =>
    asks(
      `-m length ${not(isInverted)}--length ${more === 0 ? from : `${from}:${from + more}`}`,
      ({ totalLength }) => yes((totalLength >= from && totalLength <= from + more) !== isInverted),
    ),
  );

const ttlQuestion = fc
  .tuple(fc.constantFrom("eq", "lt", "gt"), fc.constantFrom(0, 1, 5, 64, 255), fc.boolean())
  .map(([form, value, mayInvert]) => {
    const isInverted = mayInvert && form === "eq";
    return asks(`-m ttl ${not(isInverted)}--ttl-${form} ${value}`, ({ ttl }) => {
      const isMatch = { eq: ttl === value, lt: ttl < value, gt: ttl > value }[form];
      return yes(isMatch !== isInverted);
    });
  });

const serviceQuestion = fc
  .tuple(fc.constantFrom(0, 0x10, 0x28, 0xb8), fc.constantFrom(0xff, 0x3f, 0x10), fc.boolean())
  .map(([value, mask, isInverted]) =>
    asks(`-m tos ${not(isInverted)}--tos ${hex2(value)}/${hex2(mask)}`, ({ tos }) =>
      yes(((tos & mask) === value) !== isInverted),
    ),
  );

const dscpQuestion = fc
  .tuple(fc.constantFrom(0, 4, 10, 46), fc.boolean())
  .map(([value, isInverted]) =>
    asks(`-m dscp ${not(isInverted)}--dscp ${hex2(value)}`, ({ tos }) =>
      yes((Math.floor(tos / 4) === value) !== isInverted),
    ),
  );

const rangeQuestion = fc
  .tuple(
    fc.constantFrom("src", "dst"),
    fc.subarray(ADDRESSES, { minLength: 2, maxLength: 2 }),
    fc.boolean(),
  )
  .map(([side, pair, isInverted]) => {
    const [from = 0, to = 0] = pair.toSorted((left, right) => left - right);
    const text = `${formatIpv4(ipv4Of(from))}-${formatIpv4(ipv4Of(to))}`;
    return asks(`-m iprange ${not(isInverted)}--${side}-range ${text}`, ({ src, dst }) => {
      const asked = side === "src" ? src : dst;
      return yes((asked >= from && asked <= to) !== isInverted);
    });
  });

const commentQuestion = fc
  .constantFrom("plain", '"two words"', '"with \\"quotes\\""', '"anti-spoof/source-address"')
  .map((text) => asks(`-m comment --comment ${text}`, () => "yes"));

const bridgeQuestion = fc
  .tuple(
    fc.subarray(["physdev-is-in", "physdev-in vif1.0", "physdev-is-bridged"], { minLength: 1 }),
    fc.boolean(),
  )
  .map(([names, isInverted]) =>
    asks(`-m physdev ${names.map((name) => `${not(isInverted)}--${name}`).join(" ")}`, () =>
      yes(isInverted),
    ),
  );

const nthQuestion = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.nat(3), fc.boolean())
  .map(([every, seed, isInverted]) => ({
    text: `-m statistic --mode nth ${not(isInverted)}--every ${every} --packet ${seed % every}`,
    start: () => {
      let seen = 0;
      return (): Answer => {
        const isTurn = seen % every === seed % every;
        seen += 1;
        return yes(isTurn !== isInverted);
      };
    },
  }));

/** Matches that any rule may have, in any chain of packets that come in. */
const matchQuestion = fc.oneof(
  macQuestion,
  markQuestion,
  castQuestion,
  lengthQuestion,
  ttlQuestion,
  serviceQuestion,
  dscpQuestion,
  rangeQuestion,
  commentQuestion,
  bridgeQuestion,
  nthQuestion,
);

/** What a rule may ask, in the order in which `iptables-save` prints it. */
export function questions(
  extra: readonly fc.Arbitrary<Question<Facts>>[],
  hasOutput: boolean,
): fc.Arbitrary<Question<Facts>[]> {
  const nothing = fc.constant<Question<Facts>[]>([]);
  const maybe = (one: fc.Arbitrary<Question<Facts>>): fc.Arbitrary<Question<Facts>[]> =>
    fc.oneof(
      { weight: 2, arbitrary: nothing },
      { weight: 1, arbitrary: one.map((asked) => [asked]) },
    );
  return fc
    .record({
      source: maybe(addressQuestion("s")),
      destination: maybe(addressQuestion("d")),
      input: maybe(deviceQuestion("i")),
      output: hasOutput ? maybe(deviceQuestion("o")) : nothing,
      protocol: fc.oneof(nothing, protocolQuestions, protocolQuestions),
      fragment: fc.oneof(nothing, nothing, maybe(fragmentQuestion)),
      matches: fc.array(fc.oneof(matchQuestion, ...extra), { maxLength: 2 }),
    })
    .map(({ source, destination, input, output, protocol, fragment, matches }) => {
      const [own, ...asked] = protocol;
      const first = own === undefined ? [] : [own];
      return [
        ...source,
        ...destination,
        ...input,
        ...output,
        ...first,
        ...fragment,
        ...asked,
        ...matches,
      ];
    });
}
