/* The joint agreement as an exhaustive model: one centre, two banks, the borrower, a network that cannot be trusted.
 *
 * The centre's tracks are moved by server/domain/lifecycle.c itself, which is compiled into the checker with its table, so
 * the model cannot fall out of step with lifecycle.def. What stands around the table here - which message, which offer,
 * which epoch, which round, what is kept when - are the checks of server/cases.
 *
 * The network. What a party may have sent once, it may have sent, or the network may deliver, at every later moment: late,
 * again, after any later message, or never. What is lost is sent again byte for byte, which is the same as one that comes
 * late. So losses, copies and changes of order are not counted: the model has all of them. A message that would only be
 * answered again, or refused without a trace, is no step. Events come in the order of their numbers, which is the bank's own
 * rule: whatever arrives, it takes over the next one only.
 *
 * Crashes. What a crash takes is what was not stored: the request that the centre has read and not committed, the word that a
 * bank has in mind and not kept. With CRASHES each of them crashes once, at any moment, and goes on from what it had stored.
 * Without, a step is the whole transaction, so that a crash leaves either the state before it or the one after. The
 * borrower's program may lose even what it stored: whatever it may say, it may say again in a new message.
 *
 * Time is only what it can do: an offer ends, a request comes too late to be taken, the scheduler finds either.
 *
 * Every step brings the case nearer to its end, so no run is infinite (pan -l finds no cycle). "Nothing can happen any more" is
 * where every run ends in which messages come at last: what has to hold there stands in at_the_end.
 *
 * VERSIONS   offers in a round           CHANGES  how often the borrower may change the bank
 * EXPIRY     1: offers end and the borrower may give up; 0: nothing ends a case but its decision
 * RULES      1: the borrower may choose other rules, which is a new round with the same bank
 * CRASHES    1: the centre and each bank crash once between reading or deciding and storing
 * BREAK_...  a seeded defect, one rule taken away; proofs/check names them */

#define ROUNDS (1 + CHANGES + RULES)
#define OFFERS (ROUNDS * VERSIONS)
#define EVENTS 8 /* that a bank has not read yet; more would be an error of the model */

c_decl {
\#include "server/domain/lifecycle.h"
};

/* -- What the centre keeps: all of it changes in one transaction ------------------------------------------------- */

c_state "struct case_tracks tracks" "Global"
byte state;                   /* lifecycle_state of the tracks */
byte version;                 /* of the offer on the table */
byte round;
byte epoch;
bool over;                    /* the offer's time is up */
bool new_rules;
byte offer_epoch[OFFERS + 1]; /* whom each offer was made to */
bool alone[OFFERS + 1];       /* the fund lends alone: no bank is asked */
byte decided[ROUNDS + 1];     /* the joint decision of each round: 0 none yet, the version agreed on, or: */
#define NO_LOAN 99
byte agreed;                  /* the version that both lenders have signed, while that holds */
byte confirmed;               /* the version that the borrower accepted, while that holds */

/* A bank's events, in order, from the first that it has not taken over. */
chan outbox[2] = [EVENTS] of { byte, byte };
#define FROM_APPLICATION 1
#define FROM_OFFER       2
#define FROM_JOINT       3    /* approved: the version; not: 0 */
#define FROM_STATUS      4    /* what was decided holds no longer, or the case has ended */
#define FROM_CONFIRMED   5
#define FROM_RELEASED    6

/* -- What the banks keep: each word before it is sent ---------------------------------------------------------------- */

/* ReportBankDecision, up to two for each offer: the second is made when the first is known to count for nothing. */
#define APPROVE       1
#define APPROVE_OTHER 2       /* the bank mixed something up: it names the digest of other terms */
#define COUNTER       3
#define DECLINE       4
#define SAID(v, n)    ((v) * 2 + (n))
byte said[2 * OFFERS + 2];
bool took[2 * OFFERS + 2];    /* the centre has it in its message log */
byte told[OFFERS + 1];        /* how the bank knows that the first word does not count: */
#define REFUSED   1
#define TOO_OLD   2
#define FORGOTTEN 3

