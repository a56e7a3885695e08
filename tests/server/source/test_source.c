/* source: every way an authority may answer or fail, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcoloan/date.h"
#include "sandbox/authorities.h"
#include "server/source/mapping.h"
#include "tests/server/source/scripted.h"
#include "tests/support/pki.h"

/* -- Asking and waiting -------------------------------------------------------------------------------------- */

enum { HOME_MAX = 2048, PATIENCE_S = 60 };

/* Where answered inquiries arrive. */
struct home {
    pthread_mutex_t mutex;
    pthread_cond_t arrived;
    struct source_inquiry *inquiries[HOME_MAX];
    size_t count;
};

static void home_init(struct home *home)
{
    memset(home, 0, sizeof *home);
    (void)pthread_mutex_init(&home->mutex, NULL);
    (void)pthread_cond_init(&home->arrived, NULL);
}

static void home_close(struct home *home)
{
    for (size_t i = 0; i < home->count; i++) {
        source_inquiry_free(home->inquiries[i]);
    }
    (void)pthread_cond_destroy(&home->arrived);
    (void)pthread_mutex_destroy(&home->mutex);
}

static void answered(struct source_inquiry *inquiry)
{
    struct home *home = inquiry->user;
    (void)pthread_mutex_lock(&home->mutex);
    home->inquiries[home->count++] = inquiry;
    (void)pthread_cond_signal(&home->arrived);
    (void)pthread_mutex_unlock(&home->mutex);
}

static void wait_for(struct home *home, size_t count)
{
    struct timespec until;
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    (void)pthread_mutex_lock(&home->mutex);
    int late = 0;
    while (home->count < count && late == 0) {
        late = pthread_cond_timedwait(&home->arrived, &home->mutex, &until);
    }
    (void)pthread_mutex_unlock(&home->mutex);
    assert_int_equal(late, 0);
}

static void set_text(char *out, size_t size, const char *text)
{
    assert_true(cl_is_ok(source_text(out, size, text, strlen(text))));
}

static struct source_inquiry *make_inquiry(struct home *home)
{
    struct source_inquiry *inquiry = NULL;
    assert_true(cl_is_ok(source_inquiry_create(&inquiry, 16)));
    struct source_person *person = &inquiry->persons[0];
    set_text(inquiry->application_id, sizeof inquiry->application_id, "a-1");
    set_text(person->name, sizeof person->name, "测试甲");
    set_text(person->id_number, sizeof person->id_number, "990101199603150019");
    set_text(person->credit_authorisation, sizeof person->credit_authorisation, "c-1");
    set_text(inquiry->home.contract_no, sizeof inquiry->home.contract_no, "TEST-P01");
    set_text(inquiry->home.district_code, sizeof inquiry->home.district_code, "320102");
    person->buyer = true;
    person->household = true;
    inquiry->person_count = 1;
    inquiry->user = home;
    inquiry->answered = answered;
    return inquiry;
}

static struct source_inquiry *make_question(struct home *home, enum source_item item)
{
    struct source_inquiry *inquiry = make_inquiry(home);
    assert_true(cl_is_ok(source_inquiry_add(inquiry, item, 0, 3600 * 1000)));
    return inquiry;
}

static void ask(struct source *source, struct source_inquiry *inquiry)
{
    assert_true(cl_is_ok(source_ask(source, inquiry)));
}

static const struct source_answer *first_answer(const struct home *home, size_t index)
{
    return &home->inquiries[index]->questions[0].answer;
}

static int64_t now_ms(void)
{
    return cl_clock_monotonic_ms(cl_clock_system());
}

/* -- A source with one scripted authority -------------------------------------------------------------------- */

struct setting {
    struct scripted *server;
    struct source *source;
    struct home home;
    char url[64];
    struct source_authority_options authority;
    struct source_options options;
};

/* With a breaker that stays out of the way. */
static void set_up(struct setting *setting, const enum action *script)
{
    memset(setting, 0, sizeof *setting);
    setting->server = scripted_start(script);
    (void)snprintf(setting->url, sizeof setting->url, "http://127.0.0.1:%u", scripted_port(setting->server));
    setting->authority = (struct source_authority_options){.name = "public-security",
                                                           .base_url = setting->url,
                                                           .items = SOURCE_ITEM_BIT(SOURCE_IDENTITY),
                                                           .timeout_ms = 600,
                                                           .breaker_failures = 1000};
    setting->options = (struct source_options){
        .authorities = &setting->authority, .authority_count = 1, .retry_ms = 10, .deadline_ms = 3000};
    home_init(&setting->home);
}

static void start(struct setting *setting)
{
    assert_true(cl_is_ok(source_create(&setting->source, &setting->options)));
    assert_true(cl_is_ok(source_start(setting->source)));
}

static void tear_down(struct setting *setting)
{
    source_stop(setting->source);
    source_free(setting->source);
    scripted_stop(setting->server);
    home_close(&setting->home);
}

static struct source_stats stats_of(struct setting *setting)
{
    struct source_stats stats;
    assert_true(source_stats_read(&stats, setting->source, 0));
    assert_false(source_stats_read(&stats, setting->source, 1));
    return stats;
}

