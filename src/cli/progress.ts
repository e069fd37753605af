/** How far a long run has come, on the last line of a terminal. @module */
import type { Instant } from "../base/time.ts";
import { formatCount, formatInstant } from "./layout.ts";
import type { Output } from "./output.ts";

/** Real time before anything is shown, and between two looks. */
const PATIENCE_MS = 1000;
const PAUSE_MS = 200;
/** ECMA-48: to the first column, and erase to the end of the line. */
const ERASE = "\r\u001B[K";

/** Shows itself on standard error, if that is a terminal and the run takes its time. */
export class Progress {
  readonly #err: Output;
  readonly #clock: () => number;
  #next: number;
  #isShown = false;

  /** @param clock milliseconds of real time. */
  constructor(err: Output, clock: () => number = () => performance.now()) {
    this.#err = err;
    this.#clock = clock;
    this.#next = clock() + PATIENCE_MS;
  }

  /** The run is at `now`; it ends at `end`, as far as that is known. */
  show(now: Instant, end: Instant): void {
    if (!this.#isDue()) return;
    const share = Math.floor((now / end) * 100);
    this.#draw(`${formatInstant(now)} of ${formatInstant(end)}, ${share} %`);
  }

  /** So many octets were read of `all`; `null` if nobody knows how many there are. */
  showOctets(read: number, all: number | null): void {
    if (!this.#isDue()) return;
    const share =
      all === null ? "" : ` of ${formatCount(all)}, ${Math.floor((read / all) * 100)} %`;
    this.#draw(`${formatCount(read)} octets${share}`);
  }

  /** Make room for other text. */
  clear(): void {
    if (this.#isShown) this.#err.write(ERASE);
    this.#isShown = false;
  }

  #isDue(): boolean {
    const clock = this.#clock();
    if (!this.#err.isTerminal || clock < this.#next) return false;
    this.#next = clock + PAUSE_MS;
    return true;
  }

  #draw(text: string): void {
    this.#isShown = true;
    this.#err.write(`${ERASE}${this.#err.paint("faint", text)}`);
  }
}
