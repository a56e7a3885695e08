/* config_inboxes.h - which banks are called, from the configuration file; see config.h. */
#ifndef COLOAN_SERVER_CONFIG_INBOXES_H
#define COLOAN_SERVER_CONFIG_INBOXES_H

#include "server/config.h"

/* The list `inboxes`; NULL: none. CONFIG_INVALID with a sentence in `error`. */
CL_MUST_CHECK struct cl_status config_inboxes_read(struct config *config, const struct cl_setting *list,
                                                   struct cl_setting_error *error);

void config_inboxes_print_fields(FILE *out);

#endif
