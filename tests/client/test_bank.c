/* bank: the journal over crashes, the state it rebuilds, the customers, and every way the bank decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/bank/customers.h"
#include "client/bank/decide.h"
#include "client/bank/journal.h"
#include "client/bank/state.h"
#include "libcoloan/annuity.h"
#include "libcoloan/limits.h"
#include "libcoloan/personal.h"
#include "tests/support/signing.h"

static char folder[64], path[96];
static struct cl_arena *arena;

static int begin(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/coloan-bank-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/journal", folder);
    return cl_failed(cl_arena_create(&arena, CL_MESSAGE_ARENA_BYTES_MAX)) ? -1 : 0;
}

static int end(void **state)
{
    (void)state;
    (void)unlink(path);
    cl_arena_free(arena);
    return rmdir(folder);
}

/* -- Journal -------------------------------------------------------------------------------------------------- */

struct seen {
    unsigned count;
    uint64_t sequences;
    char text[CL_TEXT_BYTES_MAX + 1];
    struct cl_digest digest;
    int64_t number;
    size_t bytes_len;
};

static struct cl_status see(void *user, const struct bank_record *record)
{
    struct seen *seen = user;
    seen->count++;
    seen->sequences += record->sequence;
    (void)snprintf(seen->text, sizeof seen->text, "%s", record->text);
    seen->digest = record->digest;
    seen->number = record->number;
    seen->bytes_len = record->bytes.len;
    return cl_ok();
}

static struct bank_journal *open_journal(struct seen *seen)
{
    struct bank_journal *journal = NULL;
    *seen = (struct seen){.count = 0};
    struct cl_status status = bank_journal_open(&journal, path, see, seen);
    assert_string_equal(cl_status_name(status), "OK");
    return journal;
}

static void write_three(void)
{
    struct seen seen;
    static const uint8_t bytes[1000] = {9};
    struct bank_journal *journal = open_journal(&seen);
    for (uint64_t i = 1; i <= 3; i++) {
        const struct bank_record record = {.kind = BANK_RECORD_EVENT,
                                           .sequence = i,
                                           .number = -5,
                                           .digest = {{(uint8_t)i}},
                                           .text = "application",
                                           .bytes = cl_bytes(bytes, sizeof bytes)};
        assert_true(cl_is_ok(bank_journal_write(journal, &record)));
    }
    bank_journal_close(journal);
}

/* Covers: COL-DUP-001 */
static void records_come_back(void **state)
{
    (void)state;
    struct seen seen;
    struct stat about;
    write_three();
    bank_journal_close(open_journal(&seen));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.sequences, 6);
    assert_string_equal(seen.text, "application");
    assert_int_equal(seen.digest.bytes[0], 3);
    assert_int_equal(seen.number, -5);
    assert_int_equal(seen.bytes_len, 1000);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

/* A crash may leave any beginning of what was written last; all before it counts, and writing goes on behind it. */
static void a_torn_end_is_cut_off(void **state)
{
    (void)state;
    struct seen seen;
    struct stat about;
    write_three();
    assert_int_equal(stat(path, &about), 0);
    off_t record = about.st_size / 3;
    for (off_t cut = 1; cut < record; cut += 7) {
        assert_int_equal(truncate(path, about.st_size - cut), 0);
        struct bank_journal *journal = open_journal(&seen);
        assert_int_equal(seen.count, 2);
        assert_true(
            cl_is_ok(bank_journal_write(journal, &(struct bank_record){.kind = BANK_RECORD_GAP, .sequence = 40})));
        bank_journal_close(journal);
        bank_journal_close(open_journal(&seen));
        assert_int_equal(seen.count, 3);
        assert_int_equal(seen.sequences, 43);
        assert_int_equal(unlink(path), 0);
        write_three();
    }
    assert_int_equal(truncate(path, about.st_size + 5000), 0); /* zeros */
    bank_journal_close(open_journal(&seen));
    assert_int_equal(seen.count, 3);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_size, record * 3);
}

