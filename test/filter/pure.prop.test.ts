import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRule } from "../../src/filter/rule-text.ts";
import type { Rule } from "../../src/filter/rule.ts";
import { Protocol } from "../../src/l3/ipv4.ts";
import { FlowState } from "../../src/l3/flow-state.ts";
import { Hook, HOOK_NAMES, type HookContext } from "../../src/l3/hooks.ts";
import { Cast, type Packet, PacketPool } from "../../src/wire/packet.ts";
import {
  ADDRESSES,
  type Circumstances,
  circumstances,
  type FrameParts,
  packetOf,
  PORTS,
} from "./facts.ts";
import { ruleText } from "./rule-texts.ts";
import { newServices } from "./stand.ts";

/** What two packets of one direction of a connection share. */
interface Shared {
  readonly src: number;
  readonly dst: number;
  readonly protocol: number;
  readonly ports: readonly [number, number];
  readonly sourceMac: number;
}

const u16 = (value: number): number[] => [value >>> 8, value & 255];
const small = (values: readonly number[]): fc.Arbitrary<number> => fc.constantFrom(...values);

const shared: fc.Arbitrary<Shared> = fc.record({
  src: small(ADDRESSES),
  dst: small(ADDRESSES),
  protocol: small([Protocol.Tcp, Protocol.Udp, 132]),
  ports: fc.tuple(small(PORTS), small(PORTS)),
  sourceMac: small([0x0200_0000_0001, 0x1231_3900_a511]),
});

/** A whole packet of that connection; the rest of it is as it comes. */
const partsOf = ({ src, dst, protocol, ports, sourceMac }: Shared): fc.Arbitrary<FrameParts> =>
  fc
    .record({
      tos: fc.nat(255),
      ttl: fc.nat(255),
      flagsFragment: small([0, 0x4000]),
      options: small([0, 1, 3]),
      flags: fc.nat(255),
      payload: fc.uint8Array({ maxLength: 20 }),
    })
    .map(({ flags, payload, ...parts }) => ({
      ...parts,
      ...{ src, dst, protocol, sourceMac },
      transport: Uint8Array.from([
        ...ports.flatMap(u16),
        ...(protocol === Protocol.Tcp ? [0, 0, 0, 1, 0, 0, 0, 2, 5 << 4, flags] : [0, 12, 0, 0]),
        ...(protocol === Protocol.Tcp ? [0x20, 0, 0, 0, 0, 0] : []),
        ...payload,
      ]),
    }));

const place: fc.Arbitrary<Circumstances> = circumstances.chain((one) =>
  fc.record({
    input: fc.constant(one.input),
    output: fc.constant(one.output),
    cast: fc.constantFrom(Cast.Host, Cast.Broadcast),
    flowState: fc.constantFrom(FlowState.Established, FlowState.EstablishedReply),
    mark: fc.constant(one.mark),
  }),
);

const pair = shared.chain((one) => fc.tuple(partsOf(one), partsOf(one)));
const chains = [
  ["filter", Hook.Forward],
  ["mangle", Hook.Forward],
  ["raw", Hook.Prerouting],
  ["nat", Hook.Prerouting],
  ["nat", Hook.Postrouting],
] as const;
const pureRules = fc
  .constantFrom(...chains)
  .chain(([table, hook]) =>
    ruleText(table, HOOK_NAMES[hook]).map((text) => ({ rule: parseRule(text), hook })),
  )
  .filter(
    ({ rule: { matches, target } }) =>
      matches.some(({ isPure }) => isPure) || (target.kind === "extension" && target.isPure),
  );

function contextOf(hook: Hook, packet: Packet): HookContext {
  const { input, output } = packet;
  const reason = "test/none";
  return { hook, packet, input, output, now: 0, reason, detail: "" };
}

/** A pure match or target of one rule in one table. */
type Part = (packet: Packet, context: HookContext) => unknown;

function partsOfRule({ matches, target }: Rule): readonly Part[] {
  const { services } = newServices();
  const parts: Part[] = matches
    .filter(({ isPure }) => isPure)
    .map((match) => {
      const matcher = match.bind(services);
      return (packet, context) => matcher?.matches(packet, context);
    });
  if (target.kind !== "extension" || !target.isPure) return parts;
  const bound = target.bind(services);
  return [
    ...parts,
    (packet, context) =>
      bound.kind === "translator"
        ? bound.translator.rangeFor(packet, context)
        : bound.action.apply(packet, context),
  ];
}

/** All of a packet that a rule could change. */
function printPacket(packet: Packet): string {
  const { mark, flow, flowState } = packet;
  return [Buffer.from(packet.octets()).toString("hex"), mark, flow, flowState].join(" ");
}

describe("The pure parts of rules", () => {
  it("say the same of all packets of one direction of a connection, and change none", () => {
    fc.assert(
      fc.property(pureRules, pair, place, fc.nat(0xffff), ({ rule, hook }, frames, where, mark) => {
        const pool = new PacketPool({ slots: 1, largeSlots: 0 });
        const parts = partsOfRule(rule);
        const [first, ...others] = [...frames, ...frames].map((frame, index) => {
          const packet = packetOf(pool, frame, { ...where, mark: index === 0 ? 0 : mark });
          packet.flow = 1;
          const before = printPacket(packet);
          const said = parts.map((part) => part(packet, contextOf(hook, packet)));
          expect(printPacket(packet)).toBe(before);
          pool.end(packet, "consumed", "test/asked", 0);
          return said;
        });
        for (const said of others) expect(said).toEqual(first);
      }),
      { numRuns: 400 },
    );
  });
});
