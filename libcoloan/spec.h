/* spec.h - versions of the wire: which a party understands, and what a message of one version may hold.
 *
 * A message is written in one version, "<major>.<minor>", which its header names; a receiver has a window of versions
 * and reads each message by the rules of the message's own. A field or enumeration value that came with a later version
 * is, in a message of an earlier one, as unknown as if it did not exist. So both sides can be newer than the message, and
 * no receiver ever meets what it does not know. An addition to the wire is one row of the table in spec.c.
 *
 * Values only; any thread. */
#ifndef COLOAN_SPEC_H
#define COLOAN_SPEC_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcoloan/status.h"

#define CL_SPEC_VERSION_BYTES_MAX 12 /* "65535.65535" with its end */

struct cl_spec_version {
    uint16_t major, minor;
};

/* A field, or a value of an enumeration, that is newer than 1.0. */
struct cl_spec_addition {
    struct cl_spec_version since;
    const ProtobufCMessageDescriptor *message; /* with `field`, or NULL */
    uint32_t field;
    const ProtobufCEnumDescriptor *type; /* with `value`, or NULL */
    int value;
};

/* What a party understands. */
struct cl_spec {
    struct cl_spec_version min, max;
    const struct cl_spec_addition *additions;
    size_t addition_count;
};

/* This build's. */
const struct cl_spec *cl_spec_ours(void);

/* The rules one message is read by. `spec` NULL: all there is. */
struct cl_edition {
    const struct cl_spec *spec;
    struct cl_spec_version version;
};

/* The edition of a message's spec_version. SPEC_VERSION when it is outside the window or not in its shortest form. */
CL_MUST_CHECK struct cl_status cl_spec_edition(struct cl_edition *out, const struct cl_spec *spec, const char *version);

/* The same of what was made long ago and is kept: an event, a directory, a message in an archive. Every version from 1.0
 * on reads then, wherever the window begins now. */
CL_MUST_CHECK struct cl_status cl_spec_edition_kept(struct cl_edition *out, const struct cl_spec *spec,
                                                    const char *version);

bool cl_edition_has_field(const struct cl_edition *edition, const ProtobufCMessageDescriptor *message, uint32_t field);
bool cl_edition_has_value(const struct cl_edition *edition, const ProtobufCEnumDescriptor *type, int value);

void cl_spec_text(char out[CL_SPEC_VERSION_BYTES_MAX], struct cl_spec_version version);

/* What to write to somebody with that window: the highest version both have. SPEC_VERSION when there is none. */
CL_MUST_CHECK struct cl_status cl_spec_choose(struct cl_spec_version *out, const struct cl_spec *spec,
                                              const char *their_min, const char *their_max);

#endif