static void damage_before_the_end_is_refused(void **state)
{
    (void)state;
    struct stat about;
    write_three();
    assert_int_equal(stat(path, &about), 0);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    for (off_t at = 0; at < about.st_size / 3; at += 11) {
        struct bank_journal *journal = NULL;
        struct seen seen = {.count = 0};
        uint8_t byte = 0;
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(bank_journal_open(&journal, path, see, &seen).reason, CL_CONFIG_INVALID);
        assert_null(journal);
        byte ^= 0x40;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    }
    (void)close(fd);
}

static void one_process_has_it(void **state)
{
    (void)state;
    struct seen seen;
    struct bank_journal *second = NULL;
    struct bank_journal *journal = open_journal(&seen);
    assert_int_equal(bank_journal_open(&second, path, see, &seen).reason, CL_CONFIG_INVALID);
    bank_journal_close(journal);
    bank_journal_close(open_journal(&seen));
}

enum { WRITERS = 4, RECORDS = 100 };

static void *write_many(void *argument)
{
    struct bank_journal *journal = argument;
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct cl_status status =
            bank_journal_write(journal, &(struct bank_record){.kind = BANK_RECORD_GAP, .sequence = 1});
        if (cl_failed(status)) {
            return argument;
        }
    }
    return NULL;
}

static void many_write_at_once(void **state)
{
    (void)state;
    struct seen seen;
    pthread_t threads[WRITERS];
    struct bank_journal *journal = open_journal(&seen);
    for (size_t i = 0; i < WRITERS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, journal), 0);
    }
    for (size_t i = 0; i < WRITERS; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
    bank_journal_close(journal);
    bank_journal_close(open_journal(&seen));
    assert_int_equal(seen.count, WRITERS * RECORDS);
}

/* -- State ---------------------------------------------------------------------------------------------------- */

static void take(struct bank_state *state, struct bank_record record)
{
    assert_true(cl_is_ok(bank_state_take(state, &record)));
}

static void collect(void *user, struct bank_entry *entry)
{
    uint64_t **next = user;
    *(*next)++ = entry->sequence;
}

static void the_state_is_what_the_records_say(void **state)
{
    (void)state;
    struct bank_state *bank = NULL;
    struct bank_case known;
    uint64_t left[8] = {0};
    uint64_t *next = left;
    assert_true(cl_is_ok(bank_state_create(&bank)));
    take(bank, (struct bank_record){.kind = BANK_RECORD_START, .number = 3});
    for (uint64_t i = 5; i >= 1; i--) {
        take(bank, (struct bank_record){
                       .kind = BANK_RECORD_EVENT, .sequence = i, .text = "a", .bytes = cl_bytes_text("event")});
    }
    take(bank,
         (struct bank_record){
             .kind = BANK_RECORD_CASE, .text = "a", .number = 77, .sequence = 1, .bytes = cl_bytes_text("TEST-A")});
    take(bank, (struct bank_record){
                   .kind = BANK_RECORD_REQUEST, .sequence = 2, .number = 9, .bytes = cl_bytes_text("first")});
    take(bank, (struct bank_record){
                   .kind = BANK_RECORD_REQUEST, .sequence = 2, .number = 10, .bytes = cl_bytes_text("second")});
    take(bank, (struct bank_record){.kind = BANK_RECORD_APPLIED, .sequence = 1, .text = "L-1"});
    take(bank, (struct bank_record){.kind = BANK_RECORD_GAP, .sequence = 8});
    assert_int_equal(bank_state_epoch(bank), 3);
    assert_int_equal(bank_state_received(bank), 8);
    assert_null(bank_state_find(bank, 1));
    assert_int_equal(bank_state_find(bank, 2)->request_expires_ms, 10);
    assert_true(cl_bytes_equal(bank_state_find(bank, 2)->request, cl_bytes_text("second")));
    bank_state_each(bank, collect, &next);
    assert_int_equal(next - left, 4);
    assert_int_equal(left[0], 2);
    assert_int_equal(left[3], 5);
    assert_true(bank_state_case(&known, bank, "a"));
    assert_int_equal(known.income_fen, 77);
    assert_true(known.credit_good);
    assert_string_equal(known.contract_no, "TEST-A");
    assert_false(bank_state_case(&known, bank, "b"));
    take(bank, (struct bank_record){.kind = BANK_RECORD_ENDED, .text = "b"});
    assert_true(bank_state_case(&known, bank, "a"));
    take(bank, (struct bank_record){.kind = BANK_RECORD_ENDED, .text = "a"});
    assert_false(bank_state_case(&known, bank, "a"));
    struct bank_record unknown = {.kind = (enum bank_record_kind)99};
    assert_int_equal(bank_state_take(bank, &unknown).reason, CL_CONFIG_INVALID);
    bank_state_free(bank);
}

