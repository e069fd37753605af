/** What a capture should hold, kept the naive way: as a list of all frames. @module */
import type { Fate } from "../../src/wire/packet.ts";

/** A frame as it should be in the file. */
export interface Seen {
  readonly device: string;
  readonly direction: "inbound" | "outbound";
  readonly at: number;
  readonly id: number;
  readonly slot: number;
  readonly octets: readonly number[];
  comment: string | null;
}

/** Remembers everything; marks the packet's last frame of this instant, 16 back at most. */
export class CaptureModel {
  readonly frames: Seen[] = [];
  #flushed = 0;

  see(frame: Omit<Seen, "comment">): void {
    this.frames.push({ ...frame, comment: null });
  }

  end(
    frame: Omit<Seen, "comment"> | null,
    fate: Fate,
    last: Pick<Seen, "id" | "slot" | "at">,
  ): void {
    if (fate !== "dropped" && fate !== "discarded") return;
    const comment = `${fate}: test/${fate}`;
    const reach = this.frames.slice(Math.max(this.#flushed, this.frames.length - 16));
    const found = reach.findLast(
      ({ id, slot, at }) => id === last.id && slot === last.slot && at === last.at,
    );
    if (found !== undefined) found.comment = comment;
    else if (frame !== null) this.frames.push({ ...frame, comment });
  }

  flush(): void {
    this.#flushed = this.frames.length;
  }
}
