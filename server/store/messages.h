/* messages.h - the log of every accepted and every sent message, which is also the duplicate table.
 *
 * A row keeps the exact signed bytes, without disclosures. Rows are never changed or deleted; only the reply of a
 * request is filled in once.
 * Read functions: any connection; what they return lives in `arena` (MEMORY_LIMIT past its cap). Write functions: the
 * writer thread. All can fail with the errors of sql.h. */
#ifndef COLOAN_STORE_MESSAGES_H
#define COLOAN_STORE_MESSAGES_H

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "server/store/store.h"

#define MESSAGE_ID_BYTES 16

enum message_way { MESSAGE_RECEIVED = 1, MESSAGE_SENT = 2 };

struct message_row {
    struct cl_digest digest; /* of the message: SHA-256 over its PAE */
    enum message_way way;
    const char *sender, *recipient;
    uint8_t message_id[MESSAGE_ID_BYTES];
    int direction; /* coloan.v1.Direction */
    const char *method;
    const char *application_id; /* NULL: of no application */
    int64_t at_ms;              /* accepted or made */
    struct cl_bytes envelope;   /* serialised, without disclosures */
    bool has_reply;
    struct cl_digest reply; /* with has_reply: the message that answered */
};

/* MESSAGE_ID_REUSED when the sender has used this id, or the digest is known. A row with has_reply needs the reply's
 * row to be there (INTERNAL). */
CL_MUST_CHECK struct cl_status messages_add(struct store_tx *tx, const struct message_row *row);

/* After messages_add of both (INTERNAL otherwise). STATE_CONFLICT when the request has its reply. */
CL_MUST_CHECK struct cl_status messages_set_reply(struct store_tx *tx, const struct cl_digest *request,
                                                  const struct cl_digest *reply);

struct message_duplicate {
    bool found;
    struct cl_digest digest; /* of the message known under that id */
    bool has_reply;
    struct cl_bytes reply; /* the reply's envelope, byte for byte */
};

CL_MUST_CHECK struct cl_status messages_find_duplicate(struct message_duplicate *out, struct sql *sql,
                                                       struct cl_arena *arena, const char *sender,
                                                       const uint8_t message_id[MESSAGE_ID_BYTES]);

/* `found_out` says whether there is one; `out` is untouched if not. */
CL_MUST_CHECK struct cl_status messages_get(bool *found_out, struct message_row *out, struct sql *sql,
                                            struct cl_arena *arena, const struct cl_digest *digest);

#endif