byte offered[2];              /* the last offer it has read and may decide on */
byte holds[2];                /* the version it holds a joint approval of */
bool signs[OFFERS + 1];       /* the borrower accepted these terms: both contracts are signed and reported (SIGNED) */
byte lends[2];                /* the version of the contract that the centre has taken for signed */

/* -- What a crash takes ------------------------------------------------------------------------------------------------ */

byte taken;                   /* the word that the centre has read and not committed: SAID(...) */
byte mind[2];                 /* the word that a bank is about to keep */
bool crashed[3];              /* each bank and, last, the centre */

#define CURRENT    ((epoch - 1) % 2)
#define BANK_OF(v) ((offer_epoch[v] - 1) % 2)

/* -- The life cycle --------------------------------------------------------------------------------------------------- */

bool moved;
bool ended;
int may;                      /* the commands that the tables let through from here, one bit each */

#define MAY_BANK_COUNTER       1
#define MAY_CHANGE_BANK        2
#define MAY_CHOOSE_RULES       4
#define MAY_CONFIRM            8
#define MAY_EXPIRE             16
#define MAY_FUND_APPROVE       32
#define MAY_FUND_APPROVE_ALONE 64
#define MAY_FUND_REJECT        128
#define MAY_SIGN_BANK          256
#define MAY_SIGN_FUND          512
#define MAY_WITHDRAW           1024

c_code {
static struct case_input input_of(enum case_command command)
{
    return (struct case_input){.command = command, .items = {.total = 14}, .offer_versions_max = VERSIONS};
}

static int commands_that_fit(const struct case_tracks *tracks)
{
    static const struct {
        enum case_command command;
        int bit;
    } rows[] = {
        {COMMAND_BANK_COUNTER, MAY_BANK_COUNTER},
        {COMMAND_CHANGE_BANK, MAY_CHANGE_BANK},
        {COMMAND_CHOOSE_RULES, MAY_CHOOSE_RULES},
        {COMMAND_CONFIRM, MAY_CONFIRM},
        {COMMAND_EXPIRE, MAY_EXPIRE},
        {COMMAND_FUND_APPROVE, MAY_FUND_APPROVE},
        {COMMAND_FUND_APPROVE_ALONE, MAY_FUND_APPROVE_ALONE},
        {COMMAND_FUND_REJECT, MAY_FUND_REJECT},
        {COMMAND_SIGN_BANK, MAY_SIGN_BANK},
        {COMMAND_SIGN_FUND, MAY_SIGN_FUND},
        {COMMAND_WITHDRAW, MAY_WITHDRAW},
    };
    int bits = 0;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct case_input input = input_of(rows[i].command);
        bits |= lifecycle_row(tracks, &input) == NULL ? 0 : rows[i].bit;
    }
    return bits;
}

static int move_case(struct case_tracks *tracks, enum case_command command)
{
    struct case_events events;
    struct case_input input = input_of(command);
    return !cl_failed(lifecycle_apply(tracks, &events, &input));
}
};

