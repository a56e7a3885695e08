package org.coloan.bank.key;

import static org.coloan.bank.wire.Refused.check;

import org.coloan.bank.wire.Reason;

/** What was agreed on out of band, and what everything else is verified from ([COL-KEY-006]). */
public record Trust(VerifyKey directoryKey, String centre, String environment) {
    public Trust {
        check(Party.isParty(centre), Reason.FIELD_INVALID, "centre");
        check(Party.isEnvironment(environment), Reason.FIELD_INVALID, "environment");
    }
}
