/** Small file systems that no one else sees: a mount namespace with a tmpfs. */
import { spawnSync } from "node:child_process";

/** As root of a user namespace, who may mount. */
const UNSHARE = ["--user", "--map-root-user", "--mount"];

/** True where such a namespace can be had. */
export const canMount =
  spawnSync("unshare", [...UNSHARE, "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;
/** What the title of a test says where it cannot. */
export const skippedMount = canMount ? "" : " (skipped: no mount namespaces)";

/**
 * A line of bash with a tmpfs on `folder`; `$folder` and the further words, `$1` and so on, are
 * known to it.
 * @param options of the tmpfs, such as "size=64k".
 */
export function onTmpfs(
  folder: string,
  options: string,
  line: string,
  ...words: readonly string[]
): { readonly status: number | null; readonly stdout: string; readonly stderr: string } {
  const mount = `mount -t tmpfs -o ${options} none "$folder"`;
  const bash = ["bash", "-c", `${mount}; ${line}`, "bash", ...words];
  const env = { PATH: process.env["PATH"], folder };
  return spawnSync("unshare", [...UNSHARE, ...bash], {
    encoding: "utf8",
    timeout: 60_000,
    env,
    // Else bash takes itself for a remote shell, and reads a file of the user's.
    stdio: ["ignore", "pipe", "pipe"],
  });
}
