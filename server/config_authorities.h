/* config_authorities.h - the part of the configuration that says which authority is asked for which items, and how.
 *
 * Owner: the configuration. Start-up thread. Fails: CONFIG_INVALID with file, line, field and mend in `error`. */
#ifndef COLOAN_SERVER_CONFIG_AUTHORITIES_H
#define COLOAN_SERVER_CONFIG_AUTHORITIES_H

#include "server/config.h"

/* Reads `authorities` and `items_unused` (may be NULL): every item that an authority can answer is served by one or left
 * out. */
CL_MUST_CHECK struct cl_status config_authorities_read(struct config *config, const struct cl_setting *list,
                                                       const struct cl_setting *unused, struct cl_setting_error *error);
void config_authorities_free(struct config *config);

void config_authorities_print_fields(FILE *out);

#endif
