import { describe, expect, it } from "vitest";
import { type Ipv4Addr, parseIpv4 } from "../../src/wire/addr.ts";
import { viewOf } from "../../src/wire/field.ts";
import { sealHeader } from "../../src/l3/ipv4.ts";
import { echoOptions, Ipv4Options, writeEchoed } from "../../src/l3/ipv4-options.ts";
import { octetsOf } from "../l2/header-laws.ts";

const DOM0 = parseIpv4("10.251.34.1");
/** When a recorded Dom0 stamped, in milliseconds since midnight. */
const STAMPED = 0x01bf_51eb;

/** A host whose only address is Dom0's. */
const HOST = {
  specificAddress: (): Ipv4Addr => DOM0,
  isForeign: (address: Ipv4Addr): boolean => address !== DOM0,
  timeOfDay: (): number => STAMPED,
};

/** The header as a Dom0 that forwards it to a domU sends it, but for its TTL. */
function forwarded(header: Uint8Array): Uint8Array {
  const octets = header.slice();
  const options = new Ipv4Options(HOST);
  expect(options.read(viewOf(octets), 0)).toBe(-1);
  options.fill(viewOf(octets), 0, DOM0);
  if (options.isChanged) sealHeader(viewOf(octets), 0);
  return octets;
}

/** The options of an answer to `header`; `null` if it leaves no room for them. */
function echoed(header: Uint8Array): Uint8Array | null {
  const octets = header.slice();
  const options = new Ipv4Options(HOST);
  options.read(viewOf(octets), 0);
  const echo = echoOptions(viewOf(octets), 0, options);
  if (echo === null) return null;
  const answer = new Uint8Array(20 + echo.octets.length);
  writeEchoed(viewOf(answer), 0, echo, DOM0, STAMPED);
  return answer.slice(20);
}

/** A header from 10.1.2.2 with `options`, unsealed. */
function headerWith(options: string): Uint8Array {
  const octets = octetsOf(options);
  const words = (20 + octets.length) / 4;
  const header = new Uint8Array(words * 4);
  header.set([0x40 + words]);
  header.set([10, 1, 2, 2], 12);
  header.set(octets, 20);
  return header;
}

/** Where a host says that `options` are wrong, from the first of them; -1 for nowhere. */
function wrongAt(options: string): number {
  const wrong = new Ipv4Options(HOST).read(viewOf(headerWith(options)), 0);
  return wrong < 0 ? -1 : wrong - 20;
}

const ZEROS = (words: number): string => "00000000".repeat(words);

describe("the options that a recorded Dom0 met", () => {
  it("come back in its answer with its address twice: as it was asked and as it answers", () => {
    const ping = octetsOf(`4f00007c fb0e4000 40018667 0afb2205 0afb2201
      01 072708 0afb2205 ${ZEROS(8)}`);
    expect(echoed(ping)).toEqual(octetsOf(`072710 0afb2205 0afb2201 0afb2201 ${ZEROS(6)} 00`));
  });

  it("come back in its error with its address once, for they have no more room", () => {
    const probe = octetsOf("47000025 12340000 0111408d 0afb2205 0afb2206 070704 00000000 00");
    expect(echoed(probe)).toEqual(octetsOf("070708 0afb2201 00"));
  });

  it("are stamped with its address and time on their way", () => {
    const ping = octetsOf(`4e000078 81644000 3f018785 0afb2205 0afb2206
      44240d01 0afb2205 01bf4fb6 ${ZEROS(6)}`);
    const left = octetsOf(`4e000078 81644000 3f01fede 0afb2205 0afb2206
      44241501 0afb2205 01bf4fb6 0afb2201 01bf51eb ${ZEROS(4)}`);
    expect(forwarded(ping)).toEqual(left);
  });

  it("count it when they have no room for its stamp", () => {
    const stamps = "0afb2205 01bf4fb6 0afb2201 01bf51eb 0afb2206 01bf4f97 0afb2206 01bf4f98";
    const pong = octetsOf(`4e000078 41040000 3f01728f 0afb2206 0afb2205 44242501 ${stamps}`);
    const left = octetsOf(`4e000078 41040000 3f01727f 0afb2206 0afb2205 44242511 ${stamps}`);
    expect(forwarded(pong)).toEqual(left);
  });
});

describe("options in order", () => {
  it.each([
    ["no-operations and an end", "01010100", -1],
    ["a length that is missing", "01010107", 3],
    ["a length of less than two", "07010000", 0],
    ["a length beyond the header", "07050000", 0],
    ["a record route without a pointer", "07020000", 1],
    ["a record route that points before its slots", "07070300 00000000", 2],
    ["a record route with half a slot", "07060400 00000000", 2],
    ["a second record route", `07030407 03040000`, 3],
    ["a timestamp without flags", "44030500", 1],
    ["a timestamp that points before its slots", "44080400 00000000", 2],
    ["a timestamp with room for an address alone", "44080501 00000000", 2],
    ["a timestamp that fifteen hops found full", "440405f0", 3],
    ["the same with addresses given beforehand", "440405f3", -1],
    ["a timestamp of an unknown flag", "44080502 00000000", -1],
    ["a source route that points before its slots", "83070300 00000000", 2],
    ["a strict route after a loose one", "83030489 03040000", 3],
    ["a router alert without a value", "94020000", 1],
    ["a CIPSO option that is too short", "86040000", 1],
    ["a CIPSO option of some domain", "86080000 00010000", 2],
    ["an option that nobody knows", "dc0400ff", -1],
  ])("%s", (_what, options, expected) => {
    expect(wrongAt(options)).toBe(expected);
  });

  it("are blanked after their end", () => {
    expect(forwarded(headerWith("0100dead")).slice(20)).toEqual(octetsOf("01000000"));
  });
});

describe("an answer", () => {
  it("stamps itself where the question asked for it by name, after the question's stamp", () => {
    const asked = headerWith("44140503 0afb2201 00000000 0afb2201 00000000");
    const answer = octetsOf("44141503 0afb2201 01bf51eb 0afb2201 01bf51eb");
    expect(echoed(asked)).toEqual(answer);
    const other = headerWith("44140503 0afb2201 00000000 0a020202 00000000");
    expect(echoed(other)).toEqual(octetsOf("44140d03 0afb2201 01bf51eb 0a020202 00000000"));
  });

  it("is not sent if its address has room and its time has none", () => {
    expect(echoed(headerWith(`44100501 ${ZEROS(3)}`))).toBeNull();
  });

  it("goes back the way of a source route, its asker last", () => {
    const header = headerWith("830b0c 08080808 0a020203 00");
    const options = new Ipv4Options(HOST);
    options.read(viewOf(header), 0);
    const echo = echoOptions(viewOf(header), 0, options);
    expect(echo?.firstHop).toBe(parseIpv4("10.2.2.3"));
    expect(echo?.octets).toEqual(octetsOf("830b04 08080808 0a010202 00"));
  });

  it("names its asker once if the route began there", () => {
    const header = headerWith("830b0c 0a010202 0a020203 00");
    const options = new Ipv4Options(HOST);
    options.read(viewOf(header), 0);
    const echo = echoOptions(viewOf(header), 0, options);
    expect(echo?.octets).toEqual(octetsOf("830704 0a010202 00"));
  });
});
