import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ParseError } from "../../src/base/errors.ts";
import {
  type Block,
  CLIENTS,
  type Item,
  type ParameterName,
  PARAMETERS,
  type ParameterValue,
  PERMISSIONS,
  WORDS,
} from "../../src/dhcp/dhcpd-conf.ts";
import { BUILT_IN_OPTIONS, namedOption, parseDhcpdConf } from "../../src/dhcp/dhcpd-parser.ts";
import { formatDhcpdConf } from "../../src/dhcp/dhcpd-printer.ts";
import {
  type Atom,
  ATOM_LENGTH,
  DOMAINS,
  joinOctets,
  type OptionForm,
} from "../../src/dhcp/option-type.ts";
import { ipv4Of } from "../../src/wire/addr.ts";

const address = fc.nat(0xffff_ffff).map(ipv4Of);
const octets = (minLength: number, maxLength: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength, maxLength, size: "max" });
const text = octets(0, 12).map((codes) => String.fromCharCode(...codes));
const domain = fc.constantFrom("a", "b.example", "internal", "b.internal");

function atom(kind: Atom): fc.Arbitrary<Uint8Array> {
  if (kind === "flag") return fc.nat(1).map((bit) => Uint8Array.of(bit));
  if (kind === "domains") {
    return fc.array(domain, { minLength: 1, maxLength: 3 }).map((names) => DOMAINS.encode(names));
  }
  const length = ATOM_LENGTH[kind];
  return length > 0 ? octets(length, length) : octets(0, 12);
}

/** Octets of a form, one to three times if it repeats. */
function dataOf({ atoms, repeats }: OptionForm): fc.Arbitrary<Uint8Array> {
  const record = fc.tuple(...atoms.map(atom)).map(joinOctets);
  return fc.array(record, { minLength: 1, maxLength: repeats ? 3 : 1 }).map(joinOctets);
}

const setting: fc.Arbitrary<Item> = fc.constantFrom(...BUILT_IN_OPTIONS).chain((known) => {
  const option = namedOption(known);
  return dataOf(option.form).map((data) => ({ kind: "option", option, octets: data }));
});

function valueOf(name: ParameterName): fc.Arbitrary<ParameterValue> {
  switch (PARAMETERS[name]) {
    case "u32":
      return fc.nat(0xffff_ffff);
    case "u8":
      return fc.nat(0xff);
    case "flag":
      return fc.boolean();
    case "text":
      return text;
    case "address":
      return address.map((one) => [one]);
    case "word":
      return fc.constantFrom(...(WORDS[name] ?? ["none"]));
  }
}

const names = Object.keys(PARAMETERS).filter((name): name is ParameterName => name in PARAMETERS);
const parameter: fc.Arbitrary<Item> = fc
  .constantFrom(...names)
  .chain((name) => valueOf(name).map((value) => ({ kind: "parameter", name, value })));
const permission: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("permission"),
  verdict: fc.constantFrom("allow", "deny", "ignore"),
  subject: fc.constantFrom(...PERMISSIONS),
});
const authority: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("authority"),
  isAuthoritative: fc.boolean(),
});
const statements = fc.array(fc.oneof(setting, setting, parameter, permission), { maxLength: 4 });

const block = (kind: Block["kind"], name: string, items: readonly Item[]): Block => ({
  kind,
  name,
  network: ipv4Of(0),
  netmask: ipv4Of(0),
  items,
});
const hardware: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("hardware"),
  htype: fc.nat(255),
  octets: octets(1, 16),
});
const fixed: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("fixed-address"),
  addresses: fc.array(address, { minLength: 1, maxLength: 3 }),
});
const host = (index: number): fc.Arbitrary<Block> =>
  fc
    .tuple(hardware, fixed, statements)
    .map(([first, second, rest]) => block("host", `dom_${index}`, [first, second, ...rest]));
const permit: fc.Arbitrary<Item> = fc.record({
  kind: fc.constant("permit"),
  verdict: fc.constantFrom("allow", "deny"),
  clients: fc.constantFrom(...CLIENTS),
});

/** A subnet 10.x.0.0/16 with a range of its own and a pool with another. */
const subnet = (index: number): fc.Arbitrary<Block> =>
  fc
    .tuple(fc.boolean(), fc.nat(255), fc.array(permit, { maxLength: 2 }), statements)
    .map(([isForBootp, size, permits, rest]) => {
      const network = ipv4Of(0x0a00_0000 + index * 0x1_0000);
      const range = (low: number): Item => ({
        kind: "range",
        low: ipv4Of(network + low),
        high: ipv4Of(network + low + size),
        isForBootp,
      });
      const pool = block("pool", "", [...permits, range(0x400)]);
      const items = [...rest, range(0x100), pool];
      return { ...block("subnet", "", items), network, netmask: ipv4Of(0xffff_0000) };
    });
const conf = fc
  .tuple(statements, authority, subnet(1), subnet(2), host(1), host(2), text)
  .map(([outer, first, one, other, dom1, dom2, name]) => ({
    items: [
      ...outer,
      first,
      block("shared-network", name === "" ? "vifs" : name, [one]),
      other,
      block("group", name, [dom1]),
      dom2,
    ],
  }));

describe("A configuration", () => {
  it("is what its own text says", () => {
    fc.assert(
      fc.property(conf, (whole) => {
        expect(parseDhcpdConf(formatDhcpdConf(whole))).toEqual(whole);
      }),
      { numRuns: 60 },
    );
  });

  it("is refused with a ParseError or read, whatever the text", () => {
    const word = fc.constantFrom(
      ...'host subnet { } ; , . : 10 a5 option routers code = text range netmask " \\ # x'.split(
        " ",
      ),
      "\n",
    );
    const wild = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.array(word, { maxLength: 30, size: "max" }).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(wild, (said) => {
        try {
          const read = parseDhcpdConf(said);
          expect(parseDhcpdConf(formatDhcpdConf(read))).toEqual(read);
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
        }
      }),
      { numRuns: 100 },
    );
  });
});
