package org.coloan.bank.loan;

import static org.coloan.bank.wire.Refused.check;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.coloan.bank.centre.Method;
import org.coloan.bank.envelope.Opened;
import org.coloan.bank.envelope.Opener;
import org.coloan.bank.envelope.Personal;
import org.coloan.bank.envelope.Personal.Concealed;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Application;
import org.coloan.v1.ApplicationStatus;
import org.coloan.v1.Consent;
import org.coloan.v1.ConsentPurpose;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Event;
import org.coloan.v1.Person;

/**
 * An application with the personal values beside it: as we hand it in, and as it comes back in an APPLICATION
 * event.
 */
public final class Submission {
    /** How the application that a case stands on was handed in. */
    private static final List<String> HANDED_IN_BY =
            List.of(Method.SUBMIT_APPLICATION.name(), Method.SUPPLEMENT_APPLICATION.name());

    private Submission() {}

    /** A person and what nobody else may read; {@code facts} is without commitments. */
    public record Applicant(Person facts, String name, String idNumber, String mobile) {}

    /** What is sent: the application commits to the values that are disclosed beside it. */
    public record Outgoing(Application application, List<Disclosure> disclosures) {}

    /**
     * What came: verified as its sender signed it, with the values that the persons' consents let us see, by
     * their paths.
     */
    public record Incoming(Application application, Map<String, String> values, ByteString digest) {}

    // ---- Handed in -------------------------------------------------------------------------------------------------

    /** {@code application} holds everything but the persons and the home's address. */
    public static Outgoing conceal(Application application, List<Applicant> applicants, String address) {
        List<Disclosure> disclosures = new ArrayList<>();
        Application.Builder concealed = application.toBuilder();
        for (int i = 0; i < applicants.size(); i++) {
            Applicant one = applicants.get(i);
            String path = "persons[" + i + "].";
            concealed.addPersons(one.facts().toBuilder()
                    .setName(hide(path + "name", one.name(), disclosures))
                    .setIdNumber(hide(path + "id_number", one.idNumber(), disclosures))
                    .setMobile(hide(path + "mobile", one.mobile(), disclosures)));
        }
        concealed.getHomeBuilder().setAddress(hide("home.address", address, disclosures));
        return new Outgoing(concealed.build(), disclosures);
    }

    private static ByteString hide(String path, String text, List<Disclosure> disclosures) {
        Concealed concealed = Personal.conceal(path, text);
        disclosures.add(concealed.disclosure());
        return concealed.commitment();
    }

    /**
     * The four consents that each person gives ([COL-CON-001]); ids begin with {@code prefix}, which is used
     * once.
     */
    public static List<Consent> consents(
            int persons, String centre, String bank, long untilMs, ByteString letterSha256, String prefix) {
        List<Consent> consents = new ArrayList<>();
        for (int person = 0; person < persons; person++) {
            Consent.Builder consent =
                    Consent.newBuilder().setPerson(person).setUntilMs(untilMs).setDocumentSha256(letterSha256);
            String id = prefix + "-" + person + "-";
            consents.add(consent(consent, id + 1, ConsentPurpose.CONSENT_PURPOSE_VERIFY, centre));
            consents.add(consent(consent, id + 2, ConsentPurpose.CONSENT_PURPOSE_CREDIT_REPORT, centre));
            consents.add(consent(consent, id + 3, ConsentPurpose.CONSENT_PURPOSE_CREDIT_REPORT, bank));
            consents.add(consent(consent, id + 4, ConsentPurpose.CONSENT_PURPOSE_SHARE, bank));
        }
        return consents;
    }

    private static Consent consent(Consent.Builder common, String id, ConsentPurpose purpose, String receiver) {
        return common.setConsentId(id).setPurpose(purpose).setReceiver(receiver).build();
    }

    // ---- Come back -------------------------------------------------------------------------------------------------

    /**
     * The submission in an APPLICATION event ([COL-SUB-009]). It names the bank of its time: after a change
     * of bank that is another one, and the status names us.
     */
    public static Incoming read(Opened<Event> event, KeyDirectory directory, String bank) {
        Event body = event.body();
        Opened<Application> kept =
                Opener.openKept(body.getApplicationEnvelope(), Application.getDefaultInstance(), directory);
        check(kept.header().getRecipient().equals(directory.centre()), Reason.RECIPIENT_WRONG);
        check(HANDED_IN_BY.contains(kept.header().getMethod()), Reason.METHOD_WRONG);
        ApplicationStatus status = body.getStatus();
        check(status.getBank().equals(bank), Reason.BANK_UNKNOWN);
        boolean meant = status.getBankEpoch() > 1 || kept.body().getBank().equals(bank);
        check(meant, Reason.BANK_UNKNOWN);
        Map<String, ByteString> commitments = Personal.commitmentsOf(kept.body());
        Map<String, String> values = Personal.reveal(commitments, event.disclosures(), Personal.Extent.SHARED);
        return new Incoming(kept.body(), values, kept.digest());
    }
}
