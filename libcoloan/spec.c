#include "libcoloan/spec.h"

#include <stdio.h>

/* 1.0 is the whole of proto/coloan/v1, so there is no addition yet. With the first, `max` becomes {1, 1} and the rows
 * of the table stand here; `min` follows when nobody speaks 1.0 any more. */
static const struct cl_spec ours = {
    .min = {1, 0},
    .max = {1, 0},
    .additions = NULL,
    .addition_count = 0,
};

const struct cl_spec *cl_spec_ours(void)
{
    return &ours;
}

/* -- Versions ------------------------------------------------------------------------------------------------ */

static int compare(struct cl_spec_version a, struct cl_spec_version b)
{
    if (a.major != b.major) {
        return a.major < b.major ? -1 : 1;
    }
    return a.minor == b.minor ? 0 : a.minor < b.minor ? -1 : 1;
}

/* Decimal without leading zeros; moves `text` behind it. */
static bool read_number(uint16_t *out, const char **text)
{
    const char *at = *text;
    uint32_t value = 0;
    size_t digits = 0;
    for (; at[digits] >= '0' && at[digits] <= '9' && digits < 6; digits++) {
        value = value * 10 + (uint32_t)(at[digits] - '0');
    }
    if (digits == 0 || value > UINT16_MAX || (digits > 1 && at[0] == '0')) {
        return false;
    }
    *out = (uint16_t)value;
    *text = at + digits;
    return true;
}

static bool parse(struct cl_spec_version *out, const char *text)
{
    struct cl_spec_version version;
    if (!read_number(&version.major, &text) || *text != '.') {
        return false;
    }
    text++;
    if (!read_number(&version.minor, &text) || *text != '\0') {
        return false;
    }
    *out = version;
    return true;
}

void cl_spec_text(char out[CL_SPEC_VERSION_BYTES_MAX], struct cl_spec_version version)
{
    (void)snprintf(out, CL_SPEC_VERSION_BYTES_MAX, "%u.%u", (unsigned)version.major, (unsigned)version.minor);
}

struct cl_status cl_spec_edition(struct cl_edition *out, const struct cl_spec *spec, const char *version)
{
    struct cl_spec_version parsed;
    if (!parse(&parsed, version) || compare(parsed, spec->min) < 0 || compare(parsed, spec->max) > 0) {
        return cl_fail(CL_SPEC_VERSION);
    }
    *out = (struct cl_edition){.spec = spec, .version = parsed};
    return cl_ok();
}

struct cl_status cl_spec_edition_kept(struct cl_edition *out, const struct cl_spec *spec, const char *version)
{
    struct cl_spec ever = *spec;
    struct cl_edition edition;
    ever.min = (struct cl_spec_version){1, 0};
    struct cl_status status = cl_spec_edition(&edition, &ever, version);
    if (cl_is_ok(status)) {
        *out = (struct cl_edition){.spec = spec, .version = edition.version};
    }
    return status;
}

struct cl_status cl_spec_choose(struct cl_spec_version *out, const struct cl_spec *spec, const char *their_min,
                                const char *their_max)
{
    struct cl_spec_version min;
    struct cl_spec_version max;
    if (!parse(&min, their_min) || !parse(&max, their_max) || compare(min, max) > 0) {
        return cl_fail(CL_SPEC_VERSION);
    }
    struct cl_spec_version highest = compare(max, spec->max) < 0 ? max : spec->max;
    if (compare(highest, min) < 0 || compare(highest, spec->min) < 0) {
        return cl_fail(CL_SPEC_VERSION);
    }
    *out = highest;
    return cl_ok();
}

/* -- Editions ------------------------------------------------------------------------------------------------ */

bool cl_edition_has_field(const struct cl_edition *edition, const ProtobufCMessageDescriptor *message, uint32_t field)
{
    for (size_t i = 0; edition->spec != NULL && i < edition->spec->addition_count; i++) {
        const struct cl_spec_addition *row = &edition->spec->additions[i];
        if (row->message == message && row->field == field) {
            return compare(row->since, edition->version) <= 0;
        }
    }
    return true;
}

bool cl_edition_has_value(const struct cl_edition *edition, const ProtobufCEnumDescriptor *type, int value)
{
    for (size_t i = 0; edition->spec != NULL && i < edition->spec->addition_count; i++) {
        const struct cl_spec_addition *row = &edition->spec->additions[i];
        if (row->message == NULL && row->type == type && row->value == value) {
            return compare(row->since, edition->version) <= 0;
        }
    }
    return true;
}
