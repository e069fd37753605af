/** The project's own sources, parsed: what the architecture and tidy tests look at. @module */
import { readdirSync, readFileSync } from "node:fs";
import { type ESTree, parseSync } from "rolldown/utils";

export type Node = ESTree.Node;

export interface Source {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: ESTree.Program;
  readonly comments: ReturnType<typeof parseSync>["comments"];
}

/** Called for `node`; `ancestors` are innermost first. */
type Visit = (node: Node, ancestors: readonly Node[]) => void;

/** @throws {SyntaxError} if `text` is not TypeScript. */
export function parseSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text);
  const [error] = errors;
  if (error !== undefined) throw new SyntaxError(`${path}: ${error.message}`);
  return { path, text, program, comments };
}

/** Every TypeScript file below `folder`, in alphabetical order. */
export function readSources(folder: string): readonly Source[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => `${folder}/${path.replaceAll("\\", "/")}`)
    .toSorted()
    .map((path) => parseSource(path, readFileSync(path, "utf8")));
}

/** The number of the line, from 1, that `offset` is on. */
export function lineAt(source: Source, offset: number): number {
  return source.text.slice(0, offset).split("\n").length;
}

/** Visit every node, parents first. */
export function walk(source: Source, visit: Visit): void {
  descend(source.program, [], visit);
}

function descend(node: Node, ancestors: readonly Node[], visit: Visit): void {
  visit(node, ancestors);
  const below = [node, ...ancestors];
  for (const child of Object.values(node).flat()) {
    if (isNode(child)) descend(child, below, visit);
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && "start" in value;
}