/* Covers: COL-VER-008 */
static void every_answer_and_failure(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum action script[SCRIPT_MAX];
        enum source_outcome outcome;
        enum source_failure failure;
        unsigned attempts;
    } rows[] = {
        {"good", {ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 1},
        {"no record", {ACT_NO_RECORD, ACT_GOOD}, SOURCE_MANUAL, SOURCE_NO_RECORD, 1},
        {"mismatch", {ACT_MISMATCH, ACT_GOOD}, SOURCE_FAIL, SOURCE_MISMATCH, 1},
        {"ambiguous", {ACT_AMBIGUOUS, ACT_GOOD}, SOURCE_MANUAL, SOURCE_AMBIGUOUS, 1},
        {"not authorised", {ACT_NOT_AUTHORISED, ACT_GOOD}, SOURCE_FAIL, SOURCE_NOT_AUTHORISED, 1},
        {"token refused", {ACT_401, ACT_GOOD}, SOURCE_MANUAL, SOURCE_NOT_AUTHORISED, 1},
        {"garbage", {ACT_GARBAGE}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"garbage once", {ACT_GARBAGE, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 2},
        {"garbage twice", {ACT_GARBAGE, ACT_EMPTY, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 3},
        {"garbage, then no", {ACT_GARBAGE, ACT_MISMATCH}, SOURCE_FAIL, SOURCE_MISMATCH, 2},
        {"empty", {ACT_EMPTY}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"another's answer", {ACT_WRONG_ID}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"oversize", {ACT_OVERSIZE}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"flood", {ACT_FLOOD}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"headers without end", {ACT_HEADERS}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"not HTTP", {ACT_NOT_HTTP}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"cut short", {ACT_CUT_SHORT}, SOURCE_MANUAL, SOURCE_UNREACHABLE, 3},
        {"hangs up", {ACT_HANG_UP}, SOURCE_MANUAL, SOURCE_UNREACHABLE, 3},
        {"hangs up once", {ACT_HANG_UP, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 2},
        {"hangs", {ACT_HANG}, SOURCE_MANUAL, SOURCE_TIMEOUT, 3},
        {"hangs once", {ACT_HANG, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 2},
        {"drips", {ACT_DRIP}, SOURCE_MANUAL, SOURCE_TIMEOUT, 3},
        {"500", {ACT_500}, SOURCE_MANUAL, SOURCE_UNREACHABLE, 3},
        {"503", {ACT_503}, SOURCE_MANUAL, SOURCE_UNREACHABLE, 3},
        {"closed", {ACT_CLOSED}, SOURCE_MANUAL, SOURCE_CLOSED, 3},
        {"closed, then open", {ACT_CLOSED, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 2},
        {"429", {ACT_429}, SOURCE_MANUAL, SOURCE_THROTTLED, 3},
        {"429 once", {ACT_429, ACT_GOOD}, SOURCE_PASS, SOURCE_FAILURE_NONE, 2},
        {"429 for an hour", {ACT_429_HOUR, ACT_GOOD}, SOURCE_MANUAL, SOURCE_THROTTLED, 1},
        {"404", {ACT_404}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"redirect", {ACT_REDIRECT}, SOURCE_MANUAL, SOURCE_PARSE, 3},
        {"the last failure counts", {ACT_500, ACT_GARBAGE, ACT_CLOSED}, SOURCE_MANUAL, SOURCE_CLOSED, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setting setting;
        bool times_out = rows[i].script[0] == ACT_HANG || rows[i].script[0] == ACT_DRIP;
        set_up(&setting, rows[i].script);
        setting.authority.timeout_ms = times_out ? 400 : 10000;
        setting.options.deadline_ms = 20000;
        start(&setting);
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
        wait_for(&setting.home, 1);
        const struct source_answer *answer = first_answer(&setting.home, 0);
        struct source_stats stats = stats_of(&setting);
        if (answer->outcome != rows[i].outcome || answer->failure != rows[i].failure ||
            answer->attempts != rows[i].attempts || scripted_requests(setting.server) != rows[i].attempts) {
            fail_msg("%s: outcome %d failure %d attempts %u requests %u", rows[i].name, answer->outcome,
                     answer->failure, answer->attempts, scripted_requests(setting.server));
        }
        assert_string_equal(answer->authority, "public-security");
        assert_false(setting.home.inquiries[0]->stopped);
        assert_true(answer->observed_ms > 0);
        assert_int_equal(stats.requests, rows[i].attempts);
        assert_int_equal(stats.retries, rows[i].attempts - 1);
        assert_int_equal(stats.passed + stats.failed + stats.manual, 1);
        tear_down(&setting);
    }
}

static void a_good_answer_is_whole(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    setting.authority.bearer_token = "token-for-tests";
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    const struct source_answer *answer = first_answer(&setting.home, 0);
    assert_string_equal(answer->receipt, "T-1");
    assert_int_equal(answer->valid_until_ms, answer->observed_ms + 3600 * 1000);

    const char *head = scripted_last_head(setting.server);
    const char *body = scripted_last_body(setting.server);
    char id_line[64] = "X-Request-Id: ";
    assert_non_null(strstr(head, "POST /v1/identity HTTP/1.1\r\n"));
    assert_non_null(strstr(head, "Authorization: Bearer token-for-tests\r\n"));
    assert_non_null(strstr(head, "Content-Type: application/json\r\n"));
    assert_null(strstr(head, "Expect:"));
    assert_non_null(strstr(body, "\"name\":\"测试甲\",\"id_number\":\"990101199603150019\"}"));
    strncat(id_line, strstr(body, "\"request_id\":\"") + strlen("\"request_id\":\""), 32);
    assert_non_null(strstr(head, id_line));
    tear_down(&setting);
}

static void connections_are_kept(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    start(&setting);
    for (size_t i = 1; i <= 20; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
        wait_for(&setting.home, i);
    }
    assert_int_equal(scripted_requests(setting.server), 20);
    assert_int_equal(scripted_connections(setting.server), 1);
    tear_down(&setting);
}

static void the_environment_names_no_proxy(void **state)
{
    (void)state;
    struct setting setting;
    assert_int_equal(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    assert_int_equal(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_PASS);
    tear_down(&setting);
    assert_int_equal(unsetenv("http_proxy"), 0);
    assert_int_equal(unsetenv("ALL_PROXY"), 0);
}

static void a_refused_connection_is_unreachable(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    (void)snprintf(setting.url, sizeof setting.url, "http://127.0.0.1:1"); /* nobody listens there */
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_MANUAL);
    assert_int_equal(first_answer(&setting.home, 0)->failure, SOURCE_UNREACHABLE);
    assert_int_equal(first_answer(&setting.home, 0)->attempts, 3);
    tear_down(&setting);
}

static void retry_after_is_kept(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_429_SECOND, ACT_GOOD, ACT_END});
    start(&setting);
    int64_t began_ms = now_ms();
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_true(now_ms() - began_ms >= 1000);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_PASS);
    assert_int_equal(scripted_requests(setting.server), 2);
    assert_int_equal(stats_of(&setting).breaker_opened, 0);
    tear_down(&setting);
}

static void the_deadline_ends_the_attempts(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_HANG, ACT_END});
    setting.options.deadline_ms = 1000;
    setting.authority.attempts = 10;
    start(&setting);
    int64_t began_ms = now_ms();
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_in_range(now_ms() - began_ms, 900, 5000);
    assert_int_equal(first_answer(&setting.home, 0)->failure, SOURCE_TIMEOUT);
    assert_int_equal(first_answer(&setting.home, 0)->attempts, 2); /* 600 ms and what is left */
    tear_down(&setting);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Over TLS an authority counts only with a certificate of the CA that the configuration names, for its host's name. */
static void certificates_are_checked(void **state)
{
    (void)state;
    enum { RIGHT, WRONG_CA, WRONG_NAME };
    char folder[] = "/tmp/coloan-source-XXXXXX";
    char ca_file[64];
    struct pki pki;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    assert_int_equal(pki_create(&pki), 0);
    for (int row = RIGHT; row <= WRONG_NAME; row++) {
        struct setting setting;
        set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
        scripted_stop(setting.server);
        setting.server = row == WRONG_NAME
                             ? scripted_start_tls((enum action[]){ACT_GOOD, ACT_END}, pki.client_cert, pki.client_key)
                             : scripted_start_tls((enum action[]){ACT_GOOD, ACT_END}, pki.server_cert, pki.server_key);
        (void)snprintf(setting.url, sizeof setting.url, "https://127.0.0.1:%u", scripted_port(setting.server));
        write_text(ca_file, row == WRONG_CA ? pki.foreign_ca : pki.ca);
        setting.authority.ca_file = ca_file;
        setting.authority.timeout_ms = 5000;
        setting.options.deadline_ms = 20000;
        start(&setting);
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
        wait_for(&setting.home, 1);
        const struct source_answer *answer = first_answer(&setting.home, 0);
        assert_int_equal(answer->outcome, row == RIGHT ? SOURCE_PASS : SOURCE_MANUAL);
        assert_int_equal(answer->failure, row == RIGHT ? SOURCE_FAILURE_NONE : SOURCE_BAD_SIGNATURE);
        assert_int_equal(scripted_requests(setting.server), row == RIGHT ? 1 : 0); /* nothing personal got out */
        tear_down(&setting);
    }
    assert_int_equal(unlink(ca_file), 0);
    assert_int_equal(rmdir(folder), 0);
    pki_free(&pki);
}

/* An authority that wants to know who asks gets our certificate; without one, or with a foreigner's, it does not answer. */
static void our_certificate_is_shown(void **state)
{
    (void)state;
    enum { RIGHT, NONE, FOREIGN, NO_PAIR };
    char folder[] = "/tmp/coloan-source-XXXXXX";
    char ca_file[64];
    char certificate[64];
    char key[64];
    struct pki pki;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(ca_file, sizeof ca_file, "%s/ca.pem", folder);
    (void)snprintf(certificate, sizeof certificate, "%s/client.pem", folder);
    (void)snprintf(key, sizeof key, "%s/client.key", folder);
    assert_int_equal(pki_create(&pki), 0);
    write_text(ca_file, pki.ca);
    for (int row = RIGHT; row <= NO_PAIR; row++) {
        struct setting setting;
        set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
        scripted_stop(setting.server);
        setting.server = scripted_start_tls((enum action[]){ACT_GOOD, ACT_END}, pki.server_cert, pki.server_key);
        scripted_need_client(setting.server, pki.ca);
        (void)snprintf(setting.url, sizeof setting.url, "https://127.0.0.1:%u", scripted_port(setting.server));
        write_text(certificate, row == FOREIGN ? pki.foreign_cert : pki.client_cert);
        write_text(key, row == FOREIGN || row == NO_PAIR ? pki.foreign_key : pki.client_key);
        setting.authority.ca_file = ca_file;
        setting.authority.client_certificate = row == NONE ? NULL : certificate;
        setting.authority.client_key = row == NONE ? NULL : key;
        setting.authority.timeout_ms = 5000;
        setting.options.deadline_ms = 20000;
        start(&setting);
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
        wait_for(&setting.home, 1);
        const struct source_answer *answer = first_answer(&setting.home, 0);
        assert_int_equal(answer->outcome, row == RIGHT ? SOURCE_PASS : SOURCE_MANUAL);
        assert_int_equal(scripted_requests(setting.server), row == RIGHT ? 1 : 0);
        tear_down(&setting);
    }
    assert_int_equal(unlink(ca_file), 0);
    assert_int_equal(unlink(certificate), 0);
    assert_int_equal(unlink(key), 0);
    assert_int_equal(rmdir(folder), 0);
    pki_free(&pki);
}

/* -- Hours, reuse, words ------------------------------------------------------------------------------------- */

/* A clock that stands where a test puts it. */
struct still {
    int64_t unix_ms;
};

static int64_t still_unix_ms(void *user)
{
    return ((struct still *)user)->unix_ms;
}

static int64_t still_monotonic_ms(void *user)
{
    (void)user;
    return now_ms();
}

/* Covers: COL-VER-011 */
static void a_closed_authority_is_asked_when_it_opens(void **state)
{
    (void)state;
    int64_t noon_ms = cl_date_to_ms(20301125) + INT64_C(12) * 3600 * 1000; /* a Monday; the script answers of today */
    static const struct {
        struct source_hours hours;
        int64_t closed_wait_ms; /* 0: the default */
        enum source_outcome outcome;
        int64_t opens_in_ms; /* with OPEN */
    } rows[] = {
        {{.opens_minute = 720, .closes_minute = 1320, .days = 127}, 0, SOURCE_PASS, 0},
        {{.opens_minute = 721, .closes_minute = 1320, .days = 127}, 0, SOURCE_OPEN, 60000},
        {{.opens_minute = 480, .closes_minute = 720, .days = 127}, 0, SOURCE_OPEN, 20 * 3600 * 1000},
        {{.opens_minute = 720, .closes_minute = 780, .days = 1 << 3}, 0, SOURCE_OPEN, 72 * 3600 * 1000}, /* Thursday */
        {{.opens_minute = 721, .closes_minute = 780, .days = 1 << 3}, 0, SOURCE_MANUAL, 0}, /* too long for a case */
        {{.opens_minute = 721, .closes_minute = 1320, .days = 127}, 59999, SOURCE_MANUAL, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setting setting;
        struct still still = {.unix_ms = noon_ms};
        const struct cl_clock clock = {.unix_ms = still_unix_ms, .monotonic_ms = still_monotonic_ms, .user = &still};
        set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
        setting.options.clock = &clock;
        setting.authority.hours = rows[i].hours;
        setting.authority.closed_wait_ms = rows[i].closed_wait_ms;
        start(&setting);
        struct source_inquiry *inquiry = make_inquiry(&setting.home);
        assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_IDENTITY, 0, 0)));
        ask(setting.source, inquiry);
        wait_for(&setting.home, 1);
        const struct source_answer *answer = first_answer(&setting.home, 0);
        if (answer->outcome != rows[i].outcome) {
            fail_msg("row %zu: outcome %d failure %d", i, answer->outcome, answer->failure);
        }
        bool open = rows[i].outcome == SOURCE_OPEN;
        assert_int_equal(setting.home.inquiries[0]->ask_again_ms, open ? noon_ms + rows[i].opens_in_ms : 0);
        assert_int_equal(answer->failure, rows[i].outcome == SOURCE_MANUAL ? SOURCE_CLOSED : SOURCE_FAILURE_NONE);
        assert_int_equal(scripted_requests(setting.server), rows[i].outcome == SOURCE_PASS ? 1 : 0);
        assert_int_equal(stats_of(&setting).closed, rows[i].outcome == SOURCE_PASS ? 0 : 1);
        tear_down(&setting);
    }
}

