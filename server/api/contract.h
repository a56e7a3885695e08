/* contract.h - looks things up in a compiled contract: its files, their services, and which file declares a name.
 *
 * The bytes are a google.protobuf.FileDescriptorSet of our own build: nothing of a peer is read here. They are borrowed
 * for the life of the contract, and so is everything that is returned. Immutable after contract_read; any thread.
 * Fails: contract_read only, WIRE_MALFORMED when the bytes are no descriptor set or hold more than the limits below. */
#ifndef COLOAN_API_CONTRACT_H
#define COLOAN_API_CONTRACT_H

#include "libcoloan/bytes.h"
#include "libcoloan/status.h"

#define CONTRACT_FILES_MAX    32 /* we have ten */
#define CONTRACT_SERVICES_MAX 16 /* we have four */
#define CONTRACT_NAME_MAX     128

struct contract_file {
    char name[CONTRACT_NAME_MAX];    /* "coloan/v1/services.proto" */
    char package[CONTRACT_NAME_MAX]; /* "coloan.v1" */
    struct cl_bytes bytes;           /* of its FileDescriptorProto */
};

struct contract {
    struct contract_file files[CONTRACT_FILES_MAX];
    size_t file_count;
    char services[CONTRACT_SERVICES_MAX][CONTRACT_NAME_MAX]; /* "coloan.v1.JointApproval" */
    size_t service_count;
};

CL_MUST_CHECK struct cl_status contract_read(struct contract *out, struct cl_bytes descriptor_set);

/* NULL when there is none. */
const struct contract_file *contract_file(const struct contract *contract, const char *name);

/* The file that declares a message, field, oneof, enumeration, value, service or method of that full name, or NULL. */
const struct contract_file *contract_file_of_symbol(const struct contract *contract, const char *symbol);

#endif
