/**
 * A domain that was saved: what `xm save` writes to a file, kept in memory. The memory's octets,
 * the configuration, and the domain's home in the store.
 * @module
 */
import type { DomainMemory } from "../hypervisor/domain-memory.ts";
import { FRAME_OCTETS, FRAME_SHIFT } from "../hypervisor/domain-memory.ts";
import type { StoreClient } from "../xenstore/client.ts";
import { domainPath } from "./device-path.ts";
import type { UnansweredRequests } from "../io/blkfront.ts";
import type { DomainEntry, DomainRequest } from "./managed-domain.ts";

/** A node of the home, by its path from there. */
export interface SavedNode {
  readonly path: string;
  readonly value: Uint8Array;
}

/** Nothing of it is shared with what still runs. It is good for one domain. */
export interface DomainImage {
  /** What the domain is to be again: all but the domid. */
  readonly request: DomainRequest;
  /** The frames that are not all zeros, by number. */
  readonly frames: ReadonlyMap<number, Uint8Array>;
  readonly home: readonly SavedNode[];
  /** What its programs asked of its disks and had no answer for, by devid: it is asked again. */
  readonly unanswered: ReadonlyMap<number, UnansweredRequests>;
}

/** Take the image of a domain whose kernel has suspended. */
export function takeImage(
  { request, unanswered, io }: Pick<DomainEntry, "request" | "unanswered" | "io">,
  client: StoreClient,
): DomainImage {
  const { domid, bytes, pages } = io.memory;
  const frames = new Map<number, Uint8Array>();
  for (let gfn = 0; gfn < pages; gfn += 1) {
    const octets = bytes.subarray(gfn << FRAME_SHIFT, (gfn << FRAME_SHIFT) + FRAME_OCTETS);
    if (octets.some((octet) => octet !== 0)) frames.set(gfn, octets.slice());
  }
  const home: SavedNode[] = [];
  const walk = (root: string, path: string): void => {
    for (const name of client.list(root)) {
      const own = path === "" ? name : `${path}/${name}`;
      home.push({ path: own, value: client.readOctets(`${root}/${name}`) });
      walk(`${root}/${name}`, own);
    }
  };
  walk(domainPath(domid), "");
  return { request: { ...request, domid: null }, frames, home, unanswered };
}

/**
 * Pour an image into a new domain: its memory but for the frames that its builder made, and what
 * the guest kept under `data`; all else of the home is the new domain's own.
 * @param built frames that the builder allocated, the lowest.
 */
export function pourImage(
  { frames, home }: DomainImage,
  memory: DomainMemory,
  built: number,
  client: StoreClient,
): void {
  for (const [gfn, octets] of frames) {
    if (gfn >= built && gfn < memory.pages) memory.bytes.set(octets, gfn << FRAME_SHIFT);
  }
  const root = domainPath(memory.domid);
  for (const { path, value } of home) {
    if (path !== "data" && !path.startsWith("data/")) continue;
    client.write(`${root}/${path}`, value);
    client.setPermissions(`${root}/${path}`, [`n${memory.domid}`]);
  }
}
