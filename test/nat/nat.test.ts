import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook } from "../../src/l3/hooks.ts";
import { IcmpType } from "../../src/l3/icmp.ts";
import { IPV4 } from "../../src/l3/ipv4.ts";
import type { NatRange } from "../../src/wire/nat-range.ts";
import { FLOWS_2618, FLOWS_6, type FlowBehaviour } from "../../src/nat/behaviour.ts";
import { Nat } from "../../src/nat/nat.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import type { Packet } from "../../src/wire/packet.ts";
import { viewOf } from "../../src/wire/field.ts";
import { type Ends, icmpError, ipv4, query, read, tcp, turned, udp } from "./packets.ts";
import { range, type RangeOptions, rulesOf, Stand } from "./stand.ts";

const BOTH: [string, FlowBehaviour][] = [
  ["2.6.18", FLOWS_2618],
  ["6.x", FLOWS_6],
];
const PUBLIC = "75.101.160.7";
const ends: Ends = { src: "10.0.0.1", dst: "8.8.8.8", srcPort: 4000, dstPort: 53 };
/** How the answer to `ends` is addressed outside. */
const back = { ...turned(ends), dst: PUBLIC };

/** Sources in 10.0.0.0/8 get what `options` say where they leave. */
const sources = (options: RangeOptions) =>
  rulesOf((hook, packet) => {
    const src = IPV4.src.get(packet.pool.view, packet.network);
    return hook === Hook.Postrouting && src >>> 24 === 10 ? range(options) : null;
  });
/** What comes to the public address gets what `options` say where it comes in. */
const targets = (options: RangeOptions) =>
  rulesOf((hook, packet) => {
    const dst = IPV4.dst.get(packet.pool.view, packet.network);
    const isIn = hook === Hook.Prerouting || hook === Hook.Output;
    return isIn && dst === parseIpv4(PUBLIC) ? range({ side: "destination", ...options }) : null;
  });
const readOf = (octets: Uint8Array | null) => read(octets ?? new Uint8Array(20));
const addressesOf = (octets: Uint8Array | null): string => {
  const { src, srcPort, dst, dstPort, wrong } = readOf(octets);
  return [`${src}:${srcPort} > ${dst}:${dstPort}`, ...wrong].join(" wrong ");
};

