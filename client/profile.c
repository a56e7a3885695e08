/* Whatever is wrong with a file that the profile names is said with the line that names it. */
#include "client/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const struct cl_setting_field client_profile_fields[CLIENT_PROFILE_FIELD_COUNT] = {
    {"target", CL_SETTING_TEXT, offsetof(struct client_profile_fields, target), .required = true, .min = 3, .max = 255,
     .doc = "the centre's address, host:port"},
    {"server_name", CL_SETTING_TEXT, offsetof(struct client_profile_fields, server_name),
     .doc = "the name its certificate must hold, when it is not the target's host"},
    {"ca", CL_SETTING_PATH, offsetof(struct client_profile_fields, ca), .required = true,
     .doc = "certificate of the scheme's CA (PEM)"},
    {"certificate", CL_SETTING_PATH, offsetof(struct client_profile_fields, certificate), .required = true,
     .doc = "our TLS certificate (PEM)"},
    {"key", CL_SETTING_PATH, offsetof(struct client_profile_fields, key), .required = true,
     .doc = "its private key (PEM)"},
    {"signing_key", CL_SETTING_PATH, offsetof(struct client_profile_fields, signing_key), .required = true,
     .doc = "our Ed25519 key that signs messages (PEM, mode 0600)"},
    {"directory", CL_SETTING_PATH, offsetof(struct client_profile_fields, directory), .required = true,
     .doc = "the signed key directory"},
    {"directory_key", CL_SETTING_PATH, offsetof(struct client_profile_fields, directory_key), .required = true,
     .doc = "the centre's public key that signs directories: 64 hex digits, or a PEM file"},
    {"party", CL_SETTING_TEXT, offsetof(struct client_profile_fields, party), .required = true, .min = 3,
     .max = CL_PARTY_BYTES_MAX, .doc = "who we are, e.g. bank:cn-alpha-js"},
    {"centre", CL_SETTING_TEXT, offsetof(struct client_profile_fields, centre), .required = true, .min = 3,
     .max = CL_PARTY_BYTES_MAX, .doc = "whom we talk to, e.g. fund:cn-nj-prov"},
    {"environment", CL_SETTING_TEXT, offsetof(struct client_profile_fields, environment), .required = true, .min = 3,
     .max = CL_ENVIRONMENT_BYTES_MAX, .doc = "prod, test or conf/<run>"},
};

/* -- Files ---------------------------------------------------------------------------------------------------- */

static struct cl_status read_all(uint8_t *out, size_t *len_out, int fd)
{
    size_t len = 0;
    while (len <= CLIENT_FILE_BYTES_MAX) {
        ssize_t got = read(fd, out + len, CLIENT_FILE_BYTES_MAX + 1 - len);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return cl_fail(CL_SYSTEM);
        }
        if (got == 0) {
            out[len] = '\0';
            *len_out = len;
            return cl_ok();
        }
        len += (size_t)got;
    }
    errno = EFBIG;
    return cl_fail(CL_MESSAGE_TOO_LARGE);
}

struct cl_status client_file_read(uint8_t **out, size_t *len_out, const char *path)
{
    bool standard_input = strcmp(path, "-") == 0;
    struct stat about;
    int fd = standard_input ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    if (!standard_input && (fstat(fd, &about) != 0 || !S_ISREG(about.st_mode))) {
        (void)close(fd);
        errno = EISDIR;
        return cl_fail(CL_SYSTEM);
    }
    uint8_t *bytes = malloc(CLIENT_FILE_BYTES_MAX + 2);
    struct cl_status status = bytes == NULL ? cl_fail(CL_MEMORY_LIMIT) : read_all(bytes, len_out, fd);
    int why = errno;
    (void)close(fd);
    errno = why;
    if (cl_failed(status)) {
        free(bytes);
        return status;
    }
    *out = bytes;
    return cl_ok();
}

static bool write_all(int fd, struct cl_bytes bytes)
{
    size_t done = 0;
    while (done < bytes.len) {
        ssize_t put = write(fd, bytes.data + done, bytes.len - done);
        if (put < 0 && errno != EINTR) {
            return false;
        }
        done += put < 0 ? 0 : (size_t)put;
    }
    return fsync(fd) == 0;
}

