/** The published JSON Schema of a kind of file: `schema/*.json`, `dom0 schema`. @module */
import { z } from "zod";
import type { Path } from "./scenario/path.ts";

/** A part of a JSON Schema, as far as it is looked at here. */
interface Part {
  readonly $ref?: string;
  readonly properties?: Readonly<Record<string, Part>>;
  readonly additionalProperties?: Part | boolean;
  readonly items?: Part;
  readonly anyOf?: readonly Part[];
}

/** What files of one kind may say. */
export class PublishedSchema {
  readonly #schema: z.ZodType;
  /** Made when it is asked for: a sound file needs none. */
  #made: Readonly<Record<string, unknown>> | null = null;

  constructor(schema: z.ZodType) {
    this.#schema = schema;
  }

  /** For people: two blanks a level, a line end at the end. */
  get text(): string {
    return `${JSON.stringify(this.#published, null, 2)}\n`;
  }

  /** The keys that the mapping at `path` may have. */
  knownKeys(path: Path): string[] {
    const root: Part & { readonly $defs?: Readonly<Record<string, Part>> } = this.#published;
    const solid = (part: Part | undefined): Part[] => {
      if (part === undefined) return [];
      const name = part.$ref?.split("/").at(-1) ?? "";
      return [part, ...solid(root.$defs?.[name]), ...(part.anyOf ?? []).flatMap(solid)];
    };
    let parts = solid(root);
    for (const key of path) parts = parts.flatMap((part) => solid(below(part, key)));
    return parts.flatMap(({ properties = {} }) => Object.keys(properties));
  }

  /** JSON Schema, draft 2020-12, of what a file may say before defaults are filled in. */
  get #published(): Readonly<Record<string, unknown>> {
    this.#made ??= z.toJSONSchema(this.#schema, { io: "input", target: "draft-2020-12" });
    return this.#made;
  }
}

function below(
  { properties, additionalProperties, items }: Part,
  key: PropertyKey,
): Part | undefined {
  if (typeof key === "number") return items;
  const own = properties?.[String(key)];
  return own ?? (typeof additionalProperties === "object" ? additionalProperties : undefined);
}