describe.each(BOTH)("address translation of Linux %s", (_, behaviour) => {
  it("changes the source of a connection where it leaves, and the answers back", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const there = stand.forward(udp(ends));
    expect(addressesOf(there.octets)).toBe("75.101.160.7:4000 > 8.8.8.8:53");
    const here = stand.answer(udp(back));
    expect(here.octets).toEqual(udp(turned(ends)));
  });

  it("changes the destination of a connection where it comes in, and the answers back", () => {
    const rules = targets({ to: "10.0.0.1", ports: [5353, 5353] });
    const stand = new Stand({ behaviour, rules });
    const there = stand.answer(tcp(back, { flags: "S" }));
    expect(addressesOf(there.octets)).toBe("8.8.8.8:53 > 10.0.0.1:5353");
    const here = stand.forward(tcp({ ...ends, srcPort: 5353 }, { flags: "SA" }));
    expect(here.octets).toEqual(tcp(turned(back), { flags: "SA" }));
  });

  it("translates packets of this host: destinations at OUTPUT, sources at POSTROUTING", () => {
    const stand = new Stand({ behaviour, rules: targets({ to: "10.0.0.1" }) });
    const { octets } = stand.originate(udp({ ...back, src: "10.0.0.254" }), stand.inside);
    expect(addressesOf(octets)).toBe("10.0.0.254:53 > 10.0.0.1:4000");
  });

  it("asks the rules once for each side of a connection", () => {
    const asked: number[] = [];
    const rules = rulesOf((hook) => {
      asked.push(hook);
      return null;
    });
    const stand = new Stand({ behaviour, rules });
    stand.forward(udp(ends));
    stand.forward(udp(ends));
    stand.answer(udp(turned(ends)));
    expect(asked).toEqual([Hook.Prerouting, Hook.Postrouting]);
  });

  it("asks the rules again for a connection whose first packet was dropped", () => {
    let asked = 0;
    const rules = rulesOf(() => {
      asked += 1;
      return null;
    });
    const stand = new Stand({ behaviour, rules });
    stand.isClosed = true;
    stand.forward(udp(ends));
    stand.forward(udp(ends));
    expect(asked).toBe(2);
  });

  it("tells each step, in the words of conntrack -L", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const steps: string[] = [];
    const nothing = (): void => {};
    const observer = { received: nothing, transmitted: nothing, ended: nothing };
    const step = (_packet: Packet, place: string, what: string): void => {
      steps.push(`${place} ${what.replace(/ packets=\d+ bytes=\d+/g, "")}`);
    };
    stand.pool.observe({ ...observer, step }, true);
    stand.forward(udp(ends));
    stand.answer(icmpError("9.9.9.9", PUBLIC, udp({ ...ends, src: PUBLIC })));
    stand.forward(udp(ends).fill(1, 30, 31));
    const way = "src=10.0.0.1 dst=8.8.8.8 sport=4000 dport=53";
    const line = (reply: string): string =>
      `udp      17 30 ${way} [UNREPLIED] ${reply} mark=0 use=1`;
    const mapped = "src=8.8.8.8 dst=75.101.160.7 sport=53 dport=4000";
    expect(steps).toEqual([
      `PREROUTING conntrack: NEW ${line("src=8.8.8.8 dst=10.0.0.1 sport=53 dport=4000")}`,
      `POSTROUTING nat: source changed, answers have ${mapped}`,
      `PREROUTING conntrack: RELATED ${line(mapped)}`,
      `PREROUTING nat: destination changed, answers have ${way}`,
      "PREROUTING conntrack: INVALID udp/checksum",
    ]);
  });

  it("drops what a rule forbids, and forgets it", () => {
    const rules = rulesOf((_hook, _packet, context) => {
      context.reason = "filter/dropped";
      return "drop";
    });
    const stand = new Stand({ behaviour, rules });
    expect(stand.forward(udp(ends)).reason).toBe("filter/dropped");
    expect(stand.conntrack.entries(0)).toEqual([]);
  });

  it("keeps the mapping of a connection when the rules change", () => {
    let to = PUBLIC;
    const rules = rulesOf((hook) => (hook === Hook.Postrouting ? range({ to }) : null));
    const stand = new Stand({ behaviour, rules });
    stand.forward(udp(ends));
    to = "75.101.160.9";
    expect(readOf(stand.forward(udp(ends)).octets).src).toBe(PUBLIC);
    expect(readOf(stand.forward(udp({ ...ends, dstPort: 54 })).octets).src).toBe(to);
  });

  it("lets packets of no connection pass with their private addresses", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const stray = tcp(ends, { flags: "SA" });
    expect(stand.forward(stray).octets).toEqual(stray);
    const untracked = stand.take(udp(ends));
    untracked.flowState = FlowState.Untracked;
    stand.pass(untracked, stand.inside, stand.outside);
    expect(untracked.octets()).toEqual(udp(ends));
  });

  it("leaves a datagram without a checksum without one", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const { octets } = stand.forward(udp(ends, new Uint8Array(5), false));
    expect(octets?.slice(26, 28)).toEqual(Uint8Array.of(0, 0));
  });

  it("gives one id to both directions of an ICMP query", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC, ports: [9, 9] }) });
    const there = stand.forward(query(ends));
    expect(readOf(there.octets)).toMatchObject({ src: PUBLIC, srcPort: 9, wrong: [] });
    const answer = query({ ...back, srcPort: 9 }, IcmpType.EchoReply);
    const expected = query({ ...turned(ends), srcPort: ends.srcPort }, IcmpType.EchoReply);
    expect(stand.answer(answer).octets).toEqual(expected);
  });

  it("changes the addresses alone of protocols that it does not know", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const payload = Uint8Array.of(1, 2, 3);
    expect(stand.forward(ipv4(ends.src, ends.dst, 50, payload)).octets).toEqual(
      ipv4(PUBLIC, ends.dst, 50, payload),
    );
  });

  it.each([28, 40])("translates an ICMP error and its quotation of %i octets", (length) => {
    const rules = sources({ to: PUBLIC, ports: [9000, 9000] });
    const stand = new Stand({ behaviour, rules });
    const inside = tcp(ends, { flags: "S", seq: 7 });
    const outside = stand.forward(inside).octets ?? new Uint8Array();
    const error = icmpError("9.9.9.9", PUBLIC, outside, 11, length);
    const { octets, state } = stand.answer(error);
    expect(state).toBe(FlowState.RelatedReply);
    expect(octets).toEqual(icmpError("9.9.9.9", ends.src, inside, 11, length));
  });

  it("does not mend half a checksum that is quoted", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const inside = tcp(ends, { flags: "S" });
    const outside = stand.forward(inside).octets ?? new Uint8Array();
    const { octets } = stand.answer(icmpError("9.9.9.9", PUBLIC, outside, 11, 37));
    expect(octets?.slice(28 + 12, 28 + 36)).toEqual(inside.slice(12, 36));
    expect(octets?.[28 + 36]).toBe(outside[36]);
    expect(octets?.[28 + 36]).not.toBe(inside[36]);
  });

  it("translates no connection that began before it", () => {
    const stand = new Stand({ behaviour });
    stand.forward(udp(ends));
    const nat = new Nat({
      conntrack: stand.conntrack,
      behaviour: behaviour.nat,
      rules: sources({ to: PUBLIC }),
      chance: new Prng(1),
    });
    nat.attach(stand.hooks);
    expect(stand.forward(udp(ends)).octets).toEqual(udp(ends));
    expect(readOf(stand.forward(udp({ ...ends, srcPort: 1 })).octets).src).toBe(PUBLIC);
    nat.detach(stand.hooks);
    expect(readOf(stand.forward(udp({ ...ends, srcPort: 2 })).octets).src).toBe(ends.src);
  });

  it("translates the error of an inner host about an answer", () => {
    const stand = new Stand({ behaviour, rules: targets({ to: "10.0.0.1", ports: [7, 7] }) });
    const outside = udp(back);
    const inside = stand.answer(outside).octets ?? new Uint8Array();
    const { octets } = stand.forward(icmpError("10.0.0.1", "8.8.8.8", inside));
    expect(octets).toEqual(icmpError(PUBLIC, "8.8.8.8", outside));
  });

  it("translates this host's own error about a packet that it has changed already", () => {
    const stand = new Stand({ behaviour, rules: targets({ to: "10.0.0.1" }) });
    const packet = stand.take(udp(back));
    const passed = stand.hooks.pass(Hook.Prerouting, packet, stand.outside, null, 0);
    const changed = passed?.octets().slice() ?? new Uint8Array();
    expect(read(changed).dst).toBe("10.0.0.1");
    const own = icmpError("75.101.160.1", "8.8.8.8", changed, 11);
    const { octets } = stand.originate(own, stand.outside, {
      handle: packet.flow,
      state: FlowState.RelatedReply,
      octets: null,
      reason: "",
    });
    expect(readOf(octets)).toMatchObject({ src: PUBLIC, dst: "8.8.8.8", wrong: [] });
    expect(octets?.slice(28)).toEqual(udp(back));
    expect(stand.conntrack.entries(0)).toEqual([]);
  });

  it("drops an ICMP redirect about a translated connection, and only that", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const outside = stand.forward(udp(ends)).octets ?? new Uint8Array();
    const redirect = icmpError("9.9.9.9", PUBLIC, outside, IcmpType.Redirect);
    expect(stand.answer(redirect).reason).toBe("nat/redirect");
    const plain = { ...ends, src: "11.0.0.1" };
    stand.forward(udp(plain));
    const harmless = icmpError("9.9.9.9", plain.src, udp(plain), IcmpType.Redirect);
    expect(stand.answer(harmless).octets).toEqual(harmless);
  });

  it("drops this host's error that quotes too little", () => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const { handle } = stand.forward(udp(ends));
    const error = icmpError("8.8.8.8", PUBLIC, udp(ends), 3, 19);
    const told = { handle, state: FlowState.RelatedReply, octets: null, reason: "" };
    expect(stand.originate(error, stand.inside, told).reason).toBe("nat/truncated");
  });

  it("drops this host's redirect about a packet whose translation is not complete", () => {
    const stand = new Stand({ behaviour, rules: rulesOf(() => null) });
    const packet = stand.take(udp(ends));
    stand.hooks.pass(Hook.Prerouting, packet, stand.inside, null, 0);
    const redirect = icmpError("10.0.0.254", ends.src, udp(ends), IcmpType.Redirect);
    const answered = { handle: packet.flow, state: FlowState.RelatedReply };
    const told = { ...answered, octets: null, reason: "" };
    expect(stand.originate(redirect, stand.inside, told).reason).toBe("nat/redirect");
  });

  it("drops an error with a wrong checksum, which it would have to make anew", () => {
    const rules = sources({ to: PUBLIC });
    const stand = new Stand({ behaviour, rules, conntrack: { verifiesChecksums: false } });
    const outside = stand.forward(udp(ends)).octets ?? new Uint8Array();
    const error = icmpError("9.9.9.9", PUBLIC, outside).fill(0xee, 22, 23);
    expect(stand.answer(error).reason).toBe("nat/checksum");
  });
});

