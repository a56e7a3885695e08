/* personal.h - personal fields: commitments in the signed body, values beside it.
 *
 * commitment = SHA-256("coloan field v1" || u32be len || path || u32be len || salt || u32be len || value).
 * Deleting salt and value erases a field; signatures and evidence still verify.
 * Values only, borrowed; any thread. Nothing here logs or keeps a value. */
#ifndef COLOAN_PERSONAL_H
#define COLOAN_PERSONAL_H

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/envelope.pb-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "libcoloan/arena.h"
#include "libcoloan/bytes.h"
#include "libcoloan/ids.h"
#include "libcoloan/limits.h"
#include "libcoloan/status.h"

#define CL_PERSONAL_PATH_BYTES_MAX 32                       /* "persons[3].id_number", with the NUL, and to spare */
#define CL_PERSONAL_FIELDS_MAX     (3 * CL_PERSONS_MAX + 2) /* name, number, mobile of each person; address, account */

struct cl_personal_field {
    char path[CL_PERSONAL_PATH_BYTES_MAX];
    struct cl_digest commitment;
};

void cl_commitment(struct cl_digest *out, const char *path, struct cl_bytes salt, struct cl_bytes value);

/* A value is 1..CL_DISCLOSURE_VALUE_BYTES_MAX bytes of clean UTF-8. */
bool cl_personal_value_valid(struct cl_bytes value);

/* The fields a body commits to, in a fixed order. An application's: persons[i].name, .id_number, .mobile, then
 * home.address, account; a milestone's: account. Fields left empty are not among them, and a body of another type has
 * none. `out` has CL_PERSONAL_FIELDS_MAX rows.
 * FIELD_INVALID when a commitment is not 32 bytes, PERSONS_INVALID past CL_PERSONS_MAX persons. */
CL_MUST_CHECK struct cl_status cl_personal_fields(struct cl_personal_field *out, size_t *count_out,
                                                  const ProtobufCMessage *body);

/* Every field disclosed once and matching, nothing else disclosed, no salt used twice. DISCLOSURE_UNEXPECTED: a path
 * that is not committed to, or twice; DISCLOSURE_MISMATCH: wrong value or salt, a salt or value out of form, a salt
 * used twice; DISCLOSURE_MISSING. */
CL_MUST_CHECK struct cl_status cl_disclosure_check(const struct cl_personal_field *fields, size_t field_count,
                                                   Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count);

/* The same where not every value has to be shown: a receiver sees those that it may. */
CL_MUST_CHECK struct cl_status cl_disclosure_check_shown(const struct cl_personal_field *fields, size_t field_count,
                                                         Coloan__V1__Disclosure *const *disclosures,
                                                         size_t disclosure_count);

/* The value disclosed under `path`, borrowed; empty when there is none. */
struct cl_bytes cl_disclosure_value(Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count,
                                    const char *path);

/* Sender's side: one disclosure with a fresh salt, in the arena, and its commitment. FIELD_INVALID for a value out of
 * form, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status cl_disclosure_make(Coloan__V1__Disclosure **out, struct cl_digest *commitment_out,
                                                  struct cl_arena *arena, const char *path, struct cl_bytes value,
                                                  const struct cl_random *random);

/* Where in an application the commitment of `path` stands; NULL when it has no such field. */
ProtobufCBinaryData *cl_personal_place(Coloan__V1__Application *application, const char *path);

/* Puts a value's commitment where it belongs in the application and gives the disclosure to send beside it, both in the
 * arena. FIELD_INVALID when the application has no such field, the value is out of form, or it is committed to already. */
CL_MUST_CHECK struct cl_status cl_personal_commit(Coloan__V1__Disclosure **out, struct cl_arena *arena,
                                                  Coloan__V1__Application *application, const char *path,
                                                  struct cl_bytes value, const struct cl_random *random);

#endif
