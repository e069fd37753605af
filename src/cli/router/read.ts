/** From the text of a world to its router, or to what is wrong with it. @module */
import { RouterWorld, type RouterWorldOptions } from "../../zone/world/router-world.ts";
import { sysctlNames } from "../../zone/world/sysctl.ts";
import { type World, WorldError } from "../../zone/world/world.ts";
import { faultAt, InputError } from "../failure.ts";
import { faultTexts } from "../scenario/issue.ts";
import { keyOf } from "../scenario/path.ts";
import { SourceText } from "../scenario/source.ts";
import { nearest } from "../suggest.ts";
import { PUBLISHED_WORLD, WORLD } from "./schema.ts";

/** Makes a router of a world, each time anew. @throws {InputError} as {@link readWorld}. */
export type OpenWorld = (options: RouterWorldOptions) => RouterWorld;

/** Rules in a file of their own, as iptables-save prints them. */
export interface RulesFile {
  /** Its name, for messages. */
  readonly file: string;
  readonly text: string;
}

/**
 * Read a world, YAML or JSON.
 * @param file its name, for messages.
 * @param rules in place of the world's, if not `null`.
 * @throws {InputError} with each fault as one line: file, line, key, what was expected. Words that
 *   only the router reads are judged when it is made.
 */
export function readWorld(file: string, text: string, rules: RulesFile | null = null): OpenWorld {
  const source = new SourceText(file, text);
  const { success, data, error } = WORLD.safeParse(source.value);
  if (!success) throw new InputError(faultTexts(source, error.issues, PUBLISHED_WORLD));
  const world = rules === null ? data : { ...data, iptables: rules.text };
  return (options) => {
    try {
      return new RouterWorld(world, options);
    } catch (failure) {
      if (!(failure instanceof WorldError)) throw failure;
      const { path, line, reason } = failure;
      if (rules !== null && path[0] === "iptables") {
        throw new InputError([faultAt({ file: rules.file, line }, "", reason)]);
      }
      throw new InputError([faultOf(source, data, failure)]);
    }
  };
}

function faultOf(source: SourceText, world: World, { path, line, reason }: WorldError): string {
  const inside = line === 0 ? null : source.lineInside(path, line);
  const place = inside === null && line > 0 ? `line ${line}: ` : "";
  const [part, name = ""] = path;
  const guess =
    part === "sysctl" ? nearest(String(name), sysctlNames(Object.keys(world.interfaces))) : null;
  const isUnknown = guess !== null && guess !== name && reason === "is not emulated";
  const hint = isUnknown ? `; did you mean "${guess}"?` : "";
  const at = { file: source.file, line: inside ?? source.lineOf(path) };
  return faultAt(at, keyOf(path), `${place}${reason}${hint}`);
}
