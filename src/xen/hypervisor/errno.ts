/** Error numbers as a hypercall answers them (Xen: `public/errno.h`), negative. @module */

/** By the standard's names. */
export const Errno = {
  EPERM: -1,
  ENOENT: -2,
  ESRCH: -3,
  ENOMEM: -12,
  EACCES: -13,
  EEXIST: -17,
  EINVAL: -22,
  ENOSPC: -28,
  ENOSYS: -38,
  EOPNOTSUPP: -95,
} as const;
