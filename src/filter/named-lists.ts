/** What rules share by name, in whatever table they stand (`recent`, `hashlimit`). @module */

/** Lists by name, each made when the first rule asks for it. */
export class NamedLists<L> {
  readonly #lists = new Map<string, L>();

  /** True if no rule asks for a list. */
  get isEmpty(): boolean {
    return this.#lists.size === 0;
  }

  /** The list of that name; `make` makes it if there is none. */
  get(name: string, make: () => L): L {
    const found = this.#lists.get(name);
    if (found !== undefined) return found;
    const list = make();
    this.#lists.set(name, list);
    return list;
  }

  /** Forget the lists that no rule asks for any more. */
  keepOnly(names: ReadonlySet<string>): void {
    for (const name of this.#lists.keys()) if (!names.has(name)) this.#lists.delete(name);
  }
}
