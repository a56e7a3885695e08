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
    {"supplement", "APPLICATION FILE|-", "hand in what was asked for",
     "Hands in the whole application again, mended and completed: a file as for `submit`, with all personal values. "
     "Own\n"
     "number, bank and borrower stay as they were; what is unchanged is not checked again.\n\n"
     "  coloan supplement 019357a0-0000-7000-8000-000000000001 application.json --profile alpha.yaml\n",
     "profile json lang timeout", 2, 2, cmd_supplement},
    {"confirm", "APPLICATION VERSION", "the borrower accepts the offer",
     "Accepts terms that both lenders have signed. VERSION is that of the offer the borrower signed; another one is "
     "not\n"
     "confirmed. Only the digest of the signed confirmation is sent.\n\n"
     "  coloan confirm 019357a0-0000-7000-8000-000000000001 1 --document confirmation.pdf\n",
     "profile json lang timeout document", 2, 2, cmd_confirm},
    {"change-bank", "APPLICATION FILE|-", "another bank for the commercial part",
     "Moves a case to another bank, as long as no contract is signed. FILE names the bank and the consents of each "
     "person\n"
     "to it, a credit report and sharing. What was checked stays, and the fund decides anew.\n\n"
     "  coloan change-bank 019357a0-0000-7000-8000-000000000001 change.json --profile app.yaml\n\n"
     "  {\"bank\": \"bank:cn-beta-js\",\n"
     "   \"consents\": [{\"consentId\": \"C-9\", \"person\": 0, \"purpose\": \"CONSENT_PURPOSE_CREDIT_REPORT\",\n"
     "                 \"receiver\": \"bank:cn-beta-js\", \"untilMs\": \"1800000000000\", \"documentSha256\": "
     "\"...\"},\n"
     "                {\"consentId\": \"C-10\", \"person\": 0, \"purpose\": \"CONSENT_PURPOSE_SHARE\",\n"
     "                 \"receiver\": \"bank:cn-beta-js\", \"untilMs\": \"1800000000000\", \"documentSha256\": "
     "\"...\"}]}\n",
     "profile json lang timeout", 2, 2, cmd_change_bank},
    {"choose-rules", "APPLICATION RULE-SET", "be judged by newer rules",
     "Chooses a later rule set for a case in flight, where that set allows it; the fund decides anew. Only the digest "
     "of\n"
     "the borrower's signed choice is sent.\n\n"
     "  coloan choose-rules 019357a0-0000-7000-8000-000000000001 REF-NJ-2026-11 --document choice.pdf\n",
     "profile json lang timeout document", 2, 2, cmd_choose_rules},
    {"withdraw", "APPLICATION", "the borrower gives up",
     "Gives a case up, as long as no contract is signed. It cannot be taken back.\n\n"
     "  coloan withdraw 019357a0-0000-7000-8000-000000000001 --reason FOUND-OTHER\n",
     "profile json lang timeout reason", 1, 1, cmd_withdraw},
    {"upload", "APPLICATION FILE", "a document that the application names",
     "Uploads a document that the application, or one of its consents, names by the SHA-256 of its bytes. What the\n"
     "centre has of it already is not sent again, so a broken upload is simply started once more.\n\n"
     "  coloan upload 019357a0-0000-7000-8000-000000000001 contract.pdf --profile alpha.yaml\n",
     "profile json lang timeout", 2, 2, cmd_upload},
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
    {"events", "list|show|park|unpark|replay|reconcile", "what was pushed to a bank, and how it stands",
     "For a bank its own events, for an officer those of --bank.\n\n"
     "list                    events after --after, oldest first; --pending only those that were not received\n"
     "show SEQUENCE           one event: its acknowledgements, what was tried, who interfered; --keep FILE keeps its\n"
     "                        signed envelope (a bank's own)\n"
     "park FIRST [LAST]       deliver these, and what follows of their applications, no more\n"
     "unpark FIRST [LAST]     deliver them again, from now on\n"
     "replay FIRST [LAST]     deliver them once more: the same sequence, the same bytes\n"
     "reconcile FILE          find the first event in which the bank and the centre differ; FILE (- is standard "
     "input)\n"
     "                        has a line `SEQUENCE DIGEST` for each event the bank holds, from 1, as\n"
     "                        `coloan-bank --list-events` prints them\n\n"
     "  coloan events list --pending --profile alpha.yaml\n"
     "  coloan events list --bank bank:cn-alpha-js --after 1000 --count 20 --profile officer.yaml\n"
     "  coloan events show 1017 --bank bank:cn-alpha-js --profile officer.yaml\n"
     "  coloan events unpark 1017 --bank bank:cn-alpha-js --reason core-mended --profile officer.yaml\n"
     "  coloan-bank --config alpha-bank.yaml --list-events | coloan events reconcile - --profile alpha.yaml\n",
     "profile json lang timeout bank after count pending reason keep", 1, 3, cmd_events},
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
    {"explain", "APPLICATION|FILE", "why it came out so: rules, limits, offer",
     "Explains a decision: the offer, what bound it, every item, and every rule in order with its outcome, its limit "
     "and\n"
     "its reason. FILE is a decision record (an envelope as Review.GetDecision gives it) or a bare trace; then no "
     "centre\n"
     "is asked.\n\n"
     "  coloan explain 019357a0-0000-7000-8000-000000000001 --lang zh\n"
     "  coloan explain record.bin --json\n",
     "profile json lang timeout", 1, 1, cmd_explain},
    {"timeline", "APPLICATION", "what happened, step by step",
     "Tells every step of a case: when, the state after it, who caused it, and what it means.\n\n"
     "  coloan timeline 019357a0-0000-7000-8000-000000000001 --lang zh\n",
     "profile json lang timeout", 1, 1, cmd_timeline},
    {"replay", "RECORD", "decide a recorded case again, byte for byte",
     "Decides a recorded case again by the rule set of --rules, and says whether trace, verdict, reasons and terms "
     "are\n"
     "the recorded ones, byte for byte; if not, where they part.\n\n"
     "  coloan replay record.bin --rules rules/REF-NJ-2026-11.yaml\n",
     "json lang rules", 1, 1, cmd_replay},
    {"rules", "check|sign|diff|rehearse|fields", "rule sets: check, sign, compare, try",
     "check FILE...     every wrong field with file and line, gaps and overlaps of the dates; with --profile or "
     "--directory\n"
     "                  the signatures, too\n"
     "sign FILE...      writes FILE.sig with the centre's --key; --centre says whose it is\n"
     "diff A B          field by field, with units\n"
     "rehearse          past decisions (--records) run through a new set (--against): what would change\n"
     "fields            all fields of a rule set\n\n"
     "  coloan rules check rules/REF-NJ-2026-04.yaml rules/REF-NJ-2026-11.yaml\n"
     "  coloan rules sign rules/REF-NJ-2026-11.yaml --key fund.sign.key --centre fund:cn-nj-prov\n"
     "  coloan rules diff rules/REF-NJ-2026-04.yaml rules/REF-NJ-2026-11.yaml --lang zh\n"
     "  coloan rules rehearse --against rules/NEXT.yaml --records decisions/\n",
     "profile json lang directory directory-key centre environment key against records", 1, INT_MAX, cmd_rules},
    {"tasks", "[APPLICATION]", "what waits for officers, the most urgent first",
     "Lists open tasks, the most urgent first; of one application, ended ones, too. With --json one object a line.\n\n"
     "  coloan tasks --unclaimed --kind ITEM --profile officer.yaml\n"
     "  coloan tasks 019357a0-0000-7000-8000-000000000001\n",
     "profile json lang timeout count mine unclaimed kind", 0, 1, cmd_tasks},
    {"task", "TASK", "a task and its case, all an officer needs",
     "Shows a task: why a person is needed, the case, its items and what they were before, what officers did.\n"
     "The submission's signature is checked, and the personal values against it; --personal shows them.\n\n"
     "  coloan task 019357a0-0000-7000-8000-000000000009 --personal --profile officer.yaml\n",
     "profile json lang timeout personal", 1, 1, cmd_task},
    {"claim", "TASK", "work on a task: nobody else may for half an hour",
     "Claims a task for 30 minutes; claiming it again prolongs that.\n\n"
     "  coloan claim 019357a0-0000-7000-8000-000000000009\n",
     "profile json lang timeout", 1, 1, cmd_claim},
    {"release", "TASK", "give a claimed task back",
     "Gives a task back before its half hour is over.\n\n"
     "  coloan release 019357a0-0000-7000-8000-000000000009\n",
     "profile json lang timeout", 1, 1, cmd_release},
    {"settle", "TASK pass|fail ...", "settle the item of a claimed task",
     "Says what was found out about a task's item: pass with its facts (docs/spec/items.md),\n"
     "or fail with --failure. --document or --note says what it rests on. The fund then decides anew.\n\n"
     "  coloan settle 019357a0-0000-7000-8000-000000000009 pass loans_used=0 loans_open=0 --note SRC-DESK\n"
     "  coloan settle 019357a0-0000-7000-8000-000000000009 fail --failure MISMATCH --document letter.pdf\n",
     "profile json lang timeout failure note document", 2, INT_MAX, cmd_settle},
    {"override", "APPLICATION STEP ITEM", "change a settled item, with four eyes",
     "Changes a settled item of a case that is not decided. STEP is propose, confirm or withdraw: one officer\n"
     "proposes it and says why, another one confirms what the first one signed; until then nothing changes. Who\n"
     "proposed it may withdraw it. It ends by itself after three days.\n\n"
     "  coloan override 019357a0-0000-7000-8000-000000000001 propose MARRIAGE pass status=1 --note RULING\n"
     "  coloan override 019357a0-0000-7000-8000-000000000001 confirm MARRIAGE\n"
     "  coloan override 019357a0-0000-7000-8000-000000000001 withdraw MARRIAGE --person 1\n",
     "profile json lang timeout person failure note document", 3, INT_MAX, cmd_override},
    {"decision", "APPLICATION", "the record of a decision, to make it again",
     "Shows what one of the fund's decisions rested on, the newest unless --number says which. --out FILE keeps\n"
     "the signed record with the ID numbers that the rules need: `coloan replay` makes the decision again from it.\n\n"
     "  coloan decision 019357a0-0000-7000-8000-000000000001 --out decision.bin --profile officer.yaml\n",
     "profile json lang timeout number out", 1, 1, cmd_decision},
    {"counters", "", "how much officers did, and why they had to",
     "Counts what each officer did, and for each reason how often an item was referred, settled, overridden.\n\n"
     "  coloan counters --profile officer.yaml\n",
     "profile json lang timeout", 0, 0, cmd_counters},
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
