/* coloand.h - the running server: every room made, joined, started and stopped in the right order.
 *
 * Owner: whoever started it. One thread drives it; coloand_port may be asked from any. Fails: on configuration, with a
 * sentence for the operator in `error`; and on the system's refusals. */
#ifndef COLOAN_SERVER_COLOAND_H
#define COLOAN_SERVER_COLOAND_H

#include "libcoloan/clock.h"
#include "server/config.h"

struct coloand;

struct coloand_options {
    const struct config *config;  /* outlives the server */
    const struct cl_clock *clock; /* NULL: the system's */
    void (*failed)(void *user);   /* the store failed: stop the process. Any thread; must not block. NULL is fine */
    void *user;
};

/* Serves when it returns. */
CL_MUST_CHECK struct cl_status coloand_start(struct coloand **out, const struct coloand_options *options,
                                             struct cl_setting_error *error);

/* Checks everything that start would read, without opening the database or a port. */
CL_MUST_CHECK struct cl_status coloand_check(const struct config *config, struct cl_setting_error *error);

uint16_t coloand_port(const struct coloand *server);
uint16_t coloand_metrics_port(const struct coloand *server); /* 0: none */

/* Reads certificates, revocation lists and the key directory anew; what is not right stays as it was and `error` says
 * why. */
CL_MUST_CHECK struct cl_status coloand_reload(struct coloand *server, struct cl_setting_error *error);

/* Every second or so: what is due by time is done, and what a restart or an overload left open is taken up again. */
void coloand_tick(struct coloand *server);

/* No new connections and calls, those under way are finished within the configured grace, streams are drained, what is
 * queued is written. Frees the server. NULL is fine. */
void coloand_stop(struct coloand *server);

#endif
