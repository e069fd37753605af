/** ISC dhcpd 4.4.3 itself, in a network namespace: the oracle of the server's properties. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { missingForNamespaces } from "./helper-process.ts";

const HELPER = fileURLToPath(new URL("dhcpd.py", import.meta.url));
/** The longest that one run may take, in milliseconds. */
const TIMEOUT = 50_000;

/** What the program answered to a frame. */
export interface DhcpdAnswer {
  /** Seconds since the epoch. */
  readonly sentAt: number;
  readonly frames: readonly Uint8Array[];
}

/** Why there is no dhcpd to ask; `null` if there is. */
export const missingForDhcpd = (): string | null => missingForNamespaces("dhcpd");

/**
 * Start dhcpd with a configuration, and play frames to it one by one.
 * @throws {Error} if it does not start or stops answering.
 */
export function askDhcpd(
  conf: string,
  address: string,
  fence: Uint8Array,
  frames: readonly Uint8Array[],
): readonly DhcpdAnswer[] {
  const input = JSON.stringify({ conf, address, fence: hex(fence), frames: frames.map(hex) });
  const { stdout, stderr } = spawnSync("unshare", ["--net", "python3", HELPER], {
    input,
    encoding: "utf8",
    timeout: TIMEOUT,
    maxBuffer: 2 ** 28,
  });
  if (stdout === "") throw new Error(`the helper has failed: ${stderr}`);
  const said = JSON.parse(stdout) as { error?: string; answers?: [number, string[]][] };
  if (said.answers === undefined) throw new Error(said.error);
  return said.answers.map(([sentAt, back]) => ({
    sentAt,
    frames: back.map((text) => Uint8Array.from(Buffer.from(text, "hex"))),
  }));
}

/** What `dhcpd -t` says of a configuration. */
export interface ConfVerdict {
  readonly isAccepted: boolean;
  /** Of the first fault; 0 if it has none. */
  readonly line: number;
  readonly said: string;
}

/** Let dhcpd read a configuration, and no more. */
export function testDhcpdConf(text: string): ConfVerdict {
  const folder = mkdtempSync(join(tmpdir(), "dhcpd-conf-"));
  try {
    const conf = join(folder, "conf");
    writeFileSync(conf, text);
    const files = ["-cf", conf, "-lf", "/dev/null", "--no-pid"];
    const { status, stderr } = spawnSync("dhcpd", ["-4", "-t", ...files], {
      encoding: "utf8",
      timeout: TIMEOUT,
    });
    const [, line = "0"] = /conf line (\d+):/.exec(stderr) ?? [];
    return { isAccepted: status === 0, line: Number(line), said: stderr };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const hex = (octets: Uint8Array): string => Buffer.from(octets).toString("hex");
