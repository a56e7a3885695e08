/* profile.h - who we are and whom we talk to: a YAML file, and the session it leads to.
 *
 * Owner: whoever loaded a profile closes it, after the sessions made from it. One thread. Fails: CONFIG_INVALID with a
 * sentence for the file's author. */
#ifndef COLOAN_CLIENT_PROFILE_H
#define COLOAN_CLIENT_PROFILE_H

#include <stdio.h>

#include "libcoloan/keyring.h"
#include "libcoloan/session.h"
#include "libcoloan/settings.h"
#include "libcoloan/signer.h"

/* Fields of the file; all of them stand in the section handed to client_profile_read. */
struct client_profile_fields {
    const char *target, *server_name, *ca, *certificate, *key, *signing_key, *directory, *directory_key, *party,
        *centre, *environment;
};

#define CLIENT_PROFILE_FIELD_COUNT 11
extern const struct cl_setting_field client_profile_fields[CLIENT_PROFILE_FIELD_COUNT];

struct client_profile {
    struct client_profile_fields fields;
    struct cl_settings *settings; /* owned when loaded; NULL when only read */
    char *ca_pem, *cert_pem, *key_pem;
    struct cl_signer *signer;
    struct cl_public_key directory_key;
    struct cl_keyring *keyring;
};

/* Reads the file at `path`, and every file it names. */
CL_MUST_CHECK struct cl_status client_profile_load(struct client_profile *out, const char *path,
                                                   struct cl_setting_error *error);

/* The same from a section, whose settings outlive the profile. */
CL_MUST_CHECK struct cl_status client_profile_read(struct client_profile *out, const struct cl_setting *section,
                                                   struct cl_setting_error *error);

void client_profile_close(struct client_profile *profile); /* a zeroed one is fine */

CL_MUST_CHECK struct cl_status client_profile_connect(struct cl_session **out, const struct client_profile *profile);

/* -- Files ---------------------------------------------------------------------------------------------------- */

/* Certificates and messages; a directory of all partners is the largest. */
#define CLIENT_FILE_BYTES_MAX (1024 * 1024)

/* A whole regular file, "-" being standard input, with a NUL after its end; the caller frees it. SYSTEM when it cannot
 * be read (errno says why), MESSAGE_TOO_LARGE past CLIENT_FILE_BYTES_MAX, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status client_file_read(uint8_t **out, size_t *len_out, const char *path);

/* A new file, all of it or nothing, on disk when it returns. `replace`: an old one of that name goes. SYSTEM. */
CL_MUST_CHECK struct cl_status client_file_write(const char *path, struct cl_bytes bytes, unsigned mode, bool replace);

/* A public key: 64 hex digits, or the text of a PEM file as `openssl pkey -pubout` writes it. FIELD_INVALID. */
CL_MUST_CHECK struct cl_status client_public_key(struct cl_public_key *out, const char *text);

#endif
