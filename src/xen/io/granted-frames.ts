/**
 * Frames that hold the octets of a block front end's requests, and the grants by which its back end
 * reaches them.
 * @module
 */
import type { DomainMemory } from "../hypervisor/domain-memory.ts";
import type { GuestGrants } from "../hypervisor/guest-grants.ts";

/** What a {@link GrantedFrames} is made from. */
export interface GrantedFramesOptions {
  readonly memory: DomainMemory;
  readonly grants: GuestGrants;
  /** The back end's domid. */
  readonly backend: number;
}

/** The frames of one front end: what a request gives back, the next one takes. */
export class GrantedFrames {
  /** The back end may keep grants mapped when it has answered. */
  isPersistent = false;
  /** Frames that the back end did not let go: they are never used again. */
  lost = 0;
  readonly #memory: DomainMemory;
  readonly #grants: GuestGrants;
  readonly #backend: number;
  /** Frames without a grant. */
  readonly #spare: number[] = [];
  /** Frames that the back end keeps mapped, and their references: the last used are used first. */
  readonly #keptFrames: number[] = [];
  readonly #keptRefs: number[] = [];

  constructor({ memory, grants, backend }: GrantedFramesOptions) {
    this.#memory = memory;
    this.#grants = grants;
    this.#backend = backend;
  }

  /** Put `count` frames into `frames` and their references into `refs`; none if not all. */
  take(refs: number[], frames: number[], count: number, isReadonly: boolean): boolean {
    if (this.#grants.available + this.#keptRefs.length < count) return false;
    for (let index = 0; index < count; index += 1) {
      const keptFrame = this.#keptFrames.pop();
      const keptRef = this.#keptRefs.pop();
      if (keptFrame !== undefined && keptRef !== undefined) {
        frames.push(keptFrame);
        refs.push(keptRef);
        continue;
      }
      const gfn = this.#spare.pop() ?? this.#memory.allocate();
      if (gfn < 0) {
        this.giveBack(refs, frames);
        return false;
      }
      frames.push(gfn);
      refs.push(this.#grants.grant(this.#backend, gfn, isReadonly));
    }
    return true;
  }

  /** Empty both lists: what the back end keeps mapped is kept here, too. */
  giveBack(refs: number[], frames: number[]): void {
    for (const [index, ref] of refs.splice(0).entries()) {
      const gfn = frames[index] ?? 0;
      if (this.#grants.revoke(ref)) this.#spare.push(gfn);
      else if (this.isPersistent) {
        this.#keptFrames.push(gfn);
        this.#keptRefs.push(ref);
      } else this.lost += 1;
    }
    frames.length = 0;
  }

  /** Take a grant back and free its frame, which is lost if the back end still maps it. */
  free(ref: number, gfn: number): void {
    if (this.#grants.revoke(ref)) this.#memory.free(gfn);
    else this.lost += 1;
  }

  /** The back end is gone: free all that no request holds. */
  freeAll(): void {
    for (const [index, ref] of this.#keptRefs.splice(0).entries()) {
      this.free(ref, this.#keptFrames[index] ?? 0);
    }
    this.#keptFrames.length = 0;
    for (const gfn of this.#spare.splice(0)) this.#memory.free(gfn);
  }
}
