/**
 * Reads the text of a dhcpd.conf(5).
 *
 * The grammar is that of ISC dhcpd without classes, conditions, expressions, events, failover,
 * DNS keys and zones, included files and option spaces; those are refused. It stops at the first
 * fault, where ISC dhcpd prints all of them and then refuses to start.
 * @module
 */
import { assert } from "../base/assert.ts";
import { formatIpv4, IPV4_ANY, type Ipv4Addr, ipv4Of } from "../wire/addr.ts";
import {
  type AddressRange,
  type Block,
  type DhcpdConf,
  type Item,
  type NamedOption,
  type ParameterName,
  PARAMETERS,
  type ParameterValue,
  PERMISSIONS,
  WORDS,
} from "./dhcpd-conf.ts";
import { readForm } from "./dhcpd-form.ts";
import { Lexer, type Token } from "./dhcpd-lexer.ts";
import {
  readAddress,
  readFlag,
  readHex,
  readNumber,
  readOptionData,
  readText,
} from "./dhcpd-value.ts";
import {
  clientsOf,
  hasSubnet,
  INNER_WORDS,
  isParameter,
  kindOf,
  MAY_HOLD,
  type Place,
  SIMPLE,
  UNSUPPORTED,
} from "./dhcpd-words.ts";
import { type AnyOption, Option } from "./options.ts";
import { OCTETS } from "./option-type.ts";

/** Values of `htype` by the name of the hardware. */
export const HARDWARE_TYPES = new Map([
  ["ethernet", 1],
  ["token-ring", 6],
  ["fddi", 8],
  ["infiniband", 32],
]);

/** The options that ISC dhcpd knows by name before a text defines more. */
export const BUILT_IN_OPTIONS: readonly AnyOption[] = Object.values(Option).filter(
  ({ code }) => code !== Option.ClasslessRoutes.code,
);

/**
 * Read a configuration.
 * @param defined options that an earlier text defined.
 * @throws {ParseError} with the line and the word at which ISC dhcpd would refuse it.
 */
export function parseDhcpdConf(text: string, defined: readonly NamedOption[] = []): DhcpdConf {
  return { items: new Parser(text, defined).readAll() };
}

const NO_OCTETS = new Uint8Array(0);

class Parser {
  readonly #lexer: Lexer;
  readonly #options = new Map<string, NamedOption>();
  readonly #hosts = new Set<string>();
  readonly #ranges: AddressRange[] = [];

  constructor(text: string, defined: readonly NamedOption[]) {
    this.#lexer = new Lexer(text);
    for (const option of BUILT_IN_OPTIONS) this.#options.set(option.name, namedOption(option));
    for (const option of defined) this.#options.set(option.name, option);
  }

  readAll(): readonly Item[] {
    const items: Item[] = [];
    while (this.#lexer.peek().kind !== "end") {
      const item = this.#statement("root", [], items);
      if (item !== null) items.push(item);
    }
    return items;
  }

  /**
   * @param subnets those that a range here may lie in.
   * @param before what stands here already.
   * @returns `null` for an unknown word alone, which ISC dhcpd accepts and forgets.
   */
  #statement(place: Place, subnets: readonly Block[], before: readonly Item[]): Item | null {
    const word = this.#lexer.peek();
    if ((word.kind !== "name" && word.kind !== "hex") || INNER_WORDS.has(word.text)) {
      const isLate = before.some((item) => "items" in item);
      const what = isLate ? "expecting a declaration" : "expecting a parameter or declaration";
      throw this.#lexer.faultBefore(what);
    }
    this.#lexer.next();
    switch (word.text) {
      case "subnet":
      case "shared-network":
      case "pool":
      case "group":
      case "host":
        return this.#block(word, place, subnets);
      case "range":
        return this.#range(word, place, subnets);
      default:
        if (isParameter(word.text) || SIMPLE.has(word.text)) {
          return this.#ended(this.#simple(word, place));
        }
        if (UNSUPPORTED.has(word.text)) throw this.#lexer.fault("not supported", word);
        if (!this.#lexer.skipMark(";")) throw this.#lexer.fault("semicolon expected.");
        return null;
    }
  }

