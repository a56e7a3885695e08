#include "server/config_inboxes.h"

#include <stddef.h>
#include <string.h>

#include "libcoloan/ids.h"
#include "libcoloan/limits.h"

struct inbox {
    const char *bank, *target, *server_name;
    int64_t parallel;
};

static const struct cl_setting_field inbox_fields[] = {
    {"bank", CL_SETTING_TEXT, offsetof(struct inbox, bank), true, NULL, 1, CL_PARTY_BYTES_MAX, NULL,
     "Party id of the bank, which its server's certificate has to name."},
    {"target", CL_SETTING_TEXT, offsetof(struct inbox, target), true, NULL, 3, 255, NULL,
     "host:port of its BankInbox."},
    {"server_name", CL_SETTING_TEXT, offsetof(struct inbox, server_name), false, NULL, 1, 255, NULL,
     "The name its certificate holds. Left out: the target's host."},
    {"parallel", CL_SETTING_INT64, offsetof(struct inbox, parallel), false, "4", 1, CALLBACKS_PARALLEL_MAX, NULL,
     "Calls at once, each of another application."},
};

#define COUNT(fields) (sizeof(fields) / sizeof((fields)[0]))

void config_inboxes_print_fields(FILE *out)
{
    (void)fprintf(out, "\ninboxes, each:\n");
    cl_setting_print_fields(out, inbox_fields, COUNT(inbox_fields));
}

static bool is_named_twice(const struct config *config, const char *bank)
{
    for (size_t i = 0; i < config->inbox_count; i++) {
        if (strcmp(config->inboxes[i].party, bank) == 0) {
            return true;
        }
    }
    return false;
}

static struct cl_status read_inbox(struct config *config, const struct cl_setting *section,
                                   struct cl_setting_error *error)
{
    struct inbox inbox;
    struct cl_status status = cl_setting_read(&inbox, section, inbox_fields, COUNT(inbox_fields), error);
    if (cl_failed(status)) {
        return status;
    }
    if (cl_party_kind(inbox.bank) != CL_PARTY_BANK) {
        return cl_setting_refuse(error, cl_setting_find(section, "bank"), "expected a bank, bank:<id>");
    }
    if (is_named_twice(config, inbox.bank)) {
        return cl_setting_refuse(error, cl_setting_find(section, "bank"), "has an inbox already");
    }
    config->inboxes[config->inbox_count++] = (struct callbacks_bank){.party = inbox.bank,
                                                                     .target = inbox.target,
                                                                     .server_name = inbox.server_name,
                                                                     .parallel = (unsigned)inbox.parallel};
    return cl_ok();
}

struct cl_status config_inboxes_read(struct config *config, const struct cl_setting *list,
                                     struct cl_setting_error *error)
{
    struct cl_status status = cl_ok();
    size_t count = list == NULL ? 0 : cl_setting_count(list);
    for (size_t i = 0; cl_is_ok(status) && i < count; i++) {
        status = read_inbox(config, cl_setting_at(list, i), error);
    }
    return status;
}
