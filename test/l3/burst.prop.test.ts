import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SECOND } from "../../src/base/time.ts";
import { type Datagram, RouterChain } from "./router-chain.ts";

/** More hosts than bursts that find room while one makes the next. */
const HOSTS = 12;
/** Bursts that are read together: with one more on a wire, there is no room for it. */
const ROOMS = 8;
const PORTS = [40_000, 40_001, 40_002, 40_003];
const USUAL: Datagram = { port: 40_000, isBack: false, size: 22, ttl: 64, hasChecksum: true };

const some = (count: number, change: Partial<Datagram> = {}): Datagram[] =>
  Array.from({ length: count }, (_, index) => ({ ...USUAL, size: index % 7, ...change }));

/** All flows are known everywhere. */
function establish(chain: RouterChain): void {
  for (let time = 0; time < 4; time += 1) {
    for (const port of PORTS) {
      chain.receiveAll(false, some(1, { port }));
      chain.receiveAll(true, some(1, { port }));
    }
    chain.wait(2 * SECOND);
  }
}

/** Do the same with and without known ways. @returns the chain that has them. */
function compare(act: (chain: RouterChain) => void, hosts = HOSTS): RouterChain {
  const [cached, asked] = [true, false].map((hasCache) => new RouterChain(hosts, hasCache));
  if (cached === undefined || asked === undefined) throw new Error("there are two");
  for (const chain of [cached, asked]) {
    establish(chain);
    act(chain);
  }
  expect(cached.state()).toEqual(asked.state());
  expect(asked.hits).toBe(0);
  return cached;
}

type Step =
  | {
      readonly kind: "burst";
      readonly isBack: boolean;
      readonly all: readonly Datagram[];
      /** The frame that is answered by a burst as soon as it has left. */
      readonly answered: number;
      readonly answers: readonly Datagram[];
    }
  | { readonly kind: "wait"; readonly duration: number }
  | { readonly kind: "forget"; readonly router: number };

const datagram = fc.record({
  port: fc.constantFrom(...PORTS),
  isBack: fc.constant(false),
  size: fc.constantFrom(0, 1, 22, 300),
  ttl: fc.constantFrom(64, 64, 64, 64, 25, 24, 12, 5, 4, 3, 2, 1),
  hasChecksum: fc.boolean(),
});

const burst: fc.Arbitrary<readonly Datagram[]> = fc
  .array(fc.tuple(datagram, fc.integer({ min: 1, max: 30 })), { minLength: 1, maxLength: 8 })
  .map((each) => each.flatMap(([one, times]) => Array.from({ length: times }, () => one)));

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("burst" as const),
      isBack: fc.boolean(),
      all: burst,
      answered: fc.nat(60),
      answers: burst,
    }),
  },
  fc.record({
    kind: fc.constant("wait" as const),
    duration: fc.constantFrom(SECOND, 31 * SECOND, 200 * SECOND),
  }),
  fc.record({ kind: fc.constant("forget" as const), router: fc.nat(HOSTS * 2 - 1) }),
);

function play(chain: RouterChain, one: Step): void {
  if (one.kind === "burst") {
    const { isBack, all, answered, answers } = one;
    let sent = 0;
    chain.onSent = () => {
      if (sent++ === answered) chain.receiveAll(!isBack, answers);
    };
    chain.receiveAll(isBack, all);
    chain.onSent = null;
  } else if (one.kind === "wait") chain.wait(one.duration);
  else chain.firewalls[one.router]?.conntrack?.flush();
}

describe("bursts of which each makes the next", () => {
  it("go one by one where there is no room, and nobody can tell", () => {
    const chain = compare((each) => {
      each.receiveAll(false, some(150));
      each.receiveAll(true, some(150));
    });
    expect(chain.deepest).toBe(ROOMS);
    expect(chain.sent).toHaveLength(8 * PORTS.length + 300);
    // Each router but the last one's host has told its known way.
    expect(chain.hits).toBeGreaterThan(300 * HOSTS * 2);
  });

  it("leave what was read of the others alone", () => {
    const ports = [40_000, 40_001, 40_002];
    const parted = ports.flatMap((port) => [...some(9, { port }), ...some(1, { port, ttl: 1 })]);
    const { hits } = compare((chain) => {
      // Its flows are the same, so that its records lie where those of the first one lie.
      const other = new RouterChain(1, true);
      establish(other);
      chain.onSent = () => other.receiveAll(false, some(64, { port: 40_003 }));
      chain.receiveAll(false, parted);
      chain.onSent = null;
      expect(other.sent).toHaveLength(8 * PORTS.length + 30 * 64);
    }, 1);
    expect(hits).toBeGreaterThan(27 * 2);
  });

  it.each([2, 3, HOSTS])("leave no trace but time, hosts: %i", (hosts) => {
    let deepest = 0;
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const chain = compare((each) => {
          for (const one of steps) play(each, one);
        }, hosts);
        deepest = Math.max(deepest, chain.deepest);
      }),
      { numRuns: Math.ceil(60 / hosts) },
    );
    expect(deepest).toBeGreaterThan(1);
  });

  it("give their room back when somebody throws in the middle", () => {
    const chain = new RouterChain(HOSTS, true);
    establish(chain);
    chain.onSent = () => {
      throw new Error("no more");
    };
    for (let time = 0; time < 2 * ROOMS; time += 1) {
      expect(() => chain.receiveAll(false, some(8))).toThrow("no more");
    }
    chain.onSent = null;
    chain.depth = 0;
    chain.deepest = 0;
    const before = chain.sent.length;
    chain.receiveAll(false, some(100));
    expect(chain.sent).toHaveLength(before + 100);
    expect(chain.deepest).toBe(ROOMS);
  });
});