/* The first of two who ask the same gets the answer from the authority, the second from the first. */
static void an_answer_serves_another_case(void **state)
{
    (void)state;
    static const struct {
        bool cache;
        unsigned reuse_days;
        enum action action;
        bool reused;
    } rows[] = {
        {true, 31, ACT_GOOD, true},      {false, 31, ACT_GOOD, false},     {true, 0, ACT_GOOD, false},
        {true, 31, ACT_MISMATCH, false}, {true, 31, ACT_NO_RECORD, false}, {true, 1, ACT_GOOD, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct setting setting;
        set_up(&setting, (enum action[]){rows[i].action, rows[i].action, ACT_END});
        setting.authority.cache = rows[i].cache;
        start(&setting);
        for (size_t j = 0; j < 2; j++) {
            struct source_inquiry *inquiry = make_question(&setting.home, SOURCE_IDENTITY);
            inquiry->questions[0].reuse_days = rows[i].reuse_days;
            ask(setting.source, inquiry);
            wait_for(&setting.home, j + 1);
        }
        const struct source_answer *first = first_answer(&setting.home, 0);
        const struct source_answer *second = first_answer(&setting.home, 1);
        assert_int_equal(scripted_requests(setting.server), rows[i].reused ? 1 : 2);
        assert_int_equal(stats_of(&setting).reused, rows[i].reused ? 1 : 0);
        assert_int_equal(first->outcome, second->outcome);
        assert_int_equal(second->attempts, rows[i].reused ? 0 : 1);
        if (rows[i].reused) {
            assert_string_equal(first->receipt, second->receipt);
            assert_string_equal(first->authority, second->authority);
            assert_int_equal(first->observed_ms, second->observed_ms);
        }
        tear_down(&setting);
    }
}

/* An authority's own pause, by chance between half and whole. */
static void an_authority_is_given_time(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_500, ACT_GOOD, ACT_END});
    setting.authority.retry_ms = 400;
    start(&setting);
    int64_t began_ms = now_ms();
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_PASS);
    assert_true(now_ms() - began_ms >= 200);
    tear_down(&setting);
}

