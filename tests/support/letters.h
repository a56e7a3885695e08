/* letters.h - authorisation letters for tests: CAs and signers made on the spot, and letters signed by them.
 *
 * Elliptic-curve keys of this process only. One thread. Aborts on failure. */
#ifndef COLOAN_TESTS_LETTERS_H
#define COLOAN_TESTS_LETTERS_H

#include <stddef.h>
#include <stdint.h>

#include "libcoloan/bytes.h"

/* Somebody with a certificate. */
struct letter_signer;

/* A root, when `issuer` is NULL; else a signer, or with `is_ca` a CA in between. Valid from 1 day before `now_ms` for
 * `days` days; negative: it ended so many days ago. */
struct letter_signer *letter_signer_create(const struct letter_signer *issuer, bool is_ca, int64_t now_ms, int days);
void letter_signer_free(struct letter_signer *signer);

/* Its certificate as PEM; the caller's to free. */
char *letter_signer_pem(const struct letter_signer *signer);

/* The text as a DER CMS message with everything needed; `*out` is the caller's to free. `detached` leaves the text out. */
size_t letter_sign(uint8_t **out, const struct letter_signer *signer, const struct letter_signer *between,
                   const char *text, bool detached);

#endif
