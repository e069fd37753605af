/** Values of XenStore as xenstore-utils print and read them: one character an octet. @module */

const NAMED = new Map([
  ["\t", String.raw`\t`],
  ["\n", String.raw`\n`],
  ["\r", String.raw`\r`],
  ["\\", String.raw`\\`],
]);

/** Below this, an octet is three octal digits, else two hexadecimal ones. */
const OCTAL = 0o10;

/** A value with everything escaped that is not printable in ASCII. */
export function escapeValue(value: string): string {
  return value.replaceAll(/[^ -[\]-~]/g, (octet) => {
    const named = NAMED.get(octet);
    if (named !== undefined) return named;
    const code = octet.charCodeAt(0);
    if (code < OCTAL) return `\\${code.toString(8).padStart(3, "0")}`;
    return `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

const ESCAPE = /\\(?:x[0-9A-Fa-f]{1,2}|[0-7]{1,3}|[^]?)/g;
const MEANT = new Map([
  ["t", "\t"],
  ["n", "\n"],
  ["r", "\r"],
  // A backslash at the end.
  ["", "\0"],
]);

/** A value as it was meant: the other way round. An octal number counts modulo 256. */
export function unescapeValue(text: string): string {
  return text.replaceAll(ESCAPE, (escape) => {
    const word = escape.slice(1);
    if (/^x./.test(word)) return String.fromCharCode(Number.parseInt(word.slice(1), 16));
    if (/^[0-7]/.test(word)) return String.fromCharCode(Number.parseInt(word, 8) & 0xff);
    return MEANT.get(word) ?? word;
  });
}
