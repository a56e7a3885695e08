package org.coloan.bank.envelope;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import com.google.protobuf.ByteString;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.coloan.bank.envelope.Personal.Concealed;
import org.coloan.bank.envelope.Personal.Extent;
import org.coloan.bank.loan.Submission;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.v1.Application;
import org.coloan.v1.Disclosure;
import org.coloan.v1.Person;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

class PersonalTest {
    private static final Submission.Applicant PERSON =
            new Submission.Applicant(Person.getDefaultInstance(), "测试甲", "990101199603150019", "19900010000");
    private static final Submission.Outgoing SUBMISSION =
            Submission.conceal(Application.getDefaultInstance(), List.of(PERSON, PERSON), "测试路1号");
    private static final Map<String, ByteString> COMMITMENTS = Personal.commitmentsOf(SUBMISSION.application());

    @Test
    void everyFieldIsCommittedToWithASaltOfItsOwn() {
        List<String> paths = List.of(
                "persons[0].name",
                "persons[0].id_number",
                "persons[0].mobile",
                "persons[1].name",
                "persons[1].id_number",
                "persons[1].mobile",
                "home.address");
        assertEquals(paths, List.copyOf(COMMITMENTS.keySet()));
        assertNotEquals(COMMITMENTS.get("persons[0].name"), COMMITMENTS.get("persons[1].name"));
        Map<String, String> values = Personal.reveal(COMMITMENTS, SUBMISSION.disclosures(), Extent.ALL);
        assertEquals("测试甲", values.get("persons[1].name"));
    }

    @TestFactory
    Stream<DynamicTest> spoilt() {
        return Stream.of(
                spoilt("a value missing", Reason.DISCLOSURE_MISSING, all -> all.remove(0)),
                spoilt("another value", Reason.DISCLOSURE_MISMATCH, all -> first(all, "乙", null)),
                spoilt("another salt", Reason.DISCLOSURE_MISMATCH, all -> first(all, null, new byte[16])),
                spoilt("a short salt", Reason.DISCLOSURE_MISMATCH, all -> first(all, null, new byte[15])),
                spoilt("an empty value", Reason.DISCLOSURE_MISMATCH, all -> first(all, "", null)),
                spoilt("a field twice", Reason.DISCLOSURE_UNEXPECTED, all -> all.add(all.get(0))),
                spoilt(
                        "a path that is not there",
                        Reason.DISCLOSURE_UNEXPECTED,
                        all -> all.add(all.get(0).toBuilder()
                                .setPath("persons[2].name")
                                .build())));
    }

    private static void first(List<Disclosure> all, String value, byte[] salt) {
        Disclosure.Builder changed = all.get(0).toBuilder();
        if (value != null) {
            changed.setValue(ByteString.copyFromUtf8(value));
        }
        if (salt != null) {
            changed.setSalt(ByteString.copyFrom(salt));
        }
        all.set(0, changed.build());
    }

    private static DynamicTest spoilt(String name, Reason reason, Consumer<List<Disclosure>> spoil) {
        List<Disclosure> disclosures = new ArrayList<>(SUBMISSION.disclosures());
        spoil.accept(disclosures);
        return DynamicTest.dynamicTest(
                name, () -> assertRefused(reason, () -> Personal.reveal(COMMITMENTS, disclosures, Extent.ALL)));
    }

    @Test
    void anEventMayLeaveValuesOutAndNotChangeOne() {
        List<Disclosure> some = new ArrayList<>(SUBMISSION.disclosures().subList(0, 3));
        assertEquals(3, Personal.reveal(COMMITMENTS, some, Extent.SHARED).size());
        first(some, "乙", null);
        assertRefused(Reason.DISCLOSURE_MISMATCH, () -> Personal.reveal(COMMITMENTS, some, Extent.SHARED));
    }

    @Test
    void aSaltIsUsedOnceAndHas16Bytes() {
        ByteString salt = ByteString.copyFrom(new byte[Limits.SALT_BYTES]);
        Concealed a = Personal.conceal("a", "1", salt);
        Concealed b = Personal.conceal("b", "2", salt);
        Map<String, ByteString> both = Map.of("a", a.commitment(), "b", b.commitment());
        List<Disclosure> disclosures = List.of(a.disclosure(), b.disclosure());
        assertRefused(Reason.DISCLOSURE_MISMATCH, () -> Personal.reveal(both, disclosures, Extent.ALL));
        Concealed brief = Personal.conceal("a", "1", salt.substring(1));
        assertRefused(
                Reason.DISCLOSURE_MISMATCH,
                () -> Personal.reveal(Map.of("a", brief.commitment()), List.of(brief.disclosure()), Extent.ALL));
    }

    @Test
    void aCommitmentHas32BytesOrIsNotThere() {
        Application application =
                Application.newBuilder().setAccount(Hex.parse("00".repeat(31))).build();
        assertRefused(Reason.FIELD_INVALID, () -> Personal.commitmentsOf(application));
        assertEquals(Map.of(), Personal.commitmentsOf(Application.getDefaultInstance()));
    }

    @Test
    void valuesAreCleanText() {
        Personal.conceal("p", "x".repeat(Limits.VALUE_BYTES_MAX));
        assertRefused(Reason.FIELD_INVALID, () -> Personal.conceal("p", "x".repeat(Limits.VALUE_BYTES_MAX + 1)));
        assertRefused(Reason.FIELD_INVALID, () -> Personal.conceal("p", ""));
        assertRefused(Reason.FIELD_INVALID, () -> Personal.conceal("p", "a\nb"));
    }
}
