#include "interop/conform/suite.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILES_MAX = 64, PATH_BYTES = 4096, ID_BYTES_MIN = 5, ID_BYTES_MAX = 32, TITLE_BYTES_MAX = 200 };

static const char EXTENSION[] = ".yaml";
static const char IDS_FILE[] = "ids";
static const char RETIRED[] = " retired";

struct known_id {
    char text[ID_BYTES_MAX + 1];
    bool retired, used;
};

struct conform_suite {
    struct cl_settings *files[FILES_MAX]; /* they hold every text */
    size_t file_count;
    struct conform_case *cases;
    size_t case_count;
    struct known_id *ids;
    size_t id_count;
};

/* -- The ids -------------------------------------------------------------------------------------------------- */

static struct cl_status refuse(struct cl_setting_error *error, const char *name, const char *what, const char *mend)
{
    (void)snprintf(error->text, sizeof error->text, "%.250s: %.100s. %.100s", name, what, mend);
    return cl_fail(CL_CONFIG_INVALID);
}

/* One line: an id, and " retired" behind one whose case is gone. */
static bool read_id(struct known_id *out, char *line)
{
    line[strcspn(line, "\n")] = '\0';
    char *behind = strchr(line, ' ');
    out->retired = behind != NULL && strcmp(behind, RETIRED) == 0;
    if (behind != NULL) {
        if (!out->retired) {
            return false;
        }
        *behind = '\0';
    }
    size_t len = strlen(line);
    if (len < ID_BYTES_MIN || len > ID_BYTES_MAX) {
        return false;
    }
    memcpy(out->text, line, len + 1);
    return true;
}

static struct known_id *find_id(const struct conform_suite *suite, const char *text)
{
    for (size_t i = 0; i < suite->id_count; i++) {
        if (strcmp(suite->ids[i].text, text) == 0) {
            return &suite->ids[i];
        }
    }
    return NULL;
}

static struct cl_status read_ids(struct conform_suite *suite, const char *folder, struct cl_setting_error *error)
{
    char path[PATH_BYTES], line[2 * ID_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/%s", folder, IDS_FILE);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return refuse(error, path, strerror(errno), "Name the folder of the cases with --cases.");
    }
    struct cl_status status = cl_ok();
    while (cl_is_ok(status) && fgets(line, sizeof line, file) != NULL) {
        struct known_id id = {.used = false};
        if (!read_id(&id, line) || find_id(suite, id.text) != NULL || suite->id_count == CONFORM_CASES_MAX) {
            status = refuse(error, path, "a line is not a new id", "Write each id once, and \" retired\" behind one.");
        } else {
            suite->ids[suite->id_count++] = id;
        }
    }
    (void)fclose(file);
    return status;
}

static struct cl_status use_id(const struct conform_suite *suite, const struct cl_setting *at, const char *text,
                               struct cl_setting_error *error)
{
    struct known_id *id = find_id(suite, text);
    if (id == NULL) {
        return cl_setting_refuse(error, at, "%s is not among the ids; add it to the file '%s'", text, IDS_FILE);
    }
    if (id->used || id->retired) {
        return cl_setting_refuse(error, at, "%s is taken already, and an id means one thing for ever; take a new one",
                                 text);
    }
    id->used = true;
    return cl_ok();
}

static struct cl_status check_ids(const struct conform_suite *suite, struct cl_setting_error *error)
{
    for (size_t i = 0; i < suite->id_count; i++) {
        if (!suite->ids[i].used && !suite->ids[i].retired) {
            return refuse(error, suite->ids[i].text, "no case has this id",
                          "Bring the case back, or write \" retired\" behind the id.");
        }
    }
    return cl_ok();
}

/* -- A case --------------------------------------------------------------------------------------------------- */

/* A file's head, and one of its cases, as they are written. */
struct file_head {
    const char *profile, *vectors;
    const struct cl_setting *cases;
};

struct written {
    const char *id, *vector;
    int64_t at;
    int level;
    const struct cl_setting *title, *requirements;
};

static const struct cl_setting_field head_fields[] = {
    {"profile", CL_SETTING_TEXT, offsetof(struct file_head, profile), .required = true, .doc = "what the cases are of"},
    {"vectors", CL_SETTING_TEXT, offsetof(struct file_head, vectors), .required = true,
     .doc = "the file of golden vectors"},
    {"cases", CL_SETTING_LIST, offsetof(struct file_head, cases), .required = true, .min = 1, .max = CONFORM_CASES_MAX,
     .doc = "the cases"},
};

static const char *const levels[] = {"MUST", "SHOULD", NULL};

static const struct cl_setting_field case_fields[] = {
    {"id", CL_SETTING_TEXT, offsetof(struct written, id), .required = true, .min = ID_BYTES_MIN, .max = ID_BYTES_MAX,
     .doc = "what it is called for ever"},
    {"at", CL_SETTING_INT64, offsetof(struct written, at), .required = true, .min = 0, .max = CONFORM_CASES_MAX,
     .doc = "its place among the vectors, from 0"},
    {"vector", CL_SETTING_TEXT, offsetof(struct written, vector), .required = true, .doc = "the vector's name"},
    {"title", CL_SETTING_SECTION, offsetof(struct written, title), .required = true, .doc = "en and zh"},
    {"level", CL_SETTING_CHOICE, offsetof(struct written, level), .fallback = "MUST", .choices = levels,
     .doc = "how strong the requirement is"},
    {"requirements", CL_SETTING_LIST, offsetof(struct written, requirements), .required = true, .min = 1,
     .max = CONFORM_REQUIREMENTS_MAX, .doc = "ids of the specification"},
};

