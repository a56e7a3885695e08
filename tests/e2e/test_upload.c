/* Documents over real TLS: uploaded whole, cut and gone on with, by two at once, and everything that is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <pthread.h>
#include <sys/stat.h>

#include "libcoloan/refusal.h"
#include "libcoloan/sha256.h"
#include "tests/e2e/world.h"

#define METHOD "coloan.v1.JointApproval/UploadDocument"

enum {
    ARENA_BYTES = 64 * 1024 * 1024,
    WAIT_MS = 20000,
    CHUNK = CL_DOCUMENT_CHUNK_BYTES,
    LARGE = 5 * CHUNK + 1234,
    DOCUMENTS = 20,
};

static struct world world;
static struct cl_session *alpha, *beta, *channel, *officer;
static struct cl_arena *arena;
static uint8_t large[LARGE], other[LARGE];

/* -- Documents ----------------------------------------------------------------------------------------------- */

static void fill(uint8_t *out, size_t len, const char *word)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)word[i % strlen(word)];
    }
}

struct source {
    struct cl_upload upload;
    struct cl_bytes bytes;
    int64_t first_read; /* -1: none */
    unsigned reads;
};

static struct cl_status read_at(void *user, uint8_t *out, int64_t offset, size_t len)
{
    struct source *source = user;
    source->first_read = source->first_read < 0 ? offset : source->first_read;
    source->reads++;
    memcpy(out, source->bytes.data + offset, len);
    return cl_ok();
}

static void source_of(struct source *out, const char *application_id, struct cl_bytes bytes)
{
    *out = (struct source){.bytes = bytes, .first_read = -1};
    out->upload = (struct cl_upload){
        .application_id = application_id, .size_bytes = (int64_t)bytes.len, .read = read_at, .user = out};
    cl_sha256(&out->upload.sha256, bytes);
}

static const char *upload(struct cl_session *session, struct source *source)
{
    struct cl_answer answer;
    struct cl_arena *own = NULL;
    assert_true(cl_is_ok(cl_arena_create(&own, 1 << 20)));
    struct cl_status status =
        cl_session_upload(&answer, session, own, &source->upload, (struct cl_patience){.total_ms = WAIT_MS});
    if (cl_is_ok(status)) {
        const Coloan__V1__DocumentReceipt *receipt = (const Coloan__V1__DocumentReceipt *)answer.body;
        assert_true(receipt->complete);
        assert_string_equal(answer.opened.header->application_id, source->upload.application_id);
    }
    cl_arena_free(own);
    return cl_status_name(status);
}

/* An application with these documents; sizes are announced as they are. */
static const char *submit(struct cl_session *session, const char *persona, const char *reference,
                          const struct cl_bytes *documents, const int64_t *sizes, size_t count)
{
    struct world_submission submission;
    world_submission(&submission, arena, people_find(world.people, persona), WORLD_ALPHA, reference);
    Coloan__V1__DocumentRef *refs = cl_arena_array(arena, count + 1, sizeof *refs);
    Coloan__V1__DocumentRef **list = cl_arena_array(arena, count + 1, sizeof(void *));
    struct cl_digest *digests = cl_arena_array(arena, count + 1, sizeof *digests);
    assert_true(refs != NULL && list != NULL && digests != NULL);
    for (size_t i = 0; i < count; i++) {
        cl_sha256(&digests[i], documents[i]);
        coloan__v1__document_ref__init(&refs[i]);
        refs[i].kind = cl_arena_text(arena, "contract");
        refs[i].sha256 = (ProtobufCBinaryData){.data = digests[i].bytes, .len = CL_DIGEST_BYTES};
        refs[i].size_bytes = sizes == NULL ? (int64_t)documents[i].len : sizes[i];
        list[i] = &refs[i];
    }
    submission.application->documents = list;
    submission.application->n_documents = count;
    struct cl_session_call what = world_submit_call(&submission);
    struct cl_answer answer;
    struct cl_status status =
        cl_session_call(&answer, session, arena, &what, (struct cl_patience){.total_ms = WAIT_MS});
    assert_string_equal(cl_status_name(status), "OK");
    return ((const Coloan__V1__ApplicationReceipt *)answer.body)->application_id;
}

/* -- A stream by hand ---------------------------------------------------------------------------------------- */

