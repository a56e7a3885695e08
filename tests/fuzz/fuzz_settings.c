/* settings: any bytes as a YAML file, then read against a table with a field of each type. Whatever is refused is refused
 * with a sentence; whatever is taken lies within its bounds. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "libcoloan/settings.h"

struct sample {
    const char *name, *file;
    int64_t port, wait_ms;
    bool on;
    int level;
    const struct cl_setting *banks, *limits;
};

static const char *const levels[] = {"low", "high", NULL};

static const struct cl_setting_field fields[] = {
    {"name", CL_SETTING_TEXT, offsetof(struct sample, name), .required = true, .min = 1, .max = 8},
    {"file", CL_SETTING_PATH, offsetof(struct sample, file), .fallback = "x.pem"},
    {"port", CL_SETTING_INT64, offsetof(struct sample, port), .fallback = "1", .min = 1, .max = 65535},
    {"wait", CL_SETTING_DURATION, offsetof(struct sample, wait_ms), .fallback = "1s", .min = 1, .max = 600000},
    {"on", CL_SETTING_BOOL, offsetof(struct sample, on), .fallback = "true"},
    {"level", CL_SETTING_CHOICE, offsetof(struct sample, level), .choices = levels},
    {"banks", CL_SETTING_LIST, offsetof(struct sample, banks), .max = 4},
    {"limits", CL_SETTING_SECTION, offsetof(struct sample, limits), .doc = NULL},
};

/* Counts all settings below, so that every one of them is touched. */
static size_t walk(const struct cl_setting *setting, unsigned depth)
{
    size_t count = 1 + strlen(cl_setting_key(setting)) + strlen(cl_setting_text(setting));
    assert(depth <= CL_SETTINGS_DEPTH_MAX);
    assert(cl_setting_line(setting) >= 1);
    for (size_t i = 0; cl_setting_at(setting, i) != NULL; i++) {
        count += walk(cl_setting_at(setting, i), depth + 1);
    }
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cl_settings *settings = NULL;
    struct cl_setting_error error = {""};
    struct sample sample;
    struct cl_status status = cl_settings_parse(&settings, "etc/f.yaml", cl_bytes(data, size), &error);
    if (cl_failed(status)) {
        assert(settings == NULL && error.text[0] != '\0');
        return 0;
    }
    assert(walk(cl_settings_root(settings), 0) >= 1);
    status = cl_setting_read(&sample, cl_settings_root(settings), fields, sizeof fields / sizeof fields[0], &error);
    assert(cl_is_ok(status) || error.text[0] != '\0');
    if (cl_is_ok(status)) {
        assert(sample.name != NULL && strlen(sample.name) <= 8 && sample.file != NULL);
        assert(sample.port >= 1 && sample.port <= 65535 && sample.wait_ms >= 1 && sample.wait_ms <= 600000);
        assert(sample.level == 0 || sample.level == 1);
    }
    cl_settings_free(settings);
    return 0;
}
