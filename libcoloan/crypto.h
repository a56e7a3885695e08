/* crypto.h - libsodium made ready, once for the process.
 *
 * Whoever calls a function of libsodium that picks an implementation or needs randomness calls this first; any thread.
 * Cannot fail: a machine on which libsodium cannot start has no randomness, and nothing may run there. */
#ifndef COLOAN_CRYPTO_H
#define COLOAN_CRYPTO_H

void cl_crypto_ready(void);

#endif
