/**
 * The commands of `dom0`, their options and their help. Each loads its own code when it is called.
 * @module
 */
import { Argument, Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { EmulatorError } from "../base/errors.ts";
import { type Duration, parseDuration } from "../base/time.ts";
import type { DomainsOptions } from "./commands/domains.ts";
import type { ExplainOptions } from "./commands/explain.ts";
import type { RouterCommandOptions } from "./commands/router.ts";
import { ExitCode } from "./failure.ts";
import {
  DEMO_HELP,
  DOMAINS_HELP,
  EXPLAIN_HELP,
  helpText,
  PROGRAM_HELP,
  ROUTER_HELP,
  RUN_HELP,
  SERVE_HELP,
} from "./help.ts";
import {
  type CapturingOptions,
  LOG_LEVELS,
  type LogLevel,
  type ServeOptions,
} from "./run-options.ts";
import { type Kind, KINDS } from "./commands/schema.ts";
import { addXenstore } from "./store-program.ts";
import type { Surface } from "./surface.ts";
import { VERSION } from "./version.ts";

/**
 * Do what the words of a command line say.
 * @returns the exit code.
 * @throws {EmulatorError} for a mistake of the user's, and whatever is a mistake of ours.
 */
export async function runProgram(words: readonly string[], surface: Surface): Promise<ExitCode> {
  let code: ExitCode = ExitCode.Done;
  const program = newProgram(surface, async (work) => {
    code = await work();
  });
  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
  }
  return code;
}

type Does = (work: () => Promise<ExitCode> | ExitCode) => Promise<void>;

function newProgram(surface: Surface, does: Does): Command {
  const program = new Command("dom0");
  const { out, err } = surface;
  program
    .description("EC2-Classic's host network, brought back packet by packet.")
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help for a command")
    .helpCommand("help [command]", "print help for a command")
    .addHelpText("after", helpText(PROGRAM_HELP, surface.out.width))
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: out.width })
    .configureOutput({
      writeOut: (text) => out.write(text),
      writeErr: (text) => err.write(text),
      outputError: (text, write) => write(asOurs(text)),
    })
    .exitOverride();
  addDemo(program, surface, does);
  addRun(program, surface, does);
  addServe(program, surface, does);
  addExplain(program, surface, does);
  addRouter(program, surface, does);
  addXenstore(program, surface, does);
  addDomains(program, surface, does);
  program
    .command("schema")
    .description("print the JSON Schema of a kind of file")
    .addArgument(new Argument("[kind]", "of which files").choices(KINDS).default("scenario"))
    .action((kind: Kind) =>
      does(async () => {
        const { schemaCommand } = await import("./commands/schema.ts");
        return schemaCommand(kind, surface);
      }),
    );
  return program;
}

function addDemo(program: Command, surface: Surface, does: Does): void {
  const command = program
    .command("demo")
    .description("play the host of an article of 2010, and capture it")
    .option("--pcapng <file>", "where the capture goes; - for standard output", "demo.pcapng");
  addRunOptions(command)
    .option("--state", "print addresses, routes, neighbors and rules of the host at the end")
    .addHelpText("after", helpText(DEMO_HELP, surface.out.width))
    .action((options: CapturingOptions) =>
      does(async () => {
        const { demoCommand } = await import("./commands/demo.ts");
        return demoCommand(options, surface);
      }),
    );
}

function addRun(program: Command, surface: Surface, does: Does): void {
  const command = program
    .command("run")
    .description("play a scenario file in virtual time")
    .argument("<scenario>", "a YAML or JSON file; - for standard input")
    .option("--pcapng <file>", "write a capture; - for standard output");
  addRunOptions(command)
    .option("--state", "print addresses, routes, neighbors and rules of the hosts at the end")
    .addHelpText("after", helpText(RUN_HELP, surface.out.width))
    .action((file: string, options: CapturingOptions) =>
      does(async () => {
        const { runCommand } = await import("./commands/run.ts");
        return runCommand(file, options, surface);
      }),
    );
}

