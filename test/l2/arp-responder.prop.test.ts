import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Jiffies } from "../../src/base/jiffies.ts";
import { Prng } from "../../src/base/prng.ts";
import { type Instant, MILLISECOND, SECOND } from "../../src/base/time.ts";
import { ipv4Of, MAC_BROADCAST, type Mac, macOf, parseMac } from "../../src/wire/addr.ts";
import { type Carrier, Device } from "../../src/wire/device.ts";
import { Cast, type Packet, PacketPool } from "../../src/wire/packet.ts";
import { type ArpMessage, arpCodec, ArpOp } from "../../src/l2/arp.ts";
import { type ArpJudgement, ArpResponder } from "../../src/l2/arp-responder.ts";
import { ETHERNET, ETHERNET_LENGTH } from "../../src/l2/ethernet.ts";
import { NeighborCache, type NeighborHost } from "../../src/l2/neighbor-cache.ts";
import { LINUX } from "../../src/xen/profile.ts";

const OWN_MAC = parseMac("fe:ff:ff:ff:ff:ff");
const OWN = ipv4Of(0x0afe_a802);
const PROXIED = ipv4Of(0x0808_0808);
const ALL = ipv4Of(0x0afe_aaff);
const NEITHER = ipv4Of(0x0afe_aadf);

interface Answer {
  readonly at: Instant;
  readonly dst: Mac;
  readonly message: ArpMessage;
}

/** A responder on one device whose routing knows one address of each kind. */
class Bench implements Carrier {
  readonly pool = new PacketPool({ slots: 128, largeSlots: 0 });
  readonly device = new Device({ name: "vif1.0", mac: OWN_MAC });
  readonly answers: Answer[] = [];
  readonly neighbors: NeighborCache;
  readonly responder: ArpResponder;
  now: Instant = 0;

  constructor(proxyDelay: number, echoesProbeTarget: boolean, proxyLimit?: number) {
    const chance = new Prng(3);
    const jiffies = new Jiffies();
    const host: NeighborHost = { solicit: () => {}, output: () => {}, unreachable: () => {} };
    const { neighbor: behaviour } = LINUX.router;
    this.neighbors = new NeighborCache({ host, behaviour, jiffies, chance });
    const judgeArp = (_device: Device, _sender: number, target: number): ArpJudgement => {
      if (target === OWN) return "local";
      return target === PROXIED ? "proxy" : "none";
    };
    this.responder = new ArpResponder({
      pool: this.pool,
      routing: {
        judgeArp,
        isLocal: (address) => address === OWN,
        answersProbe: (_device, target) => target === OWN,
        routesLocalnet: () => false,
        isBroadcast: (address) => address === ALL,
      },
      neighbors: this.neighbors,
      behaviour: { proxyDelay, echoesProbeTarget },
      jiffies,
      chance,
      ...(proxyLimit === undefined ? {} : { proxyLimit }),
    });
    this.device.attachCarrier(this);
  }

  carry(_from: Device, packet: Packet, now: Instant): void {
    const dst = ETHERNET.dst.get(this.pool.view, packet.frame);
    const message = arpCodec.decode(this.pool.bytes, packet.network);
    this.answers.push({ at: now, dst, message });
    this.pool.end(packet, "delivered", "test/sent", now);
  }

  /** Hand over octets that follow an Ethernet header. */
  receive(octets: Uint8Array, cast: Cast): void {
    const frame = new Uint8Array(ETHERNET_LENGTH + octets.length);
    frame.set(octets, ETHERNET_LENGTH);
    const packet = this.pool.copyIn(frame);
    if (packet === null) throw new Error("the pool is exhausted");
    packet.network = packet.frame + ETHERNET_LENGTH;
    packet.cast = cast;
    this.responder.receive(this.device, packet, this.now);
  }

  advance(to: Instant): void {
    while (this.responder.nextDeadline() <= to) {
      this.now = Math.max(this.now, this.responder.nextDeadline());
      this.responder.expire(this.now);
    }
    this.now = to;
  }
}

const mac = fc.integer({ min: 0, max: 2 ** 48 - 1 }).map(macOf);
const cast = fc.constantFrom(...Object.values(Cast));
const message = fc.record({
  htype: fc.constantFrom(1, 6),
  ptype: fc.constant(0x0800),
  hlen: fc.constant(6),
  plen: fc.constant(4),
  op: fc.constantFrom(1, 1, 2),
  sha: mac,
  spa: fc.constantFrom(0, 0x0afe_aadf, 0x0afe_aaaa, ALL).map(ipv4Of),
  tha: mac,
  tpa: fc.oneof(fc.constantFrom(OWN, PROXIED, NEITHER), fc.nat({ max: 2 ** 32 - 1 }).map(ipv4Of)),
});
const delay = fc.constantFrom(0, 800 * MILLISECOND);

