/** Tells a run of `dom0 router`: to people, or line by line to programs. @module */
import type { Instant } from "../../base/time.ts";
import type { PacketStory } from "../../zone/packet-trace.ts";
import type { RouterWorld } from "../../zone/world/router-world.ts";
import type { CaptureFile } from "../capture-file.ts";
import { formatCount, formatInstant, table } from "../layout.ts";
import type { Output } from "../output.ts";
import { tellStory } from "../packet-story.ts";
import { plural } from "../scenario/words.ts";
import { tellCapture } from "../tell-capture.ts";
import type { Account } from "./account.ts";
import type { Replay } from "./replay.ts";

/** One report on one output. */
export class RouterReport {
  readonly #out: Output;
  readonly #isJson: boolean;

  constructor(out: Output, isJson: boolean) {
    this.#out = out;
    this.#isJson = isJson;
  }

  /** A rule LOGs; people find it in the packet's story. */
  log(level: number, line: string, packet: number, at: Instant): void {
    if (this.#isJson) this.#object({ event: "log", at, level, line: line.trimEnd(), packet });
  }

  /** The way of a packet; `summary` says what it is, or `null`. */
  story(story: PacketStory, summary: string | null): void {
    if (this.#isJson) {
      this.#object({ event: "packet", summary, ...story });
      return;
    }
    tellStory(story, summary, this.#out);
    this.#out.line();
  }

  /** What became of the capture `file`. */
  end({ frames, passedOver, lost, world }: Replay, { ends }: Account, file: string): void {
    const interfaces = countsOf(world);
    const sent = interfaces.reduce((sum, { out }) => sum + out, 0);
    const { now: at } = world;
    if (this.#isJson) {
      this.#object({ event: "end", at, frames, sent, passedOver, lost, interfaces, ends });
      return;
    }
    const name = file === "-" ? "standard input" : file;
    const came = `${formatCount(frames)} ${plural(frames, "frame")} came in`;
    this.#out.line(`${name}: ${came}, ${formatCount(sent)} left in ${formatInstant(at)}.`);
    if (passedOver > 0) {
      this.#out.line(`${formatCount(passedOver)} that had left were passed over.`);
    }
    if (lost > 0) this.#out.line(`${formatCount(lost)} found no room in the router.`);
    this.#table(
      ["interface", "in", "out"],
      interfaces.map((one) => [one.name, formatCount(one.in), formatCount(one.out)]),
    );
    this.#table(
      ["reason", "frames", "fate"],
      ends.map(({ fate, reason, count }) => [reason, formatCount(count), fate]),
    );
  }

  /** What was written. */
  capture(capture: CaptureFile): void {
    tellCapture(capture, this.#isJson, this.#out);
  }

  /** What the router's own tools would print. */
  state(world: RouterWorld): void {
    const texts: readonly (readonly [string, string])[] = [
      ["ip addr", world.addresses()],
      ["ip route", world.routes()],
      ["ip neigh", world.neighbors()],
      ["iptables-save -c", world.rules()],
      ...(world.ebtables === null ? [] : [["ebtables-save -c", world.frameRules()] as const]),
      ["conntrack -L", world.connections()],
    ];
    for (const [command, text] of texts) {
      if (this.#isJson) {
        this.#object({ event: "state", command, text });
        continue;
      }
      this.#out.line();
      this.#out.line(this.#out.paint("heading", `router# ${command}`));
      this.#out.write(text);
    }
  }

  /** The last column stands left, numbers between. */
  #table([first = "", number = "", last = ""]: readonly string[], rows: string[][]): void {
    const isLastNumber = last === "out";
    const columns = [
      { title: first },
      { title: number, isNumber: true },
      { title: last, isNumber: isLastNumber },
    ];
    const [title, ...lines] = table(columns, rows, { width: this.#out.width, indent: 2 });
    if (title === undefined) return;
    this.#out.line(this.#out.paint("faint", title));
    for (const line of lines) this.#out.line(line);
  }

  #object(event: object): void {
    this.#out.line(JSON.stringify(event));
  }
}

/** Frames by interface. */
function countsOf({ router }: RouterWorld): { name: string; in: number; out: number }[] {
  return [...router.addressing.interfaces.values()]
    .filter(({ isLoopback }) => !isLoopback)
    .map(({ device: { name, rxFrames, txFrames } }) => ({ name, in: rxFrames, out: txFrames }));
}