static void assert_has(struct bank_state *bank, const char *expected)
{
    char found[16] = "";
    for (uint64_t i = 1; expected[i - 1] != '\0'; i++) {
        found[i - 1] = bank_state_has(bank, i) ? 'x' : '.';
    }
    assert_string_equal(found, expected);
}

/* Held back on a stream, or overtaken by a call: it is missing until it comes. Covers: COL-DEL-011, COL-DEL-024 */
static void what_is_missing_is_known(void **state)
{
    (void)state;
    struct bank_state *bank = NULL;
    struct bank_record event = {.kind = BANK_RECORD_EVENT, .text = "a", .bytes = cl_bytes_text("event")};
    assert_true(cl_is_ok(bank_state_create(&bank)));
    event.sequence = 1;
    take(bank, event);
    take(bank, (struct bank_record){.kind = BANK_RECORD_HELD, .number = 2, .sequence = 4});
    assert_has(bank, "x.......");
    assert_int_equal(bank_state_received(bank), 4);
    event.sequence = 7; /* 5 and 6 are of others, and come later */
    take(bank, event);
    assert_has(bank, "x.....x.");
    for (uint64_t i = 2; i <= 6; i += 2) {
        event.sequence = i;
        take(bank, event);
    }
    assert_has(bank, "xx.x.xx.");
    take(bank, (struct bank_record){.kind = BANK_RECORD_GAP, .sequence = 9});
    assert_has(bank, "xx.x.xxxx.");
    event.sequence = 3;
    take(bank, event);
    assert_has(bank, "xxxx.xxxx.");
    assert_int_equal(bank_state_received(bank), 9);
    bank_state_free(bank);
}

/* How many are unheard, and the first and last of them. */
static void assert_unheard(struct bank_state *bank, size_t expected, uint64_t first, uint64_t last)
{
    struct bank_applied *unheard = NULL;
    size_t count = 0;
    assert_true(cl_is_ok(bank_state_unheard(&unheard, &count, bank)));
    assert_int_equal(count, expected);
    if (count > 0) {
        assert_int_equal(unheard[0].sequence, first);
        assert_int_equal(unheard[count - 1].sequence, last);
    }
    free(unheard);
}

static void say(struct bank_state *bank, uint64_t sequence, bool answered)
{
    take(bank, (struct bank_record){.kind = BANK_RECORD_SAID, .sequence = sequence, .number = answered ? 1 : 0});
}

