/**
 * A world of one router: its interfaces, routes, settings and rules in the words of Linux's own
 * tools, so that a real kernel can be given the same.
 * @module
 */
import { EmulatorError, ParseError } from "../../base/errors.ts";

/** One interface of the router; the other end of its link plays all its neighbors. */
export interface WorldInterface {
  /** "02:00:00:00:00:01". */
  readonly mac: string;
  /** Largest packet in octets, 68 to 65,535; 1,500. */
  readonly mtu?: number;
  /** In the words of `ip addr add`: "10.1.0.1/24 brd +"; none. */
  readonly addresses?: readonly string[];
  /** Answer ARP for addresses behind other interfaces; false. */
  readonly proxyArp?: boolean;
  /** Permanent neighbors: address to MAC address; none. */
  readonly neighbors?: Readonly<Record<string, string>>;
}

/** What a router is made of. A world file, YAML or JSON, says the same by the same keys. */
export interface World {
  /** Which kernel the router is; "linux", a current one. */
  readonly profile?: "ec2-2010" | "linux";
  /** By name, in the order in which the router gets them. */
  readonly interfaces: Readonly<Record<string, WorldInterface>>;
  /** In the words of `ip route add`: "192.0.2.0/24 via 10.1.0.2 metric 5"; none. */
  readonly routes?: readonly string[];
  /** Linux's names to values, written in this order; forwarding is on before the first. */
  readonly sysctl?: Readonly<Record<string, number | string>>;
  /** What `iptables-restore` reads; no rules. */
  readonly iptables?: string;
  /**
   * What `ebtables-restore` reads: each interface then is the one port of a bridge that has its
   * name. Left out: no bridges.
   */
  readonly ebtables?: string;
}

/** Keys and indexes from a world to a part of it. */
export type WorldPath = readonly (string | number)[];

/** A world that no router can be made of. */
export class WorldError extends EmulatorError {
  /** Where in the world: `["routes", 2]`. */
  readonly path: WorldPath;
  /** The sentence alone, without the path. */
  readonly reason: string;
  /** Which line of the text at `path`, from 1; 0 where it is not a text of lines. */
  readonly line: number;

  constructor(path: WorldPath, value: unknown, reason: string, line = 0) {
    const place = line === 0 ? "" : ` line ${line}:`;
    super("world", value, `${path.join(" ")}:${place} ${reason}`);
    this.path = path;
    this.reason = reason;
    this.line = line;
  }
}

/** Do `work` on the part of a world at `path`: what is wrong there is told with its place. */
export function within<T>(path: WorldPath, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof EmulatorError) || error instanceof WorldError) throw error;
    if (!(error instanceof ParseError) || error.line === 0) {
      throw new WorldError(path, error.value, error.message);
    }
    const { line, message } = error;
    throw new WorldError(path, error.value, message.replace(`line ${line}: `, ""), line);
  }
}
