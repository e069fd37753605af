/*
 * Xen's event channels as a program: reads steps from standard input, four to six numbers a line,
 * prints after each what was answered and what changed in the domains' frames.
 */
#include "event_channel.h"
#include <xen/hypercall.h>

struct domain *domain_of[4];
struct vcpu *current;
static uint8_t *seen_of[4];

int evtchn_init(struct domain *d, unsigned int max_port);
long do_event_channel_op(int cmd, void *arg);
void send_guest_global_virq(struct domain *d, unsigned int virq);

static void create(unsigned id, unsigned vcpus, unsigned pages, unsigned last_port)
{
    struct domain *d = calloc(1, sizeof(*d));
    d->domain_id = id;
    d->max_vcpus = vcpus;
    d->pages = pages;
    d->is_privileged = id == 0;
    d->frames = aligned_alloc(PAGE_SIZE, pages * PAGE_SIZE);
    memset(d->frames, 0, pages * PAGE_SIZE);
    seen_of[id] = calloc(pages, PAGE_SIZE);
    /* As the kernel does when it boots. */
    memset(shared_of(d)->evtchn_mask, 0xff, sizeof(shared_of(d)->evtchn_mask));
    for (unsigned at = 0; at < vcpus; at++) {
        d->vcpu[at] = calloc(1, sizeof(struct vcpu));
        d->vcpu[at]->vcpu_id = at;
        d->vcpu[at]->domain = d;
    }
    domain_of[id] = d;
    if (evtchn_init(d, last_port)) abort();
}

/* @returns what a step answers: a port where it makes one. */
static long step(unsigned op, const long *a)
{
    struct domain *d = current->domain;
    long rc;
    switch (op) {
    case EVTCHNOP_alloc_unbound: {
        struct evtchn_alloc_unbound it = { .dom = a[0], .remote_dom = a[1] };
        rc = do_event_channel_op(op, &it);
        return rc ? rc : it.port;
    }
    case EVTCHNOP_bind_interdomain: {
        struct evtchn_bind_interdomain it = { .remote_dom = a[0], .remote_port = a[1] };
        rc = do_event_channel_op(op, &it);
        return rc ? rc : it.local_port;
    }
    case EVTCHNOP_bind_virq: {
        struct evtchn_bind_virq it = { .virq = a[0], .vcpu = a[1] };
        rc = do_event_channel_op(op, &it);
        return rc ? rc : it.port;
    }
    case EVTCHNOP_bind_ipi: {
        struct evtchn_bind_ipi it = { .vcpu = a[0] };
        rc = do_event_channel_op(op, &it);
        return rc ? rc : it.port;
    }
    case EVTCHNOP_close: {
        struct evtchn_close it = { .port = a[0] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_send: {
        struct evtchn_send it = { .port = a[0] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_status: {
        struct evtchn_status it = { .dom = a[0], .port = a[1] };
        rc = do_event_channel_op(op, &it);
        return rc ? rc : (long)(it.status | it.vcpu << 8);
    }
    case EVTCHNOP_bind_vcpu: {
        struct evtchn_bind_vcpu it = { .port = a[0], .vcpu = a[1] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_unmask: {
        struct evtchn_unmask it = { .port = a[0] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_reset: {
        struct evtchn_reset it = { .dom = a[0] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_init_control: {
        struct evtchn_init_control it = { .vcpu = a[0], .control_gfn = a[1], .offset = a[2] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_expand_array: {
        struct evtchn_expand_array it = { .array_gfn = a[0] };
        return do_event_channel_op(op, &it);
    }
    case EVTCHNOP_set_priority: {
        struct evtchn_set_priority it = { .port = a[0], .priority = a[1] };
        return do_event_channel_op(op, &it);
    }
    /* What is no hypercall: a pause, a word that the domain writes, an interrupt from Xen. */
    case 100:
        d->controller_pause_count = a[0];
        return 0;
    case 101:
        ((uint32_t *)d->frames)[a[0]] = a[1];
        return 0;
    case 102:
        send_guest_global_virq(d, a[0]);
        return 0;
    }
    return -ENOSYS;
}

int main(void)
{
    unsigned op, id;
    long a[4];
    while (scanf("%u %u %ld %ld %ld", &op, &id, a, a + 1, a + 2) == 5) {
        long rc = 0;
        if (op == 99) {
            create(id, a[0], a[1], a[2]);
        } else if (op == 98) {
            memset(domain_of, 0, sizeof(domain_of));
            printf("end\n");
            continue;
        } else {
            current = domain_of[id]->vcpu[0];
            rc = step(op, a);
        }
        printf("%ld", rc);
        for (unsigned at = 0; at < 4 && domain_of[at]; at++) {
            struct domain *d = domain_of[at];
            uint32_t *now = (uint32_t *)d->frames, *old = (uint32_t *)seen_of[at];
            printf(" s%u", d->signals);
            for (unsigned w = 0; w < d->pages * PAGE_SIZE / 4; w++) {
                if (now[w] == old[w]) continue;
                printf(" %u:%u=%x", at, w, now[w]);
                old[w] = now[w];
            }
        }
        printf("\n");
    }
    return 0;
}