static const struct cl_setting_field title_fields[] = {
    {"en", CL_SETTING_TEXT, offsetof(struct conform_text, en), .required = true, .min = 1, .max = TITLE_BYTES_MAX},
    {"zh", CL_SETTING_TEXT, offsetof(struct conform_text, zh), .required = true, .min = 1, .max = TITLE_BYTES_MAX},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static struct cl_status read_requirements(struct conform_case *out, const struct cl_setting *list,
                                          struct cl_setting_error *error)
{
    static const struct cl_setting_field one = {"requirement", CL_SETTING_TEXT, .min = 1, .max = ID_BYTES_MAX};
    for (size_t i = 0; i < cl_setting_count(list); i++) {
        struct cl_status status = cl_setting_value(&out->requirements[i], cl_setting_at(list, i), &one, error);
        if (cl_failed(status)) {
            return status;
        }
        out->requirement_count++;
    }
    return cl_ok();
}

static struct cl_status read_case(struct conform_suite *suite, const struct file_head *head,
                                  const struct cl_setting *section, struct cl_setting_error *error)
{
    struct written written = {.id = NULL};
    struct conform_case *out = &suite->cases[suite->case_count];
    if (suite->case_count == CONFORM_CASES_MAX) {
        return cl_setting_refuse(error, section, "there are more than %d cases; raise the limit", CONFORM_CASES_MAX);
    }
    struct cl_status status = cl_setting_read(&written, section, case_fields, COUNT(case_fields), error);
    if (cl_is_ok(status)) {
        status = use_id(suite, section, written.id, error);
    }
    if (cl_failed(status)) {
        return status;
    }
    *out = (struct conform_case){.id = written.id,
                                 .level = (enum conform_level)written.level,
                                 .profile = head->profile,
                                 .vectors = head->vectors,
                                 .vector = written.vector,
                                 .at = (size_t)written.at};
    status = cl_setting_read(&out->title, written.title, title_fields, COUNT(title_fields), error);
    if (cl_is_ok(status)) {
        status = read_requirements(out, written.requirements, error);
    }
    suite->case_count += cl_is_ok(status) ? 1 : 0;
    return status;
}

/* -- The folder ----------------------------------------------------------------------------------------------- */

static struct cl_status read_file(struct conform_suite *suite, const char *folder, const char *name,
                                  struct cl_setting_error *error)
{
    char path[PATH_BYTES];
    struct file_head head = {.profile = NULL};
    struct cl_settings **file = &suite->files[suite->file_count];
    if (suite->file_count == FILES_MAX) {
        return refuse(error, folder, "there are too many files", "Put cases of one kind together.");
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    struct cl_status status = cl_settings_load(file, path, error);
    if (cl_failed(status)) {
        return status;
    }
    suite->file_count++;
    status = cl_setting_read(&head, cl_settings_root(*file), head_fields, COUNT(head_fields), error);
    for (size_t i = 0; cl_is_ok(status) && i < cl_setting_count(head.cases); i++) {
        status = read_case(suite, &head, cl_setting_at(head.cases, i), error);
    }
    return status;
}

static int is_case_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    size_t extension = sizeof EXTENSION - 1;
    return len > extension && strcmp(entry->d_name + len - extension, EXTENSION) == 0;
}

static struct cl_status read_files(struct conform_suite *suite, const char *folder, struct cl_setting_error *error)
{
    struct dirent **names = NULL;
    int count = scandir(folder, &names, is_case_file, alphasort);
    if (count < 0) {
        return refuse(error, folder, strerror(errno), "Name the folder of the cases with --cases.");
    }
    struct cl_status status = cl_ok();
    for (int i = 0; i < count; i++) {
        if (cl_is_ok(status)) {
            status = read_file(suite, folder, names[i]->d_name, error);
        }
        free(names[i]);
    }
    free(names);
    return status;
}

struct cl_status conform_suite_load(struct conform_suite **out, const char *folder, struct cl_setting_error *error)
{
    struct conform_suite *suite = calloc(1, sizeof *suite);
    error->text[0] = '\0';
    if (suite == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    suite->cases = calloc(CONFORM_CASES_MAX, sizeof *suite->cases);
    suite->ids = calloc(CONFORM_CASES_MAX, sizeof *suite->ids);
    struct cl_status status = suite->cases == NULL || suite->ids == NULL ? cl_fail(CL_MEMORY_LIMIT) : cl_ok();
    if (cl_is_ok(status)) {
        status = read_ids(suite, folder, error);
    }
    if (cl_is_ok(status)) {
        status = read_files(suite, folder, error);
    }
    if (cl_is_ok(status)) {
        status = check_ids(suite, error);
    }
    if (cl_failed(status)) {
        conform_suite_free(suite);
        return status;
    }
    *out = suite;
    return cl_ok();
}

void conform_suite_free(struct conform_suite *suite)
{
    if (suite == NULL) {
        return;
    }
    for (size_t i = 0; i < suite->file_count; i++) {
        cl_settings_free(suite->files[i]);
    }
    free(suite->cases);
    free(suite->ids);
    free(suite);
}

size_t conform_suite_count(const struct conform_suite *suite)
{
    return suite->case_count;
}

const struct conform_case *conform_suite_case(const struct conform_suite *suite, size_t index)
{
    return &suite->cases[index];
}
