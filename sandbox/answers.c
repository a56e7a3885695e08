#include "sandbox/answers.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/source/items.h"

enum { OVERSIZE_BYTES = 64 * 1024 };

struct asking {
    const struct people *people;
    const struct source_item_row *row;
    const json_t *request;
    const json_t *persona; /* NULL: nobody of the file */
    size_t person;         /* its index in the persona */
};

/* -- Who is asked about -------------------------------------------------------------------------------------- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text == NULL ? "" : text;
}

/* The ID number of the request, or the first of its list. */
static const char *id_number_of(const json_t *request)
{
    const char *first = json_string_value(json_array_get(json_object_get(request, "id_numbers"), 0));
    return first != NULL ? first : text_of(request, "id_number");
}

static bool about_the_home(const struct source_item_row *row)
{
    return (row->sends & SOURCE_SENDS_CONTRACT) != 0;
}

static void find_persona(struct asking *asking)
{
    const json_t *request = asking->request;
    asking->persona = about_the_home(asking->row)
                          ? people_with_contract(asking->people, text_of(request, "contract_no"))
                          : people_with_id_number(asking->people, id_number_of(request), &asking->person);
}

static const json_t *person_of(const struct asking *asking, size_t index)
{
    return json_array_get(json_object_get(asking->persona, "people"), index);
}

/* -- Answers from the file ----------------------------------------------------------------------------------- */

static bool same_text(const json_t *a, const char *key_a, const json_t *b, const char *key_b)
{
    return strcmp(text_of(a, key_a), text_of(b, key_b)) == 0;
}

static json_t *identity(const struct asking *asking, const json_t *facts)
{
    bool match = json_is_true(json_object_get(facts, "match"));
    return json_pack("{sb}", "match",
                     match && same_text(asking->request, "name", person_of(asking, asking->person), "name"));
}

static json_t *marriage(const struct asking *asking, const json_t *facts)
{
    const json_t *named = json_object_get(asking->request, "spouse");
    const json_t *index = json_object_get(facts, "spouse");
    const json_t *spouse = index == NULL ? NULL : person_of(asking, (size_t)json_integer_value(index));
    if (named == NULL) {
        return json_pack("{ss}", "status", text_of(facts, "status"));
    }
    bool match = spouse != NULL && same_text(named, "name", spouse, "name") &&
                 same_text(named, "id_number", spouse, "id_number");
    return json_pack("{ss sb}", "status", text_of(facts, "status"), "spouse_match", match);
}

/* Whether everybody the request names is of the persona. */
static bool all_of_the_persona(const struct asking *asking)
{
    size_t index;
    json_t *id_number;
    json_array_foreach(json_object_get(asking->request, "id_numbers"), index, id_number)
    {
        size_t person = 0;
        if (people_with_id_number(asking->people, json_string_value(id_number), &person) != asking->persona) {
            return false;
        }
    }
    return true;
}

static json_t *home_contract(const struct asking *asking, json_t *facts)
{
    json_t *answer = json_deep_copy(facts);
    if (!all_of_the_persona(asking)) {
        (void)json_object_set_new(answer, "buyers_match", json_false());
    }
    return answer;
}

/* A copy: threads share the people, and counting references to them would be a race. */
static json_t *facts_of_persona(const struct asking *asking)
{
    char key[32] = "";
    for (size_t i = 0; asking->row->name[i] != '\0' && i + 1 < sizeof key; i++) {
        key[i] = (char)tolower(asking->row->name[i]);
    }
    const json_t *holder = asking->row->per_person ? person_of(asking, asking->person) : asking->persona;
    json_t *facts = json_object_get(json_object_get(holder, "facts"), key);
    if (!json_is_object(facts)) {
        return json_string("NO_RECORD");
    }
    if (asking->row->item == SOURCE_IDENTITY) {
        return identity(asking, facts);
    }
    if (asking->row->item == SOURCE_MARRIAGE) {
        return marriage(asking, facts);
    }
    return asking->row->item == SOURCE_HOME_CONTRACT ? home_contract(asking, facts) : json_deep_copy(facts);
}

/* -- Everybody else ------------------------------------------------------------------------------------------ */

