#include "sandbox/answers.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcoloan/date.h"
#include "server/source/items.h"

enum { OVERSIZE_BYTES = 64 * 1024 };

struct asking {
    const struct people *people;
    const struct source_item_row *row;
    const json_t *request;
    const json_t *persona; /* NULL: nobody of the file */
    size_t person;         /* its index in the persona */
    const struct answer_moment *moment;
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

/* "REG-<amount in fen>-<contract>": whoever files says what is to be registered, as people do. */
static const char *contract_of_registration(const char *registry_no, int64_t *amount_fen_out)
{
    int used = 0;
    bool filed = sscanf(registry_no, "REG-%" SCNd64 "-%n", amount_fen_out, &used) == 1 && used > 0;
    return filed ? registry_no + used : "";
}

/* The contract that a question about a home names, itself or by its registration; NULL: the question is about people. */
static const char *contract_of(const struct asking *asking)
{
    int64_t amount_fen = 0;
    if (asking->row->item == SOURCE_REGISTRATION) {
        return contract_of_registration(text_of(asking->request, "registry_no"), &amount_fen);
    }
    bool by_contract = (asking->row->sends & SOURCE_VALUE_BIT(SOURCE_VALUE_CONTRACT_NO)) != 0;
    return by_contract ? text_of(asking->request, "contract_no") : NULL;
}

static void find_persona(struct asking *asking)
{
    const char *contract_no = contract_of(asking);
    asking->persona = contract_no != NULL
                          ? people_with_contract(asking->people, contract_no)
                          : people_with_id_number(asking->people, id_number_of(asking->request), &asking->person);
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

static json_t *marriage_pair(const struct asking *asking, const json_t *facts)
{
    size_t index = 0;
    const json_t *named = json_object_get(asking->request, "spouse");
    const json_t *spouse = people_with_id_number(asking->people, text_of(named, "id_number"), &index) == asking->persona
                               ? person_of(asking, index)
                               : NULL;
    bool match =
        json_is_true(json_object_get(facts, "match")) && spouse != NULL && same_text(named, "name", spouse, "name");
    return json_pack("{sb}", "match", match);
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

/* Nothing is known of a project's end, and of a registration nothing but that it is pending, before so many polls. */
static json_t *after_polls(const struct asking *asking, json_t *facts, const char *about)
{
    json_t *answer = json_deep_copy(facts);
    json_int_t polls = json_integer_value(json_object_get(answer, "polls"));
    (void)json_object_del(answer, "polls");
    if ((json_int_t)history_count(asking->moment->history, asking->row->name, about) >= polls) {
        return answer;
    }
    json_decref(answer);
    return asking->row->item == SOURCE_REGISTRATION ? json_pack("{ss}", "state", "PENDING")
                                                    : json_pack("{sn}", "filed_on");
}

static void fill_text(json_t *answer, const char *key, json_t *value)
{
    if (json_object_get(answer, key) == NULL) {
        (void)json_object_set_new(answer, key, value);
        return;
    }
    json_decref(value);
}

/* The register shows what was filed, on the day it was asked, unless the persona says otherwise. */
static json_t *registration(const struct asking *asking, json_t *facts)
{
    int64_t amount_fen = 0;
    const char *registry_no = text_of(asking->request, "registry_no");
    (void)contract_of_registration(registry_no, &amount_fen);
    json_t *answer = after_polls(asking, facts, registry_no);
    if (strcmp(text_of(answer, "state"), "DONE") == 0) {
        int32_t today = cl_date_from_ms(asking->moment->now_ms);
        fill_text(answer, "mortgagee_match", json_true());
        fill_text(answer, "amount_fen", json_integer((json_int_t)amount_fen));
        fill_text(answer, "registered_on",
                  json_sprintf("%04d-%02d-%02d", (int)today / 10000, (int)today / 100 % 100, (int)today % 100));
        fill_text(answer, "certificate_no", json_sprintf("SU2026-%.40s", contract_of(asking)));
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
    if (asking->row->item == SOURCE_MARRIAGE_PAIR) {
        return marriage_pair(asking, facts);
    }
    if (asking->row->item == SOURCE_REGISTRATION) {
        return registration(asking, facts);
    }
    if (asking->row->item == SOURCE_COMPLETION_FILING) {
        return after_polls(asking, facts, contract_of(asking));
    }
    return asking->row->item == SOURCE_HOME_CONTRACT ? home_contract(asking, facts) : json_deep_copy(facts);
}

/* -- Everybody else ------------------------------------------------------------------------------------------ */

static json_t *facts_of_generated(const struct asking *asking)
{
    const char *item = asking->row->name;
    const char *contract_no = contract_of(asking);
    if (contract_no != NULL) {
        json_t *facts = people_make_home_facts(item, contract_no);
        json_t *told = facts;
        if (asking->row->item == SOURCE_REGISTRATION && json_is_object(facts)) {
            told = registration(asking, facts);
        } else if (asking->row->item == SOURCE_COMPLETION_FILING && json_is_object(facts)) {
            told = after_polls(asking, facts, contract_no);
        }
        if (told != facts) {
            json_decref(facts);
        }
        return told;
    }
    const char *id_number = id_number_of(asking->request);
    bool synthetic = strncmp(id_number, "99", 2) == 0 && strlen(id_number) == 18;
    if (!synthetic) {
        return json_string("NO_RECORD"); /* nobody real is known here */
    }
    return people_make_person_facts(item, id_number);
}

/* An employer is one of the file, or of the form of a made-up code. */
static json_t *facts_of_employer(const struct asking *asking)
{
    const char *uscc = text_of(asking->request, "employer_uscc");
    const json_t *facts = people_employer(asking->people, uscc);
    return facts != NULL ? json_deep_copy(facts) : people_make_employer_facts(uscc);
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

static void make_reply(struct answer *out, const struct asking *asking, json_t *facts)
{
    const char *code = json_string_value(facts);
    json_t *reply = json_pack("{ss ss so sI}", "request_id", text_of(asking->request, "request_id"), "code",
                              code == NULL ? "OK" : code, "receipt",
                              json_sprintf("SIM-%s-%" PRIu64, asking->row->name, asking->moment->serial), "observed_ms",
                              (json_int_t)asking->moment->now_ms);
    if (code == NULL) {
        (void)json_object_set(reply, "answer", facts);
    }
    out->http_status = 200;
    out->body = json_dumps(reply, JSON_COMPACT);
    out->len = out->body == NULL ? 0 : strlen(out->body);
    json_decref(reply);
    json_decref(facts);
}

static json_t *make_facts(const struct asking *asking)
{
    if (asking->row->item == SOURCE_EMPLOYER) {
        return facts_of_employer(asking);
    }
    return asking->persona != NULL ? facts_of_persona(asking) : facts_of_generated(asking);
}

static void make_answer(struct answer *out, struct asking *asking)
{
    find_persona(asking);
    const char *fault = text_of(json_object_get(asking->persona, "faults"), asking->row->name);
    if (fault[0] != '\0' && make_fault(out, fault)) {
        return;
    }
    make_reply(out, asking, fault[0] != '\0' ? json_string(fault) : make_facts(asking));
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
                 const struct answer_moment *moment)
{
    *out = (struct answer){.http_status = 0};
    struct asking asking = {.people = people, .row = row_of_path(path), .moment = moment};
    if (asking.row == NULL) {
        set_text(out, 404, "{\"code\":\"NO_SUCH_PATH\"}");
        return;
    }
    json_t *request = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
    asking.request = request;
    if (text_of(request, "request_id")[0] == '\0') {
        set_text(out, 400, "{\"code\":\"REQUEST_MALFORMED\"}");
    } else {
        make_answer(out, &asking);
    }
    json_decref(request);
}
