/** Texts that stand where names may stand. @module */

/** True for a text that can only be meant as an IPv4 address, and is one. */
export function isAddress(text: string): boolean {
  const parts = text.split(".");
  return parts.length === 4 && parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) < 256);
}
