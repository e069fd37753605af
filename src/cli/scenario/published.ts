/** The published JSON Schema of scenario files: `schema/scenario.json`, `dom0 schema`. @module */
import { z } from "zod";
import { SCENARIO } from "./schema.ts";
import type { Path } from "./source.ts";

/** A part of a JSON Schema, as far as it is looked at here. */
interface Part {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Part>>;
  readonly additionalProperties?: Part | boolean;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
}

/** Made when it is asked for: a sound file needs none. */
let made: Readonly<Record<string, unknown>> | null = null;

/** JSON Schema, draft 2020-12, of what a file may say before defaults are filled in. */
function publishedSchema(): Readonly<Record<string, unknown>> {
  made ??= z.toJSONSchema(SCENARIO, { io: "input", target: "draft-2020-12" });
  return made;
}

/** For people: two blanks a level, a line end at the end. */
export function publishedText(): string {
  return `${JSON.stringify(publishedSchema(), null, 2)}\n`;
}

/** The keys that the mapping at `path` may have. */
export function knownKeys(path: Path): string[] {
  const root: Part & { readonly $defs?: Readonly<Record<string, Part>> } = publishedSchema();
  const solid = (part: Part | undefined): Part[] => {
    if (part === undefined) return [];
    const name = part.$ref?.split("/").at(-1) ?? "";
    return [part, ...solid(root.$defs?.[name]), ...(part.anyOf ?? []).flatMap(solid)];
  };
  let parts = solid(root);
  for (const key of path) parts = parts.flatMap((part) => solid(below(part, key)));
  return parts.flatMap(({ properties = {} }) => Object.keys(properties));
}

function below(
  { properties, additionalProperties, items }: Part,
  key: PropertyKey,
): Part | undefined {
  if (typeof key === "number") return items;
  const own = properties?.[String(key)];
  return own ?? (typeof additionalProperties === "object" ? additionalProperties : undefined);
}
