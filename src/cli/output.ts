/** Standard output for people: its width, its colours, and a reader that goes away. @module */
import { styleText } from "node:util";
import { EmulatorError } from "../base/errors.ts";
import { systemCode, systemFault } from "../backend/system-error.ts";

/** What a text is, not what it looks like. */
export type Tone = "heading" | "faint" | "good" | "bad" | "warning";

const FORMATS = {
  heading: "bold",
  faint: "dim",
  good: "green",
  bad: "red",
  warning: "yellow",
} as const;

/** What of the environment decides about colours. */
export interface Surroundings {
  readonly NO_COLOR?: string | undefined;
  readonly TERM?: string | undefined;
}

const MOST_WAITING = 2 ** 20;
const NARROWEST = 60;
const WIDEST = 100;
const USUAL = 80;

/** One of the standard streams, as far as it is used here. */
export interface TextStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  /** Octets that wait for a reader. */
  readonly writableLength?: number | undefined;
  write(text: string | Uint8Array): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  once?(event: "drain", listener: () => void): unknown;
}

/** Text output. Once its reader is gone, what is written goes nowhere, and nobody is told. */
export class Output {
  /** Columns to fill, 60 to 100. */
  readonly width: number;
  readonly hasColor: boolean;
  /** True if a person may see what is written as it is written. */
  readonly isTerminal: boolean;
  readonly #stream: TextStream;
  #isGone = false;
  /** Called once the reader is gone. */
  readonly #listeners: (() => void)[] = [];

  constructor(stream: TextStream, { NO_COLOR = "", TERM = "" }: Surroundings) {
    this.#stream = stream;
    // https://no-color.org: any value but the empty one.
    this.isTerminal = stream.isTTY === true && TERM !== "dumb";
    this.hasColor = this.isTerminal && NO_COLOR === "";
    this.width = Math.min(WIDEST, Math.max(NARROWEST, stream.columns ?? USUAL));
    stream.on("error", (error) => {
      this.#isGone = true;
      for (const listener of this.#listeners) listener();
      if (systemCode(error) === "EPIPE") return;
      const fault = systemFault(error);
      if (fault === null) throw error;
      throw new EmulatorError("output", error, `dom0: its output cannot be written: ${fault}`);
    });
  }

  /** True while 1 MiB or more waits for a reader: whoever can do without, says nothing more. */
  get isFull(): boolean {
    return (this.#stream.writableLength ?? 0) >= MOST_WAITING;
  }

  /** Hear that the reader went away; at once if it has. */
  onGone(listener: () => void): void {
    if (this.#isGone) listener();
    else this.#listeners.push(listener);
  }

  /** Wait until nothing waits for the reader, or it has gone. */
  async drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.onGone(resolve);
      if (this.#stream.once === undefined) resolve();
      else this.#stream.once("drain", resolve);
    });
  }

  write(text: string): void {
    if (!this.#isGone) this.#stream.write(text);
  }

  /** `text`, one character an octet. */
  octets(text: string): void {
    if (!this.#isGone) this.#stream.write(Buffer.from(text, "latin1"));
  }

  /** `text` and a line end. */
  line(text = ""): void {
    this.write(`${text}\n`);
  }

  /** `text` in the colour of `tone`, where there are colours. */
  paint(tone: Tone, text: string): string {
    if (!this.hasColor || text.trim() === "") return text;
    return styleText(FORMATS[tone], text, { validateStream: false });
  }
}
