/** What is wrong with a scenario, collected with its places. @module */
import { faultAt } from "../failure.ts";
import { keyOf, type Path } from "./path.ts";
import type { SourceText } from "./source.ts";

interface Fault {
  readonly line: number;
  readonly text: string;
}

/** Collects what is wrong, with its place. */
export class FaultList {
  readonly #source: SourceText;
  readonly #faults: Fault[] = [];

  constructor(source: SourceText) {
    this.#source = source;
  }

  add(path: Path, message: string): void {
    const line = this.#source.lineOf(path);
    this.#faults.push({
      line,
      text: faultAt({ file: this.#source.file, line }, keyOf(path), message),
    });
  }

  /** In the order of their lines. */
  get texts(): string[] {
    return this.#faults.toSorted((left, right) => left.line - right.line).map(({ text }) => text);
  }

  /** For messages about another place. */
  placeOf(path: Path): string {
    return `${keyOf(path)} on line ${this.#source.lineOf(path)}`;
  }
}
