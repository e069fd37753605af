/** The way of one packet, told to people. @module */
import type { PacketStory } from "../zone/packet-trace.ts";
import { table } from "./layout.ts";
import type { Output } from "./output.ts";

/** Tell `story`; `summary` says what the packet is, `null` if that is not known. */
export function tellStory(
  { id, steps, ends }: PacketStory,
  summary: string | null,
  out: Output,
): void {
  out.line(out.paint("heading", summary === null ? `packet ${id}` : `packet ${id}: ${summary}`));
  const rows = [
    ...steps.map(({ at, where, what }) => [microseconds(at), where, what]),
    ...ends.map(({ at, fate, reason }) => [microseconds(at), fate, reason]),
  ];
  const columns = [{ title: "when", isNumber: true }, { title: "where" }, { title: "what" }];
  const [title = "", ...lines] = table(columns, rows, { width: out.width, indent: 2 });
  out.line(out.paint("faint", title));
  for (const line of lines) out.line(line);
}

const microseconds = (at: number): string => `${(at / 1_000_000).toFixed(6)} s`;
