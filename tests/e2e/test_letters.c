/* A centre that verifies authorisation letters, over real TLS: consents count once their letters are here and good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>
#include <unistd.h>

#include <coloan/v1/verification.pb-c.h>

#include "libcoloan/sha256.h"
#include "tests/e2e/world.h"
#include "tests/support/letters.h"

enum { ARENA_BYTES = 32 * 1024 * 1024, WAIT_MS = 10000, TEXT_BYTES_MAX = 4096 };

static struct world world;
static struct cl_session *alpha, *channel, *officer;
static struct cl_arena *arena;
static struct letter_signer *root, *signer, *ended, *foreign_root, *foreign;

/* -- Letters ------------------------------------------------------------------------------------------------- */

/* What is wrong with a letter. */
enum fault { NONE, CHANGED, FOREIGN, ENDED, NO_CMS, OTHER_PERSON, OTHER_RECEIVER, OTHER_PURPOSE, LONGER, LEAVES_OUT };

static const char *purpose_of(const Coloan__V1__Consent *consent)
{
    static const char *const names[] = {"", "VERIFY", "CREDIT_REPORT", "SHARE"};
    return names[consent->purpose];
}

/* The letter of one person, for all of its consents. */
static void write_text(char *out, const Coloan__V1__Application *application, unsigned person, enum fault fault)
{
    char hex[CL_DIGEST_HEX_BYTES];
    const Coloan__V1__Person *whose = application->persons[person];
    cl_hex_encode(hex, cl_bytes(whose->id_number.data, CL_DIGEST_BYTES));
    hex[0] = fault == OTHER_PERSON ? (char)(hex[0] == '0' ? '1' : '0') : hex[0];
    int len = snprintf(out, TEXT_BYTES_MAX, "coloan authorisation v1\nperson %s\n", hex);
    unsigned number = 0;
    for (size_t i = 0; i < application->n_consents; i++) {
        const Coloan__V1__Consent *consent = application->consents[i];
        bool last = consent->person == person && number++ == 3;
        if (consent->person != person || (last && fault == LEAVES_OUT)) {
            continue;
        }
        len += snprintf(out + len, TEXT_BYTES_MAX - (size_t)len, "consent %s %s %lld %s\n",
                        last && fault == OTHER_PURPOSE ? "VERIFY" : purpose_of(consent),
                        last && fault == OTHER_RECEIVER ? WORLD_BETA : consent->receiver,
                        (long long)(consent->until_ms + (last && fault == LONGER ? 1 : 0)), consent->consent_id);
    }
    (void)snprintf(out + len, TEXT_BYTES_MAX - (size_t)len, "\n本人同意以上授权。\n");
}

struct signed_letter {
    uint8_t *der;
    size_t len;
};

static struct signed_letter make_letter(const Coloan__V1__Application *application, unsigned person, enum fault fault)
{
    char text[TEXT_BYTES_MAX];
    struct signed_letter letter = {NULL, 0};
    write_text(text, application, person, fault);
    if (fault == NO_CMS) {
        letter.der = (uint8_t *)strdup(text);
        letter.len = strlen(text);
        return letter;
    }
    const struct letter_signer *by = fault == FOREIGN ? foreign : fault == ENDED ? ended : signer;
    letter.len = letter_sign(&letter.der, by, NULL, text, false);
    if (fault == CHANGED) {
        uint8_t *place = memmem(letter.der, letter.len, "authorisation v1", 16);
        assert_non_null(place);
        place[15] = '2';
    }
    return letter;
}

/* -- Calls --------------------------------------------------------------------------------------------------- */

