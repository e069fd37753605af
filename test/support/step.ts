/** Steps of model-based properties: done to a naive model and to the real thing alike. @module */
import type fc from "fast-check";
import { expect } from "vitest";

/** A step after which both must have answered alike and must look alike. */
export class Step<Model extends object, Real> implements fc.Command<Model, Real> {
  readonly #name: string;
  readonly #act: (subject: Model | Real) => unknown;
  readonly #look: (subject: Model | Real) => unknown;

  constructor(
    name: string,
    act: (subject: Model | Real) => unknown,
    look: (subject: Model | Real) => unknown,
  ) {
    this.#name = name;
    this.#act = act;
    this.#look = look;
  }

  check(): boolean {
    return true;
  }

  run(model: Model, real: Real): void {
    expect(this.#act(real)).toEqual(this.#act(model));
    expect(this.#look(real)).toEqual(this.#look(model));
  }

  toString(): string {
    return this.#name;
  }
}
