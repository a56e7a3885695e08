/* protoset.h - the compiled contract (a google.protobuf.FileDescriptorSet), made part of the program by the build. */
#ifndef COLOAN_API_PROTOSET_H
#define COLOAN_API_PROTOSET_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t api_protoset[];
extern const size_t api_protoset_len;

#endif