static void what_was_applied_is_kept_until_the_centre_heard_of_it(void **state)
{
    enum { MANY = 3 * BANK_SENT_MAX };
    (void)state;
    struct bank_state *bank = NULL;
    assert_true(cl_is_ok(bank_state_create(&bank)));
    assert_unheard(bank, 0, 0, 0);
    for (uint64_t i = 1; i <= MANY; i++) {
        take(bank, (struct bank_record){.kind = BANK_RECORD_APPLIED, .sequence = i, .text = "L"});
    }
    assert_unheard(bank, MANY, 1, MANY); /* more than may be outstanding: it was told nobody */
    say(bank, 2, true);
    assert_unheard(bank, MANY - 1, 1, MANY);
    say(bank, 3, false);
    assert_unheard(bank, MANY - 1, 1, 3); /* sent: behind those that never were */
    say(bank, 3, true);
    say(bank, 3, true); /* again, or of nothing: fine */
    say(bank, MANY + 1, false);
    assert_unheard(bank, MANY - 2, 1, MANY);
    for (uint64_t i = 4; i < MANY; i++) {
        say(bank, i, false);
    }
    struct bank_applied *unheard = NULL;
    size_t count = 0;
    assert_true(cl_is_ok(bank_state_unheard(&unheard, &count, bank)));
    assert_in_range(count, BANK_SENT_MAX + 2, 2 * BANK_SENT_MAX + 2); /* of what was sent only the last ones stay */
    assert_int_equal(unheard[0].sequence, 1);
    assert_int_equal(unheard[1].sequence, MANY);
    assert_int_equal(unheard[count - 1].sequence, MANY - 1);
    free(unheard);
    bank_state_free(bank);
}

/* -- Customers ------------------------------------------------------------------------------------------------ */

static struct cl_status load(struct bank_customers **out, const char *yaml, struct cl_setting_error *error)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(yaml, file) >= 0);
    assert_int_equal(fclose(file), 0);
    *out = NULL;
    return bank_customers_load(out, path, error);
}

static void customers_are_found_or_made_up(void **state)
{
    (void)state;
    struct bank_customers *customers = NULL;
    struct cl_setting_error error = {""};
    assert_true(cl_is_ok(load(&customers,
                              "defaults: {}\npersonas:\n"
                              "- id: P1\n"
                              "  people: [{id_number: '990101199603150019'}, {id_number: '990101199304020214'}]\n"
                              "  bank: {income_fen: 3400000, credit: [PASS, FAIL]}\n",
                              &error)));
    struct bank_customer one = bank_customer_find(customers, "990101199603150019");
    struct bank_customer two = bank_customer_find(customers, "990101199304020214");
    assert_true(one.known && one.credit_good && two.known && !two.credit_good);
    assert_int_equal(one.income_fen, 3400000);
    assert_int_equal(one.household, two.household);
    struct bank_customer other = bank_customer_find(customers, "990101198501010013");
    assert_false(other.known);
    assert_true(other.credit_good);
    assert_in_range(other.income_fen, 600000, 4240000);
    assert_int_equal(other.income_fen, bank_customer_find(NULL, "990101198501010013").income_fen);
    bank_customers_free(customers);

    static const char *const bad[] = {
        "personas:\n- people: [{id_number: '1'}]\n  bank: {income_fen: 1, credit: [PASS]}\n",
        "personas:\n- people: [{id_number: '990101199603150019'}]\n  bank: {income_fen: 1, credit: []}\n",
        "personas:\n- people: [{id_number: '990101199603150019'}]\n  bank: {income_fen: 1, credit: [GOOD]}\n",
        "personas:\n- people: [{id_number: '990101199603150019'}]\n  bank: {income_fen: x, credit: [PASS]}\n",
        "personas:\n- people: [{id_number: '990101199603150019'}]\n",
        "people: []\n",
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(load(&customers, bad[i], &error).reason, CL_CONFIG_INVALID);
        assert_null(customers);
        assert_non_null(strstr(error.text, "journal:"));
    }
}

/* -- Decisions ------------------------------------------------------------------------------------------------ */

