/** `dom0 run`: a scenario file. @module */
import type { ExitCode } from "../failure.ts";
import { readText } from "../input.ts";
import type { CapturingOptions } from "../run-options.ts";
import { readScenario } from "../scenario/read.ts";
import type { Surface } from "../surface.ts";
import { playScenario } from "./play-scenario.ts";

/** @throws {InputError} if the file, or something in it, cannot be used. */
export async function runCommand(
  file: string,
  options: CapturingOptions,
  surface: Surface,
): Promise<ExitCode> {
  const plan = readScenario(file, await readText(file));
  return playScenario(plan, options, surface);
}
