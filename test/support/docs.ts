/**
 * What the documentation promises: its programs, its commands and its links.
 *
 * A `ts` block is a whole program: it is compiled and run. A `sh` block's `dom0` commands are run,
 * in order, in a folder that the page has for itself; lines of other programs are for people. The
 * words after the language say otherwise, as in rustdoc: `no-run` compiles a program, or asks the
 * command for its help, and stops there; `ignore` is for fragments.
 * @module
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { posix } from "node:path";

export interface Page {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

export interface Block {
  readonly page: string;
  /** Of the fence, from 1. */
  readonly line: number;
  readonly language: string;
  readonly use: "run" | "no-run" | "ignore";
  readonly text: string;
}

/** The Markdown pages that people read: those of the root, of `docs/` and of `examples/`. */
export function readPages(): readonly Page[] {
  const root = readdirSync(".").filter((path) => path.endsWith(".md"));
  const below = ["docs", "examples"].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((path) => path.endsWith(".md"))
      .map((path) => `${folder}/${path}`),
  );
  return [...root, ...below].toSorted().map((path) => ({ path, text: readFileSync(path, "utf8") }));
}

const FENCE = /^( *)(`{3,}|~{3,})([^\n`]*)\n([^]*?)^ *\2[`~]* *$/gm;

/**
 * The fenced blocks of a page.
 * @throws {SyntaxError} if a block's words are not known: a misspelt one would not be run.
 */
export function blocksOf({ path, text }: Page): Block[] {
  return [...text.matchAll(FENCE)].map((match) => {
    const [, indent = "", , info = "", body = ""] = match;
    const [language = "", use = "run", ...rest] = info.trim().split(/\s+/);
    const line = text.slice(0, match.index).split("\n").length;
    if ((use !== "run" && use !== "no-run" && use !== "ignore") || rest.length > 0) {
      throw new SyntaxError(`${path}:${line}: a block is no-run or ignore, got "${info.trim()}"`);
    }
    const flush = body.replaceAll(new RegExp(`^ {0,${indent.length}}`, "gm"), "");
    return { page: path, line, language, use, text: flush };
  });
}

/** The commands of a `sh` block that start with `dom0`, each on one line, without a prompt. */
export function commandsOf({ text }: Block): string[] {
  return text
    .replaceAll(/\\\n\s*/g, "")
    .split("\n")
    .map((line) => line.replace(/^\s*(?:\$ )?(?:npx )?/, "").trim())
    .filter((line) => /^dom0\b/.test(line));
}

/** How to ask for the help of the subcommand of `command`: `dom0 serve --help`. */
export function helpOf(command: string): string {
  const [subcommand] = /(?<=^dom0 )[a-z][a-z-]*/.exec(command) ?? [];
  return subcommand === undefined ? "dom0 --help" : `dom0 ${subcommand} --help`;
}

/** Each relative link of `pages` that leads nowhere, as `path: link`. */
export function findDeadLinks(pages: readonly Page[]): string[] {
  return pages.flatMap((page) =>
    linksOf(page)
      .filter((link) => !/^[a-z][a-z+.-]*:/i.test(link))
      .filter((link) => !leadsSomewhere(page, link, pages))
      .map((link) => `${page.path}: ${link}`),
  );
}

function leadsSomewhere({ path }: Page, link: string, pages: readonly Page[]): boolean {
  const [file = "", anchor] = link.split("#");
  const target = file === "" ? path : posix.join(posix.dirname(path), decodeURIComponent(file));
  if (target.startsWith("../") || !existsSync(target)) return false;
  const page = pages.find((one) => one.path === target);
  return anchor === undefined || page === undefined || anchorsOf(page).includes(anchor);
}

function linksOf({ text }: Page): string[] {
  const prose = text.replaceAll(FENCE, "").replaceAll(/`[^`\n]*`/g, "");
  const patterns = [
    /\]\(\s*<?([^)\s>]+)>?(?:\s+"[^"]*")?\s*\)/g,
    /^ {0,3}\[[^\]]+\]:\s*<?(\S+?)>?(?:\s|$)/gm,
    /\b(?:src|href)="([^"]+)"/g,
  ];
  return patterns.flatMap((pattern) => [...prose.matchAll(pattern)].map(([, link = ""]) => link));
}

/** As GitHub makes them from headings: the second of a kind has `-1`. */
function anchorsOf({ text }: Page): string[] {
  const seen = new Map<string, number>();
  return [...text.replaceAll(FENCE, "").matchAll(/^#{1,6} +(.+?) *#*$/gm)].map(([, title = ""]) => {
    const slug = title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-");
    const count = seen.get(slug) ?? 0;
    seen.set(slug, count + 1);
    return count === 0 ? slug : `${slug}-${count}`;
  });
}
