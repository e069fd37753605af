/**
 * XenStore as a person would write it down: every watch is asked, every node is a string in one
 * table, a transaction of 3.1 copies the table, one of 4.17 notes what it saw.
 * @module
 */

import {
  copy,
  firstNode,
  isValid,
  isWithin,
  may,
  type ModelAnswer,
  type ModelClient,
  type ModelEra,
  type ModelNode,
  type ModelTransaction,
  type ModelWatch,
  newTransaction,
  ownerOf,
  parent,
  READ,
  WRITE,
} from "./xenstore-parts.ts";

/** The store of one host. */
export class XenstoreModel {
  readonly #era: ModelEra;
  readonly #clients: ModelClient[] = [];
  #nodes = new Map<string, ModelNode>();
  #version = 0;
  #changes = 0;

  constructor(era: ModelEra) {
    this.#era = era;
    for (const [path, child] of [
      ["/", "tool"],
      ["/tool", "xenstored"],
      ["/tool/xenstored", null],
    ] as const) {
      this.#nodes.set(path, firstNode(child));
    }
  }

  connect(domid: number, isSocket: boolean): ModelClient {
    const client: ModelClient = {
      domid,
      isSocket,
      watches: [],
      transactions: new Map(),
      nextTransaction: 1,
      events: [],
    };
    this.#clients.push(client);
    return client;
  }

  read(who: ModelClient, path: string, id: number): ModelAnswer {
    const found = this.#find(who, path, id, READ);
    return typeof found === "string" ? found : `=${found.value}`;
  }

  /** DIRECTORY or GET_PERMS. */
  list(who: ModelClient, path: string, id: number, what: "children" | "permissions"): ModelAnswer {
    const found = this.#find(who, path, id, READ);
    return typeof found === "string" ? found : `=${found[what].map((one) => `${one}\0`).join("")}`;
  }

