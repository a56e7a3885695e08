package org.coloan.bank.e2e;

import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Optional;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.event.DeliverStream;
import org.coloan.bank.event.Inbox;
import org.coloan.bank.event.Intake;
import org.coloan.bank.journal.Journal;
import org.coloan.bank.loan.Bank;
import org.coloan.bank.loan.CaseFile;
import org.coloan.bank.loan.Core;
import org.coloan.bank.loan.Submission;
import org.coloan.v1.JointDecision;

/** The parts of one bank, put together: a process of a real bank holds just these. */
final class TestBank implements AutoCloseable {
    final String party;
    final Folder folder;
    final Centre centre;
    final Journal journal;
    final Bank bank;
    private final Intake intake;

    TestBank(Folder folder, String party, String target, Path journalFile, Core core)
            throws IOException, GeneralSecurityException {
        this.party = party;
        this.folder = folder;
        this.centre = new Centre(
                folder.credentials(party).connect(target, folder.centre()),
                folder.signingKey(party),
                folder.directory());
        this.journal = Journal.open(journalFile);
        this.bank = new Bank(centre, journal, core, TestBank::tellNobody);
        this.intake = new Intake(centre, journal, bank);
        bank.resend();
    }

    /** What an operator should know is no news here: steps that are refused on purpose cause it. */
    private static void tellNobody(String news) {}

    /** The journal is new each time, so the clock rises where its counter cannot. */
    DeliverStream stream() {
        return new DeliverStream(centre, journal, intake, System.currentTimeMillis(), TestBank::tellNobody);
    }

    Inbox inbox(int port) throws IOException, GeneralSecurityException {
        return new Inbox(port, folder.credentials(party), centre, journal, intake, TestBank::tellNobody);
    }

    CaseFile file(String applicationId) {
        return bank.find(applicationId).orElseThrow();
    }

    Optional<JointDecision> jointDecision(String applicationId) {
        return bank.find(applicationId).flatMap(CaseFile::jointDecision);
    }

    /** Submits, and waits until the case is decided. */
    CaseFile decided(Persona persona, String prefix) throws InterruptedException {
        Submission.Outgoing submission = persona.submission(prefix, folder.centre(), party);
        String id = bank.submit(submission).getApplicationId();
        Steps.until("the joint decision", () -> jointDecision(id).isPresent());
        return file(id);
    }

    @Override
    public void close() throws IOException {
        centre.close();
        journal.close();
    }
}