static struct cl_rpc_client *client_of(struct cl_session *session)
{
    return world_raw_client(&world, session == alpha     ? "alpha"
                                    : session == beta    ? "beta"
                                    : session == channel ? "channel"
                                                         : "officer");
}

struct by_hand {
    struct cl_rpc_client *client;
    struct cl_rpc_stream *stream;
    struct cl_session *session;
};

static struct by_hand open_stream(struct cl_session *session)
{
    struct by_hand out = {.client = client_of(session), .session = session};
    assert_true(cl_is_ok(cl_rpc_stream_open(&out.stream, out.client, "/" METHOD, WAIT_MS)));
    return out;
}

static void close_stream(struct by_hand *by_hand)
{
    cl_rpc_stream_close(by_hand->stream);
    cl_rpc_client_free(by_hand->client);
}

static struct cl_bytes sealed_chunk(struct cl_session *session, const char *application_id,
                                    const Coloan__V1__DocumentChunk *chunk)
{
    struct cl_request request;
    assert_true(cl_is_ok(cl_session_prepare(&request, session, arena,
                                            &(struct cl_session_call){
                                                .method = METHOD,
                                                .body = &chunk->base,
                                                .reply_type = &coloan__v1__document_receipt__descriptor,
                                                .application_id = application_id,
                                            })));
    return request.envelope;
}

static Coloan__V1__DocumentChunk chunk_of(const struct source *source, int64_t offset)
{
    Coloan__V1__DocumentChunk chunk = COLOAN__V1__DOCUMENT_CHUNK__INIT;
    int64_t rest = source->upload.size_bytes - offset;
    size_t len = (size_t)(rest < CHUNK ? rest : CHUNK);
    chunk.sha256.data = cl_arena_copy(arena, cl_bytes(source->upload.sha256.bytes, CL_DIGEST_BYTES));
    chunk.sha256.len = CL_DIGEST_BYTES;
    chunk.size_bytes = source->upload.size_bytes;
    chunk.offset = offset;
    chunk.data.data = cl_arena_copy(arena, cl_bytes(source->bytes.data + offset, len));
    chunk.data.len = len;
    return chunk;
}

static void send(struct by_hand *by_hand, const char *application_id, const Coloan__V1__DocumentChunk *chunk)
{
    struct cl_status status =
        cl_rpc_stream_send(by_hand->stream, sealed_chunk(by_hand->session, application_id, chunk));
    assert_true(cl_is_ok(status) || status.reason == CL_CALL_CANCELLED); /* refused already: the end says why */
}

/* Ends the stream; "OK" and what is received, or the reason it was refused for, and its field. */
static const char *ending(struct by_hand *by_hand, int64_t *received_out, char *field_out)
{
    struct cl_rpc_buffer message = {.data = NULL};
    struct cl_rpc_buffer none;
    struct cl_rpc_result result;
    struct cl_refusal_read refusal = {.status = cl_ok()};
    struct cl_status status = cl_rpc_stream_half_close(by_hand->stream);
    assert_true(cl_is_ok(status) || status.reason == CL_CALL_CANCELLED);
    if (cl_rpc_stream_receive(by_hand->stream, WAIT_MS, &message) == CL_RPC_MESSAGE) {
        assert_int_equal(cl_rpc_stream_receive(by_hand->stream, WAIT_MS, &none), CL_RPC_OVER);
    }
    assert_true(cl_is_ok(cl_rpc_stream_outcome(by_hand->stream, &result)));
    if (result.code != CL_GRPC_OK) {
        assert_true(cl_is_ok(cl_refusal_read(&refusal, cl_bytes(result.details.data, result.details.len))));
        if (field_out != NULL) {
            (void)snprintf(field_out, CL_REFUSAL_FIELD_BYTES_MAX, "%s", refusal.field);
        }
    } else {
        struct cl_opened opened;
        ProtobufCMessage *body = NULL;
        struct cl_keyring *keyring = cl_session_keyring(alpha);
        assert_string_equal(
            cl_status_name(cl_envelope_verify(&opened, arena, cl_bytes(message.data, message.len), keyring)), "OK");
        cl_keyring_unref(keyring);
        assert_true(cl_is_ok(cl_opened_body(&body, arena, &opened)));
        if (received_out != NULL) {
            *received_out = ((const Coloan__V1__DocumentReceipt *)body)->received_bytes;
        }
    }
    free(message.data);
    cl_rpc_result_free(&result);
    close_stream(by_hand);
    return cl_status_name(refusal.status);
}