describe("the ARP responder", () => {
  it("answers questions for own and proxied addresses, to the asker, and nothing else", () => {
    fc.assert(
      fc.property(message, cast, delay, fc.boolean(), (asked, how, proxyDelay, echoes) => {
        const bench = new Bench(proxyDelay, echoes);
        bench.receive(arpCodec.encode(asked), how);
        bench.advance(SECOND);
        const isProbe = asked.spa === 0;
        const isKnown = asked.tpa === OWN || (asked.tpa === PROXIED && !isProbe);
        const isAnswered = asked.op === ArpOp.Request && how !== Cast.OtherHost && isKnown;
        const { sha, spa, tpa } = asked;
        const target = isProbe && echoes ? tpa : spa;
        const head = { htype: 1, ptype: 0x0800, hlen: 6, plen: 4, op: ArpOp.Reply };
        const answer = { ...head, sha: OWN_MAC, spa: tpa, tha: sha, tpa: target };
        expect(bench.answers.map((one) => one.message)).toEqual(isAnswered ? [answer] : []);
        for (const one of bench.answers) expect(one.dst).toBe(sha);
        expect(bench.pool.live).toBe(0);
      }),
      { numRuns: 400 },
    );
  });

  it("lets a broadcast question for a proxied address wait up to the delay, no other", () => {
    const all = fc.array(fc.tuple(message, cast, fc.nat({ max: 300 })), {
      maxLength: 20,
      size: "max",
    });
    fc.assert(
      fc.property(all, (asked) => {
        const bench = new Bench(800 * MILLISECOND, false);
        for (const [one, how, wait] of asked) {
          bench.advance(bench.now + wait * MILLISECOND);
          const sent = bench.answers.length;
          const from = bench.now;
          bench.receive(arpCodec.encode(one), how);
          const mayWait = one.tpa === PROXIED && how !== Cast.Host;
          if (mayWait) expect(bench.answers.length).toBe(sent);
          bench.advance(from);
        }
        const end = bench.now;
        bench.advance(end + 2 * SECOND);
        const last = bench.answers.at(-1)?.at ?? 0;
        // The delay, the tick it began in, and what the timer wheel adds to a distant timer.
        expect(last - end).toBeLessThanOrEqual((800 + 4 + 32) * MILLISECOND);
        expect(bench.pool.live).toBe(0);
      }),
    );
  });

  it("keeps no more questions waiting than its bound", () => {
    const question: ArpMessage = {
      htype: 1,
      ptype: 0x0800,
      hlen: 6,
      plen: 4,
      op: ArpOp.Request,
      sha: macOf(1),
      spa: NEITHER,
      tha: macOf(0),
      tpa: PROXIED,
    };
    fc.assert(
      fc.property(fc.nat({ max: 5 }), fc.nat({ max: 20 }), (limit, asked) => {
        const bench = new Bench(800 * MILLISECOND, false, limit);
        const octets = arpCodec.encode(question);
        for (let one = 0; one < asked; one += 1) bench.receive(octets, Cast.Broadcast);
        // Linux compares before it adds: one more than its limit may wait.
        expect(bench.pool.live).toBe(Math.min(asked, limit + 1));
        bench.responder.removeDevice(bench.device, 0);
        expect(bench.pool.live).toBe(0);
        bench.advance(SECOND);
        expect(bench.answers).toEqual([]);
      }),
    );
  });

  it("ends any octets, and answers none of them but a question", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64, size: "max" }), cast, (octets, how) => {
        const bench = new Bench(0, false);
        bench.receive(octets, how);
        expect(bench.pool.live).toBe(0);
        for (const { message: answer } of bench.answers) expect(answer.op).toBe(ArpOp.Reply);
      }),
    );
  });
});

describe("what is heard", () => {
  it("creates a neighbor by a question that is answered, and only updates one otherwise", () => {
    fc.assert(
      fc.property(message, cast, fc.boolean(), (said, how, isKnown) => {
        const bench = new Bench(0, false);
        const { device, neighbors } = bench;
        if (isKnown) neighbors.learn(device, said.spa, macOf(7), 0);
        bench.now = 2 * SECOND;
        bench.receive(arpCodec.encode(said), how);
        const isHeard = how !== Cast.OtherHost && said.spa !== 0 && !isDeaf(said.tpa);
        const isQuestion = said.op === ArpOp.Request && [OWN, PROXIED].includes(said.tpa);
        const isAnswered = isQuestion && said.spa !== ALL;
        const known = neighbors.find(device, said.spa);
        expect(known !== null).toBe(isKnown || (isHeard && isAnswered));
        const isNews = isHeard && (isAnswered || (isKnown && !isQuestion));
        expect(known?.mac ?? null).toBe(isNews ? said.sha : isKnown ? 7 : null);
        const isProof = isNews && said.op === ArpOp.Reply && how === Cast.Host;
        if (known !== null) expect(known.state).toBe(isProof ? "REACHABLE" : "STALE");
      }),
      { numRuns: 300 },
    );
  });
});

/** Questions about groups and loopback addresses are not even read. */
const isDeaf = (tpa: number): boolean =>
  Math.floor(tpa / 2 ** 28) === 14 || Math.floor(tpa / 2 ** 24) === 127;

it("sends this host's own questions as it is told", () => {
  const bench = new Bench(0, false);
  const target = macOf(0);
  const { responder, device } = bench;
  responder.transmit(device, ArpOp.Request, MAC_BROADCAST, OWN, target, NEITHER, 5);
  const [sent] = bench.answers;
  expect(sent).toMatchObject({ at: 5, dst: MAC_BROADCAST });
  expect(sent?.message).toMatchObject({ op: 1, sha: OWN_MAC, spa: OWN, tha: 0, tpa: NEITHER });
});