/* Covers: COL-SUB-009 */
static void a_submission_is_verified(void **state)
{
    (void)state;
    struct signing_application submitted;
    Coloan__V1__VerificationReport *report = NULL;
    struct bank_case known;
    signing_application(&submitted, arena);
    submitted.application.home->contract_no = cl_arena_text(arena, "TEST-A");
    assert_true(cl_is_ok(bank_verify_customers(&report, &known, arena, NULL, &submitted.application,
                                               submitted.disclosures, submitted.disclosure_count, 1234)));
    assert_int_equal(report->n_results, 3);
    assert_int_equal(report->results[0]->item, COLOAN__V1__ITEM__ITEM_CREDIT_BANK);
    assert_int_equal(report->results[1]->person, 1);
    assert_int_equal(report->results[2]->item, COLOAN__V1__ITEM__ITEM_INCOME);
    assert_string_equal(report->results[2]->facts[0]->name, "monthly_fen");
    assert_int_equal(report->results[2]->facts[0]->number, known.income_fen);
    assert_int_equal(report->results[2]->observed_ms, 1234);
    assert_true(known.credit_good);
    assert_string_equal(known.contract_no, "TEST-A");
    assert_int_equal(bank_verify_customers(&report, &known, arena, NULL, &submitted.application, NULL, 0, 1).reason,
                     CL_DISCLOSURE_MISSING);
}

static void every_offer_has_its_answer(void **state)
{
    (void)state;
    enum {
        APPROVE = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_APPROVE,
        COUNTER = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_COUNTER,
        DECLINE = COLOAN__V1__BANK_VERDICT__BANK_VERDICT_DECLINE,
    };
    static const struct {
        const char *name;
        int64_t income_fen;
        bool credit_good;
        int64_t rate_min, amount_min;
        int verdict;
        const char *reason;
    } rows[] = {
        {"enough", 1800000, true, 0, 1000000, APPROVE, NULL},
        {"just enough", 844210, true, 0, 1000000, APPROVE, NULL},
        {"a little short", 844208, true, 0, 1000000, COUNTER, "AMT-BANK"},
        {"nothing left for us", 640544, true, 0, 1000000, DECLINE, "JNT-HOUSING"},
        {"too little to lend", 700000, true, 0, 20000000, DECLINE, "JNT-HOUSING"},
        {"bad credit", 1800000, false, 0, 1000000, DECLINE, "CRD-BANK"},
        {"too cheap", 1800000, true, 35000, 1000000, COUNTER, "AMT-BANK"},
        {"cheap enough", 1800000, true, 30500, 1000000, APPROVE, NULL},
    };
    Coloan__V1__LoanPart fund = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__LoanPart commercial = COLOAN__V1__LOAN_PART__INIT;
    Coloan__V1__OfferTerms terms = COLOAN__V1__OFFER_TERMS__INIT;
    const struct cl_digest digest = {{7}};
    fund.instalment_fen = 320272;
    commercial.amount_fen = 24000000;
    commercial.rate_ppm = 30500;
    commercial.term_months = 360;
    commercial.method = COLOAN__V1__REPAYMENT_METHOD__REPAYMENT_METHOD_EQUAL_INSTALMENT;
    commercial.instalment_fen = 101833;
    terms.version = 2;
    terms.bank_epoch = 5;
    terms.fund = &fund;
    terms.commercial = &commercial;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__BankDecision *decision = NULL;
        const struct bank_rules rules = {
            .instalment_share_ppm = 500000, .rate_ppm_min = rows[i].rate_min, .amount_fen_min = rows[i].amount_min};
        const struct bank_case known = {.income_fen = rows[i].income_fen, .credit_good = rows[i].credit_good};
        assert_true(cl_is_ok(bank_decide(&decision, arena, &rules, &known, &terms, &digest, "L-9")));
        if ((int)decision->verdict != rows[i].verdict) {
            fail_msg("%s: %d", rows[i].name, (int)decision->verdict);
        }
        assert_int_equal(decision->offer_version, 2);
        assert_int_equal(decision->bank_epoch, 5);
        assert_memory_equal(decision->terms_digest.data, digest.bytes, CL_DIGEST_BYTES);
        assert_string_equal(decision->bank_reference, "L-9");
        assert_int_equal(decision->n_reasons, rows[i].reason == NULL ? 0 : 1);
        assert_true(rows[i].reason == NULL || strcmp(decision->reasons[0]->code, rows[i].reason) == 0);
        assert_int_equal(decision->counter != NULL, rows[i].verdict == COUNTER);
        if (decision->counter != NULL) {
            assert_true(decision->counter->instalment_fen * 2 + fund.instalment_fen * 2 <= rows[i].income_fen);
            assert_true(decision->counter->rate_ppm >= rows[i].rate_min);
        }
    }
}

