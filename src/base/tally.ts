/** Counts by name. @module */

/** How often each name was counted. The names are a closed set of the program's own. */
export class Tally<Name extends string = string> {
  readonly #counts = new Map<Name, number>();

  count(name: Name): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + 1);
  }

  get(name: Name): number {
    return this.#counts.get(name) ?? 0;
  }

  /** Names and counts in alphabetical order. */
  entries(): [Name, number][] {
    return [...this.#counts].sort(([left], [right]) => (left < right ? -1 : 1));
  }
}
