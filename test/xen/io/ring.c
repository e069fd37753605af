/* Answers questions about a ring with Xen's own macros, one command a line. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#define xen_mb() __sync_synchronize()
#define xen_rmb() __sync_synchronize()
#define xen_wmb() __sync_synchronize()
#include <xen/io/ring.h>

struct request { uint32_t words[3]; };
struct response { uint32_t words[1]; };
DEFINE_RING_TYPES(test, struct request, struct response);

static union { unsigned char octets[4096]; struct test_sring ring; uint32_t words[1024]; } page;

int main(void)
{
    struct test_sring *sring = &page.ring;
    struct test_front_ring front = { 0 };
    struct test_back_ring back = { 0 };
    char line[64];
    while ( fgets(line, sizeof(line), stdin) )
    {
        unsigned int first = 0, second = 0;
        long result = 0;
        char op = line[0];
        sscanf(line + 1, "%u %u", &first, &second);
        switch ( op )
        {
        case 'i':
            SHARED_RING_INIT(sring);
            sring->req_prod = sring->rsp_prod = first;
            sring->req_event = sring->rsp_event = first + 1;
            FRONT_RING_ATTACH(&front, sring, first, 4096);
            BACK_RING_ATTACH(&back, sring, first, 4096);
            result = RING_SIZE(&front);
            break;
        case 'w': page.words[first] = second; break;
        case 'r':
            result = -1;
            if ( RING_FULL(&front) ) break;
            result = (unsigned char *)RING_GET_REQUEST(&front, front.req_prod_pvt) - page.octets;
            front.req_prod_pvt++;
            break;
        case 'p': RING_PUSH_REQUESTS_AND_CHECK_NOTIFY(&front, result); break;
        case 'u': result = RING_HAS_UNCONSUMED_RESPONSES(&front); break;
        case 't':
            result = -1;
            if ( !RING_HAS_UNCONSUMED_RESPONSES(&front) ) break;
            result = (unsigned char *)RING_GET_RESPONSE(&front, front.rsp_cons) - page.octets;
            front.rsp_cons++;
            break;
        case 'f': RING_FINAL_CHECK_FOR_RESPONSES(&front, result); result = !!result; break;
        case 'o': result = RING_RESPONSE_PROD_OVERFLOW(&front, sring->rsp_prod); break;
        case 'e': result = RING_FREE_REQUESTS(&front); break;
        case 'U': result = RING_HAS_UNCONSUMED_REQUESTS(&back); break;
        case 'T':
            result = -1;
            if ( !RING_HAS_UNCONSUMED_REQUESTS(&back) ) break;
            result = (unsigned char *)RING_GET_REQUEST(&back, back.req_cons) - page.octets;
            back.req_cons++;
            break;
        case 'R':
            result = -1;
            if ( back.rsp_prod_pvt == back.req_cons ) break;
            result = (unsigned char *)RING_GET_RESPONSE(&back, back.rsp_prod_pvt) - page.octets;
            back.rsp_prod_pvt++;
            break;
        case 'P': RING_PUSH_RESPONSES_AND_CHECK_NOTIFY(&back, result); break;
        case 'F': RING_FINAL_CHECK_FOR_REQUESTS(&back, result); result = !!result; break;
        case 'O': result = RING_REQUEST_PROD_OVERFLOW(&back, sring->req_prod); break;
        }
        printf("%ld %u %u %u %u\n", result, page.words[0], page.words[1], page.words[2],
               page.words[3]);
    }
    return 0;
}
