/** A naive model of a host's disks: which are open, and the first octet of each. */

/** The paths of the place `slot`, as the seed document found those of the fourth. */
export const pathsOf = (slot: number): string[] => [
  `/mnt/instance_image_store_${slot}/${262_768 + slot - 3}`,
  `/dev/mapper/cow-VolGroupDomU-instance_ephemeral_store_${slot}`,
  `/dev/VolGroupDomU/instance_swap_store_${slot}`,
];

/** Everything by hand, from the third place on. */
export class InstanceModel {
  /** Places that are taken, and what stands for each. */
  readonly holders = new Map<number, unknown>();
  readonly volumes = new Set<string>();
  /** What was written, open or not. */
  readonly stamps = new Map<string, number>();

  /** The paths of all open disks. */
  get open(): string[] {
    return [...[...this.holders.keys()].flatMap(pathsOf), ...this.volumes].toSorted();
  }

  lowest(): number {
    let slot = 3;
    while (this.holders.has(slot)) slot += 1;
    return slot;
  }

  /** @param isGone what the disks held is gone as well. */
  free(slot: number, isGone: boolean): void {
    this.holders.delete(slot);
    if (isGone) for (const path of pathsOf(slot)) this.stamps.delete(path);
  }
}
