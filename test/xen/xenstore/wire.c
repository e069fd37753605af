/*
 * Without input: layouts and numbers of Xen's header. Then, for each line of input, what C's atoi
 * makes of it, and strtol with any base, "-" if that leaves something over.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xen/io/xs_wire.h>

#define SAY(name, value) printf("%s %lu\n", name, (unsigned long)(value))
#define AT(type, field) SAY(#field, offsetof(type, field))
#define IS(name) SAY(#name, XS_##name)

int main(void)
{
    char line[256];

    AT(struct xsd_sockmsg, type);
    AT(struct xsd_sockmsg, req_id);
    AT(struct xsd_sockmsg, tx_id);
    AT(struct xsd_sockmsg, len);
    SAY("xsd_sockmsg", sizeof(struct xsd_sockmsg));
    AT(struct xenstore_domain_interface, req);
    AT(struct xenstore_domain_interface, rsp);
    AT(struct xenstore_domain_interface, req_cons);
    AT(struct xenstore_domain_interface, req_prod);
    AT(struct xenstore_domain_interface, rsp_cons);
    AT(struct xenstore_domain_interface, rsp_prod);
    AT(struct xenstore_domain_interface, server_features);
    AT(struct xenstore_domain_interface, connection);
    AT(struct xenstore_domain_interface, error);
    SAY("ring", XENSTORE_RING_SIZE);
    SAY("payload", XENSTORE_PAYLOAD_MAX);
    IS(CONTROL); IS(DIRECTORY); IS(READ); IS(GET_PERMS); IS(WATCH); IS(UNWATCH);
    IS(TRANSACTION_START); IS(TRANSACTION_END); IS(INTRODUCE); IS(RELEASE);
    IS(GET_DOMAIN_PATH); IS(WRITE); IS(MKDIR); IS(RM); IS(SET_PERMS); IS(WATCH_EVENT);
    IS(ERROR); IS(IS_DOMAIN_INTRODUCED); IS(RESUME); IS(SET_TARGET); IS(RESET_WATCHES);
    IS(DIRECTORY_PART);
    for (size_t i = 0; i < sizeof(xsd_errors) / sizeof(xsd_errors[0]); i++)
        SAY(xsd_errors[i].errstring, i);
    while (fgets(line, sizeof(line), stdin) != NULL) {
        char *end;

        line[strcspn(line, "\n")] = 0;
        long any = strtol(line, &end, 0);
        if (*end || !*line) printf("%d -\n", atoi(line));
        else printf("%d %u\n", atoi(line), (unsigned int)any);
    }
    return 0;
}
