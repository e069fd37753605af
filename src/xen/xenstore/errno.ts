/** The errors of XenStore: names on the wire, not numbers (Xen public/io/xs_wire.h). @module */
import { EmulatorError } from "../../base/errors.ts";

/** Each error that a store may answer. */
export const ERRNOS = [
  "EINVAL",
  "EACCES",
  "EEXIST",
  "EISDIR",
  "ENOENT",
  "ENOMEM",
  "ENOSPC",
  "EIO",
  "ENOTEMPTY",
  "ENOSYS",
  "EROFS",
  "EBUSY",
  "EAGAIN",
  "EISCONN",
  "E2BIG",
  "EPERM",
] as const;

/** Why a request was refused. Every answer of a session that is a string of this type is one. */
export type Errno = (typeof ERRNOS)[number];

/** A request of a {@link StoreClient} that the store refused. */
export class StoreError extends EmulatorError {
  /** As the era's own client would see it. */
  readonly errno: Errno;

  constructor(errno: Errno, operation: string, path: string) {
    super("xenstore", path, `${operation} ${path}: ${errno}`);
    this.errno = errno;
  }
}