/* Written beside it under a name of our own, then linked or renamed into place. */
struct cl_status client_file_write(const char *path, struct cl_bytes bytes, unsigned mode, bool replace)
{
    char draft[4096];
    int len = snprintf(draft, sizeof draft, "%s.new-%d", path, (int)getpid());
    if (len < 0 || (size_t)len >= sizeof draft) {
        errno = ENAMETOOLONG;
        return cl_fail(CL_SYSTEM);
    }
    int fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0) {
        return cl_fail(CL_SYSTEM);
    }
    bool written = write_all(fd, bytes);
    written = close(fd) == 0 && written;
    bool placed = written && (replace ? rename(draft, path) : link(draft, path)) == 0;
    int why = errno;
    if (!placed || !replace) {
        (void)unlink(draft);
    }
    errno = why;
    return placed ? cl_ok() : cl_fail(CL_SYSTEM);
}

/* -- Public keys ---------------------------------------------------------------------------------------------- */

/* The SubjectPublicKeyInfo of an Ed25519 key is always these bytes and the key (RFC 8410). */
static const uint8_t spki[] = {0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};

static const char pem_begin[] = "-----BEGIN PUBLIC KEY-----\n";
static const char pem_end[] = "\n-----END PUBLIC KEY-----";

static bool read_pem(struct cl_public_key *out, const char *text)
{
    uint8_t der[CL_BASE64_DATA_BYTES(64)];
    size_t len = 0;
    size_t begin_len = sizeof pem_begin - 1;
    if (strncmp(text, pem_begin, begin_len) != 0) {
        return false;
    }
    const char *end = strstr(text + begin_len, pem_end);
    size_t base64_len = end == NULL ? 0 : (size_t)(end - text) - begin_len;
    if (base64_len == 0 || base64_len > 64 ||
        cl_failed(cl_base64_decode(der, &len, cl_bytes(text + begin_len, base64_len))) ||
        len != sizeof spki + CL_PUBLIC_KEY_BYTES || memcmp(der, spki, sizeof spki) != 0) {
        return false;
    }
    memcpy(out->bytes, der + sizeof spki, CL_PUBLIC_KEY_BYTES);
    return true;
}

struct cl_status client_public_key(struct cl_public_key *out, const char *text)
{
    struct cl_public_key key;
    bool hex = strlen(text) == 2 * CL_PUBLIC_KEY_BYTES && cl_is_ok(cl_hex_decode(key.bytes, CL_PUBLIC_KEY_BYTES, text));
    if ((!hex && !read_pem(&key, text)) || !cl_public_key_strong(&key)) {
        return cl_fail(CL_FIELD_INVALID);
    }
    *out = key;
    return cl_ok();
}

/* -- Profiles ------------------------------------------------------------------------------------------------- */

/* Its length goes to `len_out`; NULL is fine. */
static struct cl_status read_named_file(char **out, size_t *len_out, const struct cl_setting *section,
                                        const char *field, const char *path, struct cl_setting_error *error)
{
    uint8_t *bytes = NULL;
    size_t len = 0;
    if (cl_failed(client_file_read(&bytes, len_out == NULL ? &len : len_out, path))) {
        return cl_setting_refuse(error, cl_setting_find(section, field),
                                 "%s cannot be read: %s; check the path and who may read it", path, strerror(errno));
    }
    *out = (char *)bytes;
    return cl_ok();
}

static struct cl_status read_signer(struct client_profile *profile, const struct cl_setting *section,
                                    struct cl_setting_error *error)
{
    struct cl_status status = cl_signer_load(&profile->signer, profile->fields.signing_key, profile->fields.party);
    if (cl_failed(status)) {
        const char *field = status.reason == CL_FIELD_INVALID ? "party" : "signing_key";
        return cl_setting_refuse(error, cl_setting_find(section, field), "%s: %s",
                                 status.reason == CL_FIELD_INVALID ? "this is not a party id"
                                                                   : profile->fields.signing_key,
                                 cl_reason_info(status.reason)->text_en);
    }
    return cl_ok();
}

static struct cl_status read_directory_key(struct client_profile *profile, const struct cl_setting *section,
                                           struct cl_setting_error *error)
{
    const struct cl_setting *setting = cl_setting_find(section, "directory_key");
    char *text = NULL;
    if (cl_is_ok(client_public_key(&profile->directory_key, cl_setting_text(setting)))) {
        return cl_ok();
    }
    struct cl_status status =
        read_named_file(&text, NULL, section, "directory_key", profile->fields.directory_key, error);
    if (cl_failed(status)) {
        return status;
    }
    status = client_public_key(&profile->directory_key, text);
    free(text);
    return cl_failed(status) ? cl_setting_refuse(error, setting,
                                                 "%s is not an Ed25519 public key in PEM; `openssl pkey -pubout` makes "
                                                 "one",
                                                 profile->fields.directory_key)
                             : cl_ok();
}