/* What the centre says it has. */
static int64_t ask(struct cl_session *session, const struct source *source)
{
    int64_t received = -1;
    struct by_hand by_hand = open_stream(session);
    Coloan__V1__DocumentChunk chunk = chunk_of(source, 0);
    chunk.data.len = 0;
    send(&by_hand, source->upload.application_id, &chunk);
    assert_string_equal(ending(&by_hand, &received, NULL), "OK");
    return received;
}

/* Whether the word stands in any file that the server wrote. */
static bool written(const char *word)
{
    bool found = false;
    DIR *folder = opendir(world.files.folder);
    assert_non_null(folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        struct stat about;
        const char *path = pki_files_path(&world.files, entry->d_name);
        if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) {
            continue;
        }
        FILE *file = fopen(path, "rb");
        char *bytes = malloc((size_t)about.st_size + 1);
        assert_true(file != NULL && bytes != NULL);
        size_t len = fread(bytes, 1, (size_t)about.st_size, file);
        found = found || memmem(bytes, len, word, strlen(word)) != NULL;
        free(bytes);
        (void)fclose(file);
    }
    (void)closedir(folder);
    return found;
}

/* -- Whole --------------------------------------------------------------------------------------------------- */

/* Covers: COL-DOC-002, COL-DOC-005, COL-DOC-007 */
static void test_documents_of_every_size(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    static const size_t sizes[] = {1, 63, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, LARGE};
    enum { COUNT = sizeof sizes / sizeof sizes[0] };
    struct cl_bytes documents[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        documents[i] = cl_bytes(large, sizes[i]);
    }
    const char *id = submit(alpha, "P01", "U-1", documents, NULL, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        struct source source;
        source_of(&source, id, documents[i]);
        assert_int_equal(ask(alpha, &source), 0);
        assert_string_equal(upload(alpha, &source), "OK");
        assert_int_equal(source.reads, (sizes[i] + CHUNK - 1) / CHUNK);
        assert_int_equal(ask(alpha, &source), (int64_t)sizes[i]);
        source.reads = 0;
        assert_string_equal(upload(alpha, &source), "OK"); /* it is there: nothing is sent */
        assert_int_equal(source.reads, 0);
    }
    struct source letter; /* of a consent: sandbox/submission.c makes it of these words */
    source_of(&letter, id, cl_bytes_text("letter of authorisation U-1-0-3"));
    assert_string_equal(upload(alpha, &letter), "OK");
    assert_true(written("UploadDocument") || !world_on_file(&world)); /* the receipts are in the log */
    assert_false(written("zwischendarlehen"));
    assert_false(written("letter of authorisation"));
}

/* -- Cut ----------------------------------------------------------------------------------------------------- */

/* Covers: COL-DOC-003, COL-DOC-005 */
static void test_a_cut_upload_goes_on(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_bytes document = cl_bytes(large, LARGE);
    const char *id = submit(channel, "P02", "U-2", &document, NULL, 1);
    struct source source;
    source_of(&source, id, document);
    struct by_hand by_hand = open_stream(channel);
    int64_t received = 0;
    for (int64_t offset = 0; offset < 2 * CHUNK; offset += CHUNK) {
        Coloan__V1__DocumentChunk chunk = chunk_of(&source, offset);
        send(&by_hand, id, &chunk);
    }
    assert_string_equal(ending(&by_hand, &received, NULL), "OK"); /* half-closed: the receipt says how much is here */
    assert_int_equal(received, 2 * CHUNK);

    by_hand = open_stream(channel);
    Coloan__V1__DocumentChunk third = chunk_of(&source, 2 * CHUNK);
    send(&by_hand, id, &third);
    for (int tries = 0; tries < 100 && ask(channel, &source) == 2 * CHUNK; tries++) {
    }
    close_stream(&by_hand); /* without a word */
    assert_int_equal(ask(channel, &source), 3 * CHUNK);

    cl_session_free(alpha);
    cl_session_free(beta);
    cl_session_free(channel);
    cl_session_free(officer);
    world_restart(&world);
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    assert_int_equal(ask(alpha, &source), 3 * CHUNK); /* the lending bank may, too */
    assert_string_equal(upload(alpha, &source), "OK");
    assert_int_equal(source.first_read, 3 * CHUNK);
    assert_int_equal(source.reads, 3);
}

