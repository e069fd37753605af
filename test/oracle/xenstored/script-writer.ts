/** Writes scripts by chance: the same seed, the same script. @module */
import { Prng } from "../../../src/base/prng.ts";
import { encode, type Request, SOCKET, type Step, typeOf, type Who, words } from "./script.ts";
import { burstOf, type Cast, conflict, mayhem, request, tightQuota } from "./script-plots.ts";
import {
  anyDomid,
  anyPath,
  anyPerm,
  anyValue,
  broken,
  brokenIndex,
  controlLine,
  draw,
  GUESTS,
  oddNumber,
  pick,
  watchPath,
} from "./script-words.ts";

const SOCKETS = 3;
const CONTROL = typeOf("CONTROL");
const INTRODUCE = typeOf("INTRODUCE");
/**
 * If the payload is not one word, xenstored answers with the last error that any call left behind,
 * so also with what its sockets said.
 */
const ANSWERS_OLD_ERRORS = new Set(["DIRECTORY", "READ", "GET_PERMS", "MKDIR", "RM"].map(typeOf));

/** The script of a seed. @param length steps after those that make the guests. */
export function writeScript(seed: number, length: number): Step[] {
  return new ScriptWriter(new Prng(seed, "xenstore")).write(length);
}

class ScriptWriter {
  readonly #prng: Prng;
  readonly #steps: Step[] = [];
  /** The ids that a client may have open; never all right, for requests fail. */
  readonly #transactions = new Map<Who, number[]>();
  readonly #started = new Map<Who, number>();
  readonly #watches: [Who, string, string][] = [];
  readonly #paths: string[] = [];
  /**
   * Targets of a SET_TARGET. xenstored keeps what it holds of such a domain beyond the domain's end
   * and dies if it is introduced again, so these do not end.
   */
  readonly #targets = new Set<number>();
  /** Who probably gets answers. */
  readonly #talking = new Set<Who>();

  constructor(prng: Prng) {
    this.#prng = prng;
  }

