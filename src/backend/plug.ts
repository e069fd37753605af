/**
 * Plugs: what joins a vif to something outside this program. Each kind of plug has a scheme, the
 * word before the colon of its address; a new one needs a file of its own and a line in
 * {@link SCHEMES}.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import type { Logger } from "../base/log.ts";
import { openStreamPlug } from "./stream-plug.ts";

/** The domU's end of a vif, where a plug goes in. Its cable has one plug at a time. */
export interface Jack {
  /** "vif3.0", or "host-a/vif3.0" where there are several hosts. */
  readonly name: string;
  /**
   * Send a copy of `frame` as the domU, at this moment: Ethernet header and payload, no check
   * sequence, any octets.
   * @returns false if the vif did not take it: too short, too long, or no buffer is free.
   */
  transmit(frame: Uint8Array): boolean;
  /** What is sent within `work` is sent at one moment: cheaper for many frames. */
  together(work: () => void): void;
  /** Hear what the domU gets from now on; each frame is borrowed until return. `null`: nobody. */
  onReceive(receiver: ((frame: Uint8Array) => void) | null): void;
}

/** What went through a plug. */
export interface PlugCounters {
  /** Frames from outside that the vif took. */
  readonly sent: number;
  /** Frames from outside that the vif refused, as netback refuses. */
  readonly refused: number;
  /** Frames that went outside. */
  readonly received: number;
  /** Frames for outside that nobody took in time: dropped, as netback drops. */
  readonly dropped: number;
}

/** A plug in a jack. */
export interface Plug {
  /** Where it can be reached: "unix:/tmp/vif3.sock". */
  readonly address: string;
  readonly counters: PlugCounters;
  /** Pull it out: peers are disconnected, and nothing of it is left. */
  close(): Promise<void>;
}

/** What a plug is made from. */
export interface PlugSetup {
  /** The address behind the scheme and its colon. */
  readonly rest: string;
  readonly jack: Jack;
  /** Hears who came, who went, and why. */
  readonly log: Logger;
}

/** Makes plugs of one scheme. @throws {EmulatorError} for an address that it cannot use. */
export type PlugMaker = (setup: PlugSetup) => Promise<Plug>;

/** The kinds of plugs, by scheme. */
const SCHEMES: ReadonlyMap<string, PlugMaker> = new Map([["unix", openStreamPlug]]);

/**
 * Put a plug into `jack` that is reached at `address`, "unix:/tmp/vif3.sock".
 * @throws {OptionError} if no kind of plug has that scheme; and as its {@link PlugMaker}.
 */
export async function openPlug(address: string, setup: Omit<PlugSetup, "rest">): Promise<Plug> {
  const colon = address.indexOf(":");
  const maker = SCHEMES.get(address.slice(0, Math.max(colon, 0)));
  if (maker === undefined) {
    const known = [...SCHEMES.keys()].map((scheme) => `${scheme}:...`).join(", ");
    throw new OptionError("address", address, `one of ${known}`);
  }
  return maker({ ...setup, rest: address.slice(colon + 1) });
}
