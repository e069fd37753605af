/** How a server ends: by a signal, at an instant, or by what went wrong. @module */

/** Ends once; what comes later is not heard. */
export class Ending {
  #resolve: () => void = () => {};
  #reject: (error: Error) => void = () => {};
  readonly #promise: Promise<void>;

  constructor(signal: AbortSignal) {
    this.#promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // It may fail before somebody waits for it.
    this.#promise.catch(() => {});
    if (signal.aborted) this.#resolve();
    signal.addEventListener("abort", () => this.#resolve());
  }

  /** End in order. */
  readonly now = (): void => this.#resolve();

  /** End because of `error`. */
  readonly fail = (error: unknown): void =>
    this.#reject(error instanceof Error ? error : new Error(String(error)));

  /** Wait for the end. @throws what {@link fail} was told. */
  async wait(): Promise<void> {
    await this.#promise;
  }
}