struct race {
    struct cl_session *session;
    struct source source;
    const char *result;
};

static void *run_race(void *argument)
{
    struct race *race = argument;
    race->result = upload(race->session, &race->source);
    return NULL;
}

static void test_two_at_once_come_to_one_document(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_bytes document = cl_bytes(other, LARGE);
    const char *id = submit(channel, "P03", "U-3", &document, NULL, 1);
    struct race races[4];
    pthread_t threads[4];
    for (size_t i = 0; i < 4; i++) {
        races[i] = (struct race){.session = i % 2 == 0 ? channel : alpha};
        source_of(&races[i].source, id, document);
        races[i].source.upload.user = &races[i].source;
        assert_int_equal(pthread_create(&threads[i], NULL, run_race, &races[i]), 0);
    }
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_string_equal(races[i].result, "OK");
    }
}

/* -- Wrong --------------------------------------------------------------------------------------------------- */

/* All bytes come, one is wrong: they are dropped, and the right ones can be sent. Covers: COL-DOC-004 */
static void test_bytes_with_another_digest_are_dropped(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    static const size_t sizes[] = {100, LARGE};
    struct cl_bytes documents[2] = {cl_bytes(large, sizes[0]), cl_bytes(large, sizes[1])};
    const char *id = submit(alpha, "P04", "U-4", documents, NULL, 2);
    for (size_t i = 0; i < 2; i++) {
        struct source wrong;
        struct source right;
        source_of(&right, id, documents[i]);
        source_of(&wrong, id, documents[i]);
        uint8_t *spoilt = cl_arena_copy(arena, documents[i]);
        spoilt[sizes[i] - 1] ^= 1;
        wrong.bytes.data = spoilt;
        assert_string_equal(upload(alpha, &wrong), "DOCUMENT_DIGEST");
        assert_int_equal(ask(alpha, &right), 0);
        assert_string_equal(upload(alpha, &right), "OK");
        assert_string_equal(upload(alpha, &wrong), "OK"); /* it is there already: what else is offered does not count */
    }
}

