package org.coloan.bank.e2e;

import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import org.coloan.bank.centre.Centre;
import org.coloan.bank.centre.Method;
import org.coloan.bank.event.DeliverStream;
import org.coloan.v1.ApplicationListQuery;
import org.coloan.v1.ApplicationStatus;
import org.coloan.v1.CaseState;
import org.coloan.v1.Withdrawal;

/** What all chapters of the day share. */
record World(
        Options options,
        Steps steps,
        Folder folder,
        TestBank beta,
        DeliverStream stream,
        Persona persona,
        Persona refused,
        Path work) {
    /** States in which the borrower may still give up, so that the same person may stand in another application. */
    private static final Set<CaseState> OPEN =
            Set.of(CaseState.CASE_STATE_APPROVED, CaseState.CASE_STATE_DECLINED, CaseState.CASE_STATE_OFFERED);

    Centre centre() {
        return beta.centre;
    }

    /** A person stands in one open application only ([COL-SUB-007]). */
    static void giveUp(TestBank bank) {
        ApplicationListQuery all =
                ApplicationListQuery.newBuilder().setPageSize(100).build();
        List<ApplicationStatus> applications =
                bank.centre.ask(Method.LIST_APPLICATIONS, all).getApplicationsList();
        applications.stream()
                .filter(status -> OPEN.contains(status.getState()))
                .forEach(status -> bank.bank.send(
                        Method.WITHDRAW_APPLICATION,
                        status.getApplicationId(),
                        Withdrawal.getDefaultInstance(),
                        List.of()));
    }
}
