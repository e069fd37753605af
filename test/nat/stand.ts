/** A router without routing: drives the hooks in the order of the real one. @module */
import { Jiffies } from "../../src/base/jiffies.ts";
import { type Chance, Prng } from "../../src/base/prng.ts";
import type { Instant } from "../../src/base/time.ts";
import { Hook, type HookContext, Hooks, Verdict } from "../../src/l3/hooks.ts";
import { headerLengthOf } from "../../src/l3/ipv4.ts";
import type { NatRange } from "../../src/wire/nat-range.ts";
import type { NatRules } from "../../src/l3/nat-rules.ts";
import type { ConntrackBehaviour, FlowBehaviour } from "../../src/nat/behaviour.ts";
import { Conntrack } from "../../src/nat/conntrack.ts";
import { Nat } from "../../src/nat/nat.ts";
import { type Ipv4Addr, parseIpv4, parseMac } from "../../src/wire/addr.ts";
import { Device } from "../../src/wire/device.ts";
import { type Packet, PacketPool } from "../../src/wire/packet.ts";

/** What became of a packet. */
export interface Passage {
  /** `null` if it was dropped. */
  readonly octets: Uint8Array | null;
  readonly reason: string;
  readonly state: number;
  readonly handle: number;
}

export interface StandOptions {
  readonly behaviour: FlowBehaviour;
  readonly conntrack?: Partial<ConntrackBehaviour>;
  /** Without rules there is no translation at all; a function is told the outer device. */
  readonly rules?: NatRules | ((outside: Device) => NatRules);
  readonly chance?: Chance;
  readonly slots?: number;
}

const mac = parseMac("02:00:00:00:00:01");

export class Stand {
  readonly pool: PacketPool;
  readonly hooks = new Hooks();
  readonly conntrack: Conntrack;
  readonly inside = new Device({ name: "inside", mac });
  readonly outside = new Device({ name: "outside", mac });
  now: Instant = 0;
  /** While true, FORWARD drops everything. */
  isClosed = false;
  #reason = "";

  constructor({ behaviour, conntrack = {}, rules, chance = new Prng(1), slots = 8 }: StandOptions) {
    this.pool = new PacketPool({ slots, largeSlots: 0 });
    this.pool.observe({
      received: () => {},
      transmitted: () => {},
      ended: (_packet, _fate, reason) => {
        this.#reason = reason;
      },
      step: () => {},
    });
    this.conntrack = new Conntrack({
      behaviour: { ...behaviour.conntrack, ...conntrack },
      jiffies: new Jiffies(),
    });
    this.conntrack.attach(this.hooks);
    if (rules !== undefined) {
      const asked = typeof rules === "function" ? rules(this.outside) : rules;
      const options = { conntrack: this.conntrack, behaviour: behaviour.nat, chance };
      new Nat({ ...options, rules: asked }).attach(this.hooks);
    }
    this.hooks.register(Hook.Forward, 0, {
      name: "gate",
      onHook: () => (this.isClosed ? Verdict.Drop : Verdict.Accept),
    });
  }

  /** Let a copy of the IP packet `octets` pass from one device to the other. */
  forward(octets: Uint8Array, input = this.inside, output = this.outside): Passage {
    const packet = this.take(octets);
    packet.input = input;
    return this.#finish(packet, this.pass(packet, input, output));
  }

  /** As {@link forward}, but inwards. */
  answer(octets: Uint8Array): Passage {
    return this.forward(octets, this.outside, this.inside);
  }

  /** Let a packet come in for this host. */
  deliver(octets: Uint8Array, input = this.outside): Passage {
    const packet = this.take(octets);
    const { hooks, now } = this;
    const first = hooks.pass(Hook.Prerouting, packet, input, null, now);
    return this.#finish(packet, first && hooks.pass(Hook.Input, first, input, null, now));
  }

  /** Send a packet of this host; with the flow of `answered`, if it answers one. */
  originate(octets: Uint8Array, output = this.outside, answered?: Passage): Passage {
    const packet = this.take(octets);
    if (answered !== undefined) {
      packet.flow = answered.handle;
      packet.flowState = answered.state;
    }
    const { hooks, now } = this;
    const first = hooks.pass(Hook.Output, packet, null, output, now);
    return this.#finish(packet, first && hooks.pass(Hook.Postrouting, first, null, output, now));
  }

  take(octets: Uint8Array): Packet {
    const packet = this.pool.copyIn(octets);
    if (packet === null) throw new Error("the stand's pool is empty");
    packet.network = packet.frame;
    packet.transport = packet.network + headerLengthOf(this.pool.view, packet.network);
    this.#reason = "";
    return packet;
  }

  /** PREROUTING, FORWARD, POSTROUTING. */
  pass(packet: Packet, input: Device, output: Device): Packet | null {
    const { hooks, now } = this;
    const first = hooks.pass(Hook.Prerouting, packet, input, null, now);
    const second = first && hooks.pass(Hook.Forward, first, input, output, now);
    return second && hooks.pass(Hook.Postrouting, second, input, output, now);
  }

  #finish(packet: Packet, passed: Packet | null): Passage {
    const { flowState: state, flow: handle } = packet;
    if (passed === null) return { octets: null, reason: this.#reason, state, handle };
    const octets = passed.octets().slice();
    this.pool.end(passed, "delivered", "test/passed", this.now);
    return { octets, reason: "", state, handle };
  }
}

/** Rules made of two functions; both see the packet's addresses as numbers. */
export function rulesOf(
  choose: (hook: number, packet: Packet, context: HookContext) => NatRange | null | "drop",
): NatRules {
  return { selectNat: (packet, context) => choose(context.hook, packet, context) };
}

export interface RangeOptions {
  readonly side?: NatRange["side"];
  readonly to?: string | null;
  /** Last address; as `to`. */
  readonly upTo?: string;
  readonly ports?: readonly [number, number] | null;
  readonly isRandom?: boolean;
  readonly isPersistent?: boolean;
}

/** A range in the words of tests. */
export function range(options: RangeOptions): NatRange {
  const { side = "source", to = null, ports = null, isRandom = false } = options;
  const lower: Ipv4Addr | null = to === null ? null : parseIpv4(to);
  return {
    side,
    addresses: lower === null ? null : { lower, upper: parseIpv4(options.upTo ?? to ?? "") },
    ports: ports === null ? null : { lower: ports[0], upper: ports[1] },
    isRandom,
    isPersistent: options.isPersistent ?? false,
  };
}
