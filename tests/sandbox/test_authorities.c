/* authorities: the real simulator process, asked by the real source, about every persona. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/answers.h"
#include "sandbox/history.h"
#include "sandbox/people.h"
#include "server/source/wording.h"

#define PERSONAS COLOAN_SOURCE_DIR "/sandbox/personas.yaml"

/* -- The process --------------------------------------------------------------------------------------------- */

struct process {
    pid_t pid;
    FILE *out;
};

static struct process run(const char *const arguments[])
{
    int ends[2];
    struct process process;
    assert_int_equal(pipe(ends), 0);
    process.pid = fork();
    assert_true(process.pid >= 0);
    if (process.pid == 0) {
        char *argv[8] = {NULL};
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
        (void)close(ends[0]);
        (void)close(ends[1]);
        argv[0] = strdup(COLOAN_BINARY_DIR "/sandbox/coloan-authorities");
        for (size_t i = 0; arguments[i] != NULL; i++) {
            argv[i + 1] = strdup(arguments[i]);
        }
        (void)execv(argv[0], argv);
        _exit(127);
    }
    (void)close(ends[1]);
    process.out = fdopen(ends[0], "r");
    assert_non_null(process.out);
    return process;
}

static int exit_code(struct process *process)
{
    int status = 0;
    assert_int_equal(waitpid(process->pid, &status, 0), process->pid);
    (void)fclose(process->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void options_are_checked(void **state)
{
    (void)state;
    static const struct {
        const char *arguments[6];
        int code;
    } rows[] = {
        {{"--help", NULL}, 0},
        {{NULL}, 2},
        {{"--personas", "/nonexistent", NULL}, 2},
        {{"--personas", PERSONAS, "--port", "65536", NULL}, 2},
        {{"--personas", PERSONAS, "--port", "http", NULL}, 2},
        {{"--personas", PERSONAS, "--delay-ms", "-1", NULL}, 2},
        {{"--personas", PERSONAS, "--threads", "0", NULL}, 2},
        {{"--personas", PERSONAS, "extra", NULL}, 2},
        {{"--unknown", NULL}, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[4096] = "";
        struct process process = run(rows[i].arguments);
        size_t len = fread(text, 1, sizeof text - 1, process.out);
        assert_int_equal(exit_code(&process), rows[i].code);
        assert_int_equal(len > 0, rows[i].code == 0);
        assert_true(rows[i].code != 0 || strstr(text, "examples:") != NULL);
    }
}

/* -- Every persona ------------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

static void set_text(char *out, size_t size, const char *text)
{
    assert_true(cl_is_ok(source_text(out, size, text, strlen(text))));
}

/* All that a persona has to be asked. */
static struct source_inquiry *inquiry_about(const json_t *persona)
{
    struct source_inquiry *inquiry = NULL;
    const json_t *people = json_object_get(persona, "people");
    const json_t *home = json_object_get(persona, "home");
    assert_true(cl_is_ok(source_inquiry_create(&inquiry, 64)));
    set_text(inquiry->home.contract_no, sizeof inquiry->home.contract_no, text_of(home, "contractNo"));
    set_text(inquiry->home.district_code, sizeof inquiry->home.district_code, text_of(home, "districtCode"));
    (void)snprintf(inquiry->home.registry_no, sizeof inquiry->home.registry_no, "REG-100000000-%s",
                   text_of(home, "contractNo"));
    set_text(inquiry->home.account, sizeof inquiry->home.account, "6222000000000001");
    inquiry->person_count = json_array_size(people);
    for (size_t i = 0; i < inquiry->person_count; i++) {
        struct source_person *person = &inquiry->persons[i];
        set_text(person->name, sizeof person->name, text_of(json_array_get(people, i), "name"));
        set_text(person->id_number, sizeof person->id_number, text_of(json_array_get(people, i), "id_number"));
        set_text(person->credit_authorisation, sizeof person->credit_authorisation, "consent");
        set_text(person->mobile, sizeof person->mobile, text_of(json_array_get(people, i), "mobile"));
        set_text(person->contribution_centre, sizeof person->contribution_centre, "320100000000000");
        set_text(person->employer_uscc, sizeof person->employer_uscc, "91990000MA0000015Q");
        set_text(person->face_token, sizeof person->face_token, "face-1");
        person->id_valid_until = 20360101;
        person->spouse = inquiry->person_count == 2 ? 2 - (unsigned)i : 0;
        person->buyer = person->household = true;
    }
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        const struct source_item_row *row = source_item_at(i);
        if (row->item == SOURCE_MARRIAGE_PAIR && inquiry->person_count < 2) {
            continue;
        }
        for (unsigned person = 0; person < (row->per_person ? inquiry->person_count : 1); person++) {
            assert_true(cl_is_ok(source_inquiry_add(inquiry, row->item, person, 24 * 3600 * 1000)));
        }
    }
    return inquiry;
}

static void answered(struct source_inquiry *inquiry)
{
    (void)sem_post(inquiry->user);
}

static enum source_failure failure_of_fault(const char *fault)
{
    static const struct {
        const char *fault;
        enum source_failure failure;
    } rows[] = {{"", SOURCE_FAILURE_NONE},
                {"TIMEOUT", SOURCE_TIMEOUT},
                {"NO_RECORD", SOURCE_NO_RECORD},
                {"AMBIGUOUS", SOURCE_AMBIGUOUS},
                {"GARBAGE", SOURCE_PARSE}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].fault, fault) == 0) {
            return rows[i].failure;
        }
    }
    fail_msg("fault %s", fault);
    return SOURCE_FAILURE_NONE;
}

