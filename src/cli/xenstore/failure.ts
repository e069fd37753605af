/** What xenstore-utils say when the store refuses, in the words of the C library. @module */
import type { Errno } from "../../xen/xenstore/errno.ts";

/** A command cannot go on; the message is for people, octets as characters. */
export class StoreFailure extends Error {}

const WORDS: Readonly<Record<Errno, string>> = {
  EINVAL: "Invalid argument",
  EACCES: "Permission denied",
  EEXIST: "File exists",
  EISDIR: "Is a directory",
  ENOENT: "No such file or directory",
  ENOMEM: "Cannot allocate memory",
  ENOSPC: "No space left on device",
  EIO: "Input/output error",
  ENOTEMPTY: "Directory not empty",
  ENOSYS: "Function not implemented",
  EROFS: "Read-only file system",
  EBUSY: "Device or resource busy",
  EAGAIN: "Resource temporarily unavailable",
  EISCONN: "Transport endpoint is already connected",
  E2BIG: "Argument list too long",
  EPERM: "Operation not permitted",
};

/** `strerror` of glibc. */
export const strerror = (errno: Errno): string => WORDS[errno];
