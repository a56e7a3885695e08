/* requirements.h - what the specification says under an id, in both languages. The specification is in the program: it runs
 * where there is nothing else.
 *
 * Owner: whoever created the table; texts are borrowed from it. Looking is for any number of threads. Fails: NULL, without
 * memory. */
#ifndef COLOAN_CONFORM_REQUIREMENTS_H
#define COLOAN_CONFORM_REQUIREMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The two files, as they are in docs/spec. */
extern const uint8_t conform_spec_en[], conform_spec_zh[];
extern const size_t conform_spec_en_len, conform_spec_zh_len;

struct conform_requirement {
    char id[16];
    bool must;     /* it says MUST or MUST NOT */
    char *en, *zh; /* without its id; zh may be "" */
};

struct conform_requirements;

struct conform_requirements *conform_requirements_create(void);
void conform_requirements_free(struct conform_requirements *requirements); /* NULL is fine */

size_t conform_requirements_count(const struct conform_requirements *requirements);
const struct conform_requirement *conform_requirements_at(const struct conform_requirements *requirements,
                                                          size_t index);
/* NULL: the specification has none of that id. */
const struct conform_requirement *conform_requirements_find(const struct conform_requirements *requirements,
                                                            const char *id);

#endif
