/** The commands of `dom0 xenstore`, with the options of xenstore-utils 4.17. @module */
import { type Command, InvalidArgumentError } from "commander";
import type { StoreCommand, StoreOptions } from "./commands/xenstore.ts";
import type { ExitCode } from "./failure.ts";
import { helpText, XENSTORE_HELP } from "./help.ts";
import type { Surface } from "./surface.ts";

type Does = (work: () => Promise<ExitCode>) => Promise<void>;

interface Flags {
  readonly f?: boolean;
  readonly p?: boolean;
  readonly R?: boolean;
  readonly t?: boolean;
  readonly u?: boolean;
  readonly r?: boolean;
  readonly n?: number;
}

const PREFIX = ["-p", "with the key before each line"] as const;
const RAW = ["-R", "values as they are, without escapes"] as const;
const KEYS = ["<key...>", "paths; a relative one is below the client's own"] as const;

/** Add `xenstore` and what is below it. */
export function addXenstore(program: Command, surface: Surface, does: Does): void {
  const parent = program
    .command("xenstore")
    .description("ask a XenStore on a unix socket, as xenstore-utils do")
    .option("--socket <path>", "where it is; $XENSTORED_PATH, $XENSTORED_RUNDIR/socket")
    .addHelpText("after", helpText(XENSTORE_HELP, surface.out.width));
  const run = (command: StoreCommand): Promise<void> =>
    does(async () => {
      const { xenstoreCommand } = await import("./commands/xenstore.ts");
      return xenstoreCommand(command, parent.opts<StoreOptions>(), surface);
    });
  addReaders(parent, run);
  addWriters(parent, run);
}

type Run = (command: StoreCommand) => Promise<void>;

function addReaders(parent: Command, run: Run): void {
  parent
    .command("ls")
    .description("print the tree below each path")
    .argument("[path...]", "from where on; / if left out")
    .option("-f", "whole paths")
    .option("-p", "permissions")
    .action((paths: string[], { f = false, p = false }: Flags) =>
      run({ kind: "ls", paths: octets(paths), flat: f, permissions: p }),
    );
  parent
    .command("read")
    .description("print the value of each key")
    .argument(...KEYS)
    .option(...PREFIX)
    .option(...RAW)
    .action((keys: string[], { p = false, R = false }: Flags) =>
      run({ kind: "read", keys: octets(keys), prefix: p, raw: R }),
    );
  parent
    .command("list")
    .description("print the names of each key's children")
    .argument(...KEYS)
    .option(...PREFIX)
    .action((keys: string[], { p = false }: Flags) =>
      run({ kind: "list", keys: octets(keys), prefix: p }),
    );
  parent
    .command("exists")
    .description("end with 0 if all keys can be read, else with 1")
    .argument(...KEYS)
    .action((keys: string[]) => run({ kind: "exists", keys: octets(keys) }));
  parent
    .command("watch")
    .description("print the path of each change, until it is interrupted")
    .argument(...KEYS)
    .option("-n <events>", "end after so many; the first one comes at once", wholeNumber)
    .action((keys: string[], { n }: Flags) =>
      run({ kind: "watch", keys: octets(keys), count: n ?? null }),
    );
}

function addWriters(parent: Command, run: Run): void {
  parent
    .command("write")
    .description("set the value of each key")
    .argument("<key value...>", "a path, then its value: \\n, \\t, \\x00, \\000 are octets", pairs)
    .option(...RAW)
    .action((words: string[], { R = false }: Flags, command: Command) => {
      if (words.length % 2 === 1) command.error(`the last key, ${words.at(-1)}, has no value`);
      return run({ kind: "write", pairs: octets(words), raw: R });
    });
  parent
    .command("rm")
    .description("remove each key and what is below it")
    .argument(...KEYS)
    .option("-t", "and its parents, if they have no value and no children any more")
    .action((keys: string[], { t = false }: Flags) =>
      run({ kind: "rm", keys: octets(keys), tidy: t }),
    );
  parent
    .command("chmod")
    .description("set permissions: n, r, w or b and a domain; the first one is the owner's")
    .argument("<key>", "a path")
    .argument("<mode...>", "such as n0 r171")
    .option("-u", "and of all nodes above")
    .option("-r", "and of all nodes below")
    .action((key: string, modes: string[], { u = false, r = false }: Flags) =>
      run({ kind: "chmod", key: octetsOf(key), modes, upto: u, recurse: r }),
    );
}

const octetsOf = (word: string): string => Buffer.from(word).toString("latin1");
const octets = (words: readonly string[]): string[] => words.map(octetsOf);

function pairs(word: string, before: string[] | undefined): string[] {
  return [...(before ?? []), word];
}

function wholeNumber(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("Expected a whole number.");
}
