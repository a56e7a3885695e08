/* Versions of the wire: the window, the choice of a version both have, and a receiver of two versions that reads each
 * message by the rules of its own. The additions of 1.1 here are fields that the contract has anyway. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "libcoloan/spec.h"
#include "libcoloan/wirescan.h"
#include "tests/support/signing.h"

static const struct cl_spec_addition additions[] = {
    {.since = {1, 1}, .message = &coloan__v1__home__descriptor, .field = 3},
    {.since = {1, 1}, .type = &coloan__v1__person_role__descriptor, .value = 2},
    {.since = {1, 1}, .message = &coloan__v1__signed_header__descriptor, .field = 11},
    {.since = {1, 2}, .message = &coloan__v1__application__descriptor, .field = 1},
};
static const struct cl_spec two = {
    .min = {1, 0}, .max = {1, 1}, .additions = additions, .addition_count = sizeof additions / sizeof additions[0]};
static const struct cl_spec late = {
    .min = {1, 1}, .max = {1, 2}, .additions = additions, .addition_count = sizeof additions / sizeof additions[0]};

/* Covers: COL-VSN-001, COL-VSN-002 */
static void a_version_lies_in_the_window_or_not(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ours, two, late, kept_late;
    } rows[] = {
        {"1.0", true, true, false, true},        {"1.1", false, true, true, true},
        {"1.2", false, false, true, true},       {"1.3", false, false, false, false},
        {"0.9", false, false, false, false},     {"2.0", false, false, false, false},
        {"", false, false, false, false},        {"1", false, false, false, false},
        {"1.", false, false, false, false},      {".1", false, false, false, false},
        {"1.00", false, false, false, false},    {"01.1", false, false, false, false},
        {"1.01", false, false, false, false},    {" 1.1", false, false, false, false},
        {"1.1 ", false, false, false, false},    {"1.1.1", false, false, false, false},
        {"+1.1", false, false, false, false},    {"1.-1", false, false, false, false},
        {"1.65537", false, false, false, false}, {"1.4294967297", false, false, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_edition edition;
        bool in_ours = cl_is_ok(cl_spec_edition(&edition, cl_spec_ours(), rows[i].text));
        bool in_two = cl_is_ok(cl_spec_edition(&edition, &two, rows[i].text));
        bool in_late = cl_is_ok(cl_spec_edition(&edition, &late, rows[i].text));
        bool kept = cl_is_ok(cl_spec_edition_kept(&edition, &late, rows[i].text));
        if (in_ours != rows[i].ours || in_two != rows[i].two || in_late != rows[i].late || kept != rows[i].kept_late) {
            fail_msg("\"%s\": %d %d %d %d", rows[i].text, in_ours, in_two, in_late, kept);
        }
    }
}

