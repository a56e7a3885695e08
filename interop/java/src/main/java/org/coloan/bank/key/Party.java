package org.coloan.bank.key;

import java.util.regex.Pattern;
import org.coloan.bank.wire.Limits;

/** Names of parties and environments (chapter 2). */
public final class Party {
    private static final Pattern PARTY = Pattern.compile("(fund|bank|channel|officer|authority):[a-z0-9-]+");
    private static final Pattern ENVIRONMENT = Pattern.compile("prod|test|conf/[a-z0-9-]+");
    private static final String URN = "urn:coloan:party:";

    private Party() {}

    public static boolean isParty(String text) {
        return text.length() <= Limits.PARTY_BYTES_MAX && PARTY.matcher(text).matches();
    }

    public static boolean isEnvironment(String text) {
        return text.length() <= Limits.ENVIRONMENT_BYTES_MAX
                && ENVIRONMENT.matcher(text).matches();
    }

    /** The URI name in the party's certificate ([COL-TLS-003]). */
    public static String uri(String party) {
        return URN + party;
    }

    /** What a party's files are called by: {@code cn-beta-js} of {@code bank:cn-beta-js}. */
    public static String id(String party) {
        return party.substring(party.indexOf(':') + 1);
    }
}
