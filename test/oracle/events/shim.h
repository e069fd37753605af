/* What Xen's event channels need of the rest of Xen, for one thread and domains of a few frames. */
#ifndef SHIM_H
#define SHIM_H
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/xen.h>
#include <xen/event_channel.h>

typedef int bool_t;
typedef uint64_t u64;
#define always_inline inline
#define cf_check
#define __must_check
#define __init
#define __read_mostly
#define __initcall(fn) void *initcall_##fn = (void *)fn
#define unlikely(x) (x)
#define likely(x) (x)
#define ARRAY_SIZE(x) (sizeof(x) / sizeof((x)[0]))
#define SWAP(a, b) do { __typeof__(a) t_ = (a); (a) = (b); (b) = t_; } while (0)
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define min_t(type, a, b) ((type)(a) < (type)(b) ? (type)(a) : (type)(b))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
#define PAGE_SIZE 4096
#define PAGE_MASK (~4095UL)
#define BITS_PER_LONG 64
#define BITS_PER_XEN_ULONG 64
#define BITS_TO_LONGS(bits) DIV_ROUND_UP(bits, 64)
#define MAX_VIRT_CPUS 8192
#define ASSERT(x) ((void)0)
#define BUILD_BUG_ON(x) ((void)0)
#define BUG() abort()
#define BUG_ON(x) do { if (x) abort(); } while (0)
#define ASSERT_UNREACHABLE() abort()
#define ERESTART 85
#define EVTCHNOP_reset_cont 14
#define NDEBUG 1

/* One thread: locks are none, and what is read is what was written. */
typedef struct { int taken; } spinlock_t;
typedef struct { int cnts; int lock[2]; } rwlock_t;
#define rwlock_init(l) ((void)(l))
#define spin_lock_init(l) ((void)(l))
#define LOCK(l) ((void)(l))
#define read_lock LOCK
#define read_unlock LOCK
#define write_lock LOCK
#define write_unlock LOCK
#define spin_lock LOCK
#define spin_unlock LOCK
#define read_trylock(l) ((void)(l), 1)
#define LOCK_FLAGS(l, flags) ((void)(l), (flags) = 0)
#define UNLOCK_FLAGS(l, flags) ((void)(l), (void)(flags))
#define read_lock_irqsave LOCK_FLAGS
#define write_lock_irqsave LOCK_FLAGS
#define spin_lock_irqsave LOCK_FLAGS
#define read_unlock_irqrestore UNLOCK_FLAGS
#define write_unlock_irqrestore UNLOCK_FLAGS
#define spin_unlock_irqrestore UNLOCK_FLAGS
#define DEFINE_SPINLOCK(name) spinlock_t name
#define smp_rmb() ((void)0)
#define smp_wmb() ((void)0)
#define smp_mb() ((void)0)
#define read_atomic(p) (*(p))
#define write_atomic(p, x) (*(p) = (x))
#define cmpxchg(p, o, n) __sync_val_compare_and_swap(p, o, n)
#define cmpxchgptr cmpxchg
#define array_index_nospec(index, size) (index)
#define array_access_nospec(array, index) (array)[index]
#define evaluate_nospec(x) (x)
#define block_lock_speculation() ((void)0)

static inline bool test_bit(unsigned nr, const volatile void *p)
{
    return (((const volatile uint32_t *)p)[nr / 32] >> (nr % 32)) & 1;
}
static inline void set_bit(unsigned nr, volatile void *p)
{
    ((volatile uint32_t *)p)[nr / 32] |= 1u << (nr % 32);
}
static inline void clear_bit(unsigned nr, volatile void *p)
{
    ((volatile uint32_t *)p)[nr / 32] &= ~(1u << (nr % 32));
}
static inline bool test_and_set_bit(unsigned nr, volatile void *p)
{
    bool was = test_bit(nr, p);
    set_bit(nr, p);
    return was;
}
static inline bool test_and_clear_bit(unsigned nr, volatile void *p)
{
    bool was = test_bit(nr, p);
    clear_bit(nr, p);
    return was;
}
#define guest_test_bit(d, nr, p) ((void)(d), test_bit(nr, p))
#define guest_set_bit(d, nr, p) ((void)(d), set_bit(nr, p))
#define guest_clear_bit(d, nr, p) ((void)(d), clear_bit(nr, p))
#define guest_test_and_set_bit(d, nr, p) ((void)(d), test_and_set_bit(nr, p))
#define guest_test_and_clear_bit(d, nr, p) ((void)(d), test_and_clear_bit(nr, p))
#define bitmap_empty(map, bits) true
#define find_first_bit(map, bits) (bits)
#define find_next_bit(map, bits, from) (bits)

#define xzalloc(type) ((type *)calloc(1, sizeof(type)))
#define xzalloc_array(type, n) ((type *)calloc(n, sizeof(type)))
#define xfree free
#define printk(...) ((void)0)
#define gdprintk(level, ...) ((void)0)
#define gprintk(level, ...) ((void)0)
#define XENLOG_WARNING ""
#define XENLOG_G_WARNING ""

struct domain;
struct vcpu;
struct evtchn_fifo_vcpu;
struct evtchn_fifo_domain;
struct evtchn_port_ops;
typedef void (*xen_event_channel_notification_t)(struct vcpu *v, unsigned int port);

#include "evtchn-struct.h"

