import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Prng } from "../../src/base/prng.ts";
import { SECOND } from "../../src/base/time.ts";
import type { ClientLease } from "../../src/dhcp/client-lease.ts";
import { DhcpType } from "../../src/dhcp/message.ts";
import { Option, type RawOption, rawOption } from "../../src/dhcp/options.ts";
import { IPV4_ANY, ipv4Of } from "../../src/wire/addr.ts";
import { DhcpClientModel } from "../model/dhcp-client.ts";
import { answerTo, Bench, leaseFor, leaseOptions, type Sent } from "./client-bench.ts";
import { SERVER } from "./client-vectors.ts";

const ADDRESSES = [0x0a00_0005, 0x0a00_0006].map(ipv4Of);
const address = fc.constantFrom(...ADDRESSES);
const seconds = fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 100, max: 9000 }));

/** A message that every client must leave alone, whatever its state. */
interface Wrong {
  readonly xid?: number;
  readonly op?: number;
  readonly chaddr?: Uint8Array;
  readonly hlen?: number;
  readonly cut?: number;
}
const wrong: fc.Arbitrary<Wrong> = fc.oneof(
  fc.record({ xid: fc.constant(0xffff_ffff) }),
  fc.record({ op: fc.constantFrom(0, 1, 3) }),
  fc.record({ chaddr: fc.constant(new Uint8Array(16)) }),
  fc.record({ hlen: fc.constantFrom(0, 5, 7, 255) }),
  fc.record({ cut: fc.nat(242) }),
);

/** What the client said, in the words of the model. */
function wordsOf({ at, request, message, type }: Sent): string {
  const names = { 1: "discover", 3: "request", 4: "decline", 7: "release" };
  const name = Object.entries(names).find(([code]) => Number(code) === type)?.[1];
  const asked = message.options.get(Option.RequestedAddress.code);
  const wish = asked === undefined ? null : asked.reduce((n, octet) => n * 256 + octet, 0);
  const isFrom = message.ciaddr !== IPV4_ANY;
  const how = request.transport === "socket" ? "by socket" : "to all";
  const from = `from ${message.ciaddr}${type === DhcpType.Request ? ` ${how}` : ""}`;
  const what = isFrom ? from : `for ${wish ?? "any"}`;
  return `${at} ${name} ${what}, number ${message.xid}, ${message.secs} s`;
}

/** The client with its log in the words of the model. */
class Subject {
  readonly log: string[] = [];
  readonly bench: Bench;
  #drawn = 0;

