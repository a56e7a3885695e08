package org.coloan.bank.envelope;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.security.SecureRandom;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.bank.wire.Scan;
import org.coloan.v1.Application;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Person;

/** Personal values: the signed body holds salted commitments, the values travel beside it (chapter 9). */
public final class Personal {
    private static final ByteString DOMAIN = ByteString.copyFromUtf8("coloan field v1");
    private static final SecureRandom RANDOM = new SecureRandom();

    private Personal() {}

    /** Of all that is committed to, how much has to be disclosed. */
    public enum Extent {
        /** Everything, as in a request. */
        ALL,
        /** What the persons' consents let the reader see, as in an event. */
        SHARED
    }

    /** A value on its way: the commitment goes into the body, the disclosure beside it. */
    public record Concealed(ByteString commitment, Disclosure disclosure) {}

    public static ByteString commitment(String path, ByteString salt, ByteString value) {
        ByteString name = ByteString.copyFromUtf8(path);
        return Digests.sha256(
                DOMAIN,
                Digests.u32(name.size()),
                name,
                Digests.u32(salt.size()),
                salt,
                Digests.u32(value.size()),
                value);
    }

    /** Every field has a fresh salt of its own. */
    public static Concealed conceal(String path, String text) {
        byte[] salt = new byte[Limits.SALT_BYTES];
        RANDOM.nextBytes(salt);
        return conceal(path, text, ByteString.copyFrom(salt));
    }

    static Concealed conceal(String path, String text, ByteString salt) {
        ByteString value = ByteString.copyFromUtf8(text);
        check(isValue(value), Reason.FIELD_INVALID, path);
        Disclosure disclosure = Disclosure.newBuilder()
                .setPath(path)
                .setSalt(salt)
                .setValue(value)
                .build();
        return new Concealed(commitment(path, salt, value), disclosure);
    }

    private static boolean isValue(ByteString value) {
        if (value.isEmpty() || value.size() > Limits.VALUE_BYTES_MAX) {
            return false;
        }
        try {
            Scan.text(value);
            return true;
        } catch (Refused noText) {
            return false;
        }
    }

    /** The commitments of an application by their paths ([COL-PER-002]). */
    public static Map<String, ByteString> commitmentsOf(Application application) {
        Map<String, ByteString> commitments = new LinkedHashMap<>();
        for (int i = 0; i < application.getPersonsCount(); i++) {
            Person person = application.getPersons(i);
            put(commitments, "persons[" + i + "].name", person.getName());
            put(commitments, "persons[" + i + "].id_number", person.getIdNumber());
            put(commitments, "persons[" + i + "].mobile", person.getMobile());
        }
        put(commitments, "home.address", application.getHome().getAddress());
        put(commitments, "account", application.getAccount());
        return commitments;
    }

    private static void put(Map<String, ByteString> commitments, String path, ByteString commitment) {
        if (!commitment.isEmpty()) {
            check(commitment.size() == Digests.BYTES, Reason.FIELD_INVALID, path);
            commitments.put(path, commitment);
        }
    }

    /** Checks disclosures against what was committed to, and gives the texts by their paths. */
    public static Map<String, String> reveal(
            Map<String, ByteString> commitments, List<Disclosure> disclosures, Extent extent) {
        Map<String, String> values = new LinkedHashMap<>();
        Set<ByteString> salts = new HashSet<>();
        for (Disclosure disclosure : disclosures) {
            String path = disclosure.getPath();
            boolean expected = commitments.containsKey(path) && !values.containsKey(path);
            check(expected, Reason.DISCLOSURE_UNEXPECTED, path);
            check(fits(disclosure, commitments.get(path)), Reason.DISCLOSURE_MISMATCH, path);
            check(salts.add(disclosure.getSalt()), Reason.DISCLOSURE_MISMATCH, path); // twice, it shows what is equal
            values.put(path, disclosure.getValue().toStringUtf8());
        }
        check(extent == Extent.SHARED || values.size() == commitments.size(), Reason.DISCLOSURE_MISSING);
        return values;
    }

    private static boolean fits(Disclosure disclosure, ByteString commitment) {
        return disclosure.getSalt().size() == Limits.SALT_BYTES
                && isValue(disclosure.getValue())
                && commitment(disclosure.getPath(), disclosure.getSalt(), disclosure.getValue())
                        .equals(commitment);
    }
}