  write(who: ModelClient, path: string, value: string, id: number): ModelAnswer {
    const found = this.#find(who, path, id, WRITE);
    const absolute = this.#absolute(who, path);
    if (found === "ENOENT" && this.#has(who, id)) return this.#create(who, absolute, value, id);
    if (typeof found === "string") return found;
    if (!this.#put(who, id, absolute, { ...found, value })) return "ENOSPC";
    this.#changed(who, id, absolute, false, null);
    return "=OK\0";
  }

  mkdir(who: ModelClient, path: string, id: number): ModelAnswer {
    const found = this.#find(who, path, id, WRITE);
    if (found === "ENOENT" && this.#has(who, id)) {
      return this.#create(who, this.#absolute(who, path), "", id);
    }
    return typeof found === "string" ? found : "=OK\0";
  }

  rm(who: ModelClient, path: string, id: number): ModelAnswer {
    const found = this.#find(who, path, id, WRITE);
    const absolute = this.#absolute(who, path);
    if (found === "ENOENT" && this.#has(who, id)) {
      return this.#get(who, id, parent(absolute)) === null ? "ENOENT" : "=OK\0";
    }
    if (typeof found === "string") return found;
    if (absolute === "/") return "EINVAL";
    if (!this.#era.isModern && !this.#unlink(who, id, absolute)) return "EINVAL";
    if (this.#get(who, id, parent(absolute)) === null) return "EINVAL";
    this.#removeAll(who, id, absolute, absolute);
    // 4.17 in a transaction: another may have removed it from its directory meanwhile.
    if (this.#era.isModern) return this.#unlink(null, id, absolute, who) ? "=OK\0" : "EIO";
    this.#changed(who, id, absolute, true, null);
    return "=OK\0";
  }

  setPermissions(who: ModelClient, path: string, entries: string[], id: number): ModelAnswer {
    if (!this.#has(who, id)) return "ENOENT";
    if (this.#era.isModern) {
      if (who.domid !== 0 && entries.length > this.#era.quotas.permissions) return "ENOSPC";
    }
    const found = this.#find(who, path, id, "o");
    if (typeof found === "string") return found;
    const absolute = this.#absolute(who, path);
    const [owner, next] = [ownerOf(found.permissions), ownerOf(entries)];
    if (who.domid !== 0 && owner !== next) return this.#era.isModern ? "EPERM" : "EINVAL";
    const before = [...found.permissions];
    if (!this.#put(who, id, absolute, { ...found, permissions: [...entries] })) return "ENOSPC";
    this.#count(who, id, owner, -1);
    this.#count(who, id, next, 1);
    this.#changed(who, id, absolute, false, before);
    return "=OK\0";
  }

  watch(who: ModelClient, path: string, token: string): ModelAnswer {
    const absolute = this.#absolute(who, path);
    if (!path.startsWith("@") && !isValid(absolute)) return "EINVAL";
    if (who.watches.some((one) => one.path === absolute && one.token === token)) return "EEXIST";
    if (who.domid !== 0 && who.watches.length > this.#era.quotas.watches) {
      return this.#era.isModern ? "E2BIG" : "EINVAL";
    }
    const watch = { path: absolute, token, isRelative: !/^[/@]/.test(path) };
    who.watches.push(watch);
    if (this.#era.isModern || path.startsWith("@") || this.#maySee(who, absolute)) {
      this.#send(who, watch, absolute);
    }
    return "=OK\0";
  }

  unwatch(who: ModelClient, path: string, token: string): ModelAnswer {
    const absolute = this.#absolute(who, path);
    const kept = who.watches.filter((one) => one.path !== absolute || one.token !== token);
    if (kept.length === who.watches.length) return "ENOENT";
    who.watches = kept;
    return "=OK\0";
  }

  start(who: ModelClient, id: number): ModelAnswer {
    if (!this.#has(who, id)) return "ENOENT";
    if (id !== 0) return "EBUSY";
    if (who.domid !== 0 && who.transactions.size > this.#era.quotas.transactions) return "ENOSPC";
    const nodes = new Map<string, ModelNode | null>();
    if (!this.#era.isModern) {
      for (const [path, node] of this.#nodes) nodes.set(path, copy(node));
    }
    who.transactions.set(who.nextTransaction, newTransaction(nodes, this.#changes));
    return `=${who.nextTransaction++}\0`;
  }

  end(who: ModelClient, id: number, isCommitted: boolean): ModelAnswer {
    const open = who.transactions.get(id);
    if (open === undefined) return "ENOENT";
    who.transactions.delete(id);
    if (!isCommitted) return "=OK\0";
    return this.#era.isModern ? this.#commitTouched(who, open) : this.#commitCopy(open);
  }

  #commitCopy(open: ModelTransaction): ModelAnswer {
    if (open.changesAtStart !== this.#changes) return "EAGAIN";
    this.#nodes = new Map();
    for (const [path, node] of open.nodes) if (node !== null) this.#nodes.set(path, node);
    for (const [path, isAll] of open.events) this.#fireOld(path, isAll);
    this.#changes++;
    return "=OK\0";
  }

  #commitTouched(who: ModelClient, open: ModelTransaction): ModelAnswer {
    if (open.hasFailed) return "ENOMEM";
    for (const [domid, change] of open.owned) {
      const isOver = this.#ownedBy(domid) + change >= this.#era.quotas.nodes;
      if (domid !== 0 && open.hasCreated && who.domid !== 0 && isOver) return "ENOSPC";
    }
    for (const [path, seen] of open.seen) {
      if (this.#nodes.get(path)?.version !== seen?.version) return "EAGAIN";
    }
    for (const [path, node] of open.nodes) {
      const isChanged = node?.version !== open.seen.get(path)?.version;
      if (isChanged && node === null) this.#nodes.delete(path);
      else if (isChanged && node !== null) {
        this.#nodes.set(path, { ...node, version: ++this.#version });
      }
      const isAll = open.events.get(path);
      const before = open.seen.get(path)?.permissions ?? null;
      if (isAll !== undefined) this.#fireNew(path, !isAll, null, before);
    }
    return "=OK\0";
  }

  #has(who: ModelClient, id: number): boolean {
    return id === 0 || who.transactions.has(id);
  }

  #absolute(who: ModelClient, path: string): string {
    if (/^[/@]/.test(path)) return path;
    if (who.isSocket && !this.#era.isModern) return path;
    return `/local/domain/${who.domid}/${path}`;
  }

  #get(who: ModelClient, id: number, path: string): ModelNode | null {
    const open = who.transactions.get(id);
    if (open === undefined) return this.#nodes.get(path) ?? null;
    if (!this.#era.isModern) return open.nodes.get(path) ?? null;
    if (!open.seen.has(path)) {
      const node = this.#nodes.get(path) ?? null;
      open.seen.set(path, copy(node));
      open.nodes.set(path, copy(node));
    }
    return open.nodes.get(path) ?? null;
  }

  /** False: it would be too large for `who`, `null` being the store itself. */
  #put(who: ModelClient | null, id: number, path: string, node: ModelNode, as = who): boolean {
    const names = node.children.reduce((sum, name) => sum + name.length + 1, 0);
    const size = this.#era.header + 8 * node.permissions.length + node.value.length + names;
    const open = as?.transactions.get(id);
    if (who !== null && who.domid !== 0 && size >= this.#era.quotas.nodeSize) {
      if (open !== undefined) open.hasFailed = true;
      return false;
    }
    const put = { ...node, version: ++this.#version };
    if (open === undefined) this.#nodes.set(path, put);
    else open.nodes.set(path, put);
    return true;
  }

  #delete(who: ModelClient, id: number, path: string): void {
    const open = who.transactions.get(id);
    if (open === undefined) this.#nodes.delete(path);
    else open.nodes.set(path, null);
  }

  #find(who: ModelClient, path: string, id: number, wanted: string): ModelNode | string {
    if (!this.#has(who, id)) return "ENOENT";
    const absolute = this.#absolute(who, path);
    if (!isValid(absolute)) return "EINVAL";
    const node = this.#get(who, id, absolute);
    if (node !== null && may(who, node.permissions, wanted)) return node;
    const errno = node === null ? "ENOENT" : "EACCES";
    let above = parent(absolute);
    let directory = this.#get(who, id, above);
    while (directory === null) {
      above = parent(above);
      directory = this.#get(who, id, above);
    }
    // For an owner's right the right to write above will do.
    return may(who, directory.permissions, wanted === "o" ? WRITE : wanted) ? errno : "EACCES";
  }

  #create(who: ModelClient, path: string, value: string, id: number): ModelAnswer {
    const missing = [path];
    let above = parent(path);
    let directory = this.#get(who, id, above);
    while (directory === null) {
      missing.push(above);
      above = parent(above);
      directory = this.#get(who, id, above);
    }
    const permissions = [...directory.permissions];
    if (who.domid !== 0) {
      permissions[0] = `${directory.permissions[0]?.charAt(0)}${who.domid}`;
    }
    const made: string[] = [];
    let refused = "";
    for (const [i, at] of missing.entries()) {
      if (who.domid !== 0 && this.#ownedBy(who.domid) >= this.#era.quotas.nodes) refused = "ENOSPC";
      const below = missing[i - 1];
      const children = below === undefined ? [] : [below.slice(at.length + (at === "/" ? 0 : 1))];
      const node = { value: i === 0 ? value : "", permissions, children, version: 0 };
      if (refused === "" && !this.#put(who, id, at, copy(node) ?? node)) refused = "ENOSPC";
      if (refused !== "") break;
      made.push(at);
      this.#count(who, id, ownerOf(permissions), 1);
    }
    const name = missing.at(-1)?.slice(above === "/" ? 1 : above.length + 1) ?? "";
    const longer = { ...directory, children: [...directory.children, name] };
    if (refused === "" && !this.#put(who, id, above, longer)) refused = "ENOSPC";
    const open = who.transactions.get(id);
    if (refused !== "") {
      for (const at of made) {
        this.#delete(who, id, at);
        this.#count(who, id, ownerOf(permissions), -1);
        if (open !== undefined) open.hasFailed = true;
      }
      return refused;
    }
    if (open !== undefined) open.hasCreated = true;
    this.#changed(who, id, path, false, null);
    return "=OK\0";
  }

  #unlink(judged: ModelClient | null, id: number, path: string, as = judged): boolean {
    if (as === null) return false;
    const above = parent(path);
    const directory = this.#get(as, id, above);
    if (directory === null) return false;
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (!directory.children.includes(name)) return false;
    const children = directory.children.filter((one) => one !== name);
    return this.#put(judged, id, above, { ...directory, children }, as);
  }

  #removeAll(who: ModelClient, id: number, path: string, root: string): void {
    const node = this.#get(who, id, path);
    if (node === null) return;
    if (!this.#era.isModern) this.#delete(who, id, path);
    for (const name of node.children) this.#removeAll(who, id, `${path}/${name}`, root);
    this.#count(who, id, ownerOf(node.permissions), -1);
    if (!this.#era.isModern) return;
    const isAll = path === root;
    const open = who.transactions.get(id);
    this.#delete(who, id, path);
    if (open === undefined) this.#fireNew(path, !isAll, node, null);
    else if (isAll || !open.events.has(path)) open.events.set(path, isAll);
  }

  #count(who: ModelClient, id: number, domid: number, change: number): void {
    const open = who.transactions.get(id);
    if (open !== undefined) open.owned.set(domid, (open.owned.get(domid) ?? 0) + change);
  }

  #ownedBy(domid: number): number {
    return [...this.#nodes.values()].filter((node) => ownerOf(node.permissions) === domid).length;
  }

  #changed(
    who: ModelClient,
    id: number,
    path: string,
    isRemoval: boolean,
    before: string[] | null,
  ): void {
    const open = who.transactions.get(id);
    if (open === undefined) {
      this.#changes++;
      if (this.#era.isModern) this.#fireNew(path, false, this.#nodes.get(path) ?? null, before);
      else this.#fireOld(path, isRemoval);
    } else if (this.#era.isModern) {
      open.events.set(path, true);
    } else if (!open.events.has(path)) {
      open.events.set(path, isRemoval);
    }
  }

  /** 3.1: who may read it, or may know that it is gone; a removal concerns all watches below. */
  #fireOld(path: string, isRemoval: boolean): void {
    for (const client of this.#clients) {
      for (const watch of client.watches) {
        if (isWithin(path, watch.path)) {
          if (this.#maySee(client, path)) this.#send(client, watch, path);
        } else if (isRemoval && isWithin(watch.path, path)) {
          if (this.#maySee(client, watch.path)) this.#send(client, watch, watch.path);
        }
      }
    }
  }

  #maySee(who: ModelClient, path: string): boolean {
    const found = this.#find(who, path, 0, READ);
    return typeof found !== "string" || found === "ENOENT";
  }

  /** 4.17: who may read it or its directory, or might before. */
  #fireNew(path: string, isExact: boolean, node: ModelNode | null, before: string[] | null): void {
    for (const client of this.#clients) {
      const now = node ?? this.#nodes.get(path) ?? null;
      const above = this.#nodes.get(parent(path));
      const isHeard =
        (before !== null && may(client, before, READ)) ||
        (now !== null &&
          (may(client, now.permissions, READ) ||
            (above !== undefined && may(client, above.permissions, READ))));
      if (!isHeard) continue;
      const told = new Set<string>();
      for (const watch of client.watches) {
        if (isExact ? watch.path !== path : !isWithin(path, watch.path)) continue;
        const event = this.#eventOf(client, watch, path);
        if (!told.has(event)) client.events.push(event);
        told.add(event);
      }
    }
  }

  #send(who: ModelClient, watch: ModelWatch, path: string): void {
    who.events.push(this.#eventOf(who, watch, path));
  }

  #eventOf(who: ModelClient, watch: ModelWatch, path: string): string {
    const home = `/local/domain/${who.domid}`;
    const shown = watch.isRelative ? path.slice(home.length).replace(/^\//, "") : path;
    return `${shown}\0${watch.token}\0`;
  }
}
