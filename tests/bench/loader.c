/* loader - a load of echoes; the client of bench_gate.
 *
 *   loader <port> <folder with ca.pem, alpha.pem, alpha.key> <connections> <calls at once on each> <ms> [calls/s]
 *
 * Prints one line: calls/s, the median and the 99th percentile of the time of a call in us, failed calls. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/bench/load.h"

enum { MESSAGE_BYTES = 300 };

int main(int argc, char **argv)
{
    static uint8_t message[MESSAGE_BYTES];
    char ca[256];
    char certificate[256];
    char key[256];
    int connections = argc > 5 ? atoi(argv[3]) : 0;
    int at_once = argc > 5 ? atoi(argv[4]) : 0;
    int64_t ms = argc > 5 ? atoll(argv[5]) : 0;
    if (connections < 1 || connections > LOAD_CONNECTIONS_MAX || at_once < 1 || at_once > LOAD_STREAMS_MAX || ms < 1) {
        (void)fprintf(stderr, "usage: loader port folder connections calls-at-once ms [calls/s]\n");
        return 2;
    }
    (void)snprintf(ca, sizeof ca, "%s/ca.pem", argv[2]);
    (void)snprintf(certificate, sizeof certificate, "%s/alpha.pem", argv[2]);
    (void)snprintf(key, sizeof key, "%s/alpha.key", argv[2]);
    const struct load_peer peer = {
        .port = (uint16_t)atoi(argv[1]), .ca_path = ca, .certificate_path = certificate, .key_path = key};
    const struct cl_bytes request = cl_bytes(message, sizeof message);
    const struct load_plan plan = {.path = "/test.Echo/Unary",
                                   .requests = &request,
                                   .request_count = 1,
                                   .again = true,
                                   .at_once = (unsigned)at_once,
                                   .ms = ms,
                                   .calls_per_s = argc > 6 ? atoll(argv[6]) : 0};
    struct load *load = NULL;
    struct load_result result;
    load_open(&load, &peer, (unsigned)connections);
    load_run(&result, load, &plan);
    load_close(load);
    (void)printf("%.0f %u %u %llu\n", result.calls_per_s, result.p50_us, result.p99_us,
                 (unsigned long long)result.failed);
    return 0;
}
