/** This computer's kernel as a router with rules: the oracle of rules that have a state. */
import { HelperProcess, withoutComments } from "../oracle/helper-process.ts";
import { missingForRules } from "./kernel-rules.ts";

/** A frame that comes in, not before `at`: microseconds after the start. */
export interface TimedInput {
  readonly at: number;
  readonly interface: string;
  /** In hexadecimal. */
  readonly octets: string;
}

export interface RouterRequest {
  readonly interfaces: readonly { name: string; mac: string; mtu: number }[];
  /** Lines for `ip -batch`. */
  readonly ip: readonly string[];
  readonly sysctl: readonly (readonly [string, number])[];
  /** For `iptables-restore`. */
  readonly iptables: string;
  readonly frames: readonly TimedInput[];
  /** What is printed in the end. */
  readonly tables: readonly string[];
}

/** What the kernel did. */
export interface RouterPlayed {
  /** The tick in which each frame was sent, counted from the start. */
  readonly sent: readonly number[];
  /** True if some frame may have come in a tick later than `sent` says, or not at all. */
  readonly isTorn: boolean;
  /** Each table with its counters, without comments. */
  readonly saved: readonly string[];
  /** The lines of `conntrack -L`. */
  readonly connections: readonly string[];
}

/** Why there can be no {@link KernelRouter} here; `null` if there can. */
export const missingForRouter = (): string | null => missingForRules("conntrack");

/** A process that builds routers with rules out of the kernel, one after the other. */
export class KernelRouter {
  /** Ticks a second. */
  readonly hz: number;
  readonly #helper: HelperProcess;

  private constructor(helper: HelperProcess, hz: number) {
    this.#helper = helper;
    this.hz = hz;
  }

  static async open(): Promise<KernelRouter> {
    const helper = new HelperProcess(new URL("kernel_router.py", import.meta.url));
    const { hz } = await helper.hear<{ hz: number }>();
    return new KernelRouter(helper, hz);
  }

  /** Build a router anew and play frames to it. @throws {Error} if the kernel refuses. */
  async play(request: RouterRequest): Promise<RouterPlayed> {
    const answer = await this.#helper.ask<RouterPlayed>(request);
    return { ...answer, saved: answer.saved.map(withoutComments) };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
