/* peers: numbers, rest, caps, marks; with time handed in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "server/gate/peers.h"

enum { KEYS = 100, PER_PARTY = 2, UNTIL_MS = 1000000 };

static struct peers *peers;

static int create(void **state)
{
    (void)state;
    return cl_is_ok(peers_create(&peers, KEYS, PER_PARTY)) ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    peers_free(peers);
    return 0;
}

static struct identity identity_of(const char *party)
{
    struct identity identity = {.not_after_ms = UNTIL_MS};
    memcpy(identity.party, party, strlen(party) + 1);
    memset(identity.certificate.bytes, party[5], sizeof identity.certificate.bytes);
    return identity;
}

static struct peer *publish(int key, const char *party, uint64_t connection)
{
    struct peer *peer = NULL;
    struct identity identity = identity_of(party);
    assert_true(cl_is_ok(peers_publish(peers, &peer, key, &identity, connection)));
    return peer;
}

static enum cl_reason find(int key, int64_t unix_ms)
{
    struct gate_peer found;
    return peers_find(peers, &found, key, unix_ms).reason;
}

static void who_is_published_is_found(void **state)
{
    (void)state;
    struct peer *alpha = publish(50, "bank:alpha", 7);
    struct peer *beta = publish(51, "bank:beta", 8);
    struct gate_peer found;
    assert_true(cl_is_ok(peers_find(peers, &found, 50, 0)));
    assert_string_equal(found.party, "bank:alpha");
    assert_int_equal(found.connection, 7);
    assert_int_equal(found.certificate.bytes[31], 'a');
    assert_true(cl_is_ok(peers_find(peers, &found, 51, 0)));
    assert_string_equal(found.party, "bank:beta");
    static const int others[] = {-1, 0, 49, 52, KEYS - 1, KEYS, 1 << 30};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_int_equal(find(others[i], 0), CL_PEER_UNKNOWN);
    }
    peers_close(peers, alpha, 0);
    peers_close(peers, beta, 0);
}

static void a_certificate_is_good_until_its_last_moment(void **state)
{
    (void)state;
    struct peer *alpha = publish(50, "bank:alpha", 7);
    assert_int_equal(find(50, UNTIL_MS), CL_OK);
    assert_int_equal(find(50, UNTIL_MS + 1), CL_CERTIFICATE_EXPIRED);
    peers_close(peers, alpha, 0);
    assert_int_equal(find(50, 0), CL_PEER_UNKNOWN);
}

static void a_number_rests_before_it_is_given_again(void **state)
{
    (void)state;
    assert_true(peers_is_free(peers, 50, 0));
    assert_false(peers_is_free(peers, KEYS, 0));
    assert_false(peers_is_free(peers, -1, 0));
    struct peer *alpha = publish(50, "bank:alpha", 7);
    assert_false(peers_is_free(peers, 50, 10 * PEERS_REST_MS)); /* open */
    peers_close(peers, alpha, 1000);
    assert_false(peers_is_free(peers, 50, 1000 + PEERS_REST_MS - 1));
    assert_true(peers_is_free(peers, 50, 1000 + PEERS_REST_MS));
    struct peer *beta = publish(50, "bank:beta", 8);
    struct gate_peer found;
    assert_true(cl_is_ok(peers_find(peers, &found, 50, 0)));
    assert_string_equal(found.party, "bank:beta");
    peers_close(peers, beta, 0);
}

static void a_party_has_its_cap_and_others_theirs(void **state)
{
    (void)state;
    struct identity identity = identity_of("bank:alpha");
    struct peer *first = publish(50, "bank:alpha", 1);
    struct peer *second = publish(51, "bank:alpha", 2);
    struct peer *third = NULL;
    assert_int_equal(peers_publish(peers, &third, 52, &identity, 3).reason, CL_OVERLOADED);
    assert_null(third);
    assert_int_equal(find(52, 0), CL_PEER_UNKNOWN);
    assert_true(peers_is_free(peers, 52, 0));
    struct peer *beta = publish(52, "bank:beta", 4);
    peers_close(peers, first, 0);
    third = publish(53, "bank:alpha", 5);
    peers_close(peers, second, 0);
    peers_close(peers, third, 0);
    peers_close(peers, beta, 0);
}

static void a_disconnected_party_is_unknown_and_marked_once(void **state)
{
    (void)state;
    struct peer *alpha = publish(50, "bank:alpha", 1);
    struct peer *more = publish(51, "bank:alpha", 2);
    struct peer *beta = publish(52, "bank:beta", 3);
    int64_t marked_ms = 0;
    assert_int_equal(peers_disconnect(peers, "bank:alph", 500), 0);
    assert_int_equal(peers_disconnect(peers, "bank:alpha", 500), 2);
    assert_int_equal(peers_disconnect(peers, "bank:alpha", 900), 0);
    assert_int_equal(find(50, 0), CL_PEER_UNKNOWN);
    assert_int_equal(find(51, 0), CL_PEER_UNKNOWN);
    assert_int_equal(find(52, 0), CL_OK);
    assert_int_equal(peers_state(peers, alpha, &marked_ms), PEER_DISCONNECTED);
    assert_int_equal(marked_ms, 500);
    assert_int_equal(peers_state(peers, beta, &marked_ms), PEER_LIVE);
    char name[CL_PARTY_BYTES_MAX + 1];
    peers_name(peers, beta, name);
    assert_string_equal(name, "bank:beta");
    peers_close(peers, beta, 0);
    peers_close(peers, alpha, 0);
    peers_close(peers, more, 0);
}

#define WITH_PEERS(test) cmocka_unit_test_setup_teardown(test, create, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_PEERS(who_is_published_is_found),
        WITH_PEERS(a_certificate_is_good_until_its_last_moment),
        WITH_PEERS(a_number_rests_before_it_is_given_again),
        WITH_PEERS(a_party_has_its_cap_and_others_theirs),
        WITH_PEERS(a_disconnected_party_is_unknown_and_marked_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
