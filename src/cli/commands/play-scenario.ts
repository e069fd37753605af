/** What `demo` and `run` share: a scenario is played, told and captured. @module */
import { pino } from "pino";
import type { Logger } from "../../base/log.ts";
import { CaptureFile } from "../capture-file.ts";
import { ExitCode } from "../failure.ts";
import type { Output } from "../output.ts";
import type { CapturingOptions, LogLevel } from "../run-options.ts";
import type { RunEvent } from "../scenario/events.ts";
import type { Plan } from "../scenario/plan.ts";
import { play, type PlayOutcome } from "../scenario/play.ts";
import { Progress } from "../progress.ts";
import { stateOf } from "../state.ts";
import { Story } from "../story.ts";
import type { Surface } from "../surface.ts";
import { tellCapture } from "../tell-capture.ts";

/** How structured lines look, apart from the clock, which is not virtual time's. */
const LOG_OPTIONS = { base: null, formatters: { level: (label: string) => ({ level: label }) } };

/** Structured lines on standard error, without a clock. */
export function openLog(level: LogLevel): Logger {
  const options = { ...LOG_OPTIONS, level, timestamp: false };
  return pino(options, pino.destination({ fd: 2, sync: true }));
}

/** Structured lines with the time; nobody waits for a reader, who misses some if he is slow. */
export function openLossyLog(level: LogLevel, err: Output): Logger {
  const options = { ...LOG_OPTIONS, level, timestamp: pino.stdTimeFunctions.isoTime };
  const write = (line: string): void => {
    if (!err.isFull) err.write(line);
  };
  return pino(options, { write });
}

/**
 * Play `plan` as `options` say. With a capture on standard output, what is told goes to standard
 * error.
 * @throws {InputError} as {@link play}, and if the capture cannot be written.
 */
export async function playScenario(
  plan: Plan,
  options: CapturingOptions,
  { out, err, interrupts }: Surface,
): Promise<ExitCode> {
  const { pcapng, json = false, seed = null, until = null, logLevel, state = false } = options;
  const told = pcapng === "-" ? err : out;
  const capture = pcapng === undefined ? null : await CaptureFile.open(pcapng);
  const story = new Story(told);
  const progress = new Progress(err);
  const tell = json
    ? (event: RunEvent): void => told.line(JSON.stringify(event))
    : (event: RunEvent): void => story.tell(event);
  let outcome: PlayOutcome;
  try {
    outcome = await play({
      plan,
      seed,
      until,
      capture,
      traceLimit: 0,
      log: openLog(logLevel),
      signal: interrupts.listen(),
      onEvent: (event) => {
        progress.clear();
        tell(event);
      },
      onSlice: (now, end) => progress.show(now, end),
    });
  } finally {
    progress.clear();
    await capture?.close();
  }
  if (capture !== null) tellCapture(capture, json, told);
  if (state) tellState(outcome, json, told);
  return outcome.failed > 0 ? ExitCode.Failed : ExitCode.Done;
}

function tellState({ world }: PlayOutcome, json: boolean, told: Output): void {
  for (const state of [...world.hosts].flatMap(stateOf)) {
    if (json) {
      told.line(JSON.stringify({ event: "state", ...state }));
      continue;
    }
    const { host, router, command, text } = state;
    told.line();
    told.line(told.paint("heading", `${host}/${router}# ${command}`));
    told.write(text);
  }
}
