/* rulebook.h - rule sets from their files: YAML in, checked numbers out; and the signatures that say they are the centre's.
 *
 * Beside a rule set rules/<id>.yaml stands its signature rules/<id>.yaml.sig: a DSSE envelope over the file's bytes, of
 * payload type RULEBOOK_PAYLOAD_TYPE, by signing keys of the centre. It holds the bytes it signs, and they have to be the
 * file's. A key that was given up since still vouches for what it signed, unless it was compromised.
 *
 * Owner: the caller frees the book; its sets are borrowed. Start-up thread, and the command line's. Fails: CONFIG_INVALID
 * with file, line, field and mend in `error`; MEMORY_LIMIT. */
#ifndef COLOAN_SERVER_RULEBOOK_H
#define COLOAN_SERVER_RULEBOOK_H

#include "libcoloan/arena.h"
#include "libcoloan/keyring.h"
#include "libcoloan/settings.h"
#include "libcoloan/signer.h"
#include "server/domain/ruleset.h"

#define RULEBOOK_SETS_MAX     64 /* a policy changes a few times a year; running cases keep the sets of their day */
#define RULEBOOK_PAYLOAD_TYPE "application/vnd.coloan.v1.RuleSet+yaml"
#define RULEBOOK_SIG_SUFFIX   ".sig"

struct rulebook {
    struct rule_set *sets;
    size_t count;
};

/* Reads every file and sees that they follow each other without gap or overlap. With a keyring each of them has to be
 * signed by the keyring's centre; NULL: signatures are not looked at. */
CL_MUST_CHECK struct cl_status rulebook_load(struct rulebook *out, const char *const *paths, size_t path_count,
                                             const struct cl_keyring *keyring, struct cl_setting_error *error);
void rulebook_free(struct rulebook *book);

/* Told of each fault: one sentence with file and, where there is one, line. */
struct rulebook_listener {
    void (*fault)(void *user, const char *text);
    void *user;
};

/* As rulebook_load, but goes on after a fault and tells each: every wrong field of every file, every signature, and how
 * the sets that could be read follow each other. Returns how many there were. */
size_t rulebook_check(const char *const *paths, size_t path_count, const struct cl_keyring *keyring,
                      const struct rulebook_listener *listener);

/* The signature file's bytes for a rule set's bytes. MESSAGE_TOO_LARGE, MEMORY_LIMIT. */
CL_MUST_CHECK struct cl_status rulebook_sign(struct cl_bytes *out, struct cl_arena *arena,
                                             const struct cl_signer *signer, struct cl_bytes file);

/* Whether `sig`, a signature file's bytes, is one of the keyring's centre over `file`. PAYLOAD_TYPE_WRONG: not a rule set's;
 * SIGNATURE_INVALID: of other bytes, or wrong; KEY_UNKNOWN: by nobody of the centre; KEY_NOT_VALID: by a compromised key;
 * PROFILE_UNSUPPORTED: signed in a batch; SIGNATURE_COUNT; what cl_dsse_read gives. */
CL_MUST_CHECK struct cl_status rulebook_verify(struct cl_bytes sig, struct cl_bytes file,
                                               const struct cl_keyring *keyring);

#endif
