#include "client/terms.h"

#include <coloan/v1/application.pb-c.h>
#include <coloan/v1/decision.pb-c.h>
#include <coloan/v1/push.pb-c.h>
#include <coloan/v1/review.pb-c.h>
#include <coloan/v1/verification.pb-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct term {
    const ProtobufCEnumDescriptor *type;
    const char *value;
    const char *chinese;
};

#define TERM(type, value, chinese) {&coloan__v1__##type##__descriptor, #value, chinese},
static const struct term terms[] = {
#include "client/terms.def"
};
#undef TERM

const char *terms_chinese(const ProtobufCEnumDescriptor *type, int value)
{
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(type, value);
    for (size_t i = 0; known != NULL && i < sizeof terms / sizeof terms[0]; i++) {
        if (terms[i].type == type && strcmp(terms[i].value, known->name) == 0) {
            return terms[i].chinese;
        }
    }
    return NULL;
}

const ProtobufCEnumDescriptor *terms_type_at(unsigned index)
{
    unsigned seen = 0;
    for (size_t i = 0; i < sizeof terms / sizeof terms[0]; i++) {
        bool begins = i == 0 || terms[i].type != terms[i - 1].type;
        if (begins && seen++ == index) {
            return terms[i].type;
        }
    }
    return NULL;
}
