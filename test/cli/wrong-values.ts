/** Every place of a file by its published JSON Schema, and what may not stand there. */

/** A part of a JSON Schema, as far as it is used here. */
export interface Schema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, Schema>>;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: Schema | boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly pattern?: string;
  readonly allOf?: readonly Schema[];
}

export type Path = readonly (string | number)[];

/** One place of a sample, and how its schema describes it. */
export interface Place {
  readonly path: Path;
  /** What may stand there; the names of definitions that they have. */
  readonly branches: readonly { readonly schema: Schema; readonly id: string | null }[];
}

/** All places of `sample`, with the keys that the schema knows and the sample has not. */
export function placesOf(root: Schema, sample: unknown): { places: Place[]; missing: string[] } {
  const places: Place[] = [];
  const missing = new Set<string>();
  const met = new Set<string>();
  const solid = (schema: Schema, id: string | null): Place["branches"] => {
    if (schema.$ref !== undefined) {
      const name = schema.$ref.replace("#/$defs/", "");
      return solid(root.$defs?.[name] ?? {}, name);
    }
    if (schema.allOf !== undefined) return schema.allOf.flatMap((one) => solid(one, id));
    if (schema.anyOf !== undefined) return schema.anyOf.flatMap((one) => solid(one, id));
    return [{ schema, id }];
  };
  const walk = (schemas: readonly Schema[], value: unknown, path: Path, place: string): void => {
    const branches = schemas.flatMap((schema) => solid(schema, null));
    places.push({ path, branches });
    for (const { schema } of branches) {
      for (const key of Object.keys(schema.properties ?? {})) {
        if (!met.has(`${place}.${key}`)) missing.add(`${place}.${key}`);
      }
    }
    if (typeof value !== "object" || value === null) return;
    for (const [key, below] of Object.entries(value)) {
      const isList = Array.isArray(value);
      const own = isList ? `${place}[]` : `${place}.${key}`;
      const next = branches.flatMap(({ schema }) => {
        const known = isList ? schema.items : schema.properties?.[key];
        if (known !== undefined) return [known];
        const { additionalProperties: rest } = schema;
        return typeof rest === "object" ? [rest] : [];
      });
      met.add(own);
      missing.delete(own);
      if (next.length === 0) throw new Error(`the schema does not know ${own}`);
      walk(next, below, [...path, isList ? Number(key) : key], own);
    }
  };
  walk([root], sample, [], "");
  return { places, missing: [...missing] };
}

/** YAML texts that are no text, no number, and so on. */
const OF_TYPE = {
  string: ["a text", '""', '" "', '"null"', '"\\u0000"', '"\\u202E\\uD83D\\uDE00"', '"5"', '"-1"'],
  number: ["-1", "0.5", "1e308", "-1e308", ".nan", ".inf", "-.inf", "99999999999999999999", "-0.1"],
  boolean: ["true", "false"],
  null: ["null", "~"],
  array: ["[]", "[1]", "[[]]", "[null]", "!!set {a}", "!!binary aGVsbG8="],
  object: ["{}", "{a: 1}", "{? a: b}"],
} as const;