  write(length: number): Step[] {
    this.#connect(SOCKET);
    if (this.#prng.below(3) > 0) this.#connect(SOCKET + 1);
    for (const domid of GUESTS.slice(0, this.#prng.below(4))) this.#makeGuest(domid);
    const first = this.#steps.length;
    while (this.#steps.length < first + length) this.#step();
    for (const who of GUESTS) this.#steps.push({ do: "thaw", who });
    return this.#steps;
  }

  #connect(who: Who): void {
    this.#steps.push({ do: "connect", who });
    this.#begin(who);
  }

  #begin(who: Who): void {
    if (this.#talking.has(who)) return;
    this.#talking.add(who);
    this.#started.delete(who);
    this.#transactions.delete(who);
  }

  /** As the toolstack makes one. */
  #makeGuest(domid: number): void {
    const home = `/local/domain/${domid}`;
    this.#begin(domid);
    this.#steps.push({ do: "create", who: domid });
    this.#ask(SOCKET, "MKDIR", `${home}\0`, 0);
    if (this.#prng.below(8) > 0) this.#ask(SOCKET, "SET_PERMS", `${home}\0n${domid}\0`, 0);
    this.#ask(SOCKET, "INTRODUCE", introduction(domid), 0);
  }

  #step(): void {
    const kind = draw(this.#prng, [
      [100, (): void => this.#some(this.#anyone(), 1)],
      [2, (): void => this.#some(this.#anyone(), 2 + this.#prng.below(4))],
      [5, (): void => this.#life()],
      [1, (): void => this.#burst(this.#anyone())],
      [3, (): void => this.#octets(this.#anyone())],
      [1, (): void => this.#indices()],
      [3, (): void => this.#play(conflict)],
      [1, (): void => this.#play(tightQuota)],
      [1, (): void => this.#play(mayhem)],
      [1, (): void => this.#pieces(this.#anyone())],
    ]);
    kind();
  }

  #play(plot: (cast: Cast) => Step[]): void {
    const [who, other] = [this.#anyone(), this.#anyone()];
    const tx = (this.#started.get(who) ?? 0) + 1;
    const isLasting = (domid: number): boolean => this.#targets.has(domid);
    const steps = plot({ prng: this.#prng, who, other, tx, isLasting });
    for (const step of steps) if (step.do === "destroy") this.#silence(step.who);
    const isStart = ({ type }: Request): boolean => type === typeOf("TRANSACTION_START");
    const starts = steps.filter((step) => step.do === "ask" && step.requests.some(isStart));
    this.#started.set(who, tx - 1 + starts.length);
    this.#steps.push(...steps);
  }

  /** A request in several pieces, between which others ask. */
  #pieces(who: Who): void {
    const prng = this.#prng;
    let left = encode([this.#anyRequest(who)]);
    const others = [...this.#talking].filter((one) => one !== who);
    for (let at = 0; left.length > 0;) {
      const drawn = 1 + prng.below(Math.min(left.length, 20));
      // As in #octets, a header goes with more.
      const count = who >= SOCKET && at + drawn === 16 ? drawn + 1 : drawn;
      this.#steps.push({ do: "send", who, octets: left.slice(0, count) });
      left = left.slice(count);
      at += count;
      const other = others[prng.below(others.length || 1)];
      const between = this.#anyRequest(other ?? SOCKET);
      // After half a request nobody is introduced anew: xenstored goes on with freed memory.
      if (left.length === 0 || other === undefined || between.type === INTRODUCE) continue;
      this.#steps.push({ do: "ask", who: other, requests: [between] });
    }
  }

  #anyone(): Who {
    const isSilent = this.#prng.below(50) === 0;
    const all = isSilent ? [...GUESTS, SOCKET + 2] : [...this.#talking];
    return all[this.#prng.below(all.length || 1)] ?? SOCKET;
  }

  /** Clients and domains come and go. */
  #life(): void {
    const prng = this.#prng;
    const guest = GUESTS[prng.below(GUESTS.length)] ?? 1;
    const socket = SOCKET + prng.below(SOCKETS);
    const step = draw<Step>(prng, [
      [3, { do: "connect", who: socket }],
      [2, { do: "close", who: socket }],
      [4, { do: "create", who: guest }],
      [3, { do: "destroy", who: guest }],
      [2, { do: "shutdown", who: guest, reason: prng.below(5) }],
      [1, { do: "dying", who: guest }],
      [1, { do: "resume", who: guest }],
      [1, { do: "freeze", who: guest }],
      [2, { do: "thaw", who: guest }],
    ]);
    const isEnd = step.do === "destroy" || step.do === "dying";
    if (isEnd && this.#targets.has(step.who)) return;
    if (step.do === "close" || step.do === "destroy") this.#silence(step.who);
    if (step.do === "create" && prng.below(4) > 0) this.#makeGuest(guest);
    else if (step.do === "connect") this.#connect(socket);
    else this.#steps.push(step);
    if (step.do === "freeze") this.#fill(guest);
  }

  /** More answers and events than the ring of a guest holds. */
  #fill(who: Who): void {
    const prng = this.#prng;
    if (prng.below(2) === 0) this.#burst(who);
    if (prng.below(2) === 0) return;
    this.#ask(who, "WATCH", words("a", "t"), 0);
    for (let count = 10 + prng.below(40); count > 0; count -= 1) {
      const path = `/local/domain/${who}/a/${pick(prng, ["a", "b", "c"])}/${prng.below(40)}`;
      this.#ask(SOCKET, "WRITE", `${path}\0`, 0);
    }
  }

  /** What asks for more than a quota of Xen 4.17 allows. */
  #burst(who: Who): void {
    const prng = this.#prng;
    const { name, count, payload } = burstOf(prng);
    const [first = ""] = payload(0).split("\0");
    this.#paths.push(first.replace(/\/[^/]*$/, ""));
    const tx = name === "WRITE" ? this.#anyTransaction(who) : 0;
    const requests = Array.from({ length: count }, (_, n) => request(name, payload(n), tx, n));
    this.#steps.push({ do: "ask", who, requests });
  }

  /** Requests in pieces; seldom what no client sends. */
  #octets(who: Who): void {
    const prng = this.#prng;
    const octets = encode([this.#anyRequest(who)]);
    const drawn = 1 + prng.below(octets.length - 1);
    // With a header and nothing more from a socket, xenstored reads on and serves nobody else.
    const cut = drawn === 16 && who >= SOCKET ? 15 : drawn;
    this.#steps.push({ do: "send", who, octets: octets.slice(0, cut) });
    this.#steps.push({ do: "send", who, octets: octets.slice(cut) });
    if (prng.below(6) > 0) return;
    if (who < SOCKET) this.#steps.push({ do: "thaw", who });
    const long = { type: prng.below(23), req: 0, tx: 0, payload: "x".repeat(4097) };
    const header = encode([long]).slice(0, 16 + prng.below(20));
    this.#steps.push({ do: "send", who, octets: header });
    this.#silence(who);
  }

  /** A guest whose ring makes no sense. */
  #indices(): void {
    const prng = this.#prng;
    const who = GUESTS[prng.below(GUESTS.length)] ?? 1;
    const { at, octets } = brokenIndex(prng);
    // What one that took nothing is still sent before it is cut off hangs on the turns of the main
    // loop, here as with a long header.
    this.#steps.push({ do: "thaw", who }, { do: "poke", who, at, octets });
    this.#steps.push({ do: "page", who });
    this.#silence(who);
    if (prng.below(2) === 0) {
      this.#ask(SOCKET, "INTRODUCE", introduction(who), 0);
      this.#begin(who);
    }
  }

  #silence(who: Who): void {
    this.#talking.delete(who);
  }

  /** Requests in one write. */
  #some(who: Who, count: number): void {
    const some = Array.from({ length: count }, () => this.#anyRequest(who));
    // What waits to be sent is in the figures of CONTROL's quota.
    const requests = count === 1 ? some : some.filter(({ type }) => type !== CONTROL);
    this.#steps.push({ do: "ask", who, requests });
  }

  #ask(who: Who, name: string, payload: string, tx: number): void {
    this.#steps.push({ do: "ask", who, requests: [request(name, payload, tx)] });
  }

  #anyTransaction(who: Who): number {
    const open = this.#transactions.get(who) ?? [];
    const prng = this.#prng;
    if (prng.below(60) === 0) return pick(prng, [1, 2, 3, 99, 0xffff_ffff]);
    return open.length > 0 && prng.below(5) > 1 ? (open[prng.below(open.length)] ?? 0) : 0;
  }

  #anyRequest(who: Who): Request {
    const prng = this.#prng;
    const one = draw(prng, REQUESTS)(this, who);
    const isBroken = prng.below(80) === 0 && !ANSWERS_OLD_ERRORS.has(one.type);
    const payload = isBroken ? broken(prng, one.payload) : one.payload;
    return { ...one, payload, req: prng.below(4) === 0 ? prng.next() : 0 };
  }

  /** Mostly one that came before. */
  #path(): string {
    const known = this.#paths[this.#prng.below(this.#paths.length || 1)];
    if (known !== undefined && this.#prng.below(5) > 1) return known;
    const path = anyPath(this.#prng);
    this.#paths.push(path);
    return path;
  }

  path(name: string, who: Who): Request {
    return request(name, `${this.#path()}\0`, this.#anyTransaction(who));
  }

  write1(who: Who): Request {
    const path = this.#path();
    const value = anyValue(this.#prng).slice(0, Math.max(0, 4095 - path.length));
    return request("WRITE", `${path}\0${value}`, this.#anyTransaction(who));
  }

  setPerms(who: Who): Request {
    const prng = this.#prng;
    const count = draw(prng, [
      [8, 1],
      [8, 2],
      [3, 3],
      [2, 4],
      [2, 5],
      [1, 6],
      [1, 0],
    ]);
    // A guest, and other names, get old errors too.
    const isSpecial = who >= SOCKET && prng.below(20) === 0;
    const special = pick(prng, ["@introduceDomain", "@releaseDomain"]);
    const found = isSpecial ? special : this.#path();
    const path = found.startsWith("@") && !isSpecial ? "/a" : found;
    const perms = Array.from({ length: count }, () => `${anyPerm(prng)}\0`).join("");
    return request("SET_PERMS", `${path}\0${perms}`, this.#anyTransaction(who));
  }

  watch(who: Who): Request {
    const prng = this.#prng;
    const path = prng.below(2) === 0 ? watchPath(prng) : this.#path();
    const token = pick(prng, ["t", "t", "u", "", "a token/with:signs"]);
    this.#watches.push([who, path, token]);
    return request("WATCH", `${path}\0${token}\0`, prng.below(10) === 0 ? 1 : 0);
  }

  unwatch(who: Who): Request {
    const prng = this.#prng;
    const own = this.#watches.filter(([whose]) => whose === who);
    const [, path, token] = own[prng.below(own.length || 1)] ?? [who, watchPath(prng), "t"];
    return request("UNWATCH", `${path}\0${token}\0`, prng.below(10) === 0 ? 1 : 0);
  }

  start(who: Who): Request {
    const isNested = this.#prng.below(20) === 0;
    if (isNested) return request("TRANSACTION_START", "\0", this.#anyTransaction(who));
    const id = (this.#started.get(who) ?? 0) + 1;
    this.#started.set(who, id);
    this.#transactions.set(who, [...(this.#transactions.get(who) ?? []), id]);
    return request("TRANSACTION_START", "\0", 0);
  }

  end(who: Who): Request {
    const open = this.#transactions.get(who) ?? [];
    if (open.length === 0 && this.#prng.below(6) > 0) return this.start(who);
    const isOpen = open.length > 0 && this.#prng.below(12) > 0;
    const tx = isOpen ? (open[this.#prng.below(open.length)] ?? 0) : this.#anyTransaction(who);
    const word = draw(this.#prng, [
      [24, "T\0"],
      [5, "F\0"],
      [1, "X\0"],
    ]);
    const left = open.filter((id) => id !== tx);
    if (word !== "X\0") this.#transactions.set(who, left);
    return request("TRANSACTION_END", word, tx);
  }

  directoryPart(who: Who): Request {
    const prng = this.#prng;
    const offset = pick(prng, ["0", "0", "1", "2", "4", "100", "4000", oddNumber(prng)]);
    return request("DIRECTORY_PART", `${this.#path()}\0${offset}\0`, this.#anyTransaction(who));
  }

  /** A domid and other numbers. */
  numbers(name: string, more: number): Request {
    const prng = this.#prng;
    const other = (): string =>
      prng.below(12) === 0 ? oddNumber(prng) : String(1 + prng.below(9));
    const first = prng.below(25) === 0 ? oddNumber(prng) : anyDomid(prng);
    const all = [first, ...Array.from({ length: more }, other)];
    if (prng.below(40) === 0) all.push("1");
    return request(name, words(...all), prng.below(12) === 0 ? 1 : 0);
  }

  release(): Request {
    const one = this.numbers("RELEASE", 0);
    // Domids are numbers of 32 bits.
    const isTarget = this.#targets.has(Number.parseInt(one.payload, 10) >>> 0);
    return isTarget ? this.numbers("IS_DOMAIN_INTRODUCED", 0) : one;
  }

  setTarget(): Request {
    const one = this.numbers("SET_TARGET", 1);
    const [domid = "", , ...others] = one.payload.split("\0");
    const target = anyDomid(this.#prng);
    this.#targets.add(Number(target));
    return { ...one, payload: [domid, target, ...others].join("\0") };
  }

  other(who: Who): Request {
    const prng = this.#prng;
    const type = pick(prng, [15, 16, 20, 23, 24, 25, 26, 27, 100, 0xffff, 0xffff_ffff]);
    return { type, req: 0, tx: this.#anyTransaction(who), payload: `${anyPath(prng)}\0` };
  }

  control(): Request {
    const line = controlLine(this.#prng);
    return request("CONTROL", `${line.replaceAll(" ", "\0")}\0`, 0);
  }
}

const introduction = (domid: number): string => words(String(domid), "100", String(1 + domid));

type Maker = (writer: ScriptWriter, who: Who) => Request;

const REQUESTS: readonly (readonly [number, Maker])[] = [
  [24, (writer, who) => writer.write1(who)],
  [10, (writer, who) => writer.path("READ", who)],
  [9, (writer, who) => writer.path("MKDIR", who)],
  [10, (writer, who) => writer.path("RM", who)],
  [8, (writer, who) => writer.path("DIRECTORY", who)],
  [6, (writer, who) => writer.path("GET_PERMS", who)],
  [9, (writer, who) => writer.setPerms(who)],
  [11, (writer, who) => writer.watch(who)],
  [4, (writer, who) => writer.unwatch(who)],
  [9, (writer, who) => writer.start(who)],
  [9, (writer, who) => writer.end(who)],
  [3, (writer, who) => writer.directoryPart(who)],
  [4, (writer) => writer.numbers("INTRODUCE", 2)],
  [2, (writer) => writer.release()],
  [1, (writer) => writer.numbers("RESUME", 0)],
  [1, (writer) => writer.numbers("GET_DOMAIN_PATH", 0)],
  [1, (writer) => writer.numbers("IS_DOMAIN_INTRODUCED", 0)],
  [2, (writer) => writer.setTarget()],
  [1, (): Request => request("RESET_WATCHES", "\0", 0)],
  [1, (writer, who) => writer.other(who)],
  [1, (writer) => writer.control()],
];
