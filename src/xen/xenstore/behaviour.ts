/**
 * What differs between the xenstored of Xen 3.1, which EC2 ran, and the one of Xen 4.17, which
 * today's tools meet (Xen tools/xenstore of both; docs/sources.md).
 * @module
 */
import { ERRNOS, type Errno } from "./errno.ts";

/** What one guest may have. Dom0 and the unix socket may have more. `null` is no bound. */
export interface StoreQuotas {
  /** Nodes that it owns. */
  readonly nodes: number;
  /** Watches; one more is let pass. */
  readonly watches: number;
  /** Transactions open at once; one more is let pass. */
  readonly transactions: number;
  /** Octets of one node with its header, permissions and names of children: must stay below. */
  readonly nodeSize: number;
  /** Entries of one SET_PERMS. */
  readonly permissions: number | null;
  /** Requests whose answers it has not taken. */
  readonly outstanding: number | null;
  /** Nodes that one transaction may touch. */
  readonly transactionNodes: number | null;
  /** Octets of nodes, watches and answers. */
  readonly memory: number | null;
  /** Characters of a path, for everybody. */
  readonly pathLength: number | null;
}

/** Named behaviours of a store. */
export interface XenstoreBehaviour {
  readonly quotas: StoreQuotas;
  /** Errors that have a name on the wire; the others go out as EINVAL. */
  readonly errors: ReadonlySet<Errno>;
  /** The highest operation it knows (xs_wire.h). */
  readonly lastOperation: number;
  /** Octets of a request or an answer; `null`: as many as come. */
  readonly payloadLimit: number | null;
  /** Where relative paths of the unix socket start; `null`: such paths are refused. */
  readonly socketPath: string | null;
  /** True: `/local/domain/N/` is not counted for the bound of a path. */
  readonly omitsDomainPrefix: boolean;
  /** Octets of a node's record before its permissions, for the quotas. */
  readonly nodeHeader: number;
  /**
   * `snapshot`: a transaction sees the store of its start, and any change anywhere makes it fail.
   * `touched`: it sees others' changes until it touches a node, and fails if one of those changed.
   */
  readonly transactions: "snapshot" | "touched";
  /** True: the quota of nodes is checked and counted before anything is written, from the top. */
  readonly countsBeforeWriting: boolean;
  /** What a guest with too many nodes is told: in 3.1 what the search for the node left behind. */
  readonly tooManyNodes: Errno;
  /** True: SET_PERMS is judged as text before the node is looked for, and needs a living owner. */
  readonly checksPermissionsFirst: boolean;
  /** True: an entry for a domain that did not exist when it was set is nobody's. */
  readonly ignoresStaleEntries: boolean;
  /** True: `@introduceDomain` and `@releaseDomain` have permissions of their own, `n0` at first. */
  readonly protectsSpecialWatches: boolean;
  /** True: a watch on `/` hears of `@introduceDomain` and `@releaseDomain`. */
  readonly rootHearsSpecial: boolean;
  /**
   * Who hears of a change. `readable-or-absent`: who may read the node now, or may know that it is
   * gone. `node-or-parent`: who may read it or its directory, or might before its rights changed.
   */
  readonly eventsFor: "readable-or-absent" | "node-or-parent";
  /** What a removal fires: all watches below, or those on nodes that were there, deepest first. */
  readonly removalFires: "watches-below" | "nodes-removed";
  /** True: an event that still waits to be sent is not sent twice. */
  readonly dropsDuplicateEvents: boolean;
  /**
   * True: while the main loop serves a client it holds the next one, so that the RELEASE of that
   * is answered before its events.
   */
  readonly holdsNextSession: boolean;
  /** True: WATCH and UNWATCH look at no transaction. */
  readonly watchesOutsideTransactions: boolean;
  /** True: unknown operations and missing privilege are told before an unknown transaction. */
  readonly judgesOperationFirst: boolean;
  /** True: guests may ask which domids live. */
  readonly guestsSeeIntroductions: boolean;
  /** True: the nodes that a domain owns go with it. */
  readonly removesOrphans: boolean;
  /** True: READ, DIRECTORY and GET_PERMS without a proper path repeat the last error there was. */
  readonly repeatsLastError: boolean;
  /** True: a domain is introduced anew with another frame. */
  readonly reintroducesAnyFrame: boolean;
  /** `debug`: 3.1's `print` and `check`, which answer OK to everything; `control`: 4.17's. */
  readonly console: "debug" | "control";
  /** True: SET_TARGET's relation counts. */
  readonly knowsTargets: boolean;
  /** Characters of a special name to watch; `null`: as many as come. */
  readonly specialNameLength: number | null;
  /** True: RELEASE and RESUME look at the privilege alone, so that a read-only client may. */
  readonly readonlyReleases: boolean;
  /** True: a domain whose connection breaks is released. False: it is heard no more. */
  readonly releasesBroken: boolean;
  /** True: a guest that is heard no more finds out why in the word `error` of its ring page. */
  readonly tellsRingErrors: boolean;
}

