/** `dom0 explain`: the way of packets through a scenario, step by step. @module */
import type { PacketStory } from "../../zone/packet-trace.ts";
import { DEMO_NAME, DEMO_SCENARIO } from "../demo-scenario.ts";
import { ExitCode, InputError } from "../failure.ts";
import { readText } from "../input.ts";
import { tellStory } from "../packet-story.ts";
import type { RunOptions } from "../run-options.ts";
import type { EventOf } from "../scenario/events.ts";
import { play } from "../scenario/play.ts";
import { readScenario } from "../scenario/read.ts";
import type { Surface } from "../surface.ts";
import { openLog } from "./play-scenario.ts";

/** Options of `explain`. */
export interface ExplainOptions extends RunOptions {
  /** The id of a packet, as captures and stories have it. */
  readonly packet?: number;
  /** All packets that a rule dropped. */
  readonly dropped?: boolean;
}

/** Packets whose way is remembered. */
const REMEMBERED = 65_536;

/**
 * Play a scenario, or the demo's, and tell the way of a packet, or of all that were dropped.
 * @throws {InputError} if the file cannot be used, or there was no such packet.
 */
export async function explainCommand(
  file: string | null,
  options: ExplainOptions,
  { out, interrupts }: Surface,
): Promise<ExitCode> {
  const { packet, dropped = false, seed = null, until = null, json = false, logLevel } = options;
  if ((packet === undefined) === !dropped) {
    throw new InputError(["dom0: explain: expected either --packet ID or --dropped"]);
  }
  const name = file ?? DEMO_NAME;
  const plan = readScenario(name, file === null ? DEMO_SCENARIO : await readText(file));
  const summaries = new Map<number, string>();
  const { world } = await play({
    plan,
    seed,
    until,
    capture: null,
    traceLimit: REMEMBERED,
    log: openLog(logLevel),
    signal: interrupts.listen(),
    onEvent: (event) => {
      if (event.event === "drop") remember(summaries, event);
    },
  });
  const { zone } = world;
  const stories =
    packet === undefined
      ? droppedOf([...(zone.capture.trace?.stories() ?? [])])
      : [zone.explain(packet) ?? missing(packet, name, zone.pool.allocated)];
  if (stories.length === 0 && !json) out.line("No packet was dropped.");
  for (const [index, story] of stories.entries()) {
    if (json) out.line(JSON.stringify({ event: "packet", ...story }));
    else {
      if (index > 0) out.line();
      tellStory(story, summaries.get(story.id) ?? null, out);
    }
  }
  return ExitCode.Done;
}

function remember(summaries: Map<number, string>, { packet, summary }: EventOf<"drop">): void {
  if (!summaries.has(packet)) summaries.set(packet, summary);
}

function droppedOf(stories: readonly PacketStory[]): PacketStory[] {
  return stories.filter(({ ends }) => ends.some(({ fate }) => fate === "dropped"));
}

function missing(packet: number, scenario: string, allocated: number): never {
  const why =
    packet > allocated
      ? `the run had packets 1 to ${allocated}`
      : `only the last ${REMEMBERED} are remembered; --until ends the run earlier`;
  throw new InputError([`${scenario}: packet ${packet} is not known; ${why}`]);
}
