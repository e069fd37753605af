/** The rules of style that a program can judge. @module */
import type { ESTree } from "rolldown/utils";
import { type Node, type Source, lineAt, walk } from "./source.ts";

/** A place that breaks a rule. */
interface Finding {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

export interface Rule {
  readonly name: string;
  /** Where the rule holds. */
  readonly covers: (path: string) => boolean;
  readonly find: (source: Source) => readonly Finding[];
}

const MAX_COLUMNS = 100;
const MAX_LINES = 400;
const MAX_FUNCTION_LINES = 70;
/** RFCs whose sections have no numbers; they are cited whole. */
const UNNUMBERED_RFCS = new Set(["768", "792", "826", "862", "863", "864", "894", "3442"]);
const HOST = /^src\/(?:backend|uplink|cli)\//;

const everywhere = (): boolean => true;
const inSources = (path: string): boolean => path.startsWith("src/");
const belowHost = (path: string): boolean => inSources(path) && !HOST.test(path);

export const RULES: readonly Rule[] = [
  { name: "columns", covers: everywhere, find: findWideLines },
  { name: "lines of a file", covers: everywhere, find: findLongFile },
  { name: "lines of a function", covers: everywhere, find: findLongFunctions },
  { name: "module comment", covers: inSources, find: findMissingModuleComment },
  { name: "documented exports", covers: inSources, find: findUndocumentedExports },
  { name: "citations", covers: everywhere, find: findLooseCitations },
  { name: "work left over", covers: everywhere, find: findLeftWork },
  { name: "loose types", covers: everywhere, find: findLooseTypes },
  {
    name: "assertions of types",
    covers: (path) => inSources(path) && !path.startsWith("src/wire/"),
    find: findTypeAssertions,
  },
  {
    name: "console",
    covers: (path) => inSources(path) && !path.startsWith("src/cli/"),
    find: (source) => findGlobals(source, ["console"]),
  },
  {
    name: "the host computer",
    covers: belowHost,
    find: (source) => findGlobals(source, ["Buffer", "process", "require", "__dirname"]),
  },
  { name: "clocks and chance", covers: belowHost, find: findClocksAndChance },
];

/** Each place where `sources` break `rule`, as `path:line: message`. */
export function findUntidy(rule: Rule, sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => rule.covers(path))
    .flatMap((source) =>
      rule.find(source).map(({ line, message }) => `${source.path}:${line}: ${message}`),
    );
}

function findWideLines({ text }: Source): Finding[] {
  return text.split("\n").flatMap((content, index) => {
    const { length } = Array.from(content);
    return length > MAX_COLUMNS ? [{ line: index + 1, message: `${length} columns` }] : [];
  });
}

function findLongFile({ text }: Source): Finding[] {
  const lines = text.trimEnd().split("\n").length;
  return lines > MAX_LINES ? [{ line: MAX_LINES + 1, message: `${lines} lines` }] : [];
}

/** The callback of `describe` is a list of tests, not a function that someone reads as one. */
function findLongFunctions(source: Source): Finding[] {
  return collect(source, (node, [parent]) => {
    if (!/Function(?:Declaration|Expression)$/.test(node.type)) return null;
    if (parent?.type === "CallExpression" && textOf(source, parent.callee).startsWith("describe")) {
      return null;
    }
    const lines = lineAt(source, node.end) - lineAt(source, node.start) + 1;
    return lines > MAX_FUNCTION_LINES ? `a function of ${lines} lines` : null;
  });
}

function findMissingModuleComment({ program, comments, text }: Source): Finding[] {
  const start = program.hashbang === null ? 0 : program.hashbang.end + 1;
  const [first] = comments;
  const isThere =
    first?.start === start && text.startsWith("/**", start) && first.value.includes("@module");
  return isThere ? [] : [{ line: 1, message: "no module comment" }];
}

