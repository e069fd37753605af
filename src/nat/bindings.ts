/**
 * Bindings: fixed pairs of a private and a public address, for people who need no rule text. As
 * EC2 and Eucalyptus had them: destinations at PREROUTING and OUTPUT, sources at POSTROUTING.
 * @module
 */
import { OptionError } from "../base/errors.ts";
import { contains, formatIpv4, type Ipv4Addr, type Prefix } from "../wire/addr.ts";
import type { Device } from "../wire/device.ts";
import type { Packet } from "../wire/packet.ts";
import { Hook, type HookContext } from "../l3/hooks.ts";
import { IPV4 } from "../l3/ipv4.ts";
import type { NatRange } from "../wire/nat-range.ts";
import type { NatRules } from "../l3/nat-rules.ts";

/** A private address and the public one that stands for it. */
export interface Binding {
  readonly privateAddress: Ipv4Addr;
  readonly publicAddress: Ipv4Addr;
}

/** Where bindings hold. */
export interface BindingsOptions {
  /** Sources change only where packets leave by this device; `null`, the default, for any. */
  readonly device?: Device | null;
  /** Sources of packets to these blocks stay private; none. */
  readonly except?: readonly Prefix[];
}

interface Pair extends Binding {
  readonly toPrivate: NatRange;
  readonly toPublic: NatRange;
}

/**
 * Rules of 1:1 translation. Pairs come and go while packets flow: a connection keeps what it got
 * with its first packet, new ones get what holds then.
 */
export class Bindings implements NatRules {
  readonly #device: Device | null;
  readonly #except: readonly Prefix[];
  readonly #byPrivate = new Map<number, Pair>();
  readonly #byPublic = new Map<number, Pair>();

  constructor({ device = null, except = [] }: BindingsOptions = {}) {
    this.#device = device;
    this.#except = except;
  }

  /**
   * Bind a pair from now on.
   * @throws {OptionError} if one of its addresses is bound already.
   */
  add({ privateAddress, publicAddress }: Binding): void {
    if (this.#byPrivate.has(privateAddress)) refuse("privateAddress", privateAddress);
    if (this.#byPublic.has(publicAddress)) refuse("publicAddress", publicAddress);
    const pair: Pair = {
      privateAddress,
      publicAddress,
      toPrivate: rangeOf("destination", privateAddress),
      toPublic: rangeOf("source", publicAddress),
    };
    this.#byPrivate.set(privateAddress, pair);
    this.#byPublic.set(publicAddress, pair);
  }

  /** Give up the pair of `privateAddress`. @returns false if it has none. */
  remove(privateAddress: Ipv4Addr): boolean {
    const pair = this.#byPrivate.get(privateAddress);
    if (pair === undefined) return false;
    this.#byPrivate.delete(privateAddress);
    this.#byPublic.delete(pair.publicAddress);
    return true;
  }

  /** The public address that stands for `privateAddress` now, or `null`. */
  publicOf(privateAddress: Ipv4Addr): Ipv4Addr | null {
    return this.#byPrivate.get(privateAddress)?.publicAddress ?? null;
  }

  /** The private address that `publicAddress` stands for now, or `null`. */
  privateOf(publicAddress: Ipv4Addr): Ipv4Addr | null {
    return this.#byPublic.get(publicAddress)?.privateAddress ?? null;
  }

  /** The pairs, in the order of their addition. */
  list(): Binding[] {
    return [...this.#byPrivate.values()].map(({ privateAddress, publicAddress }) => ({
      privateAddress,
      publicAddress,
    }));
  }

  selectNat(packet: Packet, { hook, output }: HookContext): NatRange | null {
    const { view } = packet.pool;
    const dst = IPV4.dst.get(view, packet.network);
    if (hook === Hook.Prerouting || hook === Hook.Output) {
      return this.#byPublic.get(dst)?.toPrivate ?? null;
    }
    if (hook !== Hook.Postrouting) return null;
    if (this.#device !== null && output !== this.#device) return null;
    if (this.#except.some((prefix) => contains(prefix, dst))) return null;
    return this.#byPrivate.get(IPV4.src.get(view, packet.network))?.toPublic ?? null;
  }
}

function rangeOf(side: NatRange["side"], address: Ipv4Addr): NatRange {
  const addresses = { lower: address, upper: address };
  return { side, addresses, ports: null, isRandom: false, isPersistent: false };
}

function refuse(option: string, address: Ipv4Addr): never {
  throw new OptionError(option, formatIpv4(address), "an address that is not bound yet");
}
