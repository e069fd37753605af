import { describe, expect, it } from "vitest";
import { DOMID_SELF, DomainMemory } from "../../src/xen/hypervisor/domain-memory.ts";
import { Virq } from "../../src/xen/hypervisor/event-channels.ts";
import {
  ControlBlock,
  DEFAULT_PRIORITY,
  EventWord,
  FIFO_PORTS,
  QUEUES,
} from "../../src/xen/hypervisor/fifo-layout.ts";
import { GrantFlag } from "../../src/xen/hypervisor/guest-grants.ts";
import { SharedInfo, VcpuInfo } from "../../src/xen/hypervisor/shared-info.ts";
import {
  BLOCK_ABI_32,
  BLOCK_ABI_64,
  BLOCK_RESPONSE,
  BLOCK_SEGMENT,
  type BlockAbi,
  BlockDiscardFlag,
  BlockOp,
  MAX_SEGMENTS,
  SEGMENT_OCTETS,
} from "../../src/xen/io/blkif.ts";
import { ringEntries } from "../../src/xen/io/shared-ring.ts";
import { compileWithXen, linesOf, missingHeaders } from "./xen-headers.ts";

function blockLayout(abi: BlockAbi): Record<string, number> {
  const { request, indirect, discard, segments, entryOctets } = abi;
  return {
    "blkif_request_discard_t.flag": discard.flag.offset,
    "blkif_request_discard_t.handle": request.handle.offset,
    "blkif_request_discard_t.id": request.idLow.offset,
    "blkif_request_discard_t.sector_number": request.sectorLow.offset,
    "blkif_request_discard_t.nr_sectors": discard.sectorsLow.offset,
    BLKIF_OP_DISCARD: BlockOp.discard,
    BLKIF_DISCARD_SECURE: BlockDiscardFlag.secure,
    "blkif_request_indirect_t.indirect_op": indirect.operation.offset,
    "blkif_request_indirect_t.nr_segments": indirect.segmentCount.offset,
    "blkif_request_indirect_t.id": request.idLow.offset,
    "blkif_request_indirect_t.sector_number": request.sectorLow.offset,
    "blkif_request_indirect_t.handle": indirect.handle.offset,
    "blkif_request_indirect_t.indirect_grefs": indirect.gref.offset,
    BLKIF_OP_INDIRECT: BlockOp.indirect,
    "blkif_request_t.operation": request.operation.offset,
    "blkif_request_t.nr_segments": request.segmentCount.offset,
    "blkif_request_t.handle": request.handle.offset,
    "blkif_request_t.id": request.idLow.offset,
    "blkif_request_t.sector_number": request.sectorLow.offset,
    "blkif_request_t.seg": segments,
    blkif_request_t: entryOctets,
    "struct blkif_request_segment.gref": BLOCK_SEGMENT.gref.offset,
    "struct blkif_request_segment.first_sect": BLOCK_SEGMENT.firstSector.offset,
    "struct blkif_request_segment.last_sect": BLOCK_SEGMENT.lastSector.offset,
    segment: SEGMENT_OCTETS,
    "blkif_response_t.id": BLOCK_RESPONSE.idLow.offset,
    "blkif_response_t.operation": BLOCK_RESPONSE.operation.offset,
    "blkif_response_t.status": BLOCK_RESPONSE.status.offset,
    blkif_ring: ringEntries(entryOctets),
    BLKIF_MAX_SEGMENTS_PER_REQUEST: MAX_SEGMENTS,
  };
}

const info = new SharedInfo(new DomainMemory({ domid: 1, pages: 1 }), 0);
const HYPERVISOR = {
  "grant_entry_v1_t.flags": 0,
  "grant_entry_v1_t.domid": 2,
  "grant_entry_v1_t.frame": 4,
  grant_entry_v1_t: 8,
  GTF_permit_access: GrantFlag.permitAccess,
  GTF_readonly: GrantFlag.readonly,
  GTF_reading: GrantFlag.reading,
  GTF_writing: GrantFlag.writing,
  "struct shared_info.evtchn_pending": info.pendingWord * 4,
  "struct shared_info.evtchn_mask": info.maskWord * 4,
  "struct vcpu_info.evtchn_upcall_pending": VcpuInfo.upcallPending,
  "struct vcpu_info.evtchn_upcall_mask": VcpuInfo.upcallMask,
  "struct vcpu_info.evtchn_pending_sel": info.selectorWord * 4,
  vcpu_info: VcpuInfo.octets,
  DOMID_SELF,
  VIRQ_DOM_EXC: Virq.domExc,
  "evtchn_fifo_control_block_t.ready": ControlBlock.readyWord * 4,
  "evtchn_fifo_control_block_t.head": ControlBlock.headWord * 4,
  evtchn_fifo_control_block_t: ControlBlock.octets,
  pending: EventWord.pending >>> 0,
  masked: EventWord.masked,
  linked: EventWord.linked,
  busy: EventWord.busy,
  EVTCHN_FIFO_LINK_MASK: EventWord.link,
  EVTCHN_FIFO_NR_CHANNELS: FIFO_PORTS,
  EVTCHN_FIFO_MAX_QUEUES: QUEUES,
  EVTCHN_FIFO_PRIORITY_DEFAULT: DEFAULT_PRIORITY,
};

describe.skipIf(missingHeaders !== null)(
  `layouts beside Xen's headers (${missingHeaders ?? "here"})`,
  () => {
    const said = (...defines: readonly string[]): Record<string, number> =>
      Object.fromEntries(
        linesOf(compileWithXen("test/xen/layouts.c", ...defines)).map((line) => {
          const cut = line.lastIndexOf(" ");
          return [line.slice(0, cut), Number(line.slice(cut + 1))];
        }),
      );

    it("are those of a 64-bit kernel", () => {
      expect({ ...blockLayout(BLOCK_ABI_64), ...HYPERVISOR }).toEqual(said());
    });

    it("are those of a 32-bit kernel's block interface", () => {
      expect(said("PACKED")).toMatchObject(blockLayout(BLOCK_ABI_32));
    });
  },
);