/* The couple that is none, and the project that is not admitted. */
static bool is_mismatch(const char *id, enum source_item item)
{
    return (item == SOURCE_MARRIAGE_PAIR && strcmp(id, "P38") == 0) ||
           (item == SOURCE_PROJECT && strcmp(id, "P39") == 0);
}

static void check_answers(const json_t *persona, const struct source_inquiry *inquiry)
{
    for (size_t i = 0; i < inquiry->question_count; i++) {
        const struct source_question *question = &inquiry->questions[i];
        const char *item = source_item_row(question->item)->name;
        const char *fault = text_of(json_object_get(persona, "faults"), item);
        enum source_failure failure = failure_of_fault(fault);
        enum source_outcome outcome = failure == SOURCE_FAILURE_NONE ? SOURCE_PASS : SOURCE_MANUAL;
        if (is_mismatch(text_of(persona, "id"), question->item)) {
            failure = SOURCE_MISMATCH;
            outcome = SOURCE_FAIL;
        }
        if (question->answer.failure != failure || question->answer.outcome != outcome) {
            fail_msg("%s %s: outcome %d failure %d", text_of(persona, "id"), item, question->answer.outcome,
                     question->answer.failure);
        }
    }
}

static int64_t fact_of(const struct source_inquiry *inquiry, enum source_item item, unsigned person, const char *name)
{
    for (size_t i = 0; i < inquiry->question_count; i++) {
        const struct source_question *question = &inquiry->questions[i];
        for (size_t j = 0; j < question->answer.fact_count && question->item == item && question->person == person;
             j++) {
            if (strcmp(question->answer.facts[j].name, name) == 0) {
                return question->answer.facts[j].number;
            }
        }
    }
    fail_msg("no fact %s", name);
    return -1;
}

