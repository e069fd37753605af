/** Paths of the store (Xen docs/misc/xenstore.txt, and xenstored's own stricter check). @module */

const SLASH = 0x2f;

/** Letters, digits and `-/_@`: nothing else, whatever the documentation says. */
const ALLOWED = new Uint8Array(256);
for (const character of "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@") {
  ALLOWED[character.charCodeAt(0)] = 1;
}

/** `path` names a node: from `/`, no empty part, none but the allowed characters. */
export function isNodePath(path: string): boolean {
  const { length } = path;
  if (length === 0 || path.charCodeAt(0) !== SLASH) return false;
  let before = 0;
  for (let i = 0; i < length; i++) {
    const character = path.charCodeAt(i);
    if (ALLOWED[character] !== 1) return false;
    if (character === SLASH && before === SLASH) return false;
    before = character;
  }
  return before !== SLASH || length === 1;
}

/** Octets of the prefix `/local/domain/N/`, which some eras do not count; 0 without it. */
export function domainPrefixLength(path: string): number {
  return /^\/local\/domain\/(?:-\d{1,4}|\d{1,5})\//.exec(path)?.[0].length ?? 0;
}

/** The path of the directory that `path` is in; `/` of `/` itself. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  return slash <= 0 ? "/" : path.slice(0, slash);
}

/** The last part of `path`. */
export function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path of the child `name` of `path`. */
export function childOf(path: string, name: string): string {
  return path === "/" ? `/${name}` : `${path}/${name}`;
}

/** `/local/domain/N`: what the relative paths of domain `domid` start from. */
export function domainPath(domid: number): string {
  return `/local/domain/${domid >>> 0}`;
}