static json_t *facts_of_generated(const struct asking *asking)
{
    const char *item = asking->row->name;
    if (about_the_home(asking->row)) {
        return people_make_home_facts(item, text_of(asking->request, "contract_no"));
    }
    const char *id_number = id_number_of(asking->request);
    bool synthetic = strncmp(id_number, "99", 2) == 0 && strlen(id_number) == 18;
    if (!synthetic) {
        return json_string("NO_RECORD"); /* nobody real is known here */
    }
    return people_make_person_facts(item, id_number, json_object_get(asking->request, "spouse") != NULL);
}

/* -- The answer ---------------------------------------------------------------------------------------------- */

static void set_text(struct answer *out, unsigned http_status, const char *text)
{
    out->http_status = http_status;
    out->body = strdup(text);
    out->len = out->body == NULL ? 0 : strlen(text);
}

static void set_oversize(struct answer *out)
{
    out->http_status = 200;
    out->body = malloc(OVERSIZE_BYTES);
    out->len = out->body == NULL ? 0 : OVERSIZE_BYTES;
    if (out->body != NULL) {
        memset(out->body, ' ', OVERSIZE_BYTES);
    }
}

/* False for a fault that is a business code: an answer like any other. */
static bool make_fault(struct answer *out, const char *fault)
{
    if (strcmp(fault, "OVERSIZE") == 0) {
        set_oversize(out);
    } else if (strcmp(fault, "TIMEOUT") == 0) {
        set_text(out, 200, "{}");
        out->never = true;
    } else if (strcmp(fault, "GARBAGE") == 0) {
        set_text(out, 200, "<html>\xff\xfe{\"code\":");
    } else if (strcmp(fault, "ERROR") == 0) {
        set_text(out, 500, "{\"code\":\"ERROR\"}");
    } else if (strcmp(fault, "CLOSED") == 0) {
        set_text(out, 503, "{\"code\":\"SOURCE_CLOSED\"}");
    } else if (strcmp(fault, "THROTTLED") == 0) {
        set_text(out, 429, "{\"code\":\"THROTTLED\"}");
        out->retry_after_s = 1;
    } else {
        return false;
    }
    return true;
}

static void make_reply(struct answer *out, const struct asking *asking, json_t *facts, int64_t now_ms, uint64_t serial)
{
    const char *code = json_string_value(facts);
    json_t *reply = json_pack(
        "{ss ss so sI}", "request_id", text_of(asking->request, "request_id"), "code", code == NULL ? "OK" : code,
        "receipt", json_sprintf("SIM-%s-%" PRIu64, asking->row->name, serial), "observed_ms", (json_int_t)now_ms);
    if (code == NULL) {
        (void)json_object_set(reply, "answer", facts);
    }
    out->http_status = 200;
    out->body = json_dumps(reply, JSON_COMPACT);
    out->len = out->body == NULL ? 0 : strlen(out->body);
    json_decref(reply);
    json_decref(facts);
}

static void make_answer(struct answer *out, struct asking *asking, int64_t now_ms, uint64_t serial)
{
    find_persona(asking);
    const char *fault = text_of(json_object_get(asking->persona, "faults"), asking->row->name);
    if (fault[0] != '\0' && make_fault(out, fault)) {
        return;
    }
    json_t *facts = fault[0] != '\0'          ? json_string(fault)
                    : asking->persona != NULL ? facts_of_persona(asking)
                                              : facts_of_generated(asking);
    make_reply(out, asking, facts, now_ms, serial);
}

static const struct source_item_row *row_of_path(const char *path)
{
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        if (strcmp(source_item_at(i)->path, path) == 0) {
            return source_item_at(i);
        }
    }
    return NULL;
}

void answer_make(struct answer *out, const struct people *people, const char *path, struct cl_bytes body,
                 int64_t now_ms, uint64_t serial)
{
    *out = (struct answer){.http_status = 0};
    struct asking asking = {.people = people, .row = row_of_path(path)};
    if (asking.row == NULL) {
        set_text(out, 404, "{\"code\":\"NO_SUCH_PATH\"}");
        return;
    }
    json_t *request = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    asking.request = request;
    if (text_of(request, "request_id")[0] == '\0') {
        set_text(out, 400, "{\"code\":\"REQUEST_MALFORMED\"}");
    } else {
        make_answer(out, &asking, now_ms, serial);
    }
    json_decref(request);
}