  constructor() {
    this.bench = new Bench({
      chance: { below: (bound) => (bound === 2 ** 32 ? this.#drawn++ : 0) },
    });
    this.bench.onSent = (sent) => this.log.push(wordsOf(sent));
    this.bench.onEvent = ({ kind, lease }, at) => {
      this.log.push(`${at} ${kind} ${lease?.address ?? "nothing"}`);
    };
  }

  get drawn(): number {
    return this.#drawn;
  }
}

type Command = fc.Command<DhcpClientModel, Subject>;

function command(name: string, run: (model: DhcpClientModel, real: Subject) => void): Command {
  return {
    check: () => true,
    run: (model, real) => {
      run(model, real);
      expect(real.log).toEqual(model.log);
      expect(real.bench.client.state).toBe(model.state);
      expect(real.drawn).toBe(model.drawn);
      const { lease } = real.bench.client;
      const { address: held, rebinding: t2, expiry, renewal: t1 } = lease ?? {};
      const actual = lease === null ? null : { address: held, t1, t2, expiry };
      expect(actual).toEqual(model.lease);
      if (lease !== null) expect(lease.expiry).toBeGreaterThan(real.bench.now);
    },
    toString: () => name,
  };
}

const start = (remembered: number | null): Command =>
  command(`start ${remembered}`, (model, real) => {
    if (model.state !== "stopped") {
      expect(() => real.bench.client.start(model.now)).toThrow("runs already");
      return;
    }
    const expiry = model.now + (remembered ?? 0) * SECOND;
    const held = remembered === null ? null : { address: ipv4Of(0x0a00_0005), expiry };
    model.start(held);
    real.bench.client.start(model.now, held === null ? null : leaseWith(held));
  });

const wait = (span: number): Command =>
  command(`wait ${span}`, (model, real) => {
    model.advance(span);
    real.bench.runUntil(model.now);
  });

const offer = (yiaddr: number): Command =>
  command(`offer ${yiaddr}`, (model, real) => {
    const { xid } = model;
    const options = [rawOption(Option.ServerIdentifier, SERVER)];
    const fault = receive(real, DhcpType.Offer, { xid, yiaddr: ipv4Of(yiaddr), options });
    expect(fault).toBe(model.offer(yiaddr) ? null : "dhcp/state");
  });

const ack = (yiaddr: number, length: number, t2: number | null): Command =>
  command(`ack ${yiaddr} ${length} ${t2}`, (model, real) => {
    const { xid } = model;
    const wishes = t2 === null ? [] : [rawOption(Option.RebindingTime, t2)];
    const options = leaseOptions(length, ...wishes);
    const fault = receive(real, DhcpType.Ack, { xid, yiaddr: ipv4Of(yiaddr), options });
    const t1 = real.bench.client.lease?.renewal ?? 0;
    const isTaken = model.ack({ address: yiaddr, seconds: length, t1, t2Seconds: t2 });
    expect(fault === null).toBe(isTaken);
  });

const nak = command("nak", (model, real) => {
  const { xid } = model;
  expect(receive(real, DhcpType.Nak, { xid }) === null).toBe(model.nak());
});

const nonsense = (type: DhcpType, { cut, ...header }: Wrong): Command =>
  command(`nonsense ${type} ${JSON.stringify({ cut, ...header })}`, (model, real) => {
    const octets = answerTo(model.xid, type, { ...header, options: leaseOptions(60) });
    const fault = real.bench.client.receive(octets.subarray(0, cut), { source: SERVER }, model.now);
    expect(fault).toMatch(/^dhcp\//);
  });

const decline = command("decline", (model, real) => {
  if (model.lease === null) {
    expect(() => real.bench.client.decline(model.now)).toThrow("no lease");
    return;
  }
  model.decline();
  real.bench.client.decline(model.now);
});

const release = command("release", (model, real) => {
  model.release();
  real.bench.client.release(model.now);
});

interface Answer {
  readonly xid: number;
  readonly yiaddr?: (typeof ADDRESSES)[number];
  readonly options?: readonly RawOption[];
}

function receive(real: Subject, type: DhcpType, { xid, ...answer }: Answer): string | null {
  const { client, now } = real.bench;
  return client.receive(answerTo(xid, type, answer), { source: SERVER }, now);
}

function leaseWith(times: Pick<ClientLease, "address" | "expiry">): ClientLease {
  return { ...leaseFor(60), ...times };
}

const span = fc.oneof(
  fc.nat(20 * SECOND),
  fc.nat(2000 * SECOND),
  fc.integer({ min: 1, max: 300 }).map((count) => count * SECOND),
);
const t2 = fc.option(fc.integer({ min: 1, max: 9000 }));
const type = fc.constantFrom(DhcpType.Offer, DhcpType.Ack, DhcpType.Nak);
const commands = fc.commands(
  [
    fc.option(fc.nat(200)).map(start),
    span.map(wait),
    address.map(offer),
    address.map(offer),
    fc.tuple(address, seconds, t2).map((grant) => ack(...grant)),
    fc.tuple(address, seconds, t2).map((grant) => ack(...grant)),
    fc.constant(nak),
    fc.tuple(type, wrong).map((message) => nonsense(...message)),
    fc.constant(decline),
    fc.constant(release),
  ],
  { maxCommands: 40, size: "max" },
);

describe("A DHCP client", () => {
  it("does what figure 5 draws, when it draws it", () => {
    fc.assert(
      fc.property(commands, (run) => {
        fc.modelRun(() => ({ model: new DhcpClientModel(), real: new Subject() }), run);
      }),
      { numRuns: 60 },
    );
  });

  it("takes any octets without a throw, in any state, and binds to no unusable address", () => {
    const options = fc.array(
      fc.tuple(fc.constantFrom(1, 3, 51, 54, 56, 58, 59), fc.uint8Array({ maxLength: 6 })),
      { maxLength: 8, size: "max" },
    );
    const hostile = fc.record({
      type: fc.oneof(fc.constantFrom(2, 5, 6), fc.nat(9)),
      yiaddr: fc.oneof(address, fc.nat(0xffff_ffff).map(ipv4Of)),
      options,
      noise: fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 4 }),
      length: fc.oneof(fc.constant(600), fc.nat(400)),
      pause: fc.nat(100 * SECOND),
    });
    fc.assert(
      fc.property(fc.array(hostile, { maxLength: 12, size: "max" }), (messages) => {
        const bench = new Bench({ chance: new Prng(1) });
        bench.client.start(0);
        for (const { type: code, yiaddr, options: said, noise, length, pause } of messages) {
          bench.runUntil(bench.now + pause);
          const octets = answerTo(bench.last.message.xid, code, { yiaddr, options: said });
          for (const [at, octet] of noise) if (at < octets.length) octets[at] = octet;
          bench.client.receive(octets.subarray(0, length), { source: SERVER }, bench.now);
          const first = (bench.client.lease?.address ?? 0x0100_0000) >>> 24;
          expect(first !== 0 && first !== 127 && first < 224).toBe(true);
        }
      }),
      { numRuns: 60 },
    );
  });

  it("holds no address that is over, however late it is told the time", () => {
    const naps = fc.array(fc.nat(200 * SECOND), { minLength: 1, maxLength: 20, size: "max" });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300 }), naps, fc.nat(), (length, all, seed) => {
        const bench = new Bench({ chance: new Prng(seed) });
        bench.client.start(0);
        bench.bind(length);
        let now = 0;
        for (const nap of all) {
          now += nap;
          bench.client.expire(now);
          expect(bench.client.nextDeadline()).toBeGreaterThan(now);
          const { lease, state } = bench.client;
          expect(lease === null || lease.expiry > now).toBe(true);
          expect(lease !== null).toBe(["bound", "renewing", "rebinding"].includes(state));
          if (lease !== null) expect(state === "rebinding").toBe(now >= lease.rebinding);
        }
      }),
    );
  });

  it("waits 4, 8, 16, 32, then always 64 seconds, give or take one", () => {
    fc.assert(
      fc.property(fc.nat(), (seed) => {
        const bench = new Bench({ chance: new Prng(seed) });
        bench.client.start(0);
        bench.runUntil(600 * SECOND);
        bench.sent.slice(1).forEach(({ at }, index) => {
          const waited = at - (bench.sent[index]?.at ?? 0);
          const expected = Math.min(4 * 2 ** index, 64) * SECOND;
          expect(Math.abs(waited - expected)).toBeLessThanOrEqual(SECOND);
        });
        expect(new Set(bench.sent.map(({ message }) => message.xid)).size).toBe(1);
      }),
      { numRuns: 30 },
    );
  });
});
