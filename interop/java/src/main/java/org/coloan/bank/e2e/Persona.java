package org.coloan.bank.e2e;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.Reader;
import java.time.Duration;
import java.util.List;
import java.util.Properties;
import org.coloan.bank.loan.Submission;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.Hex;
import org.coloan.bank.wire.MessageId;
import org.coloan.v1.Application;
import org.coloan.v1.Home;
import org.coloan.v1.HomeKind;
import org.coloan.v1.LoanRequest;
import org.coloan.v1.MaritalStatus;
import org.coloan.v1.Person;
import org.coloan.v1.PersonRole;
import org.coloan.v1.RepaymentMethod;
import org.coloan.v1.StaffCategory;

/** Somebody whom the centre's authorities know: one synthetic borrower and the home. */
record Persona(Properties values) {
    private static final Duration CONSENT_LIFE = Duration.ofDays(1);
    private static final ByteString LETTER_SHA256 = Digests.sha256(ByteString.copyFromUtf8("letter"));

    static Persona read(Reader reader) throws IOException {
        Properties values = new Properties();
        values.load(reader);
        return new Persona(values);
    }

    String text(String name) {
        String value = values.getProperty(name);
        if (value == null) {
            throw new IllegalArgumentException("the persona has no " + name);
        }
        return value;
    }

    long number(String name) {
        return Long.parseLong(text(name));
    }

    /**
     * A fresh submission; its reference begins with {@code prefix}, by which {@link TestCore} knows what to
     * decide.
     */
    Submission.Outgoing submission(String prefix, String centre, String bank) {
        String reference = prefix + "-"
                + Hex.of(MessageId.next(System.currentTimeMillis())).substring(0, 24);
        long untilMs = System.currentTimeMillis() + CONSENT_LIFE.toMillis();
        Application application = Application.newBuilder()
                .setExternalRef(reference)
                .setBank(bank)
                .setHome(home())
                .setRequest(request())
                .addAllConsents(Submission.consents(1, centre, bank, untilMs, LETTER_SHA256, reference))
                .build();
        return Submission.conceal(application, List.of(borrower()), text("home.address"));
    }

    private Submission.Applicant borrower() {
        Person facts = Person.newBuilder()
                .setRole(PersonRole.PERSON_ROLE_BORROWER)
                .setDeclaredMaritalStatus(MaritalStatus.valueOf(text("person.marital_status")))
                .setContributes(true)
                .setStaffCategory(StaffCategory.valueOf(text("person.staff_category")))
                .build();
        return new Submission.Applicant(facts, text("person.name"), text("person.id_number"), text("person.mobile"));
    }

    private Home home() {
        return Home.newBuilder()
                .setKind(HomeKind.valueOf(text("home.kind")))
                .setContractNo(text("home.contract_no"))
                .setUnitNo(text("home.unit_no"))
                .setDistrictCode(text("home.district_code"))
                .setPriceFen(number("home.price_fen"))
                .setAreaCentiM2(Math.toIntExact(number("home.area_centi_m2")))
                .setSellerUscc(text("home.seller_uscc"))
                .build();
    }

    private LoanRequest request() {
        return LoanRequest.newBuilder()
                .setTotalFen(number("request.total_fen"))
                .setTermMonths(Math.toIntExact(number("request.term_months")))
                .setMethod(RepaymentMethod.valueOf(text("request.method")))
                .build();
    }
}