function addServe(program: Command, surface: Surface, does: Does): void {
  const command = program
    .command("serve")
    .description("serve hosts in real time: vifs and XenStore on sockets")
    .argument("[scenario]", "a YAML or JSON file; the demo's hosts if left out")
    .option("--state <folder>", "where the sockets are; a fresh folder if left out")
    .option("--guest-xenstore", "XenStore also as each domain sees it, on further sockets")
    .option("--pcapng <file>", "write a capture; - for standard output");
  addRunOptions(command, "warn")
    .addHelpText("after", helpText(SERVE_HELP, surface.out.width))
    .action((file: string | undefined, options: ServeOptions) =>
      does(async () => {
        const { serveCommand } = await import("./commands/serve.ts");
        return serveCommand(file ?? null, options, surface);
      }),
    );
}

function addExplain(program: Command, surface: Surface, does: Does): void {
  const command = program
    .command("explain")
    .description("tell the way of a packet, step by step")
    .argument("[scenario]", "a YAML or JSON file; the demo's if left out")
    .option("--packet <id>", "the number of a packet", wholeNumber)
    .option("--dropped", "all packets that a rule dropped");
  addRunOptions(command)
    .addHelpText("after", helpText(EXPLAIN_HELP, surface.out.width))
    .action((file: string | undefined, options: ExplainOptions) =>
      does(async () => {
        const { explainCommand } = await import("./commands/explain.ts");
        return explainCommand(file ?? null, options, surface);
      }),
    );
}

function addRouter(program: Command, surface: Surface, does: Does): void {
  program
    .command("router")
    .description("play a capture through one router")
    .argument("<world>", "a YAML or JSON file; - for standard input")
    .requiredOption("--in <file>", "the frames that come in, pcapng; - for standard input")
    .option("--rules <file>", "iptables-save text instead of the world's; - for standard input")
    .option("--out <file>", "write a capture; - for standard output")
    .option("--seed <n>", "seed of all chance", wholeNumber)
    .option("--until <time>", 'end the run there, such as "30s" after the first frame', timeSpan)
    .option("--json", "print one JSON object a line")
    .option("--explain", "tell the way of every packet, step by step")
    .option("--state", "print addresses, routes, neighbors, rules, connections at the end")
    .addHelpText("after", helpText(ROUTER_HELP, surface.out.width))
    .action((file: string, options: RouterCommandOptions) =>
      does(async () => {
        const { routerCommand } = await import("./commands/router.ts");
        return routerCommand(file, options, surface);
      }),
    );
}

function addDomains(program: Command, surface: Surface, does: Does): void {
  program
    .command("domains")
    .description("estimate the VMs launched per day from samples of dom_ numbers")
    .argument("<file...>", "lines of a time and a domain's name; - for standard input")
    .option("--json", "print one JSON object")
    .addHelpText("after", helpText(DOMAINS_HELP, surface.out.width))
    .action((files: string[], options: DomainsOptions) =>
      does(async () => {
        const { domainsCommand } = await import("./commands/domains.ts");
        return domainsCommand(files, options, surface);
      }),
    );
}

/** What every command that plays a scenario takes. */
function addRunOptions(command: Command, logLevel: LogLevel = "silent"): Command {
  return command
    .option("--seed <n>", "seed of all chance, instead of the scenario's", wholeNumber)
    .option("--until <time>", 'end the run there, such as "30s"', timeSpan)
    .option("--json", "print one JSON object a line")
    .addOption(
      new Option("--log-level <level>", "structured log on standard error")
        .choices(LOG_LEVELS)
        .default(logLevel),
    );
}

function wholeNumber(text: string): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && Number.isSafeInteger(value)) return value;
  throw new InvalidArgumentError("Expected a whole number from 0 to 9007199254740991.");
}

function timeSpan(text: string): Duration {
  try {
    return parseDuration(text);
  } catch (error) {
    if (!(error instanceof EmulatorError)) throw error;
    throw new InvalidArgumentError('Expected a time such as "250ms" or "5s".');
  }
}

/** Commander's "error: unknown option '--pcap'" as one sentence of this program. */
function asOurs(text: string): string {
  const [first = "", ...rest] = text
    .trim()
    .replace(/^error: /, "")
    .split("\n");
  const hint = rest.join(" ").replace(/^\(Did you mean (.+)\?\)$/, "; did you mean $1?");
  return `dom0: ${first}${hint}\n`;
}