/* Configured, not coded: the path and the places of a request on the wire. */
static void an_authority_is_asked_in_its_own_words(void **state)
{
    (void)state;
    struct setting setting;
    struct source_item_mapping own = {.item = SOURCE_IDENTITY};
    source_mapping_default(&own.mapping, source_item_row(SOURCE_IDENTITY));
    own.mapping.path = "/rk/sfhc";
    own.mapping.values[SOURCE_VALUE_NAME] = "data.xm";
    own.mapping.values[SOURCE_VALUE_ID_NUMBER] = "data.sfzh";
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    setting.authority.mappings = &own;
    setting.authority.mapping_count = 1;
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_PASS);
    assert_int_equal(strncmp(scripted_last_head(setting.server), "POST /rk/sfhc HTTP/1.1\r\n", 24), 0);
    assert_non_null(
        strstr(scripted_last_body(setting.server), "\"data\":{\"xm\":\"测试甲\",\"sfzh\":\"990101199603150019\"}"));
    tear_down(&setting);
}

/* -- Breaker and bulkhead ------------------------------------------------------------------------------------ */

static void the_breaker_opens_and_recovers(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_500, ACT_500, ACT_500, ACT_GOOD, ACT_END});
    setting.authority.attempts = 1;
    setting.authority.breaker_failures = 3;
    setting.authority.breaker_open_ms = 500;
    start(&setting);
    for (size_t i = 1; i <= 3; i++) {
        assert_false(stats_of(&setting).breaker_open);
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
        wait_for(&setting.home, i);
    }
    assert_true(stats_of(&setting).breaker_open);
    int64_t began_ms = now_ms();
    for (size_t i = 0; i < 10; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    wait_for(&setting.home, 13);
    assert_true(now_ms() - began_ms >= 250); /* they waited instead of failing */
    for (size_t i = 3; i < 13; i++) {
        assert_int_equal(first_answer(&setting.home, i)->outcome, SOURCE_PASS);
    }
    assert_false(stats_of(&setting).breaker_open);
    assert_int_equal(stats_of(&setting).breaker_opened, 1);
    assert_int_equal(scripted_requests(setting.server), 13);
    tear_down(&setting);
}