/* Covers: COL-DOC-001, COL-DOC-002, COL-DOC-003 */
static void test_what_does_not_fit_is_refused(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    enum change {
        AS_IT_IS,
        NO_DIGEST,
        SHORT_DIGEST,
        UNKNOWN_DIGEST,
        NO_SIZE,
        HUGE,
        OTHER_SIZE,
        NEGATIVE,
        UNALIGNED,
        PAST_END,
        LESS_DATA,
        MORE_DATA,
        LATER,
        ASKS_AT_OFFSET
    };
    struct cl_bytes document = cl_bytes(large, LARGE);
    const char *id = submit(alpha, "P06", "U-5", &document, NULL, 1);
    const struct {
        const char *name;
        struct cl_session *session;
        const char *application_id;
        enum change change;
        const char *expected, *field;
    } rows[] = {
        {"no digest", alpha, id, NO_DIGEST, "FIELD_MISSING", "sha256"},
        {"a short digest", alpha, id, SHORT_DIGEST, "FIELD_INVALID", "sha256"},
        {"a digest nobody named", alpha, id, UNKNOWN_DIGEST, "DOCUMENT_UNKNOWN", "sha256"},
        {"no size", alpha, id, NO_SIZE, "FIELD_INVALID", "size_bytes"},
        {"more than 32 MiB", alpha, id, HUGE, "FIELD_INVALID", "size_bytes"},
        {"another size", alpha, id, OTHER_SIZE, "DOCUMENT_SIZE", "size_bytes"},
        {"before the start", alpha, id, NEGATIVE, "FIELD_INVALID", "offset"},
        {"not at a chunk's start", alpha, id, UNALIGNED, "FIELD_INVALID", "offset"},
        {"past the end", alpha, id, PAST_END, "FIELD_INVALID", "offset"},
        {"a question elsewhere", alpha, id, ASKS_AT_OFFSET, "FIELD_INVALID", "offset"},
        {"less than a chunk", alpha, id, LESS_DATA, "FIELD_INVALID", "data"},
        {"more than a chunk", alpha, id, MORE_DATA, "FIELD_INVALID", "data"},
        {"not the first chunk", alpha, id, LATER, "DOCUMENT_OFFSET", "offset"},
        {"another bank", beta, id, AS_IT_IS, "APPLICATION_UNKNOWN", ""},
        {"a channel that did not send it", channel, id, AS_IT_IS, "APPLICATION_UNKNOWN", ""},
        {"an officer", officer, id, AS_IT_IS, "CALLER_NOT_ALLOWED", ""},
        {"no application", alpha, NULL, AS_IT_IS, "HEADER_INCOMPLETE", ""},
        {"an unknown application", alpha, "01890a5d-ac96-774b-bcce-b302099a8057", AS_IT_IS, "APPLICATION_UNKNOWN", ""},
    };
    struct source source;
    source_of(&source, id, document);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Coloan__V1__DocumentChunk chunk = chunk_of(&source, rows[i].change == LATER ? CHUNK : 0);
        switch (rows[i].change) {
        case NO_DIGEST:
            chunk.sha256.len = 0;
            break;
        case SHORT_DIGEST:
            chunk.sha256.len = 31;
            break;
        case UNKNOWN_DIGEST:
            chunk.sha256.data[0] ^= 1;
            break;
        case NO_SIZE:
            chunk.size_bytes = 0;
            break;
        case HUGE:
            chunk.size_bytes = CL_DOCUMENT_BYTES_MAX + 1;
            break;
        case OTHER_SIZE:
            chunk.size_bytes++;
            break;
        case NEGATIVE:
            chunk.offset = -CHUNK;
            break;
        case UNALIGNED:
            chunk.offset = 1;
            break;
        case PAST_END:
            chunk.offset = 6 * CHUNK;
            break;
        case ASKS_AT_OFFSET:
            chunk.offset = CHUNK;
            chunk.data.len = 0;
            break;
        case LESS_DATA:
            chunk.data.len--;
            break;
        case MORE_DATA:
            chunk.data = (ProtobufCBinaryData){.data = large, .len = CHUNK + 1};
            break;
        case LATER:
        case AS_IT_IS:
            break;
        }
        char field[CL_REFUSAL_FIELD_BYTES_MAX] = "";
        struct by_hand by_hand = open_stream(rows[i].session);
        send(&by_hand, rows[i].application_id, &chunk);
        const char *got = ending(&by_hand, NULL, field);
        if (strcmp(got, rows[i].expected) != 0 || strcmp(field, rows[i].field) != 0) {
            fail_msg("%s: %s, %s", rows[i].name, got, field);
        }
        assert_int_equal(ask(alpha, &source), 0); /* nothing of it was kept */
    }
}

/* Within a stream: another document, another size, no data, not the next. Covers: COL-DOC-002, COL-DOC-003 */
static void test_a_stream_is_about_one_document(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    enum change { OTHER_DOCUMENT, OTHER_APPLICATION, OTHER_SIZE, NO_DATA, SAME_AGAIN, SKIPPED };
    struct cl_bytes documents[2] = {cl_bytes(large, LARGE), cl_bytes(other, LARGE)};
    const char *id = submit(alpha, "P09", "U-6", documents, NULL, 2);
    static const struct {
        enum change change;
        const char *expected, *field;
    } rows[] = {
        {OTHER_DOCUMENT, "FIELD_INVALID", "sha256"}, {OTHER_APPLICATION, "FIELD_INVALID", "sha256"},
        {OTHER_SIZE, "FIELD_INVALID", "size_bytes"}, {NO_DATA, "FIELD_MISSING", "data"},
        {SAME_AGAIN, "DOCUMENT_OFFSET", "offset"},   {SKIPPED, "DOCUMENT_OFFSET", "offset"},
    };
    struct source source;
    struct source second;
    source_of(&source, id, documents[0]);
    source_of(&second, id, documents[1]);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t here = ask(alpha, &source);
        struct by_hand by_hand = open_stream(alpha);
        Coloan__V1__DocumentChunk chunk = chunk_of(&source, here);
        send(&by_hand, id, &chunk);
        int64_t next = here + (rows[i].change == SAME_AGAIN ? 0 : rows[i].change == SKIPPED ? 2 * CHUNK : CHUNK);
        chunk = chunk_of(rows[i].change == OTHER_DOCUMENT ? &second : &source, next < LARGE ? next : here);
        chunk.size_bytes += rows[i].change == OTHER_SIZE ? 1 : 0;
        chunk.data.len = rows[i].change == NO_DATA ? 0 : chunk.data.len;
        chunk.offset = rows[i].change == NO_DATA ? 0 : chunk.offset;
        send(&by_hand, rows[i].change == OTHER_APPLICATION ? "01890a5d-ac96-774b-bcce-b302099a8057" : id, &chunk);
        char field[CL_REFUSAL_FIELD_BYTES_MAX] = "";
        const char *got = ending(&by_hand, NULL, field);
        if (strcmp(got, rows[i].expected) != 0 || strcmp(field, rows[i].field) != 0) {
            fail_msg("row %zu: %s, %s", i, got, field);
        }
        assert_int_equal(ask(alpha, &source), here + CHUNK); /* the chunk before it stays */
        if (i == 3) {
            assert_string_equal(upload(alpha, &source), "OK"); /* six chunks are not enough for all rows */
            source = second;
            source.upload.user = &source;
        }
    }
    struct by_hand by_hand = open_stream(alpha);
    assert_string_equal(ending(&by_hand, NULL, NULL), "MESSAGE_EMPTY");
}

