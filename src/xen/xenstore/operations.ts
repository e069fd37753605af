/** What each operation's octets mean (Xen docs/misc/xenstore.txt, xenstored). @module */
import type { XenstoreBehaviour } from "./behaviour.ts";
import type { Errno } from "./errno.ts";
import { Operation } from "./message.ts";
import { parseDecimal } from "./octets.ts";
import type { Output } from "./output.ts";
import { domainPath } from "./path.ts";
import { formatPermission } from "./permission.ts";
import type { Request } from "./request.ts";
import type { StoreSession } from "./session.ts";

/** Answers into `output`, or says why not. */
type Handler = (session: StoreSession, request: Request, output: Output) => Errno | null;

const HANDLERS: ReadonlyMap<number, Handler> = new Map<number, Handler>([
  [Operation.CONTROL, control],
  [Operation.DIRECTORY, directory],
  [Operation.READ, read],
  [Operation.GET_PERMS, getPermissions],
  [Operation.WATCH, watch],
  [Operation.UNWATCH, unwatch],
  [Operation.TRANSACTION_START, startTransaction],
  [Operation.TRANSACTION_END, endTransaction],
  [Operation.INTRODUCE, introduce],
  [Operation.RELEASE, release],
  [Operation.GET_DOMAIN_PATH, getDomainPath],
  [Operation.WRITE, write],
  [Operation.MKDIR, mkdir],
  [Operation.RM, rm],
  [Operation.SET_PERMS, setPermissions],
  [Operation.IS_DOMAIN_INTRODUCED, isDomainIntroduced],
  [Operation.RESUME, resume],
  [Operation.SET_TARGET, setTarget],
  [Operation.RESET_WATCHES, resetWatches],
  [Operation.DIRECTORY_PART, directoryPart],
]);

const PRIVILEGED: ReadonlySet<number> = new Set<number>([
  Operation.CONTROL,
  Operation.INTRODUCE,
  Operation.RELEASE,
  Operation.IS_DOMAIN_INTRODUCED,
  Operation.RESUME,
  Operation.SET_TARGET,
]);

const OUTSIDE: ReadonlySet<number> = new Set<number>([Operation.WATCH, Operation.UNWATCH]);

/** Answer `request` of `session` into `output`: exactly one answer, after the events it caused. */
export function answer(
  behaviour: XenstoreBehaviour,
  session: StoreSession,
  request: Request,
  output: Output,
): void {
  const refused = dispatch(behaviour, session, request, output);
  if (refused !== null) output.error(request, session.nameOf(refused));
}

function dispatch(
  behaviour: XenstoreBehaviour,
  session: StoreSession,
  request: Request,
  output: Output,
): Errno | null {
  const { type, transactionId } = request;
  const handler = type <= behaviour.lastOperation ? HANDLERS.get(type) : undefined;
  if (behaviour.judgesOperationFirst) {
    if (handler === undefined) return "ENOSYS";
    if (!session.isPrivileged && PRIVILEGED.has(type)) return "EACCES";
  }
  const isOutside = behaviour.watchesOutsideTransactions && OUTSIDE.has(type);
  if (!isOutside && !session.hasTransaction(transactionId)) return "ENOENT";
  return handler === undefined ? "ENOSYS" : handler(session, request, output);
}

function done(refused: Errno | null, request: Request, output: Output): Errno | null {
  if (refused === null) output.ok(request);
  return refused;
}

function read(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.only;
  if (path === null) return session.errorWithoutPath;
  const value = session.read(path, request.transactionId);
  if (typeof value === "string") return value;
  output.begin(request).append(value).finish(request);
  return null;
}

function directory(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.only;
  if (path === null) return session.errorWithoutPath;
  const node = session.find(path, request.transactionId);
  if (typeof node === "string") return node;
  output.begin(request).append(node.children).finish(request);
  return null;
}

/** As many whole names from `offset` on as fit; a second NUL says that these are the last. */
function directoryPart(session: StoreSession, request: Request, output: Output): Errno | null {
  const [path, offsetText, ...more] = request.strings;
  if (path === undefined || offsetText === undefined || more.length > 0) return "EINVAL";
  const node = session.find(path, request.transactionId);
  if (typeof node === "string") return node;
  const { children, generation } = node;
  const offset = parseDecimal(offsetText) >>> 0;
  const start = Math.min(offset, children.length);
  const count = `${generation}\0`;
  output.begin(request).text(count);
  const limit = 4096 - count.length - 1;
  let stop = start;
  while (stop < children.length) {
    const nul = children.indexOf(0, stop);
    if (nul - start >= limit) break;
    stop = nul + 1;
  }
  output.append(children.subarray(start, stop));
  if (stop === children.length) output.text("\0");
  output.finish(request);
  return null;
}

