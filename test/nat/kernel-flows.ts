/** This computer's kernel as a translating router: the oracle of connection tracking. @module */
import { HelperProcess, missingForNamespaces } from "../oracle/helper-process.ts";
import type { Ticks } from "../oracle/world-router.ts";

export interface FlowPacket {
  /** Microseconds after the packet before it. */
  readonly wait: number;
  readonly interface: string;
  /** The IP packet in hexadecimal. */
  readonly octets: string;
}

/** A packet that NFQUEUE holds back goes on. */
export interface FlowRelease {
  readonly wait: number;
  /** Which one of those held; 0 is the oldest. */
  readonly release: number;
}

export interface FlowRequest {
  readonly interfaces: readonly { name: string; mac: string; mtu: number }[];
  /** Lines for `ip -batch`. */
  readonly ip: readonly string[];
  readonly sysctl: readonly (readonly [string, number | string])[];
  /** For `iptables-restore`. */
  readonly iptables: string;
  readonly packets: readonly (FlowPacket | FlowRelease)[];
}

/** What a packet did. Instants are real times in microseconds. */
export interface FlowStep {
  /** When the packet was sent. */
  readonly sent: number;
  /** Interface and IP packet, of all that left. */
  readonly received: readonly (readonly [string, string])[];
  /** /proc/net/nf_conntrack behind its first two words, read at `listed`. */
  readonly entries: readonly string[];
  readonly listed: number;
  /** Microseconds that the reading took. */
  readonly took?: number;
}

export interface FlowsPlayed {
  readonly steps: readonly FlowStep[];
  /** What `conntrack -L` printed in the end. */
  readonly lines: readonly string[];
  /** Microseconds that it took, from the last step on. */
  readonly took: number;
}

/** Why there can be no {@link FlowKernel} here; `null` if there can. */
export const missingForFlows = (): string | null =>
  missingForNamespaces("iptables-restore", "conntrack");

/** A process that builds translating routers out of the kernel, one after the other. */
export class FlowKernel {
  /** A tick of the kernel and when it began. */
  readonly jiffies: Ticks;
  readonly #helper: HelperProcess;

  private constructor(helper: HelperProcess, jiffies: Ticks) {
    this.#helper = helper;
    this.jiffies = jiffies;
  }

  static async open(): Promise<FlowKernel> {
    const helper = new HelperProcess(new URL("kernel_flows.py", import.meta.url));
    const { jiffies } = await helper.hear<{ jiffies: Ticks }>();
    return new FlowKernel(helper, jiffies);
  }

  /** Build a router anew and play packets to it. @throws {Error} if the kernel refuses. */
  play(request: FlowRequest): Promise<FlowsPlayed> {
    return this.#helper.ask<FlowsPlayed>(request);
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
