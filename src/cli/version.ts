/** The version of the package. @module */
import { readFileSync } from "node:fs";

/** As package.json has it: "0.1.0". */
export const VERSION: string = readVersion();

/** From the file itself: what is printed is what is installed. */
function readVersion(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  const manifest: unknown = JSON.parse(text);
  const isManifest = typeof manifest === "object" && manifest !== null && "version" in manifest;
  return isManifest ? String(manifest.version) : "unknown";
}
