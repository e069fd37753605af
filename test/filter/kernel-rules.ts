/** This computer's netfilter and its `iptables`: the oracle of rules. */
import { accessSync, constants, readFileSync } from "node:fs";
import {
  HelperProcess,
  inNamespace,
  missingForNamespaces,
  withoutComments,
} from "../oracle/helper-process.ts";

/** Rules of which one table is printed again, after `frames` went by. */
export interface RuleRequest {
  readonly table: string;
  /** For `iptables-restore`. */
  readonly text: string;
  /** The built-in chains, whose policies are ACCEPT again afterwards. */
  readonly chains: readonly string[];
  /** What begins the lines of the kernel's log that are wanted; empty for none. */
  readonly logPrefix: string;
  /** True: what TRACE says before each packet is wanted instead, by nfnetlink_log. */
  readonly isTraced?: boolean;
  /** In hexadecimal; counters are printed if there are any. */
  readonly frames: readonly string[];
}

/** What the kernel made of a request. */
export interface Judged {
  /** What `iptables-legacy-save` prints of the table, without comments. */
  readonly saved: string;
  /** Lines of the kernel's log. */
  readonly logged: readonly string[];
}

/** True if LOG writes about packets in namespaces, and the log may be read. */
export function isKernelLogReadable(): boolean {
  try {
    accessSync("/dev/kmsg", constants.R_OK);
    return readFileSync("/proc/sys/net/netfilter/nf_log_all_netns", "ascii").trim() === "1";
  } catch {
    return false;
  }
}

/** True if what TRACE says can be heard in a namespace, whatever the log of the computer does. */
export const canHearTraces = (): boolean =>
  inNamespace("sh", "-c", "echo nfnetlink_log > /proc/sys/net/netfilter/nf_log/2");

/** Which of the two kinds of `iptables` can change rules in this kernel. */
export function workingIptables(): readonly string[] {
  return ["legacy", "nft"].filter((kind) =>
    inNamespace(`iptables-${kind}`, "-w", "5", "-A", "INPUT", "-s", "10.0.0.1"),
  );
}

/** Why there can be no {@link KernelRules}, and these programs, here; `null` if there can. */
export function missingForRules(...programs: readonly string[]): string | null {
  const missing = missingForNamespaces("iptables-legacy-restore", ...programs);
  if (missing !== null) return missing;
  return workingIptables().includes("legacy") ? null : "this kernel does not take iptables-legacy";
}

/** A process that gives rules to the kernel, one request at a time. */
export class KernelRules {
  readonly #helper: HelperProcess;

  /** @param device where frames come in. */
  constructor(device: { readonly name: string; readonly mac: string }) {
    const program = new URL("kernel_rules.py", import.meta.url);
    this.#helper = new HelperProcess(program, JSON.stringify(device));
  }

  /** @throws {Error} if the rules are refused. */
  async judge(request: RuleRequest): Promise<Judged> {
    const answer = await this.#helper.ask<Judged>(request);
    return { ...answer, saved: withoutComments(answer.saved) };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
