/** Who may import whom: the table of layers, and what breaks it. @module */
import { builtinModules } from "node:module";
import { posix } from "node:path";
import { type Source, lineAt, walk } from "./source.ts";

/**
 * What each layer stands directly on. A layer may import itself, these, and all that those stand
 * on; never one beside it or above. `library` is `src/index.ts`.
 */
const STANDS_ON: ReadonlyMap<string, readonly string[]> = new Map([
  ["base", []],
  ["wire", ["base"]],
  ["l2", ["wire"]],
  ["l3", ["l2"]],
  ["l4", ["l3"]],
  ["dhcp", ["l4"]],
  ["filter", ["l4"]],
  ["nat", ["l4"]],
  ["sim", ["wire"]],
  ["pcap", ["dhcp"]],
  ["storage", ["wire", "l4"]],
  ["xen", ["dhcp", "filter", "nat", "sim", "pcap", "storage"]],
  ["guest", ["l4", "dhcp"]],
  ["zone", ["xen", "guest", "sim", "pcap"]],
  ["library", ["zone"]],
  ["testing", ["zone"]],
  ["backend", ["zone"]],
  ["uplink", ["zone"]],
  ["cli", ["library", "testing", "backend", "uplink"]],
]);

/** Layers that may touch the host computer: files, sockets, a real clock. */
const HOST_LAYERS: readonly string[] = ["backend", "uplink", "cli"];

/** Packages, and the files that may import them. */
const PACKAGES: ReadonlyMap<string, RegExp> = new Map([
  ["buffer-layout", /^src\/wire\/layout\.ts$/],
  ["ipaddr.js", /^src\//],
  ["pino", /^src\//],
  ["commander", /^src\/cli\//],
  ["yaml", /^src\/cli\//],
  ["zod", /^src\/cli\//],
  ["fast-check", /^src\/testing\//],
  ["vitest", /^src\/testing\//],
]);

/** The only files whose job is to pass on what others export. */
const BARRELS: readonly string[] = ["src/index.ts", "src/testing/index.ts"];

interface Import {
  /** As written; `null` if it is computed. */
  readonly target: string | null;
  /** True if nothing of it is left at run time. */
  readonly isType: boolean;
  readonly isPassedOn: boolean;
  readonly line: number;
}

/** Each import that the table of layers forbids, as `path:line: reason`. */
export function findForbiddenImports(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    importsOf(source).flatMap((one) => {
      const reason = reasonAgainst(source.path, one);
      return reason === null ? [] : [`${source.path}:${one.line}: ${reason}`];
    }),
  );
}

/**
 * Each circle of files that import one another, as `a -> b -> a`.
 *
 * Only imports that are left at run time count: two types may name each other, as `Packet` and
 * `Device` do. The table keeps such pairs inside one layer.
 */
export function findCircles(sources: readonly Source[]): string[] {
  const edges = new Map(sources.map((source) => [source.path, runTimeTargets(source)]));
  const circles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path);
    if (start >= 0) circles.push([...way.slice(start), path].join(" -> "));
    if (start >= 0 || done.has(path)) return;
    for (const target of edges.get(path) ?? []) visit(target, [...way, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return circles;
}

function runTimeTargets(source: Source): string[] {
  return importsOf(source).flatMap(({ target, isType }) =>
    target?.startsWith(".") && !isType ? [resolve(source.path, target)] : [],
  );
}

function reasonAgainst(path: string, { target, isPassedOn }: Import): string | null {
  const layer = layerOf(path);
  if (!STANDS_ON.has(layer)) return `${layer} is not a layer`;
  if (target === null) return layer === "cli" ? null : `${layer} imports a computed name`;
  if (isPassedOn && !BARRELS.includes(path)) return `is a barrel for ${target}`;
  if (target.startsWith(".")) {
    const to = layerOf(resolve(path, target));
    return reach(layer).has(to) ? null : `${layer} does not stand on ${to}`;
  }
  if (target.startsWith("node:") || builtinModules.includes(target)) {
    return HOST_LAYERS.includes(layer) ? null : `${layer} imports ${target}`;
  }
  return PACKAGES.get(target)?.test(path) === true ? null : `${layer} imports ${target}`;
}

/** The layers that `layer` may import. */
function reach(layer: string): ReadonlySet<string> {
  const reached = new Set([layer]);
  for (const one of reached) for (const below of STANDS_ON.get(one) ?? []) reached.add(below);
  return reached;
}

function layerOf(path: string): string {
  if (path === "src/index.ts") return "library";
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? path;
}

function resolve(path: string, target: string): string {
  return posix.join(posix.dirname(path), target);
}

function importsOf(source: Source): Import[] {
  const imports: Import[] = [];
  walk(source, (node) => {
    const add = (target: string | null, isType: boolean, isPassedOn = false): void => {
      imports.push({ target, isType, isPassedOn, line: lineAt(source, node.start) });
    };
    if (node.type === "ImportDeclaration") add(node.source.value, node.importKind === "type");
    else if (node.type === "ExportAllDeclaration" || node.type === "ExportNamedDeclaration") {
      if (node.source !== null) add(node.source.value, node.exportKind === "type", true);
    } else if (node.type === "TSImportType") add(node.source.value, true);
    else if (node.type === "ImportExpression") {
      const { source: name } = node;
      add(name.type === "Literal" && typeof name.value === "string" ? name.value : null, false);
    }
  });
  return imports;
}
