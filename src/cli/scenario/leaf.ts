/** Scalars of a scenario: each has one message for all that can be wrong with it. @module */
import { z } from "zod";
import { EmulatorError, ParseError } from "../../base/errors.ts";
import { MILLISECOND, parseDuration } from "../../base/time.ts";
import {
  formatIpv4,
  isGroupMac,
  MAC_ZERO,
  type Ipv4Addr,
  parseInterfaceAddress,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../wire/addr.ts";
import type { Reason } from "../../wire/packet.ts";
import { checkSocketPath } from "../../backend/unix-listener.ts";
import { Ebtables } from "../../filter/ebtables/ebtables.ts";
import { serialOfDomain } from "../../zone/naming.ts";
import { hint } from "../suggest.ts";

/** `value` in a message: "text", 5, nothing, a list. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  // .nan and .inf of YAML are no JSON.
  const text = typeof value === "number" ? String(value) : (JSON.stringify(value) ?? typeof value);
  return text.length > 60 ? `${text.slice(0, 56)}..."` : text;
}

/** The message of a schema that takes nothing else than `what`. */
export const only =
  (what: string) =>
  ({ input }: { readonly input?: unknown }): string =>
    `expected ${what}, got ${shown(input)}`;

/** What a JSON Schema says of a scalar besides its type. */
interface Description {
  readonly id: string;
  readonly description: string;
  readonly examples: readonly string[];
  readonly pattern?: string;
}

/** A text that `parse` reads. Its EmulatorError says what was expected; `what` does for no text. */
function textOf<T>(what: string, parse: (text: string) => T, description: Description) {
  return z
    .string({ error: only(what) })
    .meta({ ...description, examples: [...description.examples] })
    .transform((text, context): T => {
      try {
        return parse(text);
      } catch (error) {
        if (!(error instanceof EmulatorError)) throw error;
        const message = error.message.replace(JSON.stringify(text).slice(1, -1), () =>
          shown(text).slice(1, -1),
        );
        context.addIssue({ code: "custom", message, input: text });
        return z.NEVER;
      }
    });
}

/** "250ms", "5s", in microseconds. */
export const duration = textOf('a duration such as "250ms" or "5s"', parseDuration, {
  id: "Duration",
  description: "A time span: a number with a unit of us, ms, s, m, h or d.",
  examples: ["250ms", "5s", "2h"],
  pattern: String.raw`^\d+(\.\d+)?(us|ms|s|m|h|d)$`,
});

/** @throws {ParseError} if no machine can have it. */
function machine(address: Ipv4Addr): Ipv4Addr {
  const first = address >>> 24;
  if (first !== 0 && first !== 127 && first < 224) return address;
  const text = formatIpv4(address);
  throw new ParseError("ipv4", text, `expected an address of one machine, got "${text}"`);
}

/** How often something is sent: whole milliseconds, one or more. */
export const interval = duration.refine((span) => span > 0 && span % MILLISECOND === 0, {
  error: "expected a whole number of milliseconds from 1",
});

/** "10.254.170.223": of a machine. */
export const ipv4 = textOf(
  "an IPv4 address such as 10.254.170.223",
  (text) => machine(parseIpv4(text)),
  {
    id: "Ipv4Address",
    description: "An IPv4 address: four decimal parts.",
    examples: ["10.254.170.223"],
    pattern: String.raw`^(\d{1,3}\.){3}\d{1,3}$`,
  },
);

/** "216.182.232.10/20": host bits stay; without a length, /32. */
export const interfaceAddress = textOf(
  "an address such as 216.182.232.10/20",
  (text) => {
    const { address, length } = parseInterfaceAddress(text);
    return { address: machine(address), length };
  },
  {
    id: "InterfaceAddress",
    description: "An IPv4 address and the length of its network's prefix, as `ip addr` writes it.",
    examples: ["216.182.232.10/20"],
    pattern: String.raw`^(\d{1,3}\.){3}\d{1,3}(/\d{1,2})?$`,
  },
);

/** "10.254.168.0/23": no bits below the length. */
export const prefix = textOf("a prefix such as 10.254.168.0/23", parsePrefix, {
  id: "Prefix",
  description: "A block of IPv4 addresses.",
  examples: ["10.254.168.0/23", "0.0.0.0/0"],
  pattern: String.raw`^(\d{1,3}\.){3}\d{1,3}(/\d{1,2})?$`,
});

/** "12:31:39:00:A5:11". */
export const mac = textOf("a MAC address such as 12:31:39:00:A5:11", parseMac, {
  id: "MacAddress",
  description: "A MAC address: six octets of two hexadecimal digits.",
  examples: ["12:31:39:00:A5:11"],
  pattern: "^[0-9A-Fa-f]{2}([:-][0-9A-Fa-f]{2}){5}$",
});

/** "12:31:39:00:A5:11": of one machine's card. */
export const stationMac = textOf(
  "a MAC address such as 12:31:39:00:A5:11",
  (text) => {
    const address = parseMac(text);
    if (address !== MAC_ZERO && !isGroupMac(address)) return address;
    const got = `got ${shown(text)}`;
    throw new ParseError("mac", text, `expected a MAC address of one station, ${got}`);
  },
  {
    id: "StationMacAddress",
    description: "A MAC address of one station: neither zero nor a group's.",
    examples: ["12:31:39:00:A5:11"],
    pattern: "^[0-9A-Fa-f][02468ACEace][:-]([0-9A-Fa-f]{2}[:-]){4}[0-9A-Fa-f]{2}$",
  },
);

/** "dom_32504936". */
export const domainName = textOf(
  "a domain name such as dom_32504936",
  (text) => {
    serialOfDomain(text);
    return text;
  },
  {
    id: "DomainName",
    description: "A domain's name: dom_ and its number in the zone.",
    examples: ["dom_32504936"],
    pattern: String.raw`^dom_(0|[1-9]\d{0,9})$`,
  },
);

/** "10Mb/s@50ms"; what its host can read is checked once the profile is known. */
export const vifRate = textOf('a rate such as "10Mb/s" or "1MB/s@50ms"', (text) => text, {
  id: "VifRate",
  description:
    "Bits (b) or octets (B) a second, as xm and xl read a vif's rate, and how often there is " +
    "more to send: 50ms if left out.",
  examples: ["10Mb/s", "1MB/s@20ms"],
  pattern: "^[0-9]+[GMK]?[Bb]/s(@[0-9]+[mu]?s?)?$",
});

/** Tables about frames; a fault names the line of the text, counted from its own first. */
export const frameRules = textOf(
  "rules as ebtables-save prints them",
  (text) => {
    new Ebtables().restore(text);
    return text;
  },
  {
    id: "FrameRules",
    description: "Tables filter and nat about the vifs' frames, as `ebtables-save` prints them.",
    examples: ["*filter\n:INPUT ACCEPT\n-A INPUT -i vif3.0 -p IPv6 -j DROP\n"],
  },
);

/** "unix:/tmp/vif3.sock": where a vif of `dom0 serve` is reached. */
export const plugAddress = textOf(
  "where to listen, such as unix:/tmp/vif3.sock",
  (text) => {
    const [, path] = /^unix:(.+)$/s.exec(text) ?? [];
    if (path === undefined) {
      const expected = "where to listen, such as unix:/tmp/vif3.sock";
      throw new EmulatorError("plug", text, only(expected)({ input: text }));
    }
    checkSocketPath(path);
    return text;
  },
  {
    id: "PlugAddress",
    description: "Where to listen: unix: and the path of a socket, up to 107 octets.",
    examples: ["unix:/tmp/vif3.sock"],
    pattern: "^unix:.+$",
  },
);

const NAME = /^[\w.-]{1,64}$/;
/** A name of a host, a security group or an internet host. */
export const name = z
  .string({ error: only("a name such as host-a") })
  .regex(NAME, { error: only("a name of up to 64 letters, digits, . _ -") })
  .meta({ id: "Name", description: "A name: letters, digits, full stops, underscores, hyphens." });

/** Text of up to 65,507 characters, of whatever kind. */
export const words = z
  .string({ error: only("a text") })
  .max(65_507, { error: only("a text of at most 65507 characters") });

/** A line for people: it may end up on a terminal. */
export const line = words
  .min(1, { error: only("a text") })
  .regex(/^\P{Cc}*$/u, { error: only("a text without control characters") });

/** A list of which nothing stands there twice. */
export function listOf<T extends z.ZodType>(item: T): z.ZodArray<T> {
  return z.array(item).superRefine((values, context) => {
    for (const [index, value] of values.entries()) {
      const before = values.indexOf(value);
      if (before === index) continue;
      const message = `says again what [${before}] says`;
      context.addIssue({ code: "custom", message, path: [index], input: value });
    }
  });
}

const FRAME = /^(?:[0-9a-f]{2}[\s:-]*)+$/i;
/** Octets in hexadecimal, 14 to 65,549 of them. */
export const frame = z
  .string({ error: only('octets in hexadecimal, in quotation marks: "ffffffffffff 1231..."') })
  .refine((text) => FRAME.test(text), {
    error: only("pairs of hexadecimal digits, with blanks or colons between them or not"),
  })
  .meta({
    id: "Frame",
    description: "An Ethernet frame in hexadecimal, from the target address on, no check sequence.",
    examples: ["ffffffffffff 12313900a511 0806 ..."],
  })
  .transform((text, context): Uint8Array => {
    const digits = text.replaceAll(/[\s:-]/g, "");
    const octets = Uint8Array.from({ length: digits.length / 2 }, (_, index) =>
      Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16),
    );
    if (octets.length >= 14) return octets;
    const message = `expected a frame of at least 14 octets, got ${octets.length}`;
    context.addIssue({ code: "custom", message, input: text });
    return z.NEVER;
  });

