/** `dom0 schema`: the JSON Schemas of scenario and world files. @module */
import { ExitCode } from "../failure.ts";
import type { Surface } from "../surface.ts";

/** The kinds of files that have one. */
export const KINDS = ["scenario", "world"] as const;
/** One of {@link KINDS}. */
export type Kind = (typeof KINDS)[number];

/** Print what `schema/<kind>.json` says. */
export async function schemaCommand(kind: Kind, { out }: Surface): Promise<ExitCode> {
  if (kind === "scenario") {
    const { PUBLISHED_SCENARIO } = await import("../scenario/schema.ts");
    out.write(PUBLISHED_SCENARIO.text);
  } else {
    const { PUBLISHED_WORLD } = await import("../router/schema.ts");
    out.write(PUBLISHED_WORLD.text);
  }
  return ExitCode.Done;
}
