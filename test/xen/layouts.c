/* Prints sizes and offsets of the public headers' structures; with PACKED as a 32-bit kernel's. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <xen/xen.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/io/ring.h>
#ifdef PACKED
#pragma pack(push, 4)
#endif
#include <xen/io/blkif.h>
#ifdef PACKED
#pragma pack(pop)
#endif

#define SAY(name, value) printf("%s %lu\n", name, (unsigned long)(value))
#define AT(type, field) SAY(#type "." #field, offsetof(type, field))

int main(void)
{
    AT(blkif_request_t, operation);
    AT(blkif_request_t, nr_segments);
    AT(blkif_request_t, handle);
    AT(blkif_request_t, id);
    AT(blkif_request_t, sector_number);
    AT(blkif_request_t, seg);
    SAY("blkif_request_t", sizeof(blkif_request_t));
    AT(struct blkif_request_segment, gref);
    AT(struct blkif_request_segment, first_sect);
    AT(struct blkif_request_segment, last_sect);
    SAY("segment", sizeof(struct blkif_request_segment));
    AT(blkif_request_discard_t, flag);
    AT(blkif_request_discard_t, handle);
    AT(blkif_request_discard_t, id);
    AT(blkif_request_discard_t, sector_number);
    AT(blkif_request_discard_t, nr_sectors);
    SAY("BLKIF_OP_DISCARD", BLKIF_OP_DISCARD);
    SAY("BLKIF_DISCARD_SECURE", BLKIF_DISCARD_SECURE);
    AT(blkif_request_indirect_t, indirect_op);
    AT(blkif_request_indirect_t, nr_segments);
    AT(blkif_request_indirect_t, id);
    AT(blkif_request_indirect_t, sector_number);
    AT(blkif_request_indirect_t, handle);
    AT(blkif_request_indirect_t, indirect_grefs);
    SAY("BLKIF_OP_INDIRECT", BLKIF_OP_INDIRECT);
    AT(blkif_response_t, id);
    AT(blkif_response_t, operation);
    AT(blkif_response_t, status);
    SAY("blkif_ring", __RING_SIZE((blkif_sring_t *)0, 4096));
    SAY("BLKIF_MAX_SEGMENTS_PER_REQUEST", BLKIF_MAX_SEGMENTS_PER_REQUEST);
    AT(grant_entry_v1_t, flags);
    AT(grant_entry_v1_t, domid);
    AT(grant_entry_v1_t, frame);
    SAY("grant_entry_v1_t", sizeof(grant_entry_v1_t));
    SAY("GTF_permit_access", GTF_permit_access);
    SAY("GTF_readonly", GTF_readonly);
    SAY("GTF_reading", GTF_reading);
    SAY("GTF_writing", GTF_writing);
    AT(struct shared_info, evtchn_pending);
    AT(struct shared_info, evtchn_mask);
    AT(struct vcpu_info, evtchn_upcall_pending);
    AT(struct vcpu_info, evtchn_upcall_mask);
    AT(struct vcpu_info, evtchn_pending_sel);
    SAY("vcpu_info", sizeof(struct vcpu_info));
    SAY("DOMID_SELF", DOMID_SELF);
    SAY("VIRQ_DOM_EXC", VIRQ_DOM_EXC);
    AT(evtchn_fifo_control_block_t, ready);
    AT(evtchn_fifo_control_block_t, head);
    SAY("evtchn_fifo_control_block_t", sizeof(evtchn_fifo_control_block_t));
    SAY("pending", 1u << EVTCHN_FIFO_PENDING);
    SAY("masked", 1u << EVTCHN_FIFO_MASKED);
    SAY("linked", 1u << EVTCHN_FIFO_LINKED);
    SAY("busy", 1u << EVTCHN_FIFO_BUSY);
    SAY("EVTCHN_FIFO_LINK_MASK", EVTCHN_FIFO_LINK_MASK);
    SAY("EVTCHN_FIFO_NR_CHANNELS", EVTCHN_FIFO_NR_CHANNELS);
    SAY("EVTCHN_FIFO_MAX_QUEUES", EVTCHN_FIFO_MAX_QUEUES);
    SAY("EVTCHN_FIFO_PRIORITY_DEFAULT", EVTCHN_FIFO_PRIORITY_DEFAULT);
    return 0;
}
