/* authorities.h - the simulated authorities as an HTTP server on 127.0.0.1.
 *
 * Owner: whoever started it stops it; the people are borrowed until then. Its own threads answer. Fails: SYSTEM when
 * the port is taken or threads cannot be had, MEMORY_LIMIT. */
#ifndef COLOAN_SANDBOX_AUTHORITIES_H
#define COLOAN_SANDBOX_AUTHORITIES_H

#include "libcoloan/clock.h"
#include "sandbox/people.h"

struct authorities_options {
    uint16_t port;                /* 0: any free one */
    int64_t delay_ms;             /* before every answer */
    unsigned threads;             /* 0: 2 */
    const struct cl_clock *clock; /* by which answers are observed; NULL: the machine's. Outlives them */
};

struct authorities;

CL_MUST_CHECK struct cl_status authorities_start(struct authorities **out, const struct people *people,
                                                 const struct authorities_options *options);
uint16_t authorities_port(const struct authorities *authorities);
uint64_t authorities_answered(struct authorities *authorities); /* requests so far */
void authorities_stop(struct authorities *authorities);         /* NULL is fine */

#endif