/* What the stories of the personas turn on. */
static void check_facts(const char *id, const struct source_inquiry *inquiry)
{
    static const struct {
        const char *id;
        enum source_item item;
        unsigned person;
        const char *name;
        int64_t number;
    } rows[] = {
        {"P01", SOURCE_CONTRIBUTION, 0, "balance_fen", 6200000},
        {"P01", SOURCE_HOME_CONTRACT, 0, "price_fen", 130000000},
        {"P02", SOURCE_MARRIAGE, 1, "status", 2},
        {"P03", SOURCE_CONTRIBUTION, 0, "balance_fen", 2100000},
        {"P05", SOURCE_CONTRIBUTION, 0, "months", 5},
        {"P06", SOURCE_MARRIAGE, 0, "status", 3},
        {"P07", SOURCE_LOAN_HISTORY, 0, "loans_used", 1},
        {"P07", SOURCE_HOME_COUNT, 0, "homes", 1},
        {"P08", SOURCE_LOAN_HISTORY, 1, "loans_open", 1},
        {"P09", SOURCE_LOAN_HISTORY, 0, "loans_used", 2},
        {"P10", SOURCE_CREDIT_FUND, 1, "overdue_consecutive", 3},
        {"P11", SOURCE_CHILDREN, 0, "minors", 2},
        {"P11", SOURCE_GREEN_BUILDING, 0, "stars", 2},
        {"P12", SOURCE_MARRIAGE, 0, "status", 2},
        {"P23", SOURCE_HOME_CONTRACT, 0, "price_fen", 125000000},
        {"P01", SOURCE_APPRAISAL, 0, "value_fen", 130000000},
        {"P01", SOURCE_REGISTRATION, 0, "state", 1},         /* pending at first */
        {"P01", SOURCE_COMPLETION_FILING, 0, "filed_on", 0}, /* not yet */
        {"P01", SOURCE_EMPLOYER, 0, "active", 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (strcmp(rows[i].id, id) == 0) {
            assert_int_equal(fact_of(inquiry, rows[i].item, rows[i].person, rows[i].name), rows[i].number);
        }
    }
}

static void ask_about_everybody(struct source *source, const struct people *people)
{
    for (size_t i = 0; people_at(people, i) != NULL; i++) {
        sem_t done;
        struct timespec until;
        const json_t *persona = people_at(people, i);
        struct source_inquiry *inquiry = inquiry_about(persona);
        assert_int_equal(sem_init(&done, 0, 0), 0);
        inquiry->answered = answered;
        inquiry->user = &done;
        assert_true(cl_is_ok(source_ask(source, inquiry)));
        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 30;
        assert_int_equal(sem_timedwait(&done, &until), 0);
        check_answers(persona, inquiry);
        check_facts(text_of(persona, "id"), inquiry);
        source_inquiry_free(inquiry);
        (void)sem_destroy(&done);
    }
}

static void every_persona_is_answered(void **state)
{
    (void)state;
    char line[16] = "";
    char url[64];
    struct people *people = NULL;
    struct sandbox_problem problem;
    struct source *source = NULL;
    assert_true(cl_is_ok(people_load(&people, PERSONAS, &problem)));
    struct process process = run((const char *const[]){"--personas", PERSONAS, "--delay-ms", "20", NULL});
    assert_non_null(fgets(line, sizeof line, process.out));
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%ld", strtol(line, NULL, 10));

    struct source_authority_options authority = {.name = "sandbox", .base_url = url, .timeout_ms = 1000};
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        authority.items |= SOURCE_ITEM_BIT(source_item_at(i)->item);
    }
    const struct source_options options = {.authorities = &authority, .authority_count = 1, .retry_ms = 10};
    assert_true(cl_is_ok(source_create(&source, &options)));
    assert_true(cl_is_ok(source_start(source)));
    ask_about_everybody(source, people);
    source_stop(source);
    source_free(source);

    assert_int_equal(kill(process.pid, SIGTERM), 0); /* while an answer of P21 still hangs */
    assert_int_equal(exit_code(&process), 0);
    people_free(people);
}

/* -- Answers that no persona needs --------------------------------------------------------------------------- */

static void odd_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        unsigned http_status;
        const char *part;
    } rows[] = {
        {"/v1/identity", "{\"request_id\":\"1\",\"name\":\"测试甲\",\"id_number\":\"990101199603150019\"}", 200,
         "\"match\":true"},
        {"/v1/identity", "{\"request_id\":\"1\",\"name\":\"测试乙\",\"id_number\":\"990101199603150019\"}", 200,
         "\"match\":false"},
        {"/v1/identity", "{\"request_id\":\"1\",\"name\":\"x\",\"id_number\":\"110105194912310021\"}", 200,
         "NO_RECORD"},
        {"/v1/identity", "{\"request_id\":\"1\",\"name\":\"x\"}", 200, "NO_RECORD"},
        {"/v1/home-contract",
         "{\"request_id\":\"1\",\"contract_no\":\"TEST-P01\",\"id_numbers\":[\"990101199603150019\"]}", 200,
         "\"buyers_match\":true"},
        {"/v1/home-contract",
         "{\"request_id\":\"1\",\"contract_no\":\"TEST-P01\",\"id_numbers\":[\"990101196806150031\"]}", 200,
         "\"buyers_match\":false"},
        {"/v1/home-contract", "{\"request_id\":\"1\",\"contract_no\":\"HT-1\"}", 200, "NO_RECORD"},
        {"/v1/identity", "{\"name\":\"测试甲\"}", 400, "MALFORMED"},
        {"/v1/identity", "{", 400, "MALFORMED"},
        {"/v1/identity", "[]", 400, "MALFORMED"},
        {"/v1/income", "{\"request_id\":\"1\"}", 404, "NO_SUCH_PATH"},
        {"/", "", 404, "NO_SUCH_PATH"},
    };
    struct people *people = NULL;
    struct sandbox_problem problem;
    assert_true(cl_is_ok(people_load(&people, PERSONAS, &problem)));
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct answer answer;
        answer_make(&answer, people, rows[i].path, cl_bytes_text(rows[i].body),
                    &(struct answer_moment){.now_ms = 1795500000000, .serial = 1});
        assert_int_equal(answer.http_status, rows[i].http_status);
        if (answer.body == NULL || strstr(answer.body, rows[i].part) == NULL) {
            fail_msg("%s %s: %s", rows[i].path, rows[i].body, answer.body);
        }
        free(answer.body);
    }
    people_free(people);
}

