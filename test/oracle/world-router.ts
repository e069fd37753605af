/** Plays frames through the emulated router of a {@link World}. @module */
import { EmulatorError } from "../../src/base/errors.ts";
import { type Duration, SECOND } from "../../src/base/time.ts";
import type { PacketPool } from "../../src/wire/packet.ts";
import type { Router } from "../../src/l3/router.ts";
import { RouterWorld } from "../../src/zone/world/router-world.ts";
import type { World } from "../../src/zone/world/world.ts";
import type { NewFlow } from "./kernel.ts";
import { ReplayedChance } from "./replayed-chance.ts";
import { comparableWorld, type InputFrame, type TimedFrame } from "./world.ts";

/** How a kernel counts its ticks. */
export interface Ticks {
  /** The number of some tick. */
  readonly number: number;
  /** When that tick began, as a real time in microseconds. */
  readonly began: number;
  /** Ticks a second. */
  readonly hz: number;
}

/** The real time of a run, so that stamps and ticks are the kernel's. */
export interface Clock {
  /** When the run started, in microseconds. */
  readonly start: number;
  readonly jiffies: Ticks;
}

/** The router of a world; what it sends is kept. */
export class WorldRouter {
  readonly sent: (TimedFrame & { readonly isOwn: boolean })[] = [];
  /** Packets that came in. */
  readonly #came = new Set<number>();
  readonly world: RouterWorld;
  readonly #chance = new ReplayedChance();

  constructor(world: World, { start, jiffies: ticks }: Clock) {
    const age = Math.round((ticks.number * SECOND) / ticks.hz) - (ticks.began - start);
    this.world = new RouterWorld(comparableWorld(world), {
      epoch: start,
      jiffies: { hz: ticks.hz, age },
      traceLimit: 0,
      chance: this.#chance,
    });
    this.#chance.spyOn(this.world.firewall.rules);
  }

  get pool(): PacketPool {
    return this.world.pool;
  }

  get router(): Router {
    return this.world.router;
  }

  /** Let time pass, with all that it brings. */
  expire(until: Duration): void {
    this.world.expire(Math.max(until, this.world.now));
    this.#collect();
  }

  /** @returns false if the emulated router refuses the command. */
  command(text: string, now: Duration): boolean {
    try {
      this.world.command(text, now);
    } catch (error) {
      if (error instanceof EmulatorError) return false;
      throw error;
    }
    this.#collect();
    return true;
  }

  /** @param flows what the kernel began to track when it got the frame. */
  receive(
    { interface: name, octets }: InputFrame,
    now: Duration,
    flows: readonly NewFlow[] = [],
  ): void {
    this.#chance.watch(flows);
    const id = this.world.receive(name, Buffer.from(octets, "hex"), now);
    if (id === 0) throw new Error("the pool is exhausted");
    this.#came.add(id);
    this.#collect();
  }

  #collect(): void {
    for (const { interface: name, octets, at, id } of this.world.sent()) {
      const isOwn = !this.#came.has(id);
      this.sent.push({ interface: name, octets: Buffer.from(octets).toString("hex"), at, isOwn });
    }
  }
}