/* -- How long ------------------------------------------------------------------------------------------------- */

/* The states that the published tables still lead back from to a decision or a filing; a released bank has none, whatever
 * the state. */
static void a_case_is_kept_as_long_as_it_may_be_decided_or_filed_again(void **state)
{
    (void)state;
    static const Coloan__V1__CaseState open[] = {
        COLOAN__V1__CASE_STATE__CASE_STATE_VERIFYING, COLOAN__V1__CASE_STATE__CASE_STATE_SUPPLEMENT,
        COLOAN__V1__CASE_STATE__CASE_STATE_MANUAL,    COLOAN__V1__CASE_STATE__CASE_STATE_OFFERED,
        COLOAN__V1__CASE_STATE__CASE_STATE_APPROVED,  COLOAN__V1__CASE_STATE__CASE_STATE_DECLINED,
        COLOAN__V1__CASE_STATE__CASE_STATE_CONFIRMED, COLOAN__V1__CASE_STATE__CASE_STATE_SIGNING,
        COLOAN__V1__CASE_STATE__CASE_STATE_SIGNED,    COLOAN__V1__CASE_STATE__CASE_STATE_REGISTERING,
        COLOAN__V1__CASE_STATE__CASE_STATE_HELD,      COLOAN__V1__CASE_STATE__CASE_STATE_REGISTRY_SUPPLEMENT,
    };
    const ProtobufCEnumDescriptor *states = &coloan__v1__case_state__descriptor;
    const ProtobufCEnumDescriptor *kinds = &coloan__v1__event_kind__descriptor;
    for (unsigned i = 0; i < states->n_values; i++) {
        Coloan__V1__ApplicationStatus status = COLOAN__V1__APPLICATION_STATUS__INIT;
        status.state = (Coloan__V1__CaseState)states->values[i].value;
        bool expected = true;
        for (size_t j = 0; j < sizeof open / sizeof open[0]; j++) {
            expected = expected && open[j] != status.state;
        }
        for (unsigned j = 0; j < kinds->n_values; j++) {
            Coloan__V1__Event event = COLOAN__V1__EVENT__INIT;
            event.kind = (Coloan__V1__EventKind)kinds->values[j].value;
            event.status = &status;
            bool released = event.kind == COLOAN__V1__EVENT_KIND__EVENT_KIND_RELEASED;
            assert_int_equal(bank_case_is_over(&event), expected || released);
        }
    }
    Coloan__V1__Event bare = COLOAN__V1__EVENT__INIT;
    assert_false(bank_case_is_over(&bare));
}

#define ONE(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ONE(records_come_back),
        ONE(a_torn_end_is_cut_off),
        ONE(damage_before_the_end_is_refused),
        ONE(one_process_has_it),
        ONE(many_write_at_once),
        ONE(the_state_is_what_the_records_say),
        ONE(what_is_missing_is_known),
        ONE(what_was_applied_is_kept_until_the_centre_heard_of_it),
        ONE(customers_are_found_or_made_up),
        ONE(a_submission_is_verified),
        ONE(every_offer_has_its_answer),
        ONE(a_case_is_kept_as_long_as_it_may_be_decided_or_filed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
