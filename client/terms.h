/* terms.h - the Chinese names of the interface's enumerations; English readers get the names of the interface itself.
 *
 * Static; any thread. */
#ifndef COLOAN_CLIENT_TERMS_H
#define COLOAN_CLIENT_TERMS_H

#include <protobuf-c/protobuf-c.h>

/* NULL when the value has none. */
const char *terms_chinese(const ProtobufCEnumDescriptor *type, int value);

/* The enumerations that have Chinese names for every value but UNSPECIFIED; NULL past the end. */
const ProtobufCEnumDescriptor *terms_type_at(unsigned index);

#endif
