/**
 * Errors of the caller. Wrong packets never throw; our own mistakes are caught by `assert`.
 * @module
 */

/** What every error of this library is: a code for programs, the offending value, a sentence. */
export class EmulatorError extends Error {
  /** Stable, lower case, words joined by hyphens. */
  readonly code: string;
  /** The value that was refused. */
  readonly value: unknown;

  constructor(code: string, value: unknown, message: string) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    this.value = value;
  }
}

/** A number or a length outside what its place allows. */
export class RangeFault extends EmulatorError {
  constructor(code: string, value: unknown, expected: string) {
    super(code, value, `expected ${expected}, got ${show(value)}`);
  }
}

/** An option of a constructor or a call that cannot be used. */
export class OptionError extends EmulatorError {
  /** The option's name. */
  readonly option: string;
  constructor(option: string, value: unknown, expected: string) {
    super("option", value, `${option}: expected ${expected}, got ${show(value)}`);
    this.option = option;
  }
}

/** A text that cannot be read: an address, a configuration, a rule, a capture. */
export class ParseError extends EmulatorError {
  /** From 1; 0 where the text has no lines. */
  readonly line: number;
  constructor(code: string, value: unknown, message: string, line = 0) {
    super(code, value, line > 0 ? `line ${line}: ${message}` : message);
    this.line = line;
  }
}

/** `value` for people, whatever it is: the report of an error must not fail. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value instanceof Uint8Array) return `${value.length} octets`;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  try {
    return JSON.stringify(value) ?? typeof value;
  } catch {
    return typeof value;
  }
}