/* -- Too much ------------------------------------------------------------------------------------------------ */

/* Covers: COL-DOC-006 */
static void test_only_so_much_may_be_left_unfinished(void **state)
{
    (void)state;
    cl_arena_reset(arena);
    struct cl_bytes documents[DOCUMENTS];
    int64_t sizes[DOCUMENTS];
    struct source sources[DOCUMENTS];
    for (size_t i = 0; i < DOCUMENTS; i++) {
        documents[i] = cl_bytes(large, CHUNK + i + 1); /* their digests differ; they are announced as larger */
        sizes[i] = CL_DOCUMENT_BYTES_MAX;
    }
    const char *id = submit(channel, "P11", "U-7", documents, sizes, DOCUMENTS);
    const size_t fit = (size_t)(CL_UPLOAD_UNFINISHED_BYTES_MAX / CL_DOCUMENT_BYTES_MAX);
    assert_true(fit + 1 < DOCUMENTS);
    for (size_t i = 0; i <= fit; i++) {
        source_of(&sources[i], id, documents[i]);
        Coloan__V1__DocumentChunk chunk = chunk_of(&sources[i], 0);
        chunk.size_bytes = CL_DOCUMENT_BYTES_MAX;
        struct by_hand by_hand = open_stream(channel);
        send(&by_hand, id, &chunk);
        const char *expected = i < fit ? "OK" : "UPLOADS_UNFINISHED";
        assert_string_equal(ending(&by_hand, NULL, NULL), expected);
    }
    world.ahead_ms += CL_UPLOAD_ABANDONED_MS; /* what was left lying about for a day makes room */
    sources[fit].upload.size_bytes = CL_DOCUMENT_BYTES_MAX;
    sources[0].upload.size_bytes = CL_DOCUMENT_BYTES_MAX;
    Coloan__V1__DocumentChunk chunk = chunk_of(&sources[fit], 0);
    struct by_hand by_hand = open_stream(channel);
    send(&by_hand, id, &chunk);
    assert_string_equal(ending(&by_hand, NULL, NULL), "OK");
}

int main(void)
{
    struct world_options options = {0};
    world_open(&world, &options);
    bool made = cl_is_ok(cl_arena_create(&arena, ARENA_BYTES));
    fill(large, sizeof large, "Bausparkassenzwischendarlehen ");
    fill(other, sizeof other, "Grundpfandrecht ");
    alpha = world_session(&world, "alpha", WORLD_KEY_ALPHA);
    beta = world_session(&world, "beta", WORLD_KEY_BETA);
    channel = world_session(&world, "channel", WORLD_KEY_CHANNEL);
    officer = world_session(&world, "officer", WORLD_KEY_OFFICER);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_documents_of_every_size),
        cmocka_unit_test(test_a_cut_upload_goes_on),
        cmocka_unit_test(test_two_at_once_come_to_one_document),
        cmocka_unit_test(test_bytes_with_another_digest_are_dropped),
        cmocka_unit_test(test_what_does_not_fit_is_refused),
        cmocka_unit_test(test_a_stream_is_about_one_document),
        cmocka_unit_test(test_only_so_much_may_be_left_unfinished),
    };
    int failed = made ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
    cl_session_free(alpha);
    cl_session_free(beta);
    cl_session_free(channel);
    cl_session_free(officer);
    cl_arena_free(arena);
    world_close(&world);
    return failed;
}
