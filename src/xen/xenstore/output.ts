/** Messages on their way to a client, as octets one after the other. @module */
import { viewOf } from "../../wire/field.ts";
import type { Errno } from "./errno.ts";
import { HEADER_LENGTH, MESSAGE, Operation } from "./message.ts";
import { placeOctets, writeText } from "./octets.ts";
import type { Request } from "./request.ts";

const FIRST_SIZE = 8192;

/** Whose messages they are. */
export interface OutputOwner {
  /** Why an answer with so many octets cannot be given; `null` if it can. Errors always can. */
  judge(octets: number): Errno | null;
  /** An answer is whole: so many octets with its header. */
  answered(octets: number): void;
}

/** Grows as need be; whoever owns it keeps the bound. */
export class Output {
  readonly #owner: OutputOwner;
  #bytes = new Uint8Array(FIRST_SIZE);
  #view = viewOf(this.#bytes);
  #start = 0;
  #end = 0;

  constructor(owner: OutputOwner) {
    this.#owner = owner;
  }

  /** Octets that wait. */
  get length(): number {
    return this.#end;
  }

  /** Begin the answer to `request`, of the same type. `text` and `octets` follow, then `finish`. */
  begin(request: Request, type = request.type): this {
    this.#header(type, request.requestId, request.transactionId);
    return this;
  }

  /** Append text without a NUL. */
  text(text: string): this {
    this.#reserve(text.length);
    writeText(text, this.#bytes, this.#end);
    this.#end += text.length;
    return this;
  }

  append(octets: Uint8Array): this {
    const { length } = octets;
    this.#reserve(length);
    placeOctets(octets, 0, length, this.#bytes, this.#end);
    this.#end += length;
    return this;
  }

  /** The message is whole: `request` is what it answers. */
  finish(request: Request): void {
    const length = this.#end - this.#start - HEADER_LENGTH;
    const refused = this.#owner.judge(length);
    if (refused === null) {
      MESSAGE.length.set(this.#view, this.#start, length);
      this.#owner.answered(HEADER_LENGTH + length);
    } else {
      this.#end = this.#start;
      this.error(request, refused);
    }
  }

  ok(request: Request): void {
    this.begin(request).text("OK\0").finish(request);
  }

  /** Refuse `request`. */
  error(request: Request, errno: Errno): void {
    this.begin(request, Operation.ERROR).text(errno).text("\0").finish(request);
  }

  event(path: string, token: string): void {
    this.#header(Operation.WATCH_EVENT, 0, 0);
    this.text(path).text("\0").text(token).text("\0");
    MESSAGE.length.set(this.#view, this.#start, this.#end - this.#start - HEADER_LENGTH);
  }

  /** The first {@link length} octets of it wait. Only {@link drop} changes those. */
  get octets(): Uint8Array {
    return this.#bytes;
  }

  /** `count` octets have been taken; fewer may be left by then. */
  drop(count: number): void {
    if (count < this.#end) this.#bytes.copyWithin(0, count, this.#end);
    this.#end = Math.max(0, this.#end - count);
  }

  #header(type: number, requestId: number, transactionId: number): void {
    this.#reserve(HEADER_LENGTH);
    const at = this.#end;
    MESSAGE.type.set(this.#view, at, type);
    MESSAGE.requestId.set(this.#view, at, requestId);
    MESSAGE.transactionId.set(this.#view, at, transactionId);
    this.#start = at;
    this.#end = at + HEADER_LENGTH;
  }

  #reserve(octets: number): void {
    const wanted = this.#end + octets;
    if (wanted <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(wanted, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#bytes = larger;
    this.#view = viewOf(larger);
  }
}
