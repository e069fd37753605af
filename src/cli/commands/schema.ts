/** `dom0 schema`: the JSON Schema of scenario files. @module */
import { ExitCode } from "../failure.ts";
import { publishedText } from "../scenario/published.ts";
import type { Surface } from "./play-scenario.ts";

/** Print the schema that `schema/scenario.json` holds. */
export function schemaCommand({ out }: Surface): ExitCode {
  out.write(publishedText());
  return ExitCode.Done;
}