struct vcpu {
    unsigned vcpu_id;
    struct domain *domain;
    struct evtchn_fifo_vcpu *evtchn_fifo;
    unsigned virq_to_evtchn[NR_VIRQS];
    rwlock_t virq_lock;
    unsigned long pause_flags;
    unsigned pirq_evtchn_head;
    int poll_evtchn;
    unsigned processor;
};
struct domain {
    domid_t domain_id;
    unsigned max_vcpus;
    struct vcpu *vcpu[4];
    int is_dying;
    int controller_pause_count;
    bool is_privileged;
    rwlock_t event_lock;
    struct evtchn *evtchn;
    struct evtchn **evtchn_group[NR_EVTCHN_GROUPS];
    unsigned max_evtchn_port, valid_evtchns, active_evtchns, xen_evtchns, next_evtchn;
    const struct evtchn_port_ops *evtchn_port_ops;
    struct evtchn_fifo_domain *evtchn_fifo;
    unsigned long *poll_mask;
    unsigned nr_pirqs;
    uint8_t *frames;
    unsigned pages, shared_gfn;
    unsigned signals;
};
#define DOMDYING_dead 2
#define _VPF_blocked_in_xen 0

extern struct domain *domain_of[4];
extern struct vcpu *current;
static inline struct domain *rcu_lock_domain_by_any_id(domid_t id)
{
    if (id == DOMID_SELF) return current->domain;
    return id < 4 ? domain_of[id] : NULL;
}
#define rcu_lock_domain(d) ((void)(d))
#define rcu_unlock_domain(d) ((void)(d))
#define rcu_read_lock(l) ((void)0)
#define rcu_read_unlock(l) ((void)0)
#define for_each_vcpu(d, v) \
    for (unsigned v##_at = 0; v##_at < (d)->max_vcpus && ((v) = (d)->vcpu[v##_at]); v##_at++)
static inline struct vcpu *domain_vcpu(const struct domain *d, unsigned id)
{
    return id < d->max_vcpus ? d->vcpu[id] : NULL;
}
#define vcpu_wake(v) ((void)(v))
#define vcpu_unblock(v) ((void)(v))
#define get_domain(d) 1
#define put_domain(d) ((void)(d))
#define hardware_domain (domain_of[0])
#define is_hvm_domain(d) 1
#define has_32bit_shinfo(d) 0
#define arch_virq_is_global(virq) 1

static inline shared_info_t *shared_of(const struct domain *d)
{
    return (shared_info_t *)(d->frames + d->shared_gfn * PAGE_SIZE);
}
#define shared_info(d, field) (shared_of(d)->field)
#define vcpu_info(v, field) (shared_of((v)->domain)->vcpu_info[(v)->vcpu_id].field)
static inline void vcpu_mark_events_pending(struct vcpu *v)
{
    uint8_t was = vcpu_info(v, evtchn_upcall_pending);
    vcpu_info(v, evtchn_upcall_pending) = 1;
    if (!was) v->domain->signals++;
}

/* Frames of a domain, as its guest names them. */
struct page_info;
#define P2M_ALLOC 0
static inline struct page_info *get_page_from_gfn(struct domain *d, uint64_t gfn, void *t, int q)
{
    return gfn < d->pages ? (struct page_info *)(d->frames + gfn * PAGE_SIZE) : NULL;
}
#define PGT_writable_page 0
#define get_page_type(page, type) 1
#define put_page(page) ((void)(page))
#define put_page_and_type(page) ((void)(page))
#define __map_domain_page_global(page) ((void *)(page))
#define unmap_domain_page_global(virt) ((void)(virt))
#define domain_page_map_to_mfn(virt) (virt)
#define mfn_to_page(mfn) ((struct page_info *)(mfn))

/* Who may do what to whom: the default policy of `xsm/dummy.h`. */
static inline int may_act_on(struct domain *target)
{
    return current->domain == target || current->domain->is_privileged ? 0 : -EPERM;
}
#define xsm_evtchn_unbound(how, d, chn, id) may_act_on(d)
#define xsm_evtchn_interdomain(how, d1, c1, d2, c2) 0
#define xsm_evtchn_send(how, d, chn) 0
#define xsm_evtchn_status(how, d, chn) may_act_on(d)
#define xsm_evtchn_reset(how, d1, d2) may_act_on(d2)
#define xsm_evtchn_close_post(chn) ((void)(chn))
#define xsm_alloc_security_evtchns(chn, n) 0
#define xsm_free_security_evtchns(chn, n) ((void)(chn))
#define xsm_show_security_evtchn(d, chn) NULL

#define XEN_GUEST_HANDLE_PARAM(type) type *
#define copy_from_guest(to, from, n) (memcpy(to, from, sizeof(*(to)) * (n)), 0)
#define __copy_to_guest(to, from, n) (memcpy(to, from, sizeof(*(from)) * (n)), 0)
#define hypercall_preempt_check() 0
#define hypercall_create_continuation(...) 0
#define register_keyhandler(...) ((void)0)
#define for_each_domain(d) for (unsigned at = 0; at < 4 && ((d) = domain_of[at]); at++)
#define pirq_access_permitted(d, pirq) 0
#define cpumask_of(cpu) NULL
typedef int cpumask_t;
struct pirq { unsigned pirq, evtchn; };
#define pirq_info(d, n) ((struct pirq *)NULL)
#define pirq_get_info(d, n) ((struct pirq *)NULL)
#define pirq_to_evtchn(d, n) 0
#define pirq_guest_bind(v, p, s) 0
#define pirq_guest_unbind(d, p) ((void)(p))
#define pirq_cleanup_check(p, d) ((void)(p))
#define pirq_set_affinity(d, irq, mask) ((void)(d))
#define domain_pirq_to_irq(d, p) 0
#define unmap_domain_pirq_emuirq(d, p) 0
#define arch_evtchn_bind_pirq(d, p) ((void)(d))
#endif