/* The tracks move, or nothing does. */
#define MOVE(command)                                                         \
    c_code {                                                                  \
        now.moved = (unsigned char)move_case(&now.tracks, COMMAND_##command); \
        now.state = (unsigned char)lifecycle_state(&now.tracks);              \
        now.ended = lifecycle_ended(&now.tracks);                             \
        now.version = (unsigned char)now.tracks.offer_version;                \
        now.round = (unsigned char)now.tracks.round;                          \
        now.may = commands_that_fit(&now.tracks);                             \
    }

#define FITS(command) ((may & MAY_##command) != 0)

#define IS(name)      c_expr { now.state == CASE_##name }

/* -- Seeded defects: each takes one rule away ---------------------------------------------------------------------- */

#ifdef BREAK_EPOCH /* a change of bank does not name the epoch that it ends */
#define CHANGES_THIS(e) 1
#else
#define CHANGES_THIS(e) ((e) == epoch)
#endif

#ifdef BREAK_FENCE /* neither the epoch nor the version of what a bank says is looked at */
#define EPOCH_FITS(e) 1
#else
#define EPOCH_FITS(e) ((e) == epoch)
#endif

#if defined(BREAK_VERSION) || defined(BREAK_FENCE)
#define VERSION_FITS(v) 1
#else
#define VERSION_FITS(v) ((v) == version)
#endif

#ifdef BREAK_DIGEST
#define DIGEST_FITS(word) 1
#else
#define DIGEST_FITS(word) ((word) != APPROVE_OTHER)
#endif

#ifdef BREAK_ROUND /* the decision's row has the application alone as its key */
#define KEY         1
#define ROW_IS_FREE (decided[KEY] == 0)
#else
#define KEY         round
#define ROW_IS_FREE 1
#endif

#ifdef BREAK_CONFIRM /* the borrower's confirmation does not name the offer */
#define CONFIRM_NAMES(v) 1
#else
#define CONFIRM_NAMES(v) ((v) == version)
#endif

#ifdef BREAK_TERMS /* a contract from before the confirmation is taken */
#define TERMS_FIT(v) 1
#else
#define TERMS_FIT(v) ((v) == version)
#endif

/* -- What has to hold at every moment ------------------------------------------------------------------------------- */

#define APPROVED_BY_ALL (IS(APPROVED) || IS(CONFIRMED) || IS(SIGNING) || IS(SIGNED))
#define SAYS_YES(i)     (said[i] == APPROVE && took[i])

/* Covers: COL-JNT-001 */
inline nothing_is_half()
{
    /* The centre says "approved" exactly while the one joint decision of this round names terms that both have signed. */
    assert((agreed != 0) == APPROVED_BY_ALL);
    assert(agreed == 0 || decided[round] == agreed);
    assert(agreed == 0 || (offer_epoch[agreed] == epoch && agreed == version));
    assert(agreed == 0 || alone[agreed] || SAYS_YES(SAID(agreed, 0)) || SAYS_YES(SAID(agreed, 1)));
    /* A confirmation and a contract are about these terms. */
    assert(confirmed == 0 || confirmed == agreed);
    assert((confirmed != 0) == (IS(CONFIRMED) || IS(SIGNING) || IS(SIGNED)))
}

/* -- The centre ------------------------------------------------------------------------------------------------------- */

inline tell(bank, kind, what)
{
    assert(nfull(outbox[bank]));
    outbox[bank]!kind, what
}

inline make_offer()
{
    assert(version <= OFFERS);
    offer_epoch[version] = epoch;
    tell(CURRENT, FROM_OFFER, version)
}

/* Covers: COL-JNT-005 */
inline decide_together(what)
{
    assert(decided[KEY] == 0); /* never two in one round */
    decided[KEY] = what;
    agreed = (what == NO_LOAN -> 0 : what);
    tell(CURRENT, FROM_JOINT, agreed)
}

/* What was decided holds no longer. */
inline forget_decision()
{
    agreed = 0;
    confirmed = 0;
    over = 0
}

/* ReportBankDecision (cases/bank.c). Duplicates come before time and time before the rest, all in the transaction. */
#define DECISION_FITS(v, n)                                                                                   \
    (IS(OFFERED) && EPOCH_FITS(offer_epoch[v]) && VERSION_FITS(v) && DIGEST_FITS(said[SAID(v, n)]) && !over && \
     (said[SAID(v, n)] != COUNTER || FITS(BANK_COUNTER)) && ROW_IS_FREE)
#define TOO_LATE(v, n) (n == 0 && told[v] == TOO_OLD)

/* Covers: COL-JNT-006, COL-OFR-004 */
inline take_decision(v, n)
{
    assert(BANK_OF(v) == CURRENT);             /* a released bank's late answer changes nothing */
    assert(v == version);                      /* nor one to an offer that is gone */
    assert(said[SAID(v, n)] != APPROVE_OTHER); /* nor one about other terms */
    assert(n == 1 || told[v] != REFUSED);      /* what was refused stays refused */
    took[SAID(v, n)] = 1;
    if
    :: said[SAID(v, n)] == COUNTER -> MOVE(BANK_COUNTER); assert(moved); make_offer()
    :: said[SAID(v, n)] == DECLINE -> MOVE(BANK_DECLINE); assert(moved); decide_together(NO_LOAN)
    :: else -> MOVE(BANK_APPROVE); assert(moved); decide_together(v)
    fi;
    nothing_is_half()
}

/* ConfirmOffer. Whoever saw an approval of these terms may have sent it. */
#define CONFIRM_FITS(v) (CONFIRM_NAMES(v) && IS(APPROVED) && FITS(CONFIRM))
#if ROUNDS == 3
#define WAS_AGREED(v) (decided[1] == v || decided[2] == v || decided[3] == v)
#elif ROUNDS == 2
#define WAS_AGREED(v) (decided[1] == v || decided[2] == v)
#else
#define WAS_AGREED(v) (decided[1] == v)
#endif

inline take_confirmation(v)
{
    MOVE(CONFIRM);
    assert(moved);
    confirmed = v;
    tell(CURRENT, FROM_CONFIRMED, v);
    nothing_is_half()
}

/* ReportMilestone SIGNED of one leg, by the bank of the epoch. A contract that was signed before the borrower confirmed the
 * present terms is one of other terms: its happened_ms tells. */
#define CONTRACT_FITS(v, leg) (EPOCH_FITS(offer_epoch[v]) && TERMS_FIT(v) && FITS(SIGN_##leg))

#define TAKE_CONTRACT(v, leg)                       \
    assert(BANK_OF(v) == CURRENT && v == confirmed); \
    MOVE(SIGN_##leg);                                \
    assert(moved);                                   \
    nothing_is_half()

/* ChangeBank names the epoch that it ends. The borrower's program may have lost what it kept and send the wish anew. */
#define CHANGE_FITS(e) (CHANGES_THIS(e) && FITS(CHANGE_BANK))

inline take_change(e)
{
    assert(e == epoch);
    MOVE(CHANGE_BANK);
    assert(moved);
    forget_decision();
    tell(CURRENT, FROM_RELEASED, 0);
    epoch++;
    tell(CURRENT, FROM_APPLICATION, 0);
    nothing_is_half()
}

#if CRASHES
#define WORD_ARRIVES(v, n)                                                                                            \
    :: d_step { taken == 0 && said[SAID(v, n)] != 0 && !took[SAID(v, n)] && !TOO_LATE(v, n) && DECISION_FITS(v, n) -> \
        taken = SAID(v, n) }                                                                                           \
    :: d_step { taken == SAID(v, n) ->                                                                                 \
        taken = 0;                                                                                                     \
        if                                                                                                             \
        :: !TOO_LATE(v, n) && DECISION_FITS(v, n) -> take_decision(v, n)                                                \
        :: else                                                                                                        \
        fi }
#else
#define WORD_ARRIVES(v, n) \
    :: d_step { said[SAID(v, n)] != 0 && !took[SAID(v, n)] && !TOO_LATE(v, n) && DECISION_FITS(v, n) -> take_decision(v, n) }
#endif
#define OFFER_ARRIVES(v)                                                                                       \
    WORD_ARRIVES(v, 0) WORD_ARRIVES(v, 1)                                                                       \
    :: d_step { WAS_AGREED(v) && CONFIRM_FITS(v) -> assert(v == agreed); take_confirmation(v) }                  \
    :: d_step { signs[v] && CONTRACT_FITS(v, FUND) -> TAKE_CONTRACT(v, FUND) }                                   \
    :: d_step { signs[v] && !alone[v] && CONTRACT_FITS(v, BANK) -> TAKE_CONTRACT(v, BANK) }

active proctype centre()
{
end_of_centre:
    do
    OFFER_ARRIVES(1)
#if OFFERS > 1
    OFFER_ARRIVES(2)
#endif
#if OFFERS > 2
    OFFER_ARRIVES(3)
#endif
#if OFFERS > 3
    OFFER_ARRIVES(4)
#endif
#if OFFERS > 4
    OFFER_ARRIVES(5)
#endif
#if OFFERS > 5
    OFFER_ARRIVES(6)
#endif
#if CHANGES > 0
    :: d_step { CHANGE_FITS(1) -> take_change(1) }
#endif
#if CHANGES > 1
    :: d_step { epoch > 1 && CHANGE_FITS(2) -> take_change(2) }
#endif
#if RULES /* ChooseRules */
    :: d_step { !new_rules && FITS(CHOOSE_RULES) ->
        MOVE(CHOOSE_RULES);
        new_rules = 1;
        forget_decision();
        tell(CURRENT, FROM_STATUS, 0);
        nothing_is_half() }
#endif
    /* The rules' answer, whatever it is (cases/fund.c). */
    :: d_step { FITS(FUND_APPROVE) -> MOVE(FUND_APPROVE); make_offer(); nothing_is_half() }
    :: d_step { FITS(FUND_APPROVE_ALONE) ->
        MOVE(FUND_APPROVE_ALONE);
        offer_epoch[version] = epoch;
        alone[version] = 1;
        decide_together(version);
        nothing_is_half() }
    :: d_step { FITS(FUND_REJECT) -> MOVE(FUND_REJECT); decide_together(NO_LOAN); nothing_is_half() }
#if EXPIRY /* and WithdrawApplication */
    :: d_step { !over && FITS(EXPIRE) -> over = 1 }
    :: d_step { over && FITS(EXPIRE) -> MOVE(EXPIRE); forget_decision(); tell(CURRENT, FROM_STATUS, 0); nothing_is_half() }
    :: d_step { FITS(WITHDRAW) -> MOVE(WITHDRAW); forget_decision(); tell(CURRENT, FROM_STATUS, 0); nothing_is_half() }
#endif
#if CRASHES
    :: d_step { taken != 0 && !crashed[2] -> crashed[2] = 1; taken = 0 }
#endif
    od
}

/* -- A bank ------------------------------------------------------------------------------------------------------------ */

#define LAST_WORD(v) (said[SAID(v, 1)] != 0 -> SAID(v, 1) : SAID(v, 0))

/* One transaction of its own: what the event says, and its number. */
inline take_event(b)
{
    outbox[b]?kind, what;
    if
    :: kind == FROM_OFFER -> offered[b] = what; holds[b] = 0
    :: kind == FROM_JOINT && what != 0 ->
        holds[b] = what;
        offered[b] = 0;
        assert(alone[what] || SAYS_YES(LAST_WORD(what))) /* its own signed words are in it, and it stands by them */
    :: kind == FROM_CONFIRMED -> assert(holds[b] == what); signs[what] = 1
    :: else -> holds[b] = 0; offered[b] = 0
    fi;
    kind = 0;
    what = 0
}

/* It may speak on an offer once, and once more when it knows that the first word does not count. */
#define FIRST(b)  (offered[b] != 0 && said[SAID(offered[b], 0)] == 0)
#define SECOND(b) (offered[b] != 0 && told[offered[b]] != 0 && said[SAID(offered[b], 1)] == 0)

/* Kept first, sent after: from then on it may arrive at the centre. */
#if CRASHES
#define SPEAKS(may, n, word) :: d_step { (may) && mind[self] == 0 -> mind[self] = word }
#else
#define SPEAKS(may, n, word) :: d_step { (may) -> said[SAID(offered[self], n)] = word }
#endif

/* "Too old" comes only of what was never taken and never will be: duplicates are answered first. */
#ifdef BREAK_TIME
#define IS_TOO_OLD(v) (said[SAID(v, 0)] != 0)
#else
#define IS_TOO_OLD(v) (said[SAID(v, 0)] != 0 && !took[SAID(v, 0)])
#endif

proctype bank(bit self)
{
    byte kind, what;
end_of_bank:
    do
    :: d_step { nempty(outbox[self]) && mind[self] == 0 -> take_event(self) }
    SPEAKS(FIRST(self), 0, APPROVE)
    SPEAKS(FIRST(self), 0, APPROVE_OTHER)
    SPEAKS(FIRST(self), 0, COUNTER)
    SPEAKS(FIRST(self), 0, DECLINE)
    SPEAKS(SECOND(self), 1, APPROVE)
    SPEAKS(SECOND(self), 1, DECLINE)
#if CRASHES
    :: d_step { mind[self] != 0 && said[SAID(offered[self], 0)] == 0 -> said[SAID(offered[self], 0)] = mind[self]; mind[self] = 0 }
    :: d_step { mind[self] != 0 && said[SAID(offered[self], 0)] != 0 -> said[SAID(offered[self], 1)] = mind[self]; mind[self] = 0 }
    :: d_step { mind[self] != 0 && !crashed[self] -> crashed[self] = 1; mind[self] = 0 }
#endif
    /* The answer to the first word, where it matters. */
    :: d_step { offered[self] != 0 && told[offered[self]] == 0 && IS_TOO_OLD(offered[self]) -> told[offered[self]] = TOO_OLD }
    :: d_step { offered[self] != 0 && told[offered[self]] == 0 && said[SAID(offered[self], 0)] != 0 &&
        !took[SAID(offered[self], 0)] && !DECISION_FITS(offered[self], 0) -> told[offered[self]] = REFUSED }
#ifdef BREAK_KEEP /* it sends before it keeps, and crashes between */
    :: d_step { FIRST(self) -> said[SAID(offered[self], 0)] = APPROVE; told[offered[self]] = FORGOTTEN }
#endif
#ifdef BREAK_REPLY /* the centre answers before it commits, and crashes between */
    :: d_step { offered[self] != 0 && said[SAID(offered[self], 0)] == APPROVE && DECISION_FITS(offered[self], 0) ->
        holds[self] = offered[self]; said[SAID(offered[self], 0)] = 0; offered[self] = 0 }
#endif
    /* The centre has taken the contract for signed, and says so. */
    :: d_step { lends[self] == 0 && CURRENT == self && c_expr { now.tracks.bank == BANK_SIGNED } ->
        lends[self] = confirmed;
        assert(signs[confirmed] && lends[1 - self] == 0) /* never both */ }
    od
}

/* -- The end ------------------------------------------------------------------------------------------------------------- */

/* Nothing can happen any more: the case has come to its end, and everybody knows the truth. */
/* Covers: COL-LIF-004 */
inline at_the_end()
{
    assert(ended || IS(SIGNED) || (!EXPIRY && IS(DECLINED)));
    assert(empty(outbox[0]) && empty(outbox[1]));
    assert(holds[1 - CURRENT] == 0 && lends[1 - CURRENT] == 0);
    assert(holds[CURRENT] == agreed);
    assert(lends[CURRENT] == (IS(SIGNED) && !alone[agreed] -> agreed : 0))
}

init {
    d_step {
        MOVE(SUBMIT);
        assert(moved);
        epoch = 1;
        tell(CURRENT, FROM_APPLICATION, 0)
    };
    atomic { run bank(0); run bank(1) };
    timeout;
    d_step { at_the_end() }
}