/** A type beside a constant of the same name (`Cast`), or an overload, shares the sentence. */
function findUndocumentedExports(source: Source): Finding[] {
  const documented = new Set<string>();
  const findings: Finding[] = [];
  for (const node of source.program.body) {
    if (node.type !== "ExportNamedDeclaration" || node.source !== null) continue;
    const hasSentence = isDocumented(source, node);
    for (const name of namesOf(node)) {
      if (hasSentence) documented.add(name);
      else if (!documented.has(name)) {
        findings.push({ line: lineAt(source, node.start), message: `${name} has no sentence` });
      }
    }
  }
  return findings;
}

function isDocumented({ text, comments }: Source, { start }: Node): boolean {
  const end = text.slice(0, start).trimEnd().length;
  const comment = comments.find((one) => one.end === end)?.value ?? "";
  return comment.startsWith("*") && !comment.includes("@module");
}

/** What `node` exports; a list apart from the declarations is no place for a sentence. */
function namesOf({ declaration }: ESTree.ExportNamedDeclaration): string[] {
  if (declaration === null) return ["a list of exports"];
  const targets =
    declaration.type === "VariableDeclaration"
      ? declaration.declarations.map(({ id }) => id)
      : [declaration.id];
  return targets.map((target) => (target?.type === "Identifier" ? target.name : "a pattern"));
}

function findLooseCitations({ text }: Source): Finding[] {
  return [...text.matchAll(/\bRFCs?[ -]?(\d+)(?!\d)(?! section \d)/g)].flatMap((match) => {
    const [found, number = ""] = match;
    if (found === `RFC ${number}` && UNNUMBERED_RFCS.has(number)) return [];
    return [{ line: text.slice(0, match.index).split("\n").length, message: found }];
  });
}

function findLeftWork(source: Source): Finding[] {
  return source.comments.flatMap(({ value, start }) => {
    const [word] = /\b(?:TODO|FIXME)\b/.exec(value) ?? [];
    return word === undefined ? [] : [{ line: lineAt(source, start), message: word }];
  });
}

function findLooseTypes(source: Source): Finding[] {
  return collect(source, (node) => {
    if (node.type === "TSAnyKeyword") return "any";
    if (node.type === "TSNonNullExpression") return "non-null !";
    return node.type === "TSEnumDeclaration" ? "enum" : null;
  });
}

function findTypeAssertions(source: Source): Finding[] {
  return collect(source, (node) => {
    if (node.type !== "TSAsExpression" && node.type !== "TSTypeAssertion") return null;
    const type = textOf(source, node.typeAnnotation);
    return type === "const" ? null : `as ${type}`;
  });
}

const TIMERS = [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "requestAnimationFrame",
  "performance",
];
const DRAWS =
  /^(?:globalThis\.)?(?:Math\.random|Date\.now|crypto\.(?:getRandomValues|randomUUID))$/;

function findClocksAndChance(source: Source): Finding[] {
  return findGlobals(source, TIMERS).concat(
    collect(source, (node) => {
      const text = textOf(source, node);
      if (node.type === "MemberExpression") return DRAWS.test(text) ? text : null;
      const isNow = node.type === "NewExpression" && node.arguments.length === 0;
      return isNow && textOf(source, node.callee) === "Date" ? text : null;
    }),
  );
}

/** Uses of the global `names`: as themselves, or as a property of `globalThis`. */
function findGlobals(source: Source, names: readonly string[]): Finding[] {
  return collect(source, (node, [parent]) => {
    if (node.type !== "Identifier" || !names.includes(node.name)) return null;
    if (parent?.type === "MemberExpression" && parent.property === node && !parent.computed) {
      return textOf(source, parent.object) === "globalThis" ? node.name : null;
    }
    const isKey = parent !== undefined && "key" in parent && parent.key === node;
    return isKey ? null : node.name;
  });
}

function collect(
  source: Source,
  judge: (node: Node, ancestors: readonly Node[]) => string | null,
): Finding[] {
  const findings: Finding[] = [];
  walk(source, (node, ancestors) => {
    const message = judge(node, ancestors);
    if (message !== null) findings.push({ line: lineAt(source, node.start), message });
  });
  return findings;
}

function textOf({ text }: Source, { start, end }: { start: number; end: number }): string {
  return text.slice(start, end);
}
