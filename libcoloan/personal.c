#include "libcoloan/personal.h"

#include <assert.h>
#include <coloan/v1/application.pb-c.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "libcoloan/sha256.h"
#include "libcoloan/wirescan.h"

static const char domain[] = "coloan field v1";

/* -- Commitments --------------------------------------------------------------------------------------------- */

static void add_counted(struct cl_sha256 *hash, struct cl_bytes bytes)
{
    assert(bytes.len <= UINT32_MAX);
    cl_sha256_add_u32be(hash, (uint32_t)bytes.len);
    cl_sha256_add(hash, bytes);
}

void cl_commitment(struct cl_digest *out, const char *path, struct cl_bytes salt, struct cl_bytes value)
{
    struct cl_sha256 hash;
    cl_sha256_init(&hash);
    cl_sha256_add(&hash, cl_bytes(domain, sizeof domain - 1));
    add_counted(&hash, cl_bytes_text(path));
    add_counted(&hash, salt);
    add_counted(&hash, value);
    cl_sha256_finish(&hash, out);
    sodium_memzero(&hash, sizeof hash); /* it held a personal value */
}

bool cl_personal_value_valid(struct cl_bytes value)
{
    return value.len >= 1 && value.len <= CL_DISCLOSURE_VALUE_BYTES_MAX && cl_text_clean(value);
}

/* -- The fields of a body ------------------------------------------------------------------------------------ */

static struct cl_status add_field(struct cl_personal_field *out, size_t *count, const char *path,
                                  const ProtobufCBinaryData *commitment)
{
    if (commitment->len == 0) {
        return cl_ok();
    }
    if (commitment->len != CL_DIGEST_BYTES) {
        return cl_fail(CL_FIELD_INVALID);
    }
    struct cl_personal_field *field = &out[(*count)++];
    (void)snprintf(field->path, sizeof field->path, "%s", path);
    memcpy(field->commitment.bytes, commitment->data, CL_DIGEST_BYTES);
    return cl_ok();
}

static struct cl_status add_person(struct cl_personal_field *out, size_t *count, const Coloan__V1__Person *person,
                                   size_t index)
{
    const struct {
        const char *name;
        const ProtobufCBinaryData *commitment;
    } parts[] = {{"name", &person->name}, {"id_number", &person->id_number}, {"mobile", &person->mobile}};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char path[CL_PERSONAL_PATH_BYTES_MAX];
        (void)snprintf(path, sizeof path, "persons[%zu].%s", index, parts[i].name);
        struct cl_status status = add_field(out, count, path, parts[i].commitment);
        if (cl_failed(status)) {
            return status;
        }
    }
    return cl_ok();
}

struct cl_status cl_personal_fields(struct cl_personal_field *out, size_t *count_out, const ProtobufCMessage *body)
{
    size_t count = 0;
    if (body->descriptor == &coloan__v1__milestone__descriptor) {
        struct cl_status status =
            add_field(out, &count, "account", &((const Coloan__V1__Milestone *)(const void *)body)->account);
        *count_out = cl_is_ok(status) ? count : *count_out;
        return status;
    }
    if (body->descriptor != &coloan__v1__application__descriptor) {
        *count_out = 0;
        return cl_ok();
    }
    const Coloan__V1__Application *application = (const Coloan__V1__Application *)(const void *)body;
    if (application->n_persons > CL_PERSONS_MAX) {
        return cl_fail(CL_PERSONS_INVALID);
    }
    for (size_t i = 0; i < application->n_persons; i++) {
        struct cl_status status = add_person(out, &count, application->persons[i], i);
        if (cl_failed(status)) {
            return status;
        }
    }
    if (application->home != NULL) {
        struct cl_status status = add_field(out, &count, "home.address", &application->home->address);
        if (cl_failed(status)) {
            return status;
        }
    }
    struct cl_status status = add_field(out, &count, "account", &application->account);
    if (cl_failed(status)) {
        return status;
    }
    *count_out = count;
    return cl_ok();
}

/* -- Disclosures --------------------------------------------------------------------------------------------- */

static struct cl_bytes bytes_of(ProtobufCBinaryData data)
{
    return cl_bytes(data.data, data.len);
}

/* The index of the field with that path; `count` when there is none. */
static size_t find_field(const struct cl_personal_field *fields, size_t count, const char *path)
{
    size_t i = 0;
    while (i < count && strcmp(fields[i].path, path) != 0) {
        i++;
    }
    return i;
}

static struct cl_status check_one(const struct cl_personal_field *field, const Coloan__V1__Disclosure *disclosure)
{
    struct cl_digest commitment;
    if (disclosure->salt.len != CL_DISCLOSURE_SALT_BYTES || !cl_personal_value_valid(bytes_of(disclosure->value))) {
        return cl_fail(CL_DISCLOSURE_MISMATCH);
    }
    cl_commitment(&commitment, disclosure->path, bytes_of(disclosure->salt), bytes_of(disclosure->value));
    return sodium_memcmp(commitment.bytes, field->commitment.bytes, CL_DIGEST_BYTES) == 0
               ? cl_ok()
               : cl_fail(CL_DISCLOSURE_MISMATCH);
}

