package org.coloan.bank.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.coloan.bank.support.Repository;
import org.coloan.bank.wire.Refused.Action;
import org.junit.jupiter.api.Test;

class ReasonTest {
    private static final Pattern ROW = Pattern.compile("^CL_REASON\\((\\w+), (\\d+), \\w+, (\\w+),", Pattern.MULTILINE);

    @Test
    void theReasonsAreThoseOfTheTable() throws IOException {
        String table = Files.readString(Repository.root().resolve("libcoloan/reasons.def"));
        String expected = ROW.matcher(table)
                .results()
                .map(row -> row.group(1) + " " + row.group(2) + " " + row.group(3))
                .collect(Collectors.joining("\n"));
        String actual = Arrays.stream(Reason.values())
                .map(reason -> reason + " " + reason.number() + " " + reason.retry())
                .collect(Collectors.joining("\n"));
        assertEquals(expected, actual);
    }

    @Test
    void whatToDoAboutARefusal() {
        Optional<Duration> soon = Optional.of(Duration.ofSeconds(1));
        assertEquals(Action.MEND, new Refused(Reason.FIELD_INVALID, "home").action());
        assertEquals(Action.GIVE_UP, new Refused(Reason.STALE_EPOCH).action());
        assertEquals(
                Action.SEND_AGAIN,
                Refused.byCentre("OVERLOADED", "", soon, true).action());
        assertEquals(
                Action.MEND,
                Refused.byCentre("A_REASON_OF_TOMORROW", "", Optional.empty(), true)
                        .action());
        assertEquals(
                Action.SEND_AGAIN,
                Refused.byCentre("A_REASON_OF_TOMORROW", "", soon, true).action());
    }
}