/* Covers: COL-VER-008 */
static void a_long_outage_goes_to_officers(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_500, ACT_END});
    setting.authority.attempts = 1;
    setting.authority.breaker_failures = 1;
    setting.authority.breaker_open_ms = 60 * 1000;
    setting.options.deadline_ms = 300;
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    for (size_t i = 0; i < 20; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    wait_for(&setting.home, 21);
    for (size_t i = 1; i < 21; i++) {
        assert_int_equal(first_answer(&setting.home, i)->outcome, SOURCE_MANUAL);
        assert_int_equal(first_answer(&setting.home, i)->failure, SOURCE_UNREACHABLE);
        assert_int_equal(first_answer(&setting.home, i)->attempts, 0);
    }
    assert_int_equal(scripted_requests(setting.server), 1);
    tear_down(&setting);
}

static void one_probe_at_a_time(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_500, ACT_END});
    setting.authority.attempts = 1;
    setting.authority.breaker_failures = 1;
    setting.authority.breaker_open_ms = 100;
    setting.options.deadline_ms = 1000;
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    for (size_t i = 0; i < 200; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    wait_for(&setting.home, 201);
    assert_in_range(scripted_requests(setting.server), 3, 12); /* one each 100 ms of a second */
    assert_int_equal(scripted_open_max(setting.server), 1);
    assert_int_equal(stats_of(&setting).breaker_opened, 1);
    tear_down(&setting);
}

