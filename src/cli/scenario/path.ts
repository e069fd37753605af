/** Places inside a file. @module */

/** Keys and indexes from the root to a value. */
export type Path = readonly PropertyKey[];

/** "hosts[0].domains[1].mac"; empty for the whole file. */
export function keyOf(path: Path): string {
  const parts = path.map((key, index) => {
    if (typeof key === "number") return `[${key}]`;
    const text = String(key);
    const part = /^[\w-]+$/.test(text) ? text : JSON.stringify(text);
    return index === 0 ? part : `.${part}`;
  });
  return parts.join("");
}
