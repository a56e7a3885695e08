/* methods.h - which messages each RPC takes and gives, who may call it, and what runs: one table.
 *
 * The pipeline reads it, a test compares it with the compiled contract (so a new RPC cannot be forgotten) and walks
 * every caller against every method. Static rows; any thread. */
#ifndef COLOAN_API_METHODS_H
#define COLOAN_API_METHODS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/envelope.h"
#include "libcoloan/ids.h"
#include "server/cases/cases.h"

/* How a method is answered. */
enum api_way {
    API_STORED, /* by a command in the writer: kept, answered once and the same ever after */
    API_DIRECT, /* at once, from memory: nothing about a case, nothing is kept */
    API_STREAM, /* Deliver */
    API_UPLOAD, /* UploadDocument: a stream of requests, answered once */
};

enum { API_BODIES_MAX = 5 }; /* what a stream's frames may hold */

struct api_method {
    const char *path; /* "/coloan.v1.JointApproval/SubmitApplication" */
    enum api_way way;
    bool reads;             /* changes nothing, so nothing refers to its request before there is a reply */
    bool creates;           /* makes an application: the header names none yet */
    bool needs_application; /* the header has to name one */
    bool fleeting;  /* tells what is kept elsewhere: neither request nor reply is kept, a repetition is answered anew */
    bool discloses; /* personal values go beside the stored reply when it is sent */
    unsigned callers; /* bit 1 << enum cl_party_kind of each; 0: nobody */
    struct cl_expected_body bodies[API_BODIES_MAX];
    size_t body_count;
    const ProtobufCMessageDescriptor *reply; /* NULL: a stream's frames */
    case_handler *handler;                   /* of STORED, and of STREAM for its acknowledgements */
};

#define API_METHOD_COUNT 31

const struct api_method *api_method_at(size_t index); /* NULL past the end */
const struct api_method *api_method_find(const char *path);

/* The name in signed headers: the path without its first slash. */
static inline const char *api_method_name(const struct api_method *method)
{
    return method->path + 1;
}

static inline bool api_method_allows(const struct api_method *method, enum cl_party_kind kind)
{
    return kind != CL_PARTY_NONE && (method->callers & (1u << (unsigned)kind)) != 0;
}

#endif