static void a_slow_authority_holds_up_only_its_own(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_HANG, ACT_END});
    struct scripted *good = scripted_start((enum action[]){ACT_GOOD, ACT_END});
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%u", scripted_port(good));
    struct source_authority_options both[2] = {setting.authority, setting.authority};
    both[0].items = SOURCE_ITEM_BIT(SOURCE_FRAUD_LIST);
    both[0].timeout_ms = 3000;
    both[0].in_flight_max = 4;
    both[1].base_url = url;
    setting.options.authorities = both;
    setting.options.authority_count = 2;
    setting.options.deadline_ms = 10000;
    start(&setting);
    for (size_t i = 0; i < 50; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_FRAUD_LIST));
    }
    int64_t began_ms = now_ms();
    for (size_t i = 0; i < 50; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    wait_for(&setting.home, 50);
    assert_in_range(now_ms() - began_ms, 0, 2500);
    for (size_t i = 0; i < 50; i++) {
        assert_int_equal(setting.home.inquiries[i]->questions[0].item, SOURCE_IDENTITY);
        assert_int_equal(first_answer(&setting.home, i)->outcome, SOURCE_PASS);
    }
    assert_in_range(scripted_requests(setting.server), 1, 4);
    tear_down(&setting);
    scripted_stop(good);
}

static void the_total_limit_holds(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_HANG, ACT_HANG, ACT_HANG, ACT_GOOD, ACT_END});
    setting.options.in_flight_max = 2;
    start(&setting);
    for (size_t i = 0; i < 30; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    wait_for(&setting.home, 30);
    for (size_t i = 0; i < 30; i++) {
        assert_int_equal(first_answer(&setting.home, i)->outcome, SOURCE_PASS);
    }
    assert_in_range(scripted_open_max(setting.server), 1, 2 + 3); /* a hung one ends at the server a moment later */
    tear_down(&setting);
}

/* -- Limits, stopping ---------------------------------------------------------------------------------------- */

static void too_many_inquiries_are_refused(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_HANG, ACT_END});
    setting.authority.timeout_ms = 20000;
    setting.options.deadline_ms = 20000;
    setting.options.inquiries_max = 4;
    start(&setting);
    for (size_t i = 0; i < 4; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    struct source_inquiry *fifth = make_question(&setting.home, SOURCE_IDENTITY);
    assert_int_equal(source_ask(setting.source, fifth).reason, CL_OVERLOADED);
    source_inquiry_free(fifth);
    tear_down(&setting);
    assert_int_equal(setting.home.count, 4);
}

static void stopping_hands_everything_back(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_HANG, ACT_END});
    setting.authority.timeout_ms = 20000;
    setting.authority.in_flight_max = 8;
    setting.options.deadline_ms = 20000;
    start(&setting);
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    wait_for(&setting.home, 1);
    for (size_t i = 0; i < 100; i++) {
        ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    }
    int64_t began_ms = now_ms();
    source_stop(setting.source);
    assert_in_range(now_ms() - began_ms, 0, 2000);
    assert_int_equal(setting.home.count, 101);
    assert_false(setting.home.inquiries[0]->stopped);
    for (size_t i = 1; i < 101; i++) {
        assert_true(setting.home.inquiries[i]->stopped);
        assert_int_equal(first_answer(&setting.home, i)->outcome, SOURCE_MANUAL);
        assert_int_equal(first_answer(&setting.home, i)->failure, SOURCE_UNREACHABLE);
    }
    struct source_inquiry *late = make_question(&setting.home, SOURCE_IDENTITY);
    assert_int_equal(source_ask(setting.source, late).reason, CL_SHUTTING_DOWN);
    source_inquiry_free(late);
    source_free(setting.source);
    scripted_stop(setting.server);
    home_close(&setting.home);
}

static void stopping_before_the_start(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    assert_true(cl_is_ok(source_create(&setting.source, &setting.options)));
    ask(setting.source, make_question(&setting.home, SOURCE_IDENTITY));
    tear_down(&setting);
}

static void ask_again(struct source_inquiry *inquiry)
{
    struct setting *setting = inquiry->user;
    inquiry->answered = answered;
    inquiry->user = &setting->home;
    ask(setting->source, inquiry);
}

static void the_callback_may_ask(void **state)
{
    (void)state;
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    setting.options.inquiries_max = 1; /* the place is free again before the callback runs */
    start(&setting);
    struct source_inquiry *inquiry = make_question(&setting.home, SOURCE_IDENTITY);
    inquiry->answered = ask_again;
    inquiry->user = &setting;
    ask(setting.source, inquiry);
    wait_for(&setting.home, 1);
    assert_int_equal(first_answer(&setting.home, 0)->outcome, SOURCE_PASS);
    assert_int_equal(scripted_requests(setting.server), 2);
    tear_down(&setting);
}

static void what_cannot_be_asked_is_manual(void **state)
{
    (void)state;
    static const char not_utf8[] = "\xff\xfe";
    struct setting setting;
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    setting.authority.items |= SOURCE_ITEM_BIT(SOURCE_CREDIT_FUND);
    start(&setting);
    struct source_inquiry *inquiry = make_question(&setting.home, SOURCE_IDENTITY);
    assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_CREDIT_FUND, 0, 0)));
    assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_MARRIAGE, 0, 0))); /* nobody serves it */
    inquiry->persons[0].credit_authorisation[0] = '\0';
    memcpy(inquiry->persons[0].name, not_utf8, sizeof not_utf8);
    ask(setting.source, inquiry);
    wait_for(&setting.home, 1);
    static const enum source_failure failures[] = {SOURCE_AMBIGUOUS, SOURCE_AMBIGUOUS, SOURCE_UNREACHABLE};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(inquiry->questions[i].answer.outcome, SOURCE_MANUAL);
        assert_int_equal(inquiry->questions[i].answer.failure, failures[i]);
        assert_int_equal(inquiry->questions[i].answer.attempts, 0);
    }
    assert_string_equal(inquiry->questions[2].answer.authority, "");
    assert_int_equal(scripted_requests(setting.server), 0);
    tear_down(&setting);
}