static const ProtobufCMessage *call(struct cl_session *session, const struct cl_session_call *what)
{
    struct cl_answer answer;
    struct cl_status status = cl_session_call(&answer, session, arena, what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return answer.body;
}

struct a_case {
    const char *id;
    struct signed_letter letters[CL_PERSONS_MAX];
    size_t count;
};

/* Submits, and reports what the bank owns: only CONSENT is left. The last person's letter has the fault. */
static struct a_case submit(const char *persona, const char *reference, enum fault fault)
{
    struct world_submission submission;
    const json_t *who = people_find(world.people, persona);
    world_submission(&submission, arena, who, WORLD_ALPHA, reference);
    Coloan__V1__Application *application = submission.application;
    struct a_case out = {.count = application->n_persons};
    for (unsigned i = 0; i < out.count; i++) {
        out.letters[i] = make_letter(application, i, i + 1 == out.count ? fault : NONE);
        struct cl_digest digest;
        cl_sha256(&digest, cl_bytes(out.letters[i].der, out.letters[i].len));
        for (size_t j = 0; j < application->n_consents; j++) {
            if (application->consents[j]->person == i) {
                application->consents[j]->document_sha256.data =
                    cl_arena_copy(arena, cl_bytes(digest.bytes, sizeof digest.bytes));
            }
        }
    }
    struct cl_session_call what = world_submit_call(&submission);
    const Coloan__V1__ApplicationReceipt *receipt = (const Coloan__V1__ApplicationReceipt *)call(channel, &what);
    out.id = receipt->application_id;
    (void)call(alpha, &(struct cl_session_call){.method = "coloan.v1.JointApproval/ReportVerifications",
                                                .body = &world_bank_report(arena, who)->base,
                                                .reply_type = &coloan__v1__application_status__descriptor,
                                                .application_id = out.id});
    return out;
}

static void free_letters(struct a_case *a_case)
{
    for (size_t i = 0; i < a_case->count; i++) {
        free(a_case->letters[i].der);
    }
}

static const Coloan__V1__ApplicationView *view(const char *id)
{
    Coloan__V1__ApplicationQuery query = COLOAN__V1__APPLICATION_QUERY__INIT;
    query.application_id = cl_arena_text(arena, id);
    query.with_items = 1;
    query.with_consents = 1;
    return (const Coloan__V1__ApplicationView *)call(
        officer, &(struct cl_session_call){.method = "coloan.v1.JointApproval/GetApplication",
                                           .body = &query.base,
                                           .reply_type = &coloan__v1__application_view__descriptor});
}

static Coloan__V1__ItemOutcome consent_item(const char *id)
{
    const Coloan__V1__ApplicationView *told = view(id);
    for (size_t i = 0; i < told->n_items; i++) {
        if (told->items[i]->item == COLOAN__V1__ITEM__ITEM_CONSENT) {
            return told->items[i]->outcome;
        }
    }
    fail();
    return COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED;
}

static void until_one_is_open(const char *id)
{
    const struct timespec pause = {.tv_nsec = 50000000};
    for (int tries = 0; tries < 200 && view(id)->status->items->open != 1; tries++) {
        (void)nanosleep(&pause, NULL);
    }
    assert_int_equal(view(id)->status->items->open, 1);
    assert_int_equal(view(id)->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING);
}

static struct cl_status read_at(void *user, uint8_t *out, int64_t offset, size_t len)
{
    const struct signed_letter *letter = user;
    memcpy(out, letter->der + offset, len);
    return cl_ok();
}

/* What the receipt says of the letter. */
static const char *upload(const char *id, struct signed_letter *letter)
{
    struct cl_answer answer;
    struct cl_upload what = {.application_id = id, .size_bytes = (int64_t)letter->len, .read = read_at, .user = letter};
    cl_sha256(&what.sha256, cl_bytes(letter->der, letter->len));
    struct cl_status status =
        cl_session_upload(&answer, channel, arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return ((const Coloan__V1__DocumentReceipt *)answer.body)->letter;
}

/* -- Tests --------------------------------------------------------------------------------------------------- */

/* Covers: COL-CON-009 */
static void test_a_case_waits_for_its_letters(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct a_case a_case = submit("P02", "L-1", NONE);
    until_one_is_open(a_case.id);
    assert_int_equal(consent_item(a_case.id), COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_UNSPECIFIED);
    assert_string_equal(upload(a_case.id, &a_case.letters[0]), "OK");
    until_one_is_open(a_case.id); /* the spouse's is missing */
    const Coloan__V1__ApplicationView *told = view(a_case.id);
    for (size_t i = 0; i < told->n_consents; i++) {
        bool here = told->consents[i]->consent->person == 0;
        assert_string_equal(told->consents[i]->letter, here ? "OK" : "");
    }
    assert_string_equal(upload(a_case.id, &a_case.letters[1]), "OK");
    assert_int_equal(consent_item(a_case.id), COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_PASS);
    assert_int_equal(view(a_case.id)->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    assert_string_equal(upload(a_case.id, &a_case.letters[1]), "OK"); /* again: nothing happens */
    assert_int_equal(view(a_case.id)->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
    free_letters(&a_case);
}

/* Covers: COL-CON-009 */
static void test_a_letter_that_is_not_good(void **state)
{
    (void)state;
    static const struct {
        const char *persona;
        enum fault fault;
        const char *expected;
    } rows[] = {
        {"P01", CHANGED, "LETTER_SIGNATURE"},    {"P03", FOREIGN, "LETTER_SIGNER"},
        {"P04", ENDED, "LETTER_SIGNER_EXPIRED"}, {"P06", NO_CMS, "LETTER_FORM"},
        {"P07", OTHER_PERSON, "LETTER_OTHER"},   {"P09", OTHER_RECEIVER, "LETTER_OTHER"},
        {"P11", OTHER_PURPOSE, "LETTER_OTHER"},  {"P23", LONGER, "LETTER_OTHER"},
        {"P12", LEAVES_OUT, "LETTER_OTHER"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        cl_arena_reset(arena);
        struct a_case a_case = submit(rows[i].persona, rows[i].persona, rows[i].fault);
        until_one_is_open(a_case.id);
        for (size_t j = 0; j < a_case.count; j++) {
            const char *got = upload(a_case.id, &a_case.letters[j]);
            const char *expected = j + 1 == a_case.count ? rows[i].expected : "OK";
            if (strcmp(got, expected) != 0) {
                fail_msg("%s: %s", rows[i].persona, got);
            }
        }
        const Coloan__V1__ApplicationView *told = view(a_case.id);
        bool asked = false;
        assert_int_equal(consent_item(a_case.id), COLOAN__V1__ITEM_OUTCOME__ITEM_OUTCOME_FAIL);
        for (size_t j = 0; j < told->status->n_reasons; j++) {
            asked = asked || strcmp(told->status->reasons[j]->code, "AUT-CONSENT") == 0;
        }
        assert_true(asked || told->status->state == COLOAN__V1__CASE_STATE__CASE_STATE_REJECTED);
        assert_int_not_equal(told->status->state, COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED);
        free_letters(&a_case);
    }
}

int main(void)
{
    int64_t now_ms = cl_clock_unix_ms(cl_clock_system());
    root = letter_signer_create(NULL, true, now_ms, 100);
    signer = letter_signer_create(root, false, now_ms, 100);
    ended = letter_signer_create(root, false, now_ms, -1);
    foreign_root = letter_signer_create(NULL, true, now_ms, 100);
    foreign = letter_signer_create(foreign_root, false, now_ms, 100);
    char path[] = "/tmp/coloan-letters-XXXXXX";
    int fd = mkstemp(path);
    char *pem = letter_signer_pem(root);
    bool made = fd >= 0 && write(fd, pem, strlen(pem)) == (ssize_t)strlen(pem);
    char extra[128];
    (void)snprintf(extra, sizeof extra, "authorisation_ca: %s\n", path);
    struct world_options options = {.extra = extra};
    world_open(&world, &options);
    made = made && cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_case_waits_for_its_letters),
        cmocka_unit_test(test_a_letter_that_is_not_good),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(officer);
    cl_session_free(channel);
    cl_arena_free(arena);
    world_close(&world);
    (void)close(fd);
    (void)unlink(path);
    free(pem);
    struct letter_signer *all[] = {root, signer, ended, foreign_root, foreign};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        letter_signer_free(all[i]);
    }
    return failed;
}
