/* defects.h - mistakes put into the product on purpose, one at a time: a simulation that finds none of them proves nothing.
 *
 * The linker puts a function of this file in front of the product's own (--wrap); without a chosen defect each goes straight
 * on to it. So the product has no word of this. One thread. */
#ifndef COLOAN_TESTS_SIM_DEFECTS_H
#define COLOAN_TESTS_SIM_DEFECTS_H

#include <stdbool.h>
#include <stddef.h>

struct defect_info {
    const char *name, *what;
};

/* Row `index`, or NULL past the end. */
const struct defect_info *defect_at(size_t index);

/* From now on; false when there is none of that name. */
bool defect_choose(const char *name);

#endif