static void inquiries_are_checked(void **state)
{
    (void)state;
    struct setting setting;
    struct source_inquiry *inquiry = NULL;
    char text[4];
    assert_int_equal(source_inquiry_create(&inquiry, CL_ITEM_RESULTS_MAX + 1).reason, CL_MEMORY_LIMIT);
    assert_int_equal(source_text(text, sizeof text, "abcd", 4).reason, CL_FIELD_INVALID);
    assert_int_equal(source_text(text, sizeof text, "a\0b", 3).reason, CL_FIELD_INVALID);
    assert_string_equal(text, "");
    assert_true(cl_is_ok(source_text(text, sizeof text, "abc", 3)));

    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    start(&setting);
    inquiry = make_inquiry(&setting.home);
    assert_int_equal(source_ask(setting.source, inquiry).reason, CL_FIELD_INVALID); /* no question */
    assert_int_equal(source_inquiry_add(inquiry, (enum source_item)13, 0, 0).reason, CL_FIELD_INVALID);
    assert_int_equal(source_inquiry_add(inquiry, SOURCE_IDENTITY, 1, 0).reason, CL_FIELD_INVALID);
    assert_int_equal(source_inquiry_add(inquiry, SOURCE_IDENTITY, 0, -1).reason, CL_FIELD_INVALID);
    assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_HOME_COUNT, 3, 0))); /* of the case: no person */
    assert_int_equal(inquiry->questions[0].person, 0);
    while (inquiry->question_count < inquiry->question_max) {
        assert_true(cl_is_ok(source_inquiry_add(inquiry, SOURCE_IDENTITY, 0, 0)));
    }
    assert_int_equal(source_inquiry_add(inquiry, SOURCE_IDENTITY, 0, 0).reason, CL_FIELD_INVALID);
    inquiry->answered = NULL;
    assert_int_equal(source_ask(setting.source, inquiry).reason, CL_FIELD_INVALID);
    source_inquiry_free(inquiry);
    source_inquiry_free(NULL);
    tear_down(&setting);
}

static void options_are_checked(void **state)
{
    (void)state;
    const struct source_authority_options good = {
        .name = "a", .base_url = "https://authority.example/gateway", .items = SOURCE_ITEM_BIT(SOURCE_IDENTITY)};
    struct row {
        const char *name;
        struct source_authority_options authority;
        enum cl_reason reason;
    } rows[] = {{"good", good, CL_OK}};
    struct row bad[] = {
        {"no name", good, CL_CONFIG_INVALID},      {"name in capitals", good, CL_CONFIG_INVALID},
        {"no url", good, CL_CONFIG_INVALID},       {"trailing slash", good, CL_CONFIG_INVALID},
        {"ftp", good, CL_CONFIG_INVALID},          {"user in url", good, CL_CONFIG_INVALID},
        {"query", good, CL_CONFIG_INVALID},        {"no items", good, CL_CONFIG_INVALID},
        {"a local item", good, CL_CONFIG_INVALID}, {"token with newline", good, CL_CONFIG_INVALID},
        {"attempts", good, CL_CONFIG_INVALID},     {"time-out", good, CL_CONFIG_INVALID},
        {"in flight", good, CL_CONFIG_INVALID},    {"not a url", good, CL_CONFIG_INVALID},
        {"retry", good, CL_CONFIG_INVALID},        {"wait for opening", good, CL_CONFIG_INVALID},
        {"half a pair", good, CL_CONFIG_INVALID},  {"hours without days", good, CL_CONFIG_INVALID},
    };
    bad[0].authority.name = NULL;
    bad[1].authority.name = "Authority";
    bad[2].authority.base_url = NULL;
    bad[3].authority.base_url = "https://authority.example/";
    bad[4].authority.base_url = "ftp://authority.example";
    bad[5].authority.base_url = "https://user:secret@authority.example";
    bad[6].authority.base_url = "https://authority.example/?a=b";
    bad[7].authority.items = 0;
    bad[8].authority.items = SOURCE_ITEM_BIT(13);
    bad[9].authority.bearer_token = "a\r\nX-Evil: 1";
    bad[10].authority.attempts = 11;
    bad[11].authority.timeout_ms = -1;
    bad[12].authority.in_flight_max = 257;
    bad[13].authority.base_url = "authority";
    bad[14].authority.retry_ms = 60001;
    bad[15].authority.closed_wait_ms = -1;
    bad[16].authority.client_certificate = "client.pem";
    bad[17].authority.hours.opens_minute = 480;
    for (size_t i = 0; i < 1 + sizeof bad / sizeof bad[0]; i++) {
        const struct row *row = i == 0 ? &rows[0] : &bad[i - 1];
        struct source *source = NULL;
        struct cl_status status =
            source_create(&source, &(struct source_options){.authorities = &row->authority, .authority_count = 1});
        if (status.reason != row->reason) {
            fail_msg("%s: %s", row->name, cl_status_name(status));
        }
        source_free(source);
    }
    const struct source_authority_options twice[] = {good, good};
    struct source *source = NULL;
    struct source_options options = {.authorities = twice, .authority_count = 2};
    assert_int_equal(source_create(&source, &options).reason, CL_CONFIG_INVALID);
    options.authority_count = 0;
    assert_int_equal(source_create(&source, &options).reason, CL_CONFIG_INVALID);
    assert_null(source);
}

