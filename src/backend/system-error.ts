/** What the operating system says, for people. @module */

/** The codes that a user can cause. */
const FAULTS = new Map([
  ["ENOENT", "no such file or folder"],
  ["ENOTDIR", "a part of the path is not a folder"],
  ["EISDIR", "is a folder, expected a file"],
  ["EACCES", "permission denied"],
  ["EPERM", "permission denied"],
  ["EROFS", "the file system cannot be written to"],
  ["ENOSPC", "no space left on the disk"],
  ["EDQUOT", "no space left for this user on the disk"],
  ["EFBIG", "the file would become too large"],
  ["EMFILE", "too many open files"],
  ["ENFILE", "too many open files"],
  ["EIO", "the disk failed"],
  ["ENAMETOOLONG", "the name is too long"],
  ["ELOOP", "is a symbolic link, or one too many on the way"],
  ["ENXIO", "is a socket, expected a file"],
]);

/** What `error` of a file operation means; `null` if it is not the user's to mend. */
export function systemFault(error: unknown): string | null {
  return FAULTS.get(systemCode(error)) ?? null;
}

/** The `code` of a system error, such as "EPIPE"; empty if it has none. */
export function systemCode(error: unknown): string {
  const isCoded = error instanceof Error && "code" in error && typeof error.code === "string";
  return isCoded ? String(error.code) : "";
}
