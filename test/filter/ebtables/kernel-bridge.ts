/** This computer's bridge and its `ebtables-nft`: the oracle of rules about frames. */
import {
  HelperProcess,
  inNamespace,
  missingForNamespaces,
  withoutComments,
} from "../../oracle/helper-process.ts";

/** A device of the bridge "br0" with ports "p0" and "p1", and a frame in hexadecimal. */
export type DeviceFrame = readonly [device: string, octets: string];

/** Rules that are printed again, after `frames` went by. */
export interface BridgeRequest {
  /** For `ebtables-restore`. */
  readonly text: string;
  readonly tables: readonly string[];
  /** Those of a port come in by it, those of "br0" are the host's own. */
  readonly frames: readonly DeviceFrame[];
  /** What begins the lines of the kernel's log that are wanted; empty for none. */
  readonly logPrefix: string;
}

/** What the kernel made of a request. */
export interface BridgeAnswer {
  /** What `ebtables-save` prints of each table, without comments; counters if there were frames. */
  readonly saved: readonly string[];
  /** What left by ports, and what came up to the host. */
  readonly sent: readonly DeviceFrame[];
  /** Lines of the kernel's log. */
  readonly logged: readonly string[];
}

/** Why there can be no {@link KernelBridge} here; `null` if there can. */
export function missingForBridge(): string | null {
  const missing = missingForNamespaces("ebtables-nft-restore");
  if (missing !== null) return missing;
  const hasBridges = inNamespace("ip", "link", "add", "br0", "type", "bridge");
  if (!hasBridges) return "the kernel has no bridges";
  const rule = ["-A", "INPUT", "-p", "ARP", "--arp-op", "Request", "-j", "DROP"];
  return inNamespace("ebtables-nft", ...rule) ? null : "this kernel does not take ebtables-nft";
}

/** A process that gives rules and frames to the kernel, one request at a time. */
export class KernelBridge {
  readonly #helper: HelperProcess;

  /** @param mac the address of the bridge and of its ports. */
  constructor(mac: string) {
    this.#helper = new HelperProcess(new URL("kernel_bridge.py", import.meta.url), mac);
  }

  /** @throws {Error} if the rules are refused. */
  async judge(request: BridgeRequest): Promise<BridgeAnswer> {
    const answer = await this.#helper.ask<BridgeAnswer>(request);
    return { ...answer, saved: answer.saved.map(withoutComments) };
  }

  /** End the process; its namespaces go with it. */
  close(): void {
    this.#helper.close();
  }
}