/** A source port with which the datagram's sum is 0 after `to` has become its source. */
function portWithZeroSum(to: string): number {
  for (let srcPort = 1024; srcPort < 65_536; srcPort += 1) {
    const sum = udp({ ...ends, src: to, srcPort }).slice(26, 28);
    if (sum[0] === 0xff && sum[1] === 0xff) return srcPort;
  }
  throw new Error("no port gives this sum");
}

describe("Masqueraded connections", () => {
  const play = (behaviour: typeof FLOWS_6): string[] => {
    const stand = new Stand({
      behaviour,
      rules: rulesOf((hook, _packet, { output }) => {
        if (hook !== Hook.Postrouting || output === null) return null;
        return { ...range({ to: "192.0.2.1" }), device: output };
      }),
    });
    const other = new Device({ name: "other", mac: stand.outside.mac });
    return [
      stand.forward(udp(ends)),
      stand.answer(udp({ ...back, dst: "192.0.2.1" })),
      stand.forward(udp(ends)),
      stand.forward(udp(ends), stand.inside, other),
      stand.forward(udp(ends), stand.inside, other),
    ].map(({ reason }) => reason);
  };

  it("end when they are to leave by another device, and begin anew there", () => {
    expect(play(FLOWS_6)).toEqual(["", "", "", "nat/device", ""]);
  });

  it("stay as they are in Linux 2.6.18", () => {
    expect(play(FLOWS_2618)).toEqual(["", "", "", "", ""]);
  });
});

