/** A guest's request until all that it brought about is delivered. @module */
import type { StoreDomain } from "./domain-table.ts";

/** Counts as outstanding for its domain until its answer and its events are taken. */
export class Cause {
  readonly #domain: StoreDomain;
  readonly #room: () => void;
  #open = 1;

  /** `room` is called at the end. */
  constructor(domain: StoreDomain, room: () => void) {
    this.#domain = domain;
    this.#room = room;
    domain.outstanding++;
  }

  /** It caused an event. */
  add(): void {
    this.#open++;
  }

  /** Its answer, or an event, has been taken or lost. */
  delivered(): void {
    if (--this.#open > 0) return;
    this.#domain.outstanding--;
    this.#room();
  }
}
