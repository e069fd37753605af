/** Scenarios as texts, played without a file. @module */
import { SILENT } from "../../../src/base/log.ts";
import type { RunEvent } from "../../../src/cli/scenario/events.ts";
import { play, type PlayOptions, type PlayOutcome } from "../../../src/cli/scenario/play.ts";
import { readScenario } from "../../../src/cli/scenario/read.ts";

/** The outcome, all that was told, and the capture. */
export interface Played extends PlayOutcome {
  readonly events: readonly RunEvent[];
  readonly capture: Uint8Array;
}

/** Play `text` to its end. */
export async function playText(text: string, options: Partial<PlayOptions> = {}): Promise<Played> {
  const events: RunEvent[] = [];
  const chunks: Uint8Array[] = [];
  const outcome = await play({
    plan: readScenario("s.yaml", text),
    seed: null,
    until: null,
    capture: { sink: (chunk) => chunks.push(chunk.slice()), flush: async () => {} },
    traceLimit: 0,
    log: SILENT,
    signal: new AbortController().signal,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { ...outcome, events, capture: Buffer.concat(chunks) };
}