/* -- Against the simulator ----------------------------------------------------------------------------------- */

static const uint32_t all_items = SOURCE_ITEM_BIT(SOURCE_IDENTITY) | SOURCE_ITEM_BIT(SOURCE_MARRIAGE) |
                                  SOURCE_ITEM_BIT(SOURCE_CHILDREN) | SOURCE_ITEM_BIT(SOURCE_CONTRIBUTION) |
                                  SOURCE_ITEM_BIT(SOURCE_LOAN_HISTORY) | SOURCE_ITEM_BIT(SOURCE_FRAUD_LIST) |
                                  SOURCE_ITEM_BIT(SOURCE_CREDIT_FUND) | SOURCE_ITEM_BIT(SOURCE_HOME_COUNT) |
                                  SOURCE_ITEM_BIT(SOURCE_HOME_CONTRACT) | SOURCE_ITEM_BIT(SOURCE_GREEN_BUILDING);

static void add_all(struct source_inquiry *inquiry)
{
    for (int item = 0; item < 32; item++) {
        if ((all_items >> item & 1) != 0) {
            assert_true(cl_is_ok(source_inquiry_add(inquiry, (enum source_item)item, 0, 0)));
        }
    }
}

static void a_thousand_inquiries(void **state)
{
    (void)state;
    enum { INQUIRIES = 1000 };
    struct people *people = NULL;
    struct sandbox_problem problem;
    struct authorities *authorities = NULL;
    struct setting setting;
    assert_true(cl_is_ok(people_load(&people, COLOAN_SOURCE_DIR "/sandbox/personas.yaml", &problem)));
    assert_true(cl_is_ok(authorities_start(&authorities, people, &(struct authorities_options){.delay_ms = 5})));
    set_up(&setting, (enum action[]){ACT_GOOD, ACT_END});
    (void)snprintf(setting.url, sizeof setting.url, "http://127.0.0.1:%u", authorities_port(authorities));
    setting.authority.items = all_items;
    setting.authority.in_flight_max = 64;
    setting.authority.timeout_ms = 10000;
    setting.options.deadline_ms = 30000;
    setting.options.wait_ms_max = 60000;
    start(&setting);
    int64_t began_ms = now_ms();
    for (size_t i = 0; i < INQUIRIES; i++) {
        struct source_inquiry *inquiry = make_inquiry(&setting.home);
        add_all(inquiry);
        ask(setting.source, inquiry);
    }
    wait_for(&setting.home, INQUIRIES);
    int64_t took_ms = now_ms() - began_ms;
    for (size_t i = 0; i < INQUIRIES; i++) {
        const struct source_inquiry *inquiry = setting.home.inquiries[i];
        for (size_t j = 0; j < inquiry->question_count; j++) {
            assert_int_equal(inquiry->questions[j].answer.outcome, SOURCE_PASS);
        }
    }
    assert_int_equal(stats_of(&setting).retries, 0);
    print_message("%d inquiries, %d questions in %lld ms: %lld questions/s\n", INQUIRIES, INQUIRIES * 10,
                  (long long)took_ms, (long long)INQUIRIES * 10 * 1000 / (long long)(took_ms + 1));
    tear_down(&setting);
    authorities_stop(authorities);
    people_free(people);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_and_failure),
        cmocka_unit_test(a_good_answer_is_whole),
        cmocka_unit_test(connections_are_kept),
        cmocka_unit_test(the_environment_names_no_proxy),
        cmocka_unit_test(a_refused_connection_is_unreachable),
        cmocka_unit_test(retry_after_is_kept),
        cmocka_unit_test(the_deadline_ends_the_attempts),
        cmocka_unit_test(certificates_are_checked),
        cmocka_unit_test(our_certificate_is_shown),
        cmocka_unit_test(a_closed_authority_is_asked_when_it_opens),
        cmocka_unit_test(an_answer_serves_another_case),
        cmocka_unit_test(an_authority_is_given_time),
        cmocka_unit_test(an_authority_is_asked_in_its_own_words),
        cmocka_unit_test(the_breaker_opens_and_recovers),
        cmocka_unit_test(a_long_outage_goes_to_officers),
        cmocka_unit_test(one_probe_at_a_time),
        cmocka_unit_test(a_slow_authority_holds_up_only_its_own),
        cmocka_unit_test(the_total_limit_holds),
        cmocka_unit_test(too_many_inquiries_are_refused),
        cmocka_unit_test(stopping_hands_everything_back),
        cmocka_unit_test(stopping_before_the_start),
        cmocka_unit_test(the_callback_may_ask),
        cmocka_unit_test(what_cannot_be_asked_is_manual),
        cmocka_unit_test(inquiries_are_checked),
        cmocka_unit_test(options_are_checked),
        cmocka_unit_test(a_thousand_inquiries),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
