/* answer: any bytes as what an authority says to any question, in coloan's format and in those of the example. Whatever is
 * taken for an answer has facts that the catalogue knows, in range, and all required ones with a PASS. */
#include <assert.h>
#include <string.h>

#include "server/domain/catalogue.h"
#include "server/source/wording.h"

#define NOW_MS INT64_C(1795500000000)

enum { MAPPINGS_MAX = 64 };

static struct source_item_mapping mappings[MAPPINGS_MAX];
static size_t mapping_count;

static void add_default(const struct source_item_row *row)
{
    mappings[mapping_count].item = row->item;
    source_mapping_default(&mappings[mapping_count++].mapping, row);
}

static void add_configured(const struct cl_setting *list)
{
    for (size_t i = 0; i < cl_setting_count(list); i++) {
        const struct source_item_row *row = NULL;
        struct cl_setting_error error;
        struct cl_status status =
            source_mapping_read(&mappings[mapping_count].mapping, &row, cl_setting_at(list, i), &error);
        assert(cl_is_ok(status));
        mappings[mapping_count++].item = row->item;
    }
}

/* Once; the settings stay, as the mappings' texts are theirs. */
static void make_mappings(void)
{
    static struct cl_settings *settings;
    struct cl_setting_error error;
    for (size_t i = 0; source_item_at(i) != NULL; i++) {
        add_default(source_item_at(i));
    }
    struct cl_status status =
        cl_settings_load(&settings, COLOAN_SOURCE_DIR "/packaging/authorities.example.yaml", &error);
    assert(cl_is_ok(status));
    const struct cl_setting *authorities = cl_setting_find(cl_settings_root(settings), "authorities");
    for (size_t i = 0; i < cl_setting_count(authorities); i++) {
        add_configured(cl_setting_find(cl_setting_at(authorities, i), "mapping"));
    }
}

static bool has_fact(const struct source_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->fact_count; i++) {
        if (strcmp(answer->facts[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void check_answer(const struct source_answer *answer, enum source_item item)
{
    const struct catalogue_row *row = catalogue_row((enum item)item);
    for (size_t i = 0; i < answer->fact_count; i++) {
        const struct source_fact *fact = &answer->facts[i];
        const struct item_fact_row *known = catalogue_fact(row, fact->name);
        int64_t text_len = (int64_t)strlen(fact->text);
        assert(known != NULL);
        bool text = known->kind == FACT_TEXT;
        assert(text ? text_len >= known->min && text_len <= known->max
                    : fact->number >= known->min && fact->number <= known->max && text_len == 0);
    }
    for (size_t i = 0; i < ITEM_FACTS_MAX && row->facts[i].name != NULL; i++) {
        assert(answer->outcome != SOURCE_PASS || !row->facts[i].required || has_fact(answer, row->facts[i].name));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (mapping_count == 0) {
        make_mappings();
    }
    for (size_t i = 0; i < mapping_count; i++) {
        struct source_inquiry *inquiry = NULL;
        if (cl_failed(source_inquiry_create(&inquiry, 1))) {
            return 0;
        }
        inquiry->person_count = 1;
        struct cl_status status = source_inquiry_add(inquiry, mappings[i].item, 0, 0);
        assert(cl_is_ok(status));
        struct source_question *question = &inquiry->questions[0];
        enum source_failure failure =
            source_answer_read(&question->answer, question, &mappings[i].mapping, cl_bytes(data, size), "1", NOW_MS);
        assert(source_failure_is_technical(failure) == (question->answer.outcome == SOURCE_OPEN));
        check_answer(&question->answer, mappings[i].item);
        (void)source_error_read(&mappings[i].mapping, cl_bytes(data, size));
        source_inquiry_free(inquiry);
    }
    return 0;
}