/** A whole number from `lower` to `upper`. */
export function whole(lower: number, upper: number): z.ZodNumber {
  const error = only(`a whole number from ${lower} to ${upper}`);
  return z.number({ error }).int({ error }).min(lower, { error }).max(upper, { error });
}

/** From 0 to 1. */
export const probability = z
  .number({ error: only("a probability from 0 to 1") })
  .min(0, { error: only("a probability from 0 to 1") })
  .max(1, { error: only("a probability from 0 to 1") })
  .meta({ id: "Probability", description: "A probability." });

/** One of `known`, with a suggestion for what is none. */
export function oneOf<const T extends string>(
  known: readonly [T, ...T[]],
): z.ZodEnum<{ [K in T]: K }> {
  return z.enum(known, {
    error: ({ input }) =>
      typeof input === "string"
        ? `${shown(input)} is not known; ${hint(input, known)}`
        : `expected one of ${known.join(", ")}, got ${shown(input)}`,
  });
}

/** A reason such as "anti-spoof/source-address". */
export const reason = z
  .string({ error: only('a reason such as "security-group/no-permission"') })
  .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, {
    error: only('a reason such as "security-group/no-permission"'),
  })
  .meta({ id: "Reason", description: "Why a packet came to nothing: layer and cause." })
  .transform((text): Reason => {
    const [layer = "", cause = ""] = text.split("/");
    return `${layer}/${cause}`;
  });