static struct cl_status read_directory(struct client_profile *profile, const struct cl_setting *section,
                                       struct cl_setting_error *error)
{
    const struct cl_directory_trust trust = {.public_key = profile->directory_key,
                                             .centre = profile->fields.centre,
                                             .environment = profile->fields.environment};
    const struct cl_setting *setting = cl_setting_find(section, "directory");
    char *text = NULL;
    size_t len = 0;
    struct cl_status status = read_named_file(&text, &len, section, "directory", profile->fields.directory, error);
    if (cl_failed(status)) {
        return status;
    }
    status = cl_keyring_load(&profile->keyring, cl_bytes(text, len), &trust, NULL);
    free(text);
    if (cl_failed(status)) {
        return cl_setting_refuse(error, setting,
                                 "%s is not a key directory of %s for %s signed by directory_key (%s): %s",
                                 profile->fields.directory, profile->fields.centre, profile->fields.environment,
                                 cl_status_name(status), cl_reason_info(status.reason)->text_en);
    }
    return cl_ok();
}

static struct cl_status check_texts(const struct client_profile *profile, const struct cl_setting *section,
                                    struct cl_setting_error *error)
{
    if (!cl_party_valid(profile->fields.party)) {
        return cl_setting_refuse(error, cl_setting_find(section, "party"),
                                 "this is not a party id; write <kind>:<id>, e.g. bank:cn-alpha-js");
    }
    if (cl_party_kind(profile->fields.centre) != CL_PARTY_FUND) {
        return cl_setting_refuse(error, cl_setting_find(section, "centre"),
                                 "this is not the id of a fund centre; write fund:<id>, e.g. fund:cn-nj-prov");
    }
    if (!cl_environment_valid(profile->fields.environment)) {
        return cl_setting_refuse(error, cl_setting_find(section, "environment"), "expected prod, test or conf/<run>");
    }
    return cl_ok();
}

static struct cl_status read_files(struct client_profile *profile, const struct cl_setting *section,
                                   struct cl_setting_error *error)
{
    const struct client_profile_fields *fields = &profile->fields;
    struct cl_status status = check_texts(profile, section, error);
    if (cl_is_ok(status)) {
        status = read_named_file(&profile->ca_pem, NULL, section, "ca", fields->ca, error);
    }
    if (cl_is_ok(status)) {
        status = read_named_file(&profile->cert_pem, NULL, section, "certificate", fields->certificate, error);
    }
    if (cl_is_ok(status)) {
        status = read_named_file(&profile->key_pem, NULL, section, "key", fields->key, error);
    }
    if (cl_is_ok(status)) {
        status = read_signer(profile, section, error);
    }
    if (cl_is_ok(status)) {
        status = read_directory_key(profile, section, error);
    }
    return cl_failed(status) ? status : read_directory(profile, section, error);
}

struct cl_status client_profile_read(struct client_profile *out, const struct cl_setting *section,
                                     struct cl_setting_error *error)
{
    struct client_profile profile = {.settings = NULL};
    struct cl_status status =
        cl_setting_read(&profile.fields, section, client_profile_fields, CLIENT_PROFILE_FIELD_COUNT, error);
    if (cl_is_ok(status)) {
        status = read_files(&profile, section, error);
    }
    if (cl_failed(status)) {
        client_profile_close(&profile);
        return status;
    }
    *out = profile;
    return cl_ok();
}

struct cl_status client_profile_load(struct client_profile *out, const char *path, struct cl_setting_error *error)
{
    struct cl_settings *settings = NULL;
    struct cl_status status = cl_settings_load(&settings, path, error);
    if (cl_is_ok(status)) {
        status = client_profile_read(out, cl_settings_root(settings), error);
    }
    if (cl_failed(status)) {
        cl_settings_free(settings);
        return status;
    }
    out->settings = settings;
    return cl_ok();
}

void client_profile_close(struct client_profile *profile)
{
    if (profile->key_pem != NULL) {
        explicit_bzero(profile->key_pem, strlen(profile->key_pem));
    }
    free(profile->ca_pem);
    free(profile->cert_pem);
    free(profile->key_pem);
    cl_signer_free(profile->signer);
    cl_keyring_unref(profile->keyring);
    cl_settings_free(profile->settings);
    *profile = (struct client_profile){.settings = NULL};
}

struct cl_status client_profile_connect(struct cl_session **out, const struct client_profile *profile)
{
    const struct cl_session_options options = {.target = profile->fields.target,
                                               .server_name = profile->fields.server_name,
                                               .ca_pem = profile->ca_pem,
                                               .cert_pem = profile->cert_pem,
                                               .key_pem = profile->key_pem,
                                               .signer = profile->signer,
                                               .keyring = profile->keyring,
                                               .directory_key = profile->directory_key};
    return cl_session_create(out, &options);
}
