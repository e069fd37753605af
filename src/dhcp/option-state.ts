/**
 * The options and parameters that hold for one client: what inner scopes say over what outer say.
 * @module
 */
import type { Allowance, Item, ParameterName, ParameterValue, Permission } from "./dhcpd-conf.ts";

/** Statements that hold inside a declaration, and around it. */
export interface Scope {
  /** The declaration around this one; `null` for the outermost. */
  readonly parent: Scope | null;
  readonly items: readonly Item[];
  /** If the server may say that an address is wrong. */
  readonly isAuthoritative: boolean;
}

/** ISC dhcpd's `OPTION_HASH_SIZE`. */
const BUCKETS = 17;

/**
 * Options to choose from, in the order in which ISC dhcpd walks them when a client asks for none by
 * name: by hash bucket, and in a bucket the one that was set last first.
 */
export class OptionState {
  /** In the order in which they were set first. */
  readonly #octets = new Map<number, Uint8Array>();

  /** @returns the octets of option `code`; `null` if it is not set. */
  find(code: number): Uint8Array | null {
    return this.#octets.get(code) ?? null;
  }

  /** Set an option; one that is set already keeps its turn. */
  set(code: number, octets: Uint8Array): void {
    this.#octets.set(code, octets);
  }

  delete(code: number): void {
    this.#octets.delete(code);
  }

  /** The codes in ISC dhcpd's order. */
  codes(): readonly number[] {
    const latestFirst = [...this.#octets.keys()].toReversed();
    return latestFirst.toSorted((left, right) => bucketOf(left) - bucketOf(right));
  }
}

const bucketOf = (code: number): number => ((code & 31) + (code >> 5)) % BUCKETS;

/** What holds for one client. */
export class Evaluation {
  readonly options = new OptionState();
  readonly #parameters = new Map<ParameterName, ParameterValue>();
  readonly #permissions = new Map<Permission, Allowance["verdict"]>();

  /** Let the statements of `scope` hold, after those around it, up to the scopes of `limit`. */
  enter(scope: Scope, limit: Scope | null = null): void {
    for (let one = limit; one !== null; one = one.parent) if (one === scope) return;
    if (scope.parent !== null) this.enter(scope.parent, limit);
    for (const item of scope.items) this.#take(item);
  }

  /** @returns a number; `null` if the parameter is not set. */
  number(name: ParameterName): number | null {
    const value = this.#parameters.get(name);
    return typeof value === "number" ? value : null;
  }

  /** @returns a flag; `null` if the parameter is not set. */
  flag(name: ParameterName): boolean | null {
    const value = this.#parameters.get(name);
    return typeof value === "boolean" ? value : null;
  }

  /** @returns a text; empty if the parameter is not set. */
  text(name: ParameterName): string {
    const value = this.#parameters.get(name);
    return typeof value === "string" ? value : "";
  }

  /** @returns the first address; `null` if the parameter is not set. */
  address(name: ParameterName): number | null {
    const value = this.#parameters.get(name);
    return typeof value === "object" ? (value[0] ?? null) : null;
  }

  /** True if `deny` or `ignore` was said of `subject`. */
  isDenied(subject: Permission): boolean {
    const verdict = this.#permissions.get(subject);
    return verdict === "deny" || verdict === "ignore";
  }

  #take(item: Item): void {
    if (item.kind === "option") this.options.set(item.option.code, item.octets);
    else if (item.kind === "parameter") this.#parameters.set(item.name, item.value);
    else if (item.kind === "permission") this.#permissions.set(item.subject, item.verdict);
  }
}
