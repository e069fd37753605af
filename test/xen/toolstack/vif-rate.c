/* Reads a rate a line, as xl does, and says what the node `rate` would be, or the error's number. */
#include <stdio.h>
#include <string.h>
#include <libxl.h>
#include <libxlutil.h>

int main(void)
{
    char line[256];
    XLU_Config *config = xlu_cfg_init(stderr, "vif");

    while (fgets(line, sizeof line, stdin)) {
        libxl_device_nic nic;
        int error;

        line[strcspn(line, "\n")] = 0;
        libxl_device_nic_init(&nic);
        error = xlu_vif_parse_rate(config, line, &nic);
        if (error) puts("refused");
        else printf("%llu,%u\n", (unsigned long long)nic.rate_bytes_per_interval,
                    nic.rate_interval_usecs);
    }
    return 0;
}
