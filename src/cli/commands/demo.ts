/** `dom0 demo`: the seed document's own host. @module */
import { DEMO_NAME, DEMO_SCENARIO } from "../demo-scenario.ts";
import type { ExitCode } from "../failure.ts";
import type { CapturingOptions } from "../run-options.ts";
import { readScenario } from "../scenario/read.ts";
import type { Surface } from "../surface.ts";
import { playScenario } from "./play-scenario.ts";

/** @throws {InputError} if the capture cannot be written. */
export async function demoCommand(options: CapturingOptions, surface: Surface): Promise<ExitCode> {
  const plan = readScenario(DEMO_NAME, DEMO_SCENARIO);
  return playScenario(plan, { pcapng: "demo.pcapng", ...options }, surface);
}
