/** What clients of a store ask that changes it, as xenstored's trace shows it. */
import type { StoreSession } from "../../../src/xen/xenstore/session.ts";

const text = (value: unknown): string =>
  value instanceof Uint8Array ? new TextDecoder("latin1").decode(value) : String(value);

/** Requests by the method of a session that makes them. */
const REQUESTS = new Map<string, (args: readonly unknown[]) => string>([
  ["write", ([path, value]) => `WRITE (${text(path)} ${text(value)})`],
  ["mkdir", ([path]) => `MKDIR (${text(path)})`],
  ["rm", ([path]) => `RM (${text(path)})`],
  [
    "setPermissions",
    ([path, entries]) => `SET_PERMS (${text(path)} ${[entries].flat().map(text).join(" ")})`,
  ],
  ["watch", ([path, token]) => `WATCH (${text(path)} ${text(token)})`],
  ["unwatch", ([path, token]) => `UNWATCH (${text(path)} ${text(token)})`],
  ["introduce", ([domid, gfn, port]) => `INTRODUCE (${text(domid)} ${text(gfn)} ${text(port)})`],
]);

/** Note each request in `log`, by its user; those of a transaction as they are made. */
export function recordRequests(
  log: Map<string, string[]>,
): (session: StoreSession, user: string) => StoreSession {
  return (session, user) =>
    new Proxy(session, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...args: unknown[]): unknown => {
          const say = typeof key === "string" ? REQUESTS.get(key) : undefined;
          if (say !== undefined) {
            const lines = log.get(user) ?? [];
            log.set(user, lines);
            lines.push(say(args).replace(/ ?\)$/, ")"));
          }
          return Reflect.apply(value, target, args) as unknown;
        };
      },
    });
}
