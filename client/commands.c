/* The table of commands; each has its own file. */
#include "client/cli.h"

#include <limits.h>

const struct cli_command cli_commands[] = {
    {"submit", "FILE|-", "hand in an application",
     "Hands in the application of FILE (- is standard input): one JSON object with `application`, the proto3 JSON of\n"
     "coloan.v1.Application without personal values, and `personal`, those values by their path. Each value is sent\n"
     "beside the signed body, which holds a commitment to it. Prints the receipt.\n\n"
     "  coloan submit application.json --profile alpha.yaml\n\n"
     "  {\"application\": {\"externalRef\": \"A-1\", \"bank\": \"bank:cn-alpha-js\",\n"
     "     \"persons\": [{\"role\": \"PERSON_ROLE_BORROWER\", \"contributes\": true,\n"
     "                  \"declaredMaritalStatus\": \"MARITAL_STATUS_SINGLE\"}],\n"
     "     \"home\": {\"kind\": \"HOME_KIND_NEW\", \"contractNo\": \"TEST-1\", \"districtCode\": \"320102\",\n"
     "              \"priceFen\": \"130000000\", \"areaCentiM2\": 8900},\n"
     "     \"request\": {\"termMonths\": 360, \"method\": \"REPAYMENT_METHOD_EQUAL_INSTALMENT\"},\n"
     "     \"consents\": [{\"consentId\": \"C-1\", \"person\": 0, \"purpose\": \"CONSENT_PURPOSE_VERIFY\",\n"
     "                   \"receiver\": \"fund:cn-nj-prov\", \"untilMs\": \"1800000000000\", \"documentSha256\": "
     "\"...\"}]},\n"
     "   \"personal\": {\"persons[0].name\": \"测试甲\", \"persons[0].id_number\": \"990101199603150019\",\n"
     "                \"persons[0].mobile\": \"19900010000\", \"home.address\": \"测试市虚构路1号\"}}\n",
     "profile json lang timeout keep", 1, 1, cmd_submit},
    {"show", "APPLICATION", "one case: state, tracks, items",
     "Shows a case as far as the caller may see it. --keep FILE keeps the signed joint decision, for `verify`.\n\n"
     "  coloan show 019357a0-0000-7000-8000-000000000001 --profile alpha.yaml\n"
     "  coloan show 019357a0-0000-7000-8000-000000000001 --keep joint.bin\n",
     "profile json lang timeout keep", 1, 1, cmd_show},
    {"list", "", "our cases, newest first",
     "Lists our cases, newest first; with --json one object a line.\n\n"
     "  coloan list --state OFFERED --count 20 --profile alpha.yaml\n",
     "profile json lang timeout count state", 0, 0, cmd_list},
    {"watch", "APPLICATION", "tell each change until it is decided",
     "Looks every second and tells each change, until the case is decided, or has come to the state of --until, or "
     "the\n"
     "time is over (600 s). A case that ends elsewhere fails.\n\n"
     "  coloan watch 019357a0-0000-7000-8000-000000000001 --timeout 60\n"
     "  coloan watch 019357a0-0000-7000-8000-000000000001 --until READY\n",
     "profile json lang timeout every until", 1, 1, cmd_watch},
    {"decide", "APPLICATION DECISION", "approve, counter or decline an offer",
     "Reports the bank's decision on the current offer, naming the digest of exactly its terms.\n\n"
     "  coloan decide 019357a0-0000-7000-8000-000000000001 approve --reference L-2026-1\n"
     "  coloan decide 019357a0-0000-7000-8000-000000000001 counter --amount-fen 20000000\n"
     "  coloan decide 019357a0-0000-7000-8000-000000000001 decline\n",
     "profile json lang timeout reference amount-fen rate-ppm term-months", 2, 2, cmd_decide},
    {"milestone", "APPLICATION KIND", "report a contract, a registration, a payment",
     "Reports what happened after the approval. KIND: signed, registration-filed, disbursed, repaid, overdue, "
     "settled,\n"
     "cancelled, mortgage-released. --reference is the contract's, the registry's or our own number.\n\n"
     "  coloan milestone 019357a0-0000-7000-8000-000000000001 signed --leg fund --reference GJJ-2026-17\n"
     "  coloan milestone 019357a0-0000-7000-8000-000000000001 disbursed --leg commercial --amount-fen 24000000 \\\n"
     "    --account 990000000000000017 --reference B-2026-17\n"
     "  coloan milestone 019357a0-0000-7000-8000-000000000001 repaid --leg fund --amount-fen 320272 \\\n"
     "    --balance-fen 79679728 --reference I-1\n",
     "profile json lang timeout reference leg amount-fen balance-fen account", 2, 2, cmd_milestone},
    {"explain", "APPLICATION", "why it came out so: rules, limits, offer",
     "Explains a decision: the offer, what bound it, every item, and every rule with its outcome and reason.\n\n"
     "  coloan explain 019357a0-0000-7000-8000-000000000001 --lang zh\n",
     "profile json lang timeout", 1, 1, cmd_explain},
    {"verify", "FILE", "check a joint decision's signatures, offline",
     "Checks a kept joint decision: the centre's and the bank's signatures, and that both name the same terms. Needs\n"
     "the key directory, from the profile or by options, and nothing else.\n\n"
     "  coloan verify joint.bin --profile alpha.yaml\n"
     "  coloan verify joint.bin --directory directory.bin --directory-key directory.pub \\\n"
     "    --centre fund:cn-nj-prov --environment test\n",
     "profile json lang directory directory-key centre environment", 1, 1, cmd_verify},
    {"keys", "generate|prove|rotate|issue|retire|compromise|show|fetch", "signing keys and key directories",
     "generate FILE           a new Ed25519 signing key (PEM, mode 0600); prints its public half\n"
     "prove FILE              a key request: the public half and a proof that we hold the key, for the centre's "
     "operator\n"
     "rotate FILE             ask the centre to replace our key by this new one; the old key signs the request\n"
     "issue FILE...           the centre's operator: a signed key directory from key requests and rotations\n"
     "retire KEYID            the next directory, in which a key verifies only what was made before now\n"
     "compromise KEYID        the next directory, in which nothing made --since a day verifies\n"
     "show FILE               a key's public half, or the keys of a directory\n"
     "fetch                   the centre's newest directory, into the profile's file or --out\n\n"
     "  coloan keys generate alpha.sign.key\n"
     "  coloan keys prove alpha.sign.key --party bank:cn-alpha-js --environment test --out alpha.request.json\n"
     "  coloan keys issue --environment test --number 1 --directory-key directory.key --out directory.bin \\\n"
     "    nj.request.json alpha.request.json\n"
     "  coloan keys issue --directory directory.bin --directory-key directory.key --out directory.bin \\\n"
     "    beta.request.json pending/*.rotation\n"
     "  coloan keys compromise 0123456789abcdef0123456789abcdef --since 2026-11-25 --directory directory.bin \\\n"
     "    --directory-key directory.key --out directory.bin\n"
     "  coloan keys rotate alpha-2027.sign.key --profile alpha.yaml\n"
     "  coloan keys show directory.bin --directory-key directory.pub\n",
     "profile json lang timeout environment number centre directory directory-key out valid-days party since "
     "overlap-days "
     "custody",
     1, INT_MAX, cmd_keys},
    {"ping", "", "is the centre there, and do the clocks agree",
     "Asks the centre for its capabilities over the whole way, TLS and signatures included.\n\n"
     "  coloan ping --count 5 --profile alpha.yaml\n",
     "profile json lang timeout count", 0, 0, cmd_ping},
    {"decode", "FILE", "an envelope as JSON, without judging it",
     "Prints header and body of a serialised envelope (- is standard input). Personal values stay hidden unless\n"
     "--personal is given. It checks no signature: `verify` does.\n\n"
     "  coloan decode joint.bin\n",
     "json lang personal", 1, 1, cmd_decode},
    {.name = NULL},
};
