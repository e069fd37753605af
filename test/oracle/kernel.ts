/**
 * This computer's kernel as the router of a {@link World}: the oracle of the router's properties.
 * @module
 */
import { HelperProcess, inNamespace, missingForNamespaces } from "./helper-process.ts";
import type { Ticks } from "./world-router.ts";
import type { World } from "../../src/zone/world/world.ts";
import { type InputFrame, ipWords, sysctls, type TimedFrame, withPorts } from "./world.ts";

/** A connection that the kernel began to track: protocol, source and target port of its answers. */
export type NewFlow = readonly [number, number, number];

/** What came of one frame. Instants are real times in microseconds. */
export interface KernelStep {
  /** The instants between which it was sent and processed. */
  readonly sent: readonly [number, number];
  /** What the router sent since the step before, in order. */
  readonly received: readonly TimedFrame[];
  readonly flows: readonly NewFlow[];
  /** True if it was a command, and the kernel refused it. */
  readonly isRefused: boolean;
}

/** The end of a router. */
export interface KernelEnd {
  /** What the router sent since the last frame. */
  readonly received: readonly TimedFrame[];
  /** For each command the real time in microseconds at which it ran, and what it wrote. */
  readonly shown: readonly (readonly [number, string])[];
}

/** What the kernel did. Instants are real times in microseconds. */
export interface Played {
  readonly start: number;
  /** For each frame the instants between which it was sent and processed. */
  readonly sent: readonly (readonly [number, number])[];
  /** In the order in which they left. */
  readonly received: readonly TimedFrame[];
  /** What each command that was to be run in the end wrote. */
  readonly shown: readonly string[];
}

/** Why there can be no {@link Kernel} here; `null` if there can. */
export function missingForKernel(): string | null {
  const missing = missingForNamespaces("iptables-legacy-restore", "conntrack");
  if (missing !== null) return missing;
  const isCurrent = inNamespace("test", "-e", "/proc/sys/net/ipv4/icmp_msgs_per_sec");
  return isCurrent ? null : "the kernel is older than 6.12";
}

/** A process that builds routers out of the kernel, one after the other. */
export class Kernel {
  readonly jiffies: Ticks;
  readonly #helper: HelperProcess;

  private constructor(helper: HelperProcess, jiffies: Ticks) {
    this.#helper = helper;
    this.jiffies = jiffies;
  }

  /** @param processor the number of the processor to work on; the last one is 0. */
  static async open(processor = 0): Promise<Kernel> {
    const helper = new HelperProcess(new URL("kernel.py", import.meta.url), String(processor));
    const { jiffies } = await helper.hear<{ jiffies: Ticks }>();
    return new Kernel(helper, jiffies);
  }

  /**
   * Build `world` anew, instead of what was there.
   * @returns the real time in microseconds at which it starts.
   * @throws {Error} if the kernel refuses the world or its rules.
   */
  async build(world: World): Promise<number> {
    const interfaces = Object.entries(world.interfaces).map(([name, { mac, mtu = 1500 }]) => ({
      name,
      mac,
      mtu,
    }));
    const rules = world.iptables ?? "";
    const words = {
      ip: ipWords(world),
      sysctl: sysctls(world),
      rules,
      ebtables: withPorts(world, world.ebtables ?? ""),
    };
    const { start } = await this.#helper.ask<{ start: number }>({
      do: "open",
      interfaces,
      ...words,
    });
    return start;
  }

  /** Send frames, each at its time, and tell what came of each. */
  async send(frames: readonly InputFrame[]): Promise<readonly KernelStep[]> {
    const { steps } = await this.#helper.ask<{ steps: KernelStep[] }>({ do: "send", frames });
    return steps;
  }

  /**
   * Take the router down.
   * @param until microseconds after the start at which to stop listening.
   * @param show commands to run in the router's namespace when that is over.
   * @throws {Error} if a command fails.
   */
  finish(until = 0, show: readonly (readonly string[])[] = []): Promise<KernelEnd> {
    return this.#helper.ask<KernelEnd>({ do: "close", until, show });
  }

  /** {@link build}, {@link send} and {@link finish} for frames that are known beforehand. */
  async play(
    world: World,
    frames: readonly InputFrame[],
    until = 0,
    show: readonly (readonly string[])[] = [],
  ): Promise<Played> {
    const start = await this.build(world);
    const steps = await this.send(frames);
    const { received, shown } = await this.finish(until, show);
    return {
      start,
      sent: steps.map(({ sent }) => sent),
      received: [...steps.flatMap((step) => step.received), ...received],
      shown: shown.map(([, text]) => text),
    };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
