/**
 * A YAML or JSON text with the place of every value: YAML 1.2.2, of which JSON is a part.
 * @module
 */
import {
  type Document,
  isAlias,
  isMap,
  isNode,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  Scalar,
  visit,
  type YAMLError,
} from "yaml";
import { faultAt, InputError } from "../failure.ts";
import { keyOf, type Path } from "./path.ts";

/** YAML's tags of values that JSON has as well. */
const PLAIN_TAGS = new Set(["str", "int", "float", "bool", "null", "map", "seq"]);

/** One parsed file. */
export class SourceText {
  readonly file: string;
  /** What the text says, as plain values. */
  readonly value: unknown;
  readonly #document: Document;
  readonly #lines: LineCounter;

  /**
   * @param file for messages.
   * @throws {InputError} if the text is not YAML, or says something twice.
   */
  constructor(file: string, text: string) {
    this.file = file;
    this.#lines = new LineCounter();
    const options = { lineCounter: this.#lines, prettyErrors: false };
    this.#document = parseDocument(text, options);
    const [error] = [...this.#document.errors, ...this.#document.warnings];
    if (error !== undefined) {
      const { line } = this.#lines.linePos(error.pos[0]);
      throw new InputError([faultAt({ file, line }, "", sentenceOf(error, text))]);
    }
    this.#checkNodes();
    this.value = this.#plain();
  }

  /** The value at `path`; `undefined` if there is none. */
  at(path: Path): unknown {
    let value = this.value;
    for (const key of path) {
      if (typeof value !== "object" || value === null) return undefined;
      value = Reflect.get(value, key);
    }
    return value;
  }

  /** The line, from 1, of the value at `path`, or of the innermost one around it that is there. */
  lineOf(path: Path): number {
    let node: unknown = this.#document.contents;
    let offset = offsetOf(node);
    for (const key of path) {
      const { at, value } = this.#step(node, key);
      if (at === null) break;
      offset = at;
      node = value;
    }
    return offset === null ? 1 : this.#lines.linePos(offset).line;
  }

  /** The line, from 1, of the key that `path` ends with. */
  lineOfKey(path: Path): number {
    let node: unknown = this.#document.contents;
    for (const key of path.slice(0, -1)) node = this.#step(node, key).value;
    const map = isAlias(node) ? node.resolve(this.#document) : node;
    const last = String(path.at(-1));
    const pair = isMap(map) ? map.items.find(({ key }) => keyText(key) === last) : undefined;
    const offset = offsetOf(pair?.key);
    return offset === null ? this.lineOf(path) : this.#lines.linePos(offset).line;
  }

  /**
   * The line, from 1, of the file in which line `line` of the text at `path` stands; `null` unless
   * it stands there as it is, after a vertical bar.
   */
  lineInside(path: Path, line: number): number | null {
    let node: unknown = this.#document.contents;
    for (const key of path) node = this.#step(node, key).value;
    const solid = isAlias(node) ? node.resolve(this.#document) : node;
    const offset = offsetOf(solid);
    const isLiteral = isScalar(solid) && solid.type === Scalar.BLOCK_LITERAL;
    return isLiteral && offset !== null ? this.#lines.linePos(offset).line + line : null;
  }

  /** From `node` to what `key` leads to, through aliases. */
  #step(node: unknown, key: PropertyKey): { at: number | null; value: unknown } {
    const solid = isAlias(node) ? node.resolve(this.#document) : node;
    if (isMap(solid)) {
      const pair = solid.items.find((item) => keyText(item.key) === String(key));
      return { at: offsetOf(pair?.value) ?? offsetOf(pair?.key), value: pair?.value };
    }
    const value = isSeq(solid) ? solid.items[Number(key)] : undefined;
    return { at: offsetOf(value), value };
  }

  /**
   * Keys that are lists or mappings, and one that JavaScript keeps for itself, are nobody's; what
   * is neither text, number, truth, list nor mapping is no value.
   */
  #checkNodes(): void {
    const refuse = (node: unknown, around: readonly unknown[], message: string): never => {
      const { line } = this.#lines.linePos(offsetOf(node) ?? 0);
      const key = keyOf(pathTo([...around, node]));
      throw new InputError([faultAt({ file: this.file, line }, key, message)]);
    };
    visit(this.#document, {
      Pair: (_, { key }, around) => {
        if (isScalar(key) && key.value !== "__proto__") return;
        const got = isScalar(key)
          ? keyText(key)
          : isAlias(key)
            ? "an alias"
            : "a list or a mapping";
        refuse(key, around, `expected a text as a key, got ${got}`);
      },
      Value: (_, node, around) => {
        const name = node.tag?.replace(/^tag:yaml\.org,2002:/, "");
        if (name === undefined || PLAIN_TAGS.has(name)) return;
        refuse(node, around, `expected a plain value, got one with the tag ${name}`);
      },
    });
  }

  /** Aliases of nothing, and those that multiply beyond yaml's bound, are found here. */
  #plain(): unknown {
    try {
      return this.#document.toJS();
    } catch (error) {
      const found = lowered(error instanceof Error ? error.message : String(error));
      const message = /alias count/.test(found) ? "its aliases multiply without end" : found;
      throw new InputError([faultAt({ file: this.file, line: 1 }, "", message)]);
    }
  }
}

function offsetOf(node: unknown): number | null {
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}

/** Keys and indexes on the way through nodes, each inside the one before. */
function pathTo(nodes: readonly unknown[]): Path {
  return nodes.flatMap((node, index): PropertyKey[] => {
    if (isPair(node)) return isScalar(node.key) ? [keyText(node.key)] : [];
    return isSeq(node) && index + 1 < nodes.length ? [node.items.indexOf(nodes[index + 1])] : [];
  });
}

function keyText(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

/** What yaml found, in our words where its own speak to programmers. */
function sentenceOf({ code, message, pos }: YAMLError, text: string): string {
  if (code === "DUPLICATE_KEY") {
    const [key = ""] = /^[^\s:]+/.exec(text.slice(pos[0])) ?? [];
    return `key ${key} is given twice`;
  }
  if (code === "MULTIPLE_DOCS") return "holds more than one document, expected one";
  return `is not YAML: ${lowered(message)}`;
}

const lowered = (message: string): string =>
  message.charAt(0).toLowerCase() + message.slice(1).replace(/:?$/, "");