  /** A statement that a semicolon ends. */
  #simple(word: Token, place: Place): Item {
    switch (word.text) {
      case "authoritative":
      case "not":
        return this.#authority(word, place);
      case "option":
        return this.#option(place);
      case "server-identifier":
        return this.#setting(namedOption(Option.ServerIdentifier));
      case "allow":
      case "deny":
      case "ignore":
        return this.#permission(word.text, place);
      case "hardware":
        return this.#hardware(word, place);
      case "fixed-address":
        return this.#fixedAddress(word, place);
      default:
        return this.#parameter(word);
    }
  }

  #ended(item: Item): Item {
    if (!this.#lexer.skipMark(";")) throw this.#lexer.fault("semicolon expected.");
    return item;
  }

  #authority(word: Token, place: Place): Item {
    const isAuthoritative = word.text === "authoritative";
    if (!isAuthoritative && this.#lexer.next().text !== "authoritative") {
      throw this.#lexer.fault("expecting assertion", word);
    }
    if (place === "host") throw this.#lexer.fault("authority makes no sense here.", word);
    return { kind: "authority", isAuthoritative };
  }

  #option(place: Place): Item {
    const word = this.#lexer.next();
    if (word.kind !== "name" && word.kind !== "hex") {
      throw this.#lexer.fault("expecting identifier after option keyword.", word);
    }
    if (this.#lexer.peek().text === "code") return this.#definition(word, place);
    const known = this.#options.get(word.text) ?? unknownOption(word.text);
    if (known === null) throw this.#lexer.fault(`unknown option dhcp.${word.text}`, word);
    return this.#setting(known);
  }

  #setting(option: NamedOption): Item {
    const octets = this.#skipEmpty() ? NO_OCTETS : readOptionData(this.#lexer, option.form);
    return { kind: "option", option, octets };
  }

  /** ISC dhcpd takes a semicolon for a value of no octets, and may miss one behind it. */
  #skipEmpty(): boolean {
    if (!this.#lexer.skipMark(";")) return false;
    if (!this.#lexer.isMark(";")) throw this.#lexer.fault("semicolon expected.");
    return true;
  }

  #definition({ text: name }: Token, place: Place): Item {
    const word = this.#lexer.next();
    if (place !== "root") throw this.#lexer.fault("option definitions may not be scoped.", word);
    const code = readNumber(this.#lexer, 1);
    if (code < 1 || code > 254) {
      throw this.#lexer.fault("expecting an option code from 1 to 254", word);
    }
    this.#expectMark("=", "expecting an equals sign");
    const option = { code, name, form: readForm(this.#lexer) };
    this.#options.set(name, option);
    return { kind: "definition", option };
  }

  #permission(verdict: "allow" | "deny" | "ignore", place: Place): Item {
    const first = this.#lexer.peek();
    const words: string[] = [];
    do words.push(this.#lexer.next().text);
    while (words.length < 3 && place === "pool" && clientsOf(words.join(" ")) === null);
    const said = words.join(" ");
    if (place === "pool" && verdict !== "ignore") {
      const clients = clientsOf(said);
      if (clients === null) throw this.#lexer.fault("expecting a permit type.", first);
      return { kind: "permit", verdict, clients };
    }
    const subject = PERMISSIONS.find((one) => one === said);
    if (subject === undefined) throw this.#lexer.fault("expecting allow/deny key", first);
    return { kind: "permission", verdict, subject };
  }

  #hardware(word: Token, place: Place): Item {
    const type = this.#lexer.next();
    const htype = HARDWARE_TYPES.get(type.text) ?? unknownNumber(type.text);
    if (htype === null || htype > 255) {
      throw this.#lexer.fault("expecting a network hardware type", type);
    }
    const octets = readHex(this.#lexer);
    if (octets.length > 16) throw this.#lexer.fault("hardware address too long", word);
    if (place !== "host") {
      throw this.#lexer.fault("hardware address parameter not allowed here.", word);
    }
    return { kind: "hardware", htype, octets };
  }

  #fixedAddress(word: Token, place: Place): Item {
    const addresses = this.#addresses();
    if (place !== "host") {
      throw this.#lexer.fault("fixed-address parameter not allowed here.", word);
    }
    return { kind: "fixed-address", addresses };
  }

  #addresses(): readonly Ipv4Addr[] {
    const addresses: Ipv4Addr[] = [];
    do addresses.push(readAddress(this.#lexer));
    while (this.#lexer.skipMark(","));
    return addresses;
  }

  #parameter({ text: name }: Token): Item {
    assert(isParameter(name), "a statement is known when it is read");
    return { kind: "parameter", name, value: this.#parameterValue(name) };
  }

  #parameterValue(name: ParameterName): ParameterValue {
    if (this.#skipEmpty()) throw this.#lexer.fault("expecting a value");
    if (PARAMETERS[name] === "word") return this.#word(name);
    switch (PARAMETERS[name]) {
      case "u32":
        return readNumber(this.#lexer, 4);
      case "u8":
        return readNumber(this.#lexer, 1);
      case "flag":
        return readFlag(this.#lexer);
      case "text":
        return readText(this.#lexer);
      case "address":
        return [readAddress(this.#lexer)];
    }
  }

  #word(name: ParameterName): string {
    const word = this.#lexer.next();
    if (word.kind !== "name") throw this.#lexer.fault("identifier expected", word);
    if (WORDS[name]?.includes(word.text) !== true) throw this.#lexer.fault("unknown value", word);
    return word.text;
  }

  #range(word: Token, place: Place, subnets: readonly Block[]): Item {
    if (place !== "subnet" && place !== "pool") {
      throw this.#lexer.fault("range declaration not allowed here.", word);
    }
    const isForBootp = this.#lexer.skipWord("dynamic-bootp");
    const low = readAddress(this.#lexer);
    const high = this.#lexer.isMark(";") ? low : readAddress(this.#lexer);
    const home = subnets.find((subnet) => holds(subnet, low));
    const stray = home === undefined ? low : high;
    if (home === undefined || !holds(home, high)) {
      throw this.#lexer.fault(`bad range, address ${formatIpv4(stray)} not in subnet`, word);
    }
    const range: AddressRange = {
      kind: "range",
      low: ipv4Of(Math.min(low, high)),
      high: ipv4Of(Math.max(low, high)),
      isForBootp,
    };
    const twin = this.#ranges.find((other) => other.low <= range.high && range.low <= other.high);
    if (twin !== undefined) {
      const address = formatIpv4(ipv4Of(Math.max(twin.low, range.low)));
      throw this.#lexer.fault(`lease ${address} is declared twice!`, word);
    }
    this.#ranges.push(range);
    return this.#ended(range);
  }

  #block(word: Token, place: Place, subnets: readonly Block[]): Item {
    const kind = kindOf(word.text);
    if (kind === "group" && place === "host") throw this.#lexer.fault("not supported", word);
    if (kind === null || !MAY_HOLD[place].includes(kind)) {
      throw this.#lexer.fault(`${word.text} declarations not allowed here.`, word);
    }
    const name = this.#blockName(kind);
    const network = kind === "subnet" ? readAddress(this.#lexer) : IPV4_ANY;
    const netmask = kind === "subnet" ? this.#netmask(network) : IPV4_ANY;
    this.#expectMark("{", "expecting left brace.");
    const items: Item[] = [];
    const head: Block = { kind, name, network, netmask, items };
    const inner = kind === "subnet" ? [head] : [...subnets];
    while (!this.#lexer.skipMark("}")) {
      const item = this.#statement(kind, inner, items);
      if (item === null) continue;
      if (item.kind === "subnet") inner.push(item);
      this.#refuseSecond(items, item, name);
      items.push(item);
    }
    if (kind === "host") this.#enterHost(name);
    if (kind === "shared-network" && !hasSubnet(items)) {
      throw this.#lexer.faultBefore("empty shared-network decl");
    }
    return head;
  }

  #blockName(kind: Block["kind"]): string {
    if (kind === "subnet" || kind === "pool") return "";
    const word = this.#lexer.peek();
    if (word.kind === "string" && kind !== "host") return this.#lexer.next().text;
    const isWord = word.kind === "name" || word.kind === "hex";
    if (kind === "group") return isWord ? this.#lexer.next().text : "";
    if (!isWord && word.kind !== "number") {
      throw this.#lexer.faultBefore(`expecting a name for ${kind} declaration.`);
    }
    const labels: string[] = [];
    do labels.push(this.#lexer.next().text);
    while (this.#lexer.skipMark("."));
    return labels.join(".");
  }

  #netmask(network: Ipv4Addr): Ipv4Addr {
    const word = this.#lexer.next();
    if (word.text !== "netmask") throw this.#lexer.fault("Expecting netmask", word);
    const netmask = readAddress(this.#lexer);
    if (ipv4Of(network & netmask) !== network) {
      const subnet = `subnet ${formatIpv4(network)} netmask ${formatIpv4(netmask)}`;
      throw this.#lexer.fault(`${subnet}: bad subnet number/mask combination.`, word);
    }
    return netmask;
  }

  #refuseSecond(items: readonly Item[], { kind }: Item, name: string): void {
    if (kind !== "hardware" && kind !== "fixed-address") return;
    if (!items.some((item) => item.kind === kind)) return;
    const what = kind === "hardware" ? "hardware address" : "fixed address";
    throw this.#lexer.fault(`host ${name}: ${what} already configured.`);
  }

  #enterHost(name: string): void {
    if (this.#hosts.has(name)) throw this.#lexer.fault(`host ${name}: already exists`);
    this.#hosts.add(name);
  }

  #expectMark(mark: string, message: string): void {
    if (!this.#lexer.skipMark(mark)) throw this.#lexer.fault(message);
  }
}

const holds = ({ network, netmask }: Block, address: Ipv4Addr): boolean =>
  ipv4Of(address & netmask) === network;

/** `unknown-224` is option 224 as octets, and hardware of type 224. */
function unknownNumber(text: string): number | null {
  const [, digits] = /^unknown-(\d{1,3})$/.exec(text) ?? [];
  return digits === undefined ? null : Number(digits);
}

function unknownOption(name: string): NamedOption | null {
  const code = unknownNumber(name);
  if (code === null || code < 1 || code > 254) return null;
  return { code, name, form: { atoms: OCTETS.atoms, repeats: false } };
}

/** A built-in option as a configuration knows it. */
export function namedOption({ code, name, type }: AnyOption): NamedOption {
  return { code, name, form: { atoms: type.atoms, repeats: type.repeats } };
}
