/** Counts by name. @module */

interface Counter {
  readonly name: string;
  count: number;
}

/** How often each name was counted. The names are a closed set of the program's own. */
export class Tally<Name extends string = string> {
  readonly #counters = new Map<Name, Counter>();
  /** The same name often comes again and again. */
  #last: Counter = { name: "", count: 0 };

  count(name: Name, times = 1): void {
    if (this.#last.name !== name) this.#last = this.#counterOf(name);
    this.#last.count += times;
  }

  get(name: Name): number {
    return this.#counters.get(name)?.count ?? 0;
  }

  /** Names and counts in alphabetical order. */
  entries(): [Name, number][] {
    return [...this.#counters]
      .map(([name, { count }]): [Name, number] => [name, count])
      .toSorted(([left], [right]) => (left < right ? -1 : 1));
  }

  #counterOf(name: Name): Counter {
    const known = this.#counters.get(name);
    if (known !== undefined) return known;
    const counter = { name, count: 0 };
    this.#counters.set(name, counter);
    return counter;
  }
}