describe("a UDP checksum that comes out as 0", () => {
  const srcPort = portWithZeroSum(PUBLIC);
  it.each([
    ["as 0 by Linux 2.6.18", FLOWS_2618, [0, 0]],
    ["as 0xFFFF by Linux 6.x", FLOWS_6, [0xff, 0xff]],
  ] as const)("is sent %s", (_, behaviour, sum) => {
    const stand = new Stand({ behaviour, rules: sources({ to: PUBLIC }) });
    const { octets } = stand.forward(udp({ ...ends, srcPort }));
    expect([...(octets?.slice(26, 28) ?? [])]).toEqual(sum);
  });
});

describe("an error that quotes the ports alone", () => {
  it("is believed by Linux 6.x, but cannot be translated", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules: sources({ to: PUBLIC }) });
    const outside = stand.forward(udp(ends)).octets ?? new Uint8Array();
    expect(stand.answer(icmpError("9.9.9.9", PUBLIC, outside, 3, 24)).reason).toBe("nat/truncated");
  });
});

describe("the rules of INPUT", () => {
  it.each([
    ["do not exist", FLOWS_2618, "8.8.8.8"],
    ["translate sources", FLOWS_6, "9.9.9.9"],
  ] as const)("%s", (_, behaviour, src) => {
    const rules = rulesOf((hook): NatRange | null =>
      hook === Hook.Input ? range({ to: "9.9.9.9" }) : null,
    );
    const stand = new Stand({ behaviour, rules });
    expect(readOf(stand.deliver(udp(turned(ends))).octets).src).toBe(src);
  });
});

describe("an ICMP redirect of no connection", () => {
  const redirect = icmpError("9.9.9.9", "10.0.0.1", udp(ends), IcmpType.Redirect);
  const rules = rulesOf(() => null);

  it("is dropped by Linux 2.6.18", () => {
    const stand = new Stand({ behaviour: FLOWS_2618, rules });
    expect(stand.answer(redirect).reason).toBe("nat/redirect");
  });

  it("passes in Linux 6.x", () => {
    expect(new Stand({ behaviour: FLOWS_6, rules }).answer(redirect).octets).toEqual(redirect);
  });
});

describe("a packet that leaves", () => {
  it("keeps every octet that translation has no business with", () => {
    const stand = new Stand({ behaviour: FLOWS_6, rules: sources({ to: PUBLIC }) });
    const data = Uint8Array.from({ length: 900 }, (_, index) => index & 255);
    const before = tcp(ends, { flags: "S", options: Uint8Array.of(2, 4, 5, 180), data });
    const after = stand.forward(before).octets ?? new Uint8Array();
    const changed = [...before.keys()].filter((index) => before[index] !== after[index]);
    expect(changed.every((at) => (at >= 10 && at < 16) || at === 36 || at === 37)).toBe(true);
    expect(IPV4.ttl.get(viewOf(after), 0)).toBe(64);
  });
});
