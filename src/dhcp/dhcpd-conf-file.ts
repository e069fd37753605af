/**
 * The dhcpd.conf of a host as Xen's vif scripts edit it: a text, lines of hosts behind it, and what
 * both say. A line is read when it is written; the text is put together when it is asked for.
 * @module
 */
import { assert } from "../base/assert.ts";
import type { Block, NamedOption } from "./dhcpd-conf.ts";
import { formatHostLine, type HostLine, removeHostLines } from "./dhcpd-host-line.ts";
import { parseDhcpdConf } from "./dhcpd-parser.ts";
import type { DhcpInterface } from "./dhcpd-request.ts";
import { DhcpdSetup } from "./dhcpd-setup.ts";

interface Line {
  readonly text: string;
  readonly host: Block;
}

/** One file, and the command line of the dhcpd that reads it. */
export class DhcpdConfFile {
  /** What stands before the lines of hosts. */
  #text: string;
  readonly #lines = new Map<string, Line>();
  #setup: DhcpdSetup;
  #defined: readonly NamedOption[] = [];

  /** @throws {ParseError} if dhcpd would refuse the text. */
  constructor(text: string) {
    this.#text = text;
    this.#setup = this.#read(text, []);
  }

  /** The whole file. */
  get text(): string {
    return this.#text + [...this.#lines.values()].map((line) => `${line.text}\n`).join("");
  }

  /** What a dhcpd is started with that reads the file as it stands. */
  get setup(): DhcpdSetup {
    return this.#setup;
  }

  /**
   * Put the line of `host` at the end, and away all other lines of that name.
   * @throws {OptionError} as {@link formatHostLine}.
   * @throws {ParseError} if dhcpd would refuse the file then; it is as it was.
   */
  replaceHost(host: HostLine): void {
    const text = formatHostLine(host);
    const block = readHost(text, this.#defined);
    const rest = removeHostLines(this.#text, host.name, { asGrep: false });
    const isElsewhere = this.#setup.networks.hasHost(host.name) && !this.#lines.has(host.name);
    if (rest !== this.#text || isElsewhere) {
      const before = rest === "" || rest.endsWith("\n") ? rest : `${rest}\n`;
      parseDhcpdConf(before + text);
    }
    this.removeHost(host.name);
    if (this.#text !== "" && !this.#text.endsWith("\n")) this.#text += "\n";
    this.#lines.set(host.name, { text, host: block });
    this.#setup.addHost(block);
  }

  /**
   * Take away all lines of the host called `name`.
   * @throws {OptionError} as {@link removeHostLines}.
   * @throws {ParseError} as {@link replaceHost}.
   */
  removeHost(name: string): void {
    const rest = removeHostLines(this.#text, name, { asGrep: false });
    if (rest !== this.#text) {
      const setup = this.#read(rest, this.#setup.interfaces);
      for (const { host } of this.#lines.values()) setup.addHost(host);
      this.#text = rest;
      this.#setup = setup;
    }
    if (this.#lines.delete(name)) this.#setup.removeHost(name);
  }

  #read(text: string, interfaces: Iterable<DhcpInterface>): DhcpdSetup {
    const conf = parseDhcpdConf(text);
    const setup = new DhcpdSetup(conf, interfaces);
    this.#defined = conf.items.flatMap((item) => (item.kind === "definition" ? item.option : []));
    return setup;
  }
}

function readHost(line: string, defined: readonly NamedOption[]): Block {
  const [host] = parseDhcpdConf(line, defined).items;
  assert(host?.kind === "host", "the line of a host declares one");
  return host;
}
