/** `dom0 schema`: the JSON Schema of scenario files. @module */
import { ExitCode } from "../failure.ts";
import { publishedText } from "../scenario/published.ts";
import type { Surface } from "../surface.ts";

/** Print what `schema/scenario.json` says. */
export function schemaCommand({ out }: Surface): ExitCode {
  out.write(publishedText());
  return ExitCode.Done;
}
