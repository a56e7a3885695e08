/* wires: what epoll may answer about one socket, and the transfers beside it. The linker hands epoll's calls by here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>

#include "server/source/wires.h"
#include "tests/server/source/scripted.h"

enum { TRANSFERS = 3, TIMEOUT_MS = 500, TURNS_MAX = 2000, TURN_MS = 5 };

/* -- epoll ---------------------------------------------------------------------------------------------------- */

enum trouble { NONE, KNOWN_ALREADY, FORGOTTEN, NO_ROOM };

static enum trouble trouble; /* of the next call that may have it */

int __real_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event);

int __wrap_epoll_ctl(int epoll, int what, int fd, struct epoll_event *event)
{
    if (trouble == KNOWN_ALREADY && what == EPOLL_CTL_ADD) {
        trouble = NONE;
        (void)__real_epoll_ctl(epoll, EPOLL_CTL_ADD, fd, event);
    } else if (trouble == FORGOTTEN && what == EPOLL_CTL_MOD) {
        trouble = NONE;
        (void)__real_epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
    } else if (trouble == NO_ROOM && what == EPOLL_CTL_ADD) {
        trouble = NONE;
        errno = ENOSPC;
        return -1;
    }
    return __real_epoll_ctl(epoll, what, fd, event);
}

/* -- Transfers ------------------------------------------------------------------------------------------------ */

static size_t drop(char *data, size_t size, size_t count, void *user)
{
    (void)data;
    (void)user;
    return size * count;
}

static CURL *begin(struct wires *wires, const char *url)
{
    CURL *easy = curl_easy_init();
    assert_non_null(easy);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_URL, url), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "{}"), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS), CURLE_OK);
    assert_int_equal(curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop), CURLE_OK);
    assert_int_equal(curl_multi_add_handle(wires_multi(wires), easy), CURLM_OK);
    return easy;
}

/* How many transfers came to a good end; all came to one. */
static unsigned finish(struct wires *wires)
{
    unsigned good = 0;
    unsigned ended = 0;
    for (int turn = 0; ended < TRANSFERS && turn < TURNS_MAX; turn++) {
        int left = 0;
        wires_turn(wires, TURN_MS);
        for (CURLMsg *message = NULL; (message = curl_multi_info_read(wires_multi(wires), &left)) != NULL; ended++) {
            CURL *easy = message->easy_handle;
            good += message->data.result == CURLE_OK;
            (void)curl_multi_remove_handle(wires_multi(wires), easy);
            curl_easy_cleanup(easy);
        }
    }
    assert_int_equal(ended, TRANSFERS);
    return good;
}

static void test_trouble_with_one_socket_is_not_the_others(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum trouble trouble;
        unsigned good_min;
    } rows[] = {
        {"none", NONE, TRANSFERS},
        {"a socket that it knows already", KNOWN_ALREADY, TRANSFERS},
        {"a socket that it has forgotten", FORGOTTEN, TRANSFERS},
        {"no room for one", NO_ROOM, TRANSFERS - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char url[64];
        struct wires *wires = NULL;
        struct scripted *server = scripted_start((const enum action[]){ACT_GOOD, ACT_END});
        (void)snprintf(url, sizeof url, "http://127.0.0.1:%u/", scripted_port(server));
        assert_true(cl_is_ok(wires_create(&wires, TRANSFERS)));
        trouble = rows[i].trouble;
        for (int transfer = 0; transfer < TRANSFERS; transfer++) {
            (void)begin(wires, url);
        }
        unsigned good = finish(wires);
        if (good < rows[i].good_min || trouble != NONE) {
            fail_msg("%s: %u of %d transfers; %s", rows[i].name, good, (int)TRANSFERS,
                     trouble == NONE ? "met" : "never met");
        }
        wires_free(wires);
        scripted_stop(server);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_trouble_with_one_socket_is_not_the_others),
    };
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
