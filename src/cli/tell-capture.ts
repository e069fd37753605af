/** What a run says of the capture that it wrote. @module */
import type { CaptureFile } from "./capture-file.ts";
import { formatCount } from "./layout.ts";
import type { Output } from "./output.ts";
import { plural } from "./scenario/words.ts";

/** Tell where the capture is and what it holds: a line, or an object for programs. */
export function tellCapture(
  { path, frames, interfaces, octets }: CaptureFile,
  json: boolean,
  told: Output,
): void {
  if (json) {
    told.line(JSON.stringify({ event: "capture", path, frames, interfaces, octets }));
    return;
  }
  const where = path === "-" ? "standard output" : path;
  const what = `${formatCount(frames)} ${plural(frames, "frame")}`;
  const from = `${interfaces} ${plural(interfaces, "interface")}`;
  told.line(`${where}: ${what} of ${from}, ${formatCount(octets)} octets of pcapng.`);
  const hint = "In Wireshark, what came to nothing has the reason as its comment.";
  told.line(told.paint("faint", hint));
}
