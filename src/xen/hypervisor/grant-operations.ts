/**
 * What grant-table operations take and answer (Xen: `public/grant_table.h`).
 * @module
 */

/** What an operation answers: 0, or why not (`GNTST_*`). */
export const GrantStatus = {
  okay: 0,
  /** Not granted to the caller, or not so. */
  generalError: -1,
  badDomain: -2,
  badReference: -3,
  badHandle: -4,
  badVirtualAddress: -5,
  badDeviceAddress: -6,
  /** No handle is free. */
  noDeviceSpace: -7,
  permissionDenied: -8,
  badPage: -9,
  badCopyArgument: -10,
} as const;

/** How a frame is mapped (`GNTMAP_*`). */
export const GrantMap = { device: 1, host: 2, readonly: 4 } as const;

/** One end of a {@link GrantCopy}. */
export interface CopyEnd {
  /** {@link DOMID_SELF} for a frame of the caller's own. */
  domid: number;
  /** True: `frame` is a reference that `domid` granted. False: a frame of the caller's own. */
  isReference: boolean;
  frame: number;
  /** Octet in the frame. */
  offset: number;
}

/** `GNTTABOP_copy`: octets from one frame to another. May be used again: nothing keeps it. */
export interface GrantCopy {
  readonly source: CopyEnd;
  readonly target: CopyEnd;
  /** Octets, 0 to 4,096. */
  length: number;
}

/** What `GNTTABOP_query_size` tells. */
export interface GrantTableSize {
  readonly frames: number;
  readonly maxFrames: number;
}
