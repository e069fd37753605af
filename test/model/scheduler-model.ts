/** The scheduler as it reads: a list of events, searched from the front. @module */

interface Event {
  readonly name: string;
  readonly at: number;
  readonly order: number;
}

/** Keeps events in a plain list; what is due first, and then what became due first, runs first. */
export class SchedulerModel {
  now = 0;
  #order = 0;
  #events: Event[] = [];

  /** Give `name` the deadline `at`; the same one again keeps its turn, `Infinity` takes it away. */
  set(name: string, at: number): void {
    const due = Math.max(at, this.now);
    if (this.#events.some((event) => event.name === name && event.at === due)) return;
    this.delete(name);
    if (due === Number.POSITIVE_INFINITY) return;
    this.#events.push({ name, at: due, order: this.#order++ });
  }

  delete(name: string): void {
    this.#events = this.#events.filter((event) => event.name !== name);
  }

  get soonest(): number {
    return Math.min(...this.#events.map((event) => event.at));
  }

  /** Take the next event out and pass to its time. @returns its name, or `null`. */
  take(): string | null {
    const [first] = this.#events.toSorted((a, b) => a.at - b.at || a.order - b.order);
    if (first === undefined) return null;
    this.delete(first.name);
    this.now = first.at;
    return first.name;
  }
}
