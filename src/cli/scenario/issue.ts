/** From what zod found to one sentence each, with the key and the line. @module */
import type { core } from "zod";
import { faultAt } from "../failure.ts";
import type { PublishedSchema } from "../published.ts";
import { hint } from "../suggest.ts";
import { shown } from "./leaf.ts";
import { keyOf, type Path } from "./path.ts";
import type { SourceText } from "./source.ts";

type Issue = core.$ZodIssue;

/** The faults in `source`, a file of the `published` kind, in the order of their lines. */
export function faultTexts(
  source: SourceText,
  issues: readonly Issue[],
  published: PublishedSchema,
): string[] {
  return issues
    .flatMap((issue) => explain({ source, published }, issue, []))
    .sort((left, right) => left.line - right.line)
    .map(({ line, path, message }) => faultAt({ file: source.file, line }, keyOf(path), message));
}

interface Fault {
  readonly line: number;
  readonly path: Path;
  readonly message: string;
}

/** What faults are explained with. */
interface Explained {
  readonly source: SourceText;
  readonly published: PublishedSchema;
}

function explain(file: Explained, issue: Issue, before: Path): Fault[] {
  const { source, published } = file;
  const path = [...before, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => {
        const own = [...path, key];
        const message = `unknown key; ${hint(key, published.knownKeys(path))}`;
        return { line: source.lineOfKey(own), path: own, message };
      });
    case "invalid_union":
      return nearestBranch(issue.errors).flatMap((one) => explain(file, one, path));
    case "invalid_key":
      return issue.issues.map(({ message }) => ({ line: source.lineOfKey(path), path, message }));
    case "invalid_type":
      return [{ line: source.lineOf(path), path, message: typeMessage(issue, source.at(path)) }];
    default:
      return [{ line: source.lineOf(path), path, message: issue.message }];
  }
}

/** A scalar has words of its own; what zod says of mappings and lists is put into ours. */
function typeMessage(issue: Issue & { readonly code: "invalid_type" }, value: unknown): string {
  if (value === undefined) return `is missing${reasonBehind(issue.message)}`;
  if (!issue.message.startsWith("Invalid input")) return issue.message;
  const isList = issue.expected === "array" || issue.expected === "tuple";
  return `expected ${isList ? "a list" : "a mapping of keys"}, got ${shown(value)}`;
}

/** ", expected a duration ..." of "expected a duration ..., got nothing". */
function reasonBehind(message: string): string {
  return message.startsWith("expected ") ? `, ${message.replace(/, got nothing$/, "")}` : "";
}

/** What was meant most likely: the first branch that takes this kind of value at all. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] {
  const takesKind = (issues: readonly Issue[]): boolean =>
    issues.every(({ code, path }) => path.length > 0 || code !== "invalid_type");
  return branches.find(takesKind) ?? branches[0] ?? [];
}