/* A salt used twice would show that two people share a value. */
static bool salt_repeats(Coloan__V1__Disclosure *const *disclosures, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (cl_bytes_equal(bytes_of(disclosures[i]->salt), bytes_of(disclosures[index]->salt))) {
            return true;
        }
    }
    return false;
}

struct cl_status cl_disclosure_check_shown(const struct cl_personal_field *fields, size_t field_count,
                                           Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count)
{
    assert(field_count <= CL_PERSONAL_FIELDS_MAX);
    bool seen[CL_PERSONAL_FIELDS_MAX] = {false};
    for (size_t i = 0; i < disclosure_count; i++) {
        size_t field = find_field(fields, field_count, disclosures[i]->path);
        if (field == field_count || seen[field]) {
            return cl_fail(CL_DISCLOSURE_UNEXPECTED);
        }
        seen[field] = true;
        struct cl_status status = check_one(&fields[field], disclosures[i]);
        if (cl_failed(status)) {
            return status;
        }
        if (salt_repeats(disclosures, i)) {
            return cl_fail(CL_DISCLOSURE_MISMATCH);
        }
    }
    return cl_ok();
}

struct cl_status cl_disclosure_check(const struct cl_personal_field *fields, size_t field_count,
                                     Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count)
{
    struct cl_status status = cl_disclosure_check_shown(fields, field_count, disclosures, disclosure_count);
    if (cl_failed(status)) {
        return status;
    }
    return disclosure_count == field_count ? cl_ok() : cl_fail(CL_DISCLOSURE_MISSING);
}

struct cl_bytes cl_disclosure_value(Coloan__V1__Disclosure *const *disclosures, size_t disclosure_count,
                                    const char *path)
{
    for (size_t i = 0; i < disclosure_count; i++) {
        if (strcmp(disclosures[i]->path, path) == 0) {
            return bytes_of(disclosures[i]->value);
        }
    }
    return cl_bytes(NULL, 0);
}

struct cl_status cl_disclosure_make(Coloan__V1__Disclosure **out, struct cl_digest *commitment_out,
                                    struct cl_arena *arena, const char *path, struct cl_bytes value,
                                    const struct cl_random *random)
{
    if (!cl_personal_value_valid(value)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    Coloan__V1__Disclosure *disclosure = cl_arena_alloc(arena, sizeof *disclosure);
    uint8_t *salt = cl_arena_alloc(arena, CL_DISCLOSURE_SALT_BYTES);
    uint8_t *copy = cl_arena_copy(arena, value);
    char *path_copy = cl_arena_text(arena, path);
    if (disclosure == NULL || salt == NULL || copy == NULL || path_copy == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    cl_random_fill(random, salt, CL_DISCLOSURE_SALT_BYTES);
    coloan__v1__disclosure__init(disclosure);
    disclosure->path = path_copy;
    disclosure->salt = (ProtobufCBinaryData){.len = CL_DISCLOSURE_SALT_BYTES, .data = salt};
    disclosure->value = (ProtobufCBinaryData){.len = value.len, .data = copy};
    cl_commitment(commitment_out, path, bytes_of(disclosure->salt), value);
    *out = disclosure;
    return cl_ok();
}

/* "persons[2].mobile": the person, and the rest of the path behind the dot. */
static Coloan__V1__Person *find_person(Coloan__V1__Application *application, const char *path, const char **rest_out)
{
    if (strncmp(path, "persons[", 8) != 0 || path[8] < '0' || path[8] > '9' || strncmp(path + 9, "].", 2) != 0) {
        return NULL;
    }
    size_t index = (size_t)(path[8] - '0');
    *rest_out = path + 11;
    return index < application->n_persons ? application->persons[index] : NULL;
}

ProtobufCBinaryData *cl_personal_place(Coloan__V1__Application *application, const char *path)
{
    if (strcmp(path, "home.address") == 0) {
        return application->home == NULL ? NULL : &application->home->address;
    }
    if (strcmp(path, "account") == 0) {
        return &application->account;
    }
    const char *field = "";
    Coloan__V1__Person *person = find_person(application, path, &field);
    if (person == NULL) {
        return NULL;
    }
    if (strcmp(field, "name") == 0) {
        return &person->name;
    }
    if (strcmp(field, "id_number") == 0) {
        return &person->id_number;
    }
    return strcmp(field, "mobile") == 0 ? &person->mobile : NULL;
}

struct cl_status cl_personal_commit(Coloan__V1__Disclosure **out, struct cl_arena *arena,
                                    Coloan__V1__Application *application, const char *path, struct cl_bytes value,
                                    const struct cl_random *random)
{
    struct cl_digest commitment;
    ProtobufCBinaryData *place = cl_personal_place(application, path);
    if (place == NULL || place->len > 0) {
        return cl_fail(CL_FIELD_INVALID);
    }
    Coloan__V1__Disclosure *disclosure = NULL;
    struct cl_status status = cl_disclosure_make(&disclosure, &commitment, arena, path, value, random);
    if (cl_failed(status)) {
        return status;
    }
    uint8_t *data = cl_arena_copy(arena, cl_bytes(commitment.bytes, sizeof commitment.bytes));
    if (data == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    *place = (ProtobufCBinaryData){.len = sizeof commitment.bytes, .data = data};
    *out = disclosure;
    return cl_ok();
}