/* Covers: COL-VSN-004 */
static void a_sender_writes_the_highest_both_have(void **state)
{
    (void)state;
    static const struct {
        const struct cl_spec *spec;
        const char *min, *max, *chosen; /* NULL: none */
    } rows[] = {
        {&two, "1.0", "1.0", "1.0"},  {&two, "1.0", "1.1", "1.1"}, {&two, "1.0", "1.9", "1.1"},
        {&two, "1.1", "2.0", "1.1"},  {&two, "1.2", "1.9", NULL},  {&late, "1.0", "1.0", NULL},
        {&late, "1.0", "1.1", "1.1"}, {&two, "1.1", "1.0", NULL},  {&two, "", "1.0", NULL},
        {&two, "1.0", "", NULL},      {&two, "0.1", "0.9", NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct cl_spec_version chosen;
        char text[CL_SPEC_VERSION_BYTES_MAX] = "";
        struct cl_status status = cl_spec_choose(&chosen, rows[i].spec, rows[i].min, rows[i].max);
        assert_int_equal(cl_is_ok(status), rows[i].chosen != NULL);
        if (cl_is_ok(status)) {
            cl_spec_text(text, chosen);
            assert_string_equal(text, rows[i].chosen);
        } else {
            assert_int_equal(status.reason, CL_SPEC_VERSION);
        }
    }
}

/* -- A receiver of two versions ------------------------------------------------------------------------------ */

struct content {
    Coloan__V1__Application application;
    Coloan__V1__Home home;
    Coloan__V1__Person person, *persons[1];
};

static void plain(struct content *content)
{
    coloan__v1__application__init(&content->application);
    coloan__v1__home__init(&content->home);
    coloan__v1__person__init(&content->person);
    content->persons[0] = &content->person;
    content->application.n_persons = 1;
    content->application.persons = content->persons;
    content->application.home = &content->home;
    content->person.role = COLOAN__V1__PERSON_ROLE__PERSON_ROLE_BORROWER;
}

static char some_text[] = "text";

static void newer_field(struct content *content)
{
    content->home.contract_no = some_text;
}
static void newer_value(struct content *content)
{
    content->person.role = COLOAN__V1__PERSON_ROLE__PERSON_ROLE_SPOUSE;
}
static void newest_field(struct content *content)
{
    content->application.external_ref = some_text;
}

/* Covers: COL-VSN-003 */
static void each_message_is_read_by_its_own_version(void **state)
{
    (void)state;
    static const struct {
        const char *name, *version;
        void (*add)(struct content *content);
        bool with_application_id;
        const struct cl_spec *spec;
        enum cl_reason opened, body;
    } rows[] = {
        {"1.0, plain", "1.0", NULL, false, &two, CL_OK, CL_OK},
        {"1.1, plain", "1.1", NULL, false, &two, CL_OK, CL_OK},
        {"1.2 is not understood", "1.2", NULL, false, &two, CL_SPEC_VERSION, CL_OK},
        {"1.0 is no longer understood", "1.0", NULL, false, &late, CL_SPEC_VERSION, CL_OK},
        {"1.1 as this build", "1.1", NULL, false, NULL, CL_SPEC_VERSION, CL_OK},
        {"1.1 with a field of 1.1", "1.1", newer_field, false, &two, CL_OK, CL_OK},
        {"1.0 with a field of 1.1", "1.0", newer_field, false, &two, CL_OK, CL_WIRE_UNKNOWN_FIELD},
        {"1.1 with a value of 1.1", "1.1", newer_value, false, &two, CL_OK, CL_OK},
        {"1.0 with a value of 1.1", "1.0", newer_value, false, &two, CL_OK, CL_ENUM_UNKNOWN},
        {"1.1 with a field of 1.2", "1.1", newest_field, false, &two, CL_OK, CL_WIRE_UNKNOWN_FIELD},
        {"1.2 with a field of 1.2", "1.2", newest_field, false, &late, CL_OK, CL_OK},
        {"1.1 with a header's field of 1.1", "1.1", NULL, true, &two, CL_OK, CL_OK},
        {"1.0 with a header's field of 1.1", "1.0", NULL, true, &two, CL_WIRE_UNKNOWN_FIELD, CL_OK},
    };
    struct signing signing;
    signing_init(&signing);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct content content;
        Coloan__V1__SignedHeader header;
        struct cl_bytes body;
        plain(&content);
        if (rows[i].add != NULL) {
            rows[i].add(&content);
        }
        signing_header(&header, signing.arena);
        header.spec_version = cl_arena_text(signing.arena, rows[i].version);
        header.application_id = cl_arena_text(signing.arena, rows[i].with_application_id ? "an id" : "");
        assert_true(cl_is_ok(cl_pack(&body, signing.arena, &content.application.base)));
        struct cl_bytes bytes = signing_forge(signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], SIGNING_TYPE,
                                              signing_payload(signing.arena, &header, body));
        struct cl_expectation expected = signing_expectation(&signing);
        struct cl_opened opened;
        ProtobufCMessage *message = NULL;
        expected.spec = rows[i].spec;
        struct cl_status status = cl_envelope_open(&opened, signing.arena, bytes, &expected);
        if (status.reason != rows[i].opened) {
            fail_msg("%s: %s", rows[i].name, cl_status_name(status));
        }
        if (cl_is_ok(status)) {
            status = cl_opened_body(&message, signing.arena, &opened);
            if (status.reason != rows[i].body || cl_opened_scan_body(&opened).reason != rows[i].body) {
                fail_msg("%s: body: %s", rows[i].name, cl_status_name(status));
            }
        }
    }
    signing_close(&signing);
}

/* We do not write a version that we do not have. */
/* Covers: COL-VSN-004 */
static void a_sender_keeps_to_its_version(void **state)
{
    (void)state;
    struct signing signing;
    struct content content;
    struct cl_sealed sealed;
    signing_init(&signing);
    plain(&content);
    struct cl_message message = signing_message();
    message.body = &content.application.base;
    message.spec_version = "1.0";
    assert_int_equal(cl_envelope_seal(&sealed, signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message).reason,
                     CL_OK);
    message.spec_version = "1.1";
    assert_int_equal(cl_envelope_seal(&sealed, signing.arena, signing.signers[SIGNING_ALPHA_ACTIVE], &message).reason,
                     CL_SPEC_VERSION);
    signing_close(&signing);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_lies_in_the_window_or_not),
        cmocka_unit_test(a_sender_writes_the_highest_both_have),
        cmocka_unit_test(each_message_is_read_by_its_own_version),
        cmocka_unit_test(a_sender_keeps_to_its_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
