/** SET_PERMS, which the two eras judge in another order (`do_set_perms` of both). @module */
import type { StoreCore } from "./core.ts";
import type { Errno } from "./errno.ts";
import { parsePermissions, type Permissions, Rights, rightsOf } from "./permission.ts";
import type { StoreSession } from "./session.ts";
import type { StoreView } from "./view.ts";

/** What is to be set where. */
export interface PermissionChange {
  readonly view: StoreView;
  /** Absolute, or a special name. */
  readonly path: string;
  /** As they go over the wire: `["n0", "r5"]`. */
  readonly entries: readonly string[];
}

const WANTED = Rights.write | Rights.owner;

/** Set permissions for `who`. */
export function setPermissions(
  core: StoreCore,
  who: StoreSession,
  change: PermissionChange,
): Errno | null {
  if (change.entries.length === 0) return "EINVAL";
  const { checksPermissionsFirst } = core.behaviour;
  return checksPermissionsFirst ? setJudged(core, who, change) : setFound(core, who, change);
}

/** 4.17: the entries are judged before the node, and their domains have to exist. */
function setJudged(
  core: StoreCore,
  who: StoreSession,
  { view, path, entries }: PermissionChange,
): Errno | null {
  if (!who.isPrivileged && entries.length > core.quotas.get("permissions")) return "ENOSPC";
  const parsed = parsePermissions(entries);
  if (parsed === null) return core.tree.note("EINVAL");
  const permissions = core.known(parsed);
  if (permissions[0].isIgnored) return "ENOENT";
  if (path.startsWith("@")) return setSpecial(core, who, path, permissions);
  const node = core.tree.find(who, view, path, WANTED);
  return typeof node === "string" ? node : core.tree.setPermissions(who, view, node, permissions);
}

/** 3.1: the node is looked for before the entries are judged. */
function setFound(
  core: StoreCore,
  who: StoreSession,
  { view, path, entries }: PermissionChange,
): Errno | null {
  const node = core.tree.find(who, view, path, WANTED);
  if (typeof node === "string") return node;
  const permissions = parsePermissions(entries);
  return permissions === null ? "EINVAL" : core.tree.setPermissions(who, view, node, permissions);
}

function setSpecial(
  core: StoreCore,
  who: StoreSession,
  name: string,
  permissions: Permissions,
): Errno | null {
  const held = core.events.special.get(name);
  if (held === undefined) return core.tree.note("EINVAL");
  if ((rightsOf(who, held, null) & WANTED) !== WANTED) return core.tree.note("EACCES");
  core.events.special.set(name, permissions);
  return null;
}