/** Texts that are wrong where the definition of that name is wanted. */
const OF_DEFINITION: Readonly<Record<string, readonly string[]>> = {
  Duration: [
    "5",
    "-5s",
    "5 s",
    "1e9s",
    "NaNs",
    "5S",
    "5s 5s",
    "99999999999d",
    "36526d",
    "٣s",
    ".5s",
  ],
  Ipv4Address: [
    ...["010.254.170.2", "10.254.170.02", "0x0a.1.1.1", "10.254.170", "10.1.1.1.1", "10.1.1.256"],
    ...["167772161", "１０.1.1.1", " 10.1.1.1", "10.1.1.1 ", "10.1.1.1/32", "10.1.1.-1", "::1"],
    ...["0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10..1.1", "10.1.1.1\\n"],
  ],
  InterfaceAddress: [
    "10.1.1.1/33",
    "10.1.1.1/-1",
    "10.1.1.1/",
    "10.1.1.1/8/8",
    "010.1.1.1/8",
    "0/0",
  ],
  Prefix: ["10.1.1.1/8", "10.0.0.0/33", "10.0.0.0/08/", "0.0.0.0/-0", "00.0.0.0/0", "10.0.0.0/1e1"],
  MacAddress: ["12:31:39:00:A5", "12:31:39:00:A5:1", "12:31:39:00:A5:GG", "1:2:3:4:5:6", "123139"],
  StationMacAddress: ["01:00:5e:00:00:01", "ff:ff:ff:ff:ff:ff", "00:00:00:00:00:00", "12-31:39-00"],
  DomainName: ["dom_", "dom_-1", "dom_01", "dom_4294967296", "dom_1e3", "DOM_1", "dom_1 ", "dom_٣"],
  Name: ["a b", "a/b", "ä", "a\\nb", "x".repeat(65)],
  VifRate: ["fast", "10", "10Mb", "-1Mb/s", "10Mb/s@", "1e3b/s", "10Mb/s@-5ms", "10 Mb/s"],
  PlugAddress: ["unix:", "tcp:1", "/tmp/a.sock", `unix:/${"x".repeat(107)}`, "unix:/a\\0b"],
  FrameRules: ["*nonsense", "-A INPUT -j DROP", "*filter\\n-A NOWHERE -j DROP"],
  Frame: ["0", "zz", "001122", "ff:ff", "0x112233445566778899aabbccddee"],
  Probability: [],
  Reason: ["nothing", "a/b/c", "A/b", "/"],
  AddressWords: ["10.1.1.1/33", "10.1", "nonsense here", "10.1.1.1/24 brd", "010.1.1.1/24"],
  RouteWords: [
    "default",
    "nonsense",
    "10.0.0.0/33 dev eth0",
    "default via 999.1.1.1",
    "10.0.0.0/8 dev",
  ],
};

/** JSON's names of types; integer is a number here. */
const typeOf = ({ type, enum: values, const: value }: Schema): string => {
  if (type === "integer") return "number";
  return type ?? typeof (value ?? values?.[0]);
};

/** Values, as YAML writes them, that are wrong at a place whatever else the file says. */
export function wrongAt({ branches }: Place): string[] {
  const types = new Set(branches.map(({ schema }) => typeOf(schema)));
  const ofTypes = Object.entries(OF_TYPE).flatMap(([type, texts]) =>
    types.has(type) ? [] : texts,
  );
  const isBounded = branches.every(({ schema }) => schema.maximum !== undefined);
  const numbers = branches.flatMap(({ schema: { type, minimum, maximum } }) => [
    ...(type === "integer" ? ["1.5", "1e-9"] : []),
    ...(minimum === undefined ? [] : [String(minimum - 1), "-.inf"]),
    ...(maximum === undefined ? [] : [String(maximum + 1), ".inf", "1e308"]),
    ".nan",
  ]);
  const texts = branches.flatMap(({ schema, id }) => {
    if (schema.enum !== undefined || schema.const !== undefined) return ["", "x", "TRUE", " "];
    return (OF_DEFINITION[id ?? ""] ?? []).concat(schema.minLength === 1 ? [""] : []);
  });
  // What one branch takes is no wrong value for the place: several texts are judged by hand.
  const hasSeveralTexts = branches.filter(({ schema }) => typeOf(schema) === "string").length > 1;
  return [
    ...ofTypes,
    ...(types.has("number") && isBounded && types.size === 1 ? numbers : []),
    ...(types.has("string") && !hasSeveralTexts ? texts.map((text) => `"${text}"`) : []),
  ];
}

/** `sample` as text, with `replacement`, as YAML writes it, at `path`; and the line of that. */
export function replacedText(
  sample: unknown,
  path: Path,
  replacement: string,
): { text: string; line: number } {
  const copy: unknown = structuredClone(sample);
  const marker = "@@HERE@@";
  let target: unknown = copy;
  for (const key of path.slice(0, -1)) target = Reflect.get(target as object, key);
  Reflect.set(target as object, path.at(-1) ?? "", marker);
  const [before = "", after = ""] = JSON.stringify(copy, null, 1).split(`"${marker}"`);
  return { text: before + replacement + after, line: before.split("\n").length };
}
