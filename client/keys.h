/* keys.h - what the files of `coloan keys` share. Private to client.
 *
 * One thread. Fails: as a command does, having said why. */
#ifndef COLOAN_CLIENT_KEYS_H
#define COLOAN_CLIENT_KEYS_H

#include "client/view.h"
#include "libcoloan/keydraft.h"

#define KEYS_VALID_DAYS_DEFAULT 365

/* A private key's file, as `party`'s; the caller frees the signer. */
enum cli_exit keys_load_signer(struct cl_signer **out, const struct cli *cli, const char *path, const char *party);

/* Public half and key id. */
void keys_print_public(const struct cli *cli, const struct cl_public_key *key);

/* A directory and who issued it, unpacked without believing anything of it. */
CL_MUST_CHECK struct cl_status keys_unpack_directory(const Coloan__V1__KeyDirectory **out, const char **centre_out,
                                                     struct cl_arena *arena, struct cl_bytes bytes);

/* --valid-days, or a year. */
int64_t keys_valid_ms(const struct cli *cli);

enum cli_exit keys_prove(struct cli *cli);
enum cli_exit keys_rotate(struct cli *cli);
enum cli_exit keys_issue(struct cli *cli);
enum cli_exit keys_retire(struct cli *cli);
enum cli_exit keys_compromise(struct cli *cli);

#endif