function write(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.first;
  if (path === null) return "EINVAL";
  return done(session.write(path, request.rest, request.transactionId), request, output);
}

function mkdir(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.only;
  if (path === null) return "EINVAL";
  return done(session.mkdir(path, request.transactionId), request, output);
}

function rm(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.only;
  if (path === null) return "EINVAL";
  return done(session.rm(path, request.transactionId), request, output);
}

function getPermissions(session: StoreSession, request: Request, output: Output): Errno | null {
  const path = request.only;
  if (path === null) return session.errorWithoutPath;
  const held = session.permissions(path, request.transactionId);
  if (typeof held === "string") return held;
  output.begin(request);
  for (const entry of held) output.text(formatPermission(entry)).text("\0");
  output.finish(request);
  return null;
}

function setPermissions(session: StoreSession, request: Request, output: Output): Errno | null {
  const [path, ...entries] = request.strings;
  if (path === undefined || entries.length === 0) return "EINVAL";
  const refused = session.setPermissions(path, entries, request.transactionId);
  return done(refused, request, output);
}

function watch(session: StoreSession, request: Request, output: Output): Errno | null {
  const [path, token, ...more] = request.strings;
  if (path === undefined || token === undefined || more.length > 0) return "EINVAL";
  return session.watch(path, token, () => output.ok(request), request.transactionId);
}

function unwatch(session: StoreSession, request: Request, output: Output): Errno | null {
  const [path, token, ...more] = request.strings;
  if (path === undefined || token === undefined || more.length > 0) return "EINVAL";
  return done(session.unwatch(path, token), request, output);
}

function resetWatches(session: StoreSession, request: Request, output: Output): Errno | null {
  session.resetWatches();
  output.ok(request);
  return null;
}

function startTransaction(session: StoreSession, request: Request, output: Output): Errno | null {
  const id = session.start(request.transactionId);
  if (typeof id === "string") return id;
  output.begin(request).text(`${id}\0`).finish(request);
  return null;
}

function endTransaction(session: StoreSession, request: Request, output: Output): Errno | null {
  const word = request.only;
  if (word !== "T" && word !== "F") return "EINVAL";
  return done(session.end(request.transactionId, word === "T"), request, output);
}

function introduce(session: StoreSession, request: Request, output: Output): Errno | null {
  const [domid, gfn, port] = request.strings;
  if (domid === undefined || gfn === undefined || port === undefined) return "EINVAL";
  const [domain, frame, channel] = [parseDecimal(domid), parseDecimal(gfn), parseDecimal(port)];
  return done(session.introduce(domain >>> 0, frame, channel >>> 0), request, output);
}

function release(session: StoreSession, request: Request, output: Output): Errno | null {
  const domid = parseDecimal(request.only ?? "0") >>> 0;
  return domid === 0 ? "EINVAL" : session.release(domid, () => output.ok(request));
}

function resume(session: StoreSession, request: Request, output: Output): Errno | null {
  const domid = parseDecimal(request.only ?? "0") >>> 0;
  return done(domid === 0 ? "EINVAL" : session.resume(domid), request, output);
}

function setTarget(session: StoreSession, request: Request, output: Output): Errno | null {
  const [domid, target] = request.strings;
  if (domid === undefined || target === undefined) return "EINVAL";
  const refused = session.setTarget(parseDecimal(domid) >>> 0, parseDecimal(target) >>> 0);
  return done(refused, request, output);
}

function getDomainPath(_session: StoreSession, request: Request, output: Output): Errno | null {
  const domid = request.only;
  if (domid === null) return "EINVAL";
  output
    .begin(request)
    .text(`${domainPath(parseDecimal(domid))}\0`)
    .finish(request);
  return null;
}

function isDomainIntroduced(session: StoreSession, request: Request, output: Output): Errno | null {
  const domid = request.only;
  if (domid === null) return "EINVAL";
  const isThere = session.isIntroduced(parseDecimal(domid) >>> 0);
  if (typeof isThere === "string") return isThere;
  output
    .begin(request)
    .text(isThere ? "T\0" : "F\0")
    .finish(request);
  return null;
}

function control(session: StoreSession, request: Request, output: Output): Errno | null {
  const answered = session.control(request.strings);
  if (typeof answered === "string") return answered;
  output.begin(request).text(answered.text).text("\0").finish(request);
  return null;
}
