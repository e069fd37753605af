import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { NEVER } from "../../src/base/time.ts";
import type { Host } from "../../src/guest/host.ts";
import { checkArp } from "../../src/l2/arp.ts";
import { checkEthernet, ETHERNET, EtherType } from "../../src/l2/ethernet.ts";
import { checkIcmp } from "../../src/l3/icmp.ts";
import { checkIpv4, headerLengthOf, IPV4, isFragment, Protocol } from "../../src/l3/ipv4.ts";
import { checkTcpChecksum } from "../../src/l4/tcp.ts";
import { checkUdp, checkUdpChecksum } from "../../src/l4/udp.ts";
import type { FaultOptions } from "../../src/sim/faults.ts";
import { parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { Net, type SentFrame } from "./net.ts";

const SECOND = 1_000_000;
const NEAR = parseIpv4("10.0.1.2");
const FAR = parseIpv4("10.0.2.2");
const NOBODY = parseIpv4("10.0.2.9");

/** What a host does at some time. */
interface Action {
  readonly at: number;
  readonly isNear: boolean;
  readonly kind: "ping" | "trace" | "echo" | "send" | "flap";
  readonly target: "other" | "nobody" | "self";
  readonly size: number;
  readonly mtuDiscovery: "want" | "do" | "dont";
}

const actions = fc.array(
  fc.record<Action>({
    at: fc.integer({ min: 0, max: 10 * SECOND }),
    isNear: fc.boolean(),
    kind: fc.constantFrom("ping", "trace", "echo", "send", "flap"),
    target: fc.constantFrom("other", "other", "nobody", "self"),
    size: fc.nat(4000),
    mtuDiscovery: fc.constantFrom("want", "do", "dont"),
  }),
  { maxLength: 6 },
);
const share = fc.constantFrom(0, 0, 0.1);
const faults = fc.record<FaultOptions>({
  loss: share,
  corruption: fc.constantFrom(0, 0, 0.0001),
  duplication: share,
  reordering: share,
});

function act(host: Host, action: Action, now: number): void {
  const { kind, size, mtuDiscovery, isNear } = action;
  const other = isNear ? FAR : NEAR;
  const self = isNear ? NEAR : FAR;
  const target = { other, self, nobody: NOBODY }[action.target];
  if (kind === "ping") host.ping({ target, count: 2, size, mtuDiscovery }, now);
  else if (kind === "trace") {
    const method = size % 2 === 0 ? "udp" : "icmp";
    host.traceroute({ target, method, length: 28 + size, maxHops: 4 }, now);
  } else if (kind === "flap") {
    const { configuration } = host;
    host.unconfigure(now);
    if (configuration !== null) host.configure(configuration, now);
  } else {
    const socket = host.udp.bind(0, null);
    socket.send(new Uint8Array(size), target, kind === "echo" ? 7 : 9, now, { mtuDiscovery });
    socket.close();
  }
}

interface Run {
  readonly sent: readonly SentFrame[];
  readonly net: Net;
  readonly hosts: readonly Host[];
}

function run(seed: number, script: readonly Action[], bad: FaultOptions): Run {
  const net = new Net(seed);
  const near = net.host("near", "10.0.1.2/24", "10.0.1.1");
  const far = net.host("far", "10.0.2.2/24", "10.0.2.1");
  const options = { mtus: [1500, 1400] };
  const { devices } = net.router("gate", ["10.0.1.1/24", "10.0.2.1/24"], options);
  net.join(near.device, devices[0], 1000, { faults: bad });
  net.join(far.device, devices[1], 2000, { faults: bad });
  for (const action of script) {
    net.scheduler.at(action.at, (now) => act(action.isNear ? near : far, action, now));
  }
  net.run(300 * SECOND);
  return { sent: net.sent, net, hosts: [near, far] };
}

/** Why a frame is unsound; `null` if it is not. */
function faultOf(hex: string): string | null {
  const octets = new Uint8Array(Buffer.from(hex, "hex"));
  const view = viewOf(octets);
  const end = octets.length;
  const wrong = checkEthernet(view, 0, end);
  if (wrong !== null) return wrong;
  if (ETHERNET.type.get(view, 0) === EtherType.Arp) return checkArp(view, 14, end);
  const bad = checkIpv4(view, 14, end);
  if (bad !== null || isFragment(view, 14)) return bad;
  if (IPV4.totalLength.get(view, 14) !== end - 14) return "padded";
  const at = 14 + headerLengthOf(view, 14);
  const src = IPV4.src.get(view, 14);
  const dst = IPV4.dst.get(view, 14);
  switch (IPV4.protocol.get(view, 14)) {
    case Protocol.Icmp:
      return checkIcmp(view, at, end);
    case Protocol.Udp:
      return checkUdp(view, at, end) ?? checkUdpChecksum(view, at, src, dst);
    case Protocol.Tcp:
      return checkTcpChecksum(view, at, end, src, dst);
    default:
      return "unknown";
  }
}

describe("hosts, whatever they do and whatever the wire does", () => {
  it("send sound frames alone, end every packet, and come to rest", () => {
    fc.assert(
      fc.property(fc.nat(999), actions, faults, (seed, script, bad) => {
        const { sent, net, hosts } = run(seed, script, bad);
        const own = sent.filter(({ from }) => !from.startsWith("gate"));
        expect(own.map(({ hex }) => faultOf(hex)).filter((fault) => fault !== null)).toEqual([]);
        expect([net.pool.live, net.pool.exhausted]).toEqual([0, 0]);
        expect(net.pool.allocated).toBe(net.pool.ended);
        for (const host of hosts) {
          // What is left is the echo service; no timer runs on.
          expect([host.toolCount, host.udp.size, host.nextDeadline()]).toEqual([0, 1, NEVER]);
        }
      }),
      { numRuns: 40 },
    );
  });

  it("do the same again from the same seed, octet for octet and instant for instant", () => {
    fc.assert(
      fc.property(fc.nat(999), actions, faults, (seed, script, bad) => {
        expect(run(seed, script, bad).sent).toEqual(run(seed, script, bad).sent);
      }),
      { numRuns: 10 },
    );
  });
});