/** The C xenstored of Xen 3.1 (2007), as far as its source tells. */
export const XENSTORE_3_1: XenstoreBehaviour = Object.freeze({
  quotas: Object.freeze({
    nodes: 1000,
    watches: 128,
    transactions: 10,
    nodeSize: 2048,
    permissions: null,
    outstanding: null,
    transactionNodes: null,
    memory: null,
    pathLength: null,
  }),
  errors: new Set(ERRNOS.filter((errno) => errno !== "E2BIG" && errno !== "EPERM")),
  lastOperation: 18,
  payloadLimit: null,
  socketPath: null,
  omitsDomainPrefix: false,
  nodeHeader: 12,
  transactions: "snapshot",
  countsBeforeWriting: true,
  tooManyNodes: "ENOENT",
  checksPermissionsFirst: false,
  ignoresStaleEntries: false,
  protectsSpecialWatches: false,
  rootHearsSpecial: true,
  eventsFor: "readable-or-absent",
  removalFires: "watches-below",
  dropsDuplicateEvents: false,
  holdsNextSession: false,
  watchesOutsideTransactions: false,
  judgesOperationFirst: false,
  guestsSeeIntroductions: true,
  removesOrphans: false,
  repeatsLastError: false,
  reintroducesAnyFrame: false,
  console: "debug",
  knowsTargets: false,
  tellsRingErrors: false,
  specialNameLength: null,
  readonlyReleases: true,
  releasesBroken: true,
});

/** The C xenstored of Xen 4.17 (2022 to 2025, with the fixes of XSA-115 and XSA-326). */
export const XENSTORE_4_17: XenstoreBehaviour = Object.freeze({
  quotas: Object.freeze({
    nodes: 1000,
    watches: 128,
    transactions: 10,
    nodeSize: 2048,
    permissions: 5,
    outstanding: 20,
    transactionNodes: 1024,
    memory: 2_621_440,
    pathLength: 2048,
  }),
  errors: new Set(ERRNOS),
  lastOperation: 22,
  payloadLimit: 4096,
  socketPath: "/local/domain/0",
  omitsDomainPrefix: true,
  nodeHeader: 24,
  transactions: "touched",
  countsBeforeWriting: false,
  tooManyNodes: "ENOSPC",
  checksPermissionsFirst: true,
  ignoresStaleEntries: true,
  protectsSpecialWatches: true,
  rootHearsSpecial: false,
  eventsFor: "node-or-parent",
  removalFires: "nodes-removed",
  dropsDuplicateEvents: true,
  holdsNextSession: true,
  watchesOutsideTransactions: true,
  judgesOperationFirst: true,
  guestsSeeIntroductions: false,
  removesOrphans: true,
  repeatsLastError: true,
  reintroducesAnyFrame: true,
  console: "control",
  knowsTargets: true,
  tellsRingErrors: true,
  specialNameLength: 2048,
  readonlyReleases: false,
  releasesBroken: false,
});
