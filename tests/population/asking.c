#include "tests/population/asking.h"

#include <assert.h>
#include <stdlib.h>

#include "sandbox/answers.h"
#include "server/source/wording.h"

#define REQUEST_ID "00112233445566778899aabbccddeeff"

enum source_failure asking_answer(struct source_question *question, const struct people *people,
                                  struct history *history, int64_t now_ms)
{
    char request[SOURCE_REQUEST_BYTES_MAX];
    size_t len = 0;
    struct answer answer;
    struct source_mapping mapping;
    const struct answer_moment moment = {.now_ms = now_ms, .serial = 1, .history = history};
    source_mapping_default(&mapping, source_item_row(question->item));
    struct cl_status status = source_request_write(request, &len, question, &mapping, REQUEST_ID);
    assert(cl_is_ok(status));
    answer_make(&answer, people, mapping.path, cl_bytes(request, len), &moment);
    enum source_failure failure = source_answer_read(&question->answer, question, &mapping,
                                                     cl_bytes(answer.body, answer.len), REQUEST_ID, now_ms);
    free(answer.body);
    return failure;
}