/* A registration goes from pending to done with the times it is asked for, and shows what was filed. */
static void a_registration_is_done_in_time(void **state)
{
    (void)state;
    static const struct {
        const char *path, *body;
        unsigned polls; /* before it says what it says in the end */
        const char *first, *last;
    } rows[] = {
        {"/v1/registration", "{\"request_id\":\"1\",\"registry_no\":\"REG-104000000-TEST-P01\"}", 2,
         "\"state\":\"PENDING\"}", "\"amount_fen\":104000000"},
        {"/v1/registration", "{\"request_id\":\"1\",\"registry_no\":\"REG-104000000-SYN-130000000-8900-2\"}", 2,
         "\"state\":\"PENDING\"}", "\"certificate_no\":\"SU2026-SYN-130000000-8900-2\""},
        {"/v1/registration", "{\"request_id\":\"1\",\"registry_no\":\"TEST-P01\"}", 0, "NO_RECORD", "NO_RECORD"},
        {"/v1/completion-filing", "{\"request_id\":\"1\",\"contract_no\":\"TEST-P02\"}", 1, "\"filed_on\":null",
         "\"filed_on\":\"2026-11-20\""},
    };
    struct people *people = NULL;
    struct history *history = NULL;
    struct sandbox_problem problem;
    assert_true(cl_is_ok(people_load(&people, PERSONAS, &problem)));
    assert_true(cl_is_ok(history_create(&history)));
    const struct answer_moment moment = {.now_ms = 1795500000000, .serial = 1, .history = history};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (unsigned poll = 0; poll < rows[i].polls + 2; poll++) {
            struct answer answer;
            const char *part = poll < rows[i].polls ? rows[i].first : rows[i].last;
            answer_make(&answer, people, rows[i].path, cl_bytes_text(rows[i].body), &moment);
            if (answer.body == NULL || strstr(answer.body, part) == NULL) {
                fail_msg("%s, poll %u: %s", rows[i].body, poll, answer.body);
            }
            free(answer.body);
        }
    }
    history_free(history);
    people_free(people);
}

/* Most of a generated population settles without a person: nine items of ten, and more. */
static void generated_people_mostly_pass(void **state)
{
    (void)state;
    struct people *people = NULL;
    struct sandbox_problem problem;
    size_t asked = 0;
    size_t settled = 0;
    size_t passed = 0;
    assert_true(cl_is_ok(people_load(&people, PERSONAS, &problem)));
    for (uint64_t n = 0; n < 1000; n++) {
        json_t *persona = people_make_generated(n);
        struct source_inquiry *inquiry = inquiry_about(persona);
        for (size_t i = 0; i < inquiry->question_count; i++) {
            char request[SOURCE_REQUEST_BYTES_MAX];
            size_t len = 0;
            struct answer answer;
            struct source_question *question = &inquiry->questions[i];
            struct source_mapping mapping;
            source_mapping_default(&mapping, source_item_row(question->item));
            assert_true(cl_is_ok(source_request_write(request, &len, question, &mapping, "1")));
            answer_make(&answer, people, mapping.path, cl_bytes(request, len),
                        &(struct answer_moment){.now_ms = 1795500000000, .serial = n});
            enum source_failure failure = source_answer_read(&question->answer, question, &mapping,
                                                             cl_bytes(answer.body, answer.len), "1", 1795500000000);
            assert_false(source_failure_is_technical(failure));
            asked++;
            settled += question->answer.outcome != SOURCE_MANUAL ? 1 : 0;
            passed += question->answer.outcome == SOURCE_PASS ? 1 : 0;
            free(answer.body);
        }
        source_inquiry_free(inquiry);
        json_decref(persona);
    }
    assert_true(settled * 100 >= asked * 99);
    assert_true(passed * 100 >= asked * 98);
    assert_true(passed < settled && settled < asked);
    people_free(people);
}

/* Some of so many share their place in the table, whatever it hashes by. */
static void every_question_has_a_count_of_its_own(void **state)
{
    (void)state;
    enum { QUESTIONS = 4000, ROUNDS = 3 };
    struct history *history = NULL;
    assert_true(cl_is_ok(history_create(&history)));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < QUESTIONS; i++) {
            char about[32];
            (void)snprintf(about, sizeof about, "REG-%u", i);
            assert_int_equal(history_count(history, "REGISTRATION", about), round);
        }
    }
    history_free(history);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_are_checked),          cmocka_unit_test(every_persona_is_answered),
        cmocka_unit_test(odd_requests_are_refused),     cmocka_unit_test(a_registration_is_done_in_time),
        cmocka_unit_test(generated_people_mostly_pass), cmocka_unit_test(every_question_has_a_count_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
