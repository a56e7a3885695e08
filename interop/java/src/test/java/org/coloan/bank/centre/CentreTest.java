package org.coloan.bank.centre;

import static org.coloan.bank.support.Refusals.assertRefused;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.util.List;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.key.SigningKey;
import org.coloan.bank.support.Keys;
import org.coloan.bank.support.TestCentre;
import org.coloan.bank.wire.Limits;
import org.coloan.bank.wire.Reason;
import org.coloan.bank.wire.Refused;
import org.coloan.v1.Capabilities;
import org.coloan.v1.CapabilitiesQuery;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class CentreTest {
    private TestCentre there;
    private Centre centre;

    @BeforeEach
    void connect() throws IOException {
        there = new TestCentre();
        centre = there.connect();
    }

    @AfterEach
    void close() {
        centre.close();
        there.close();
    }

    private Sealed question() {
        return centre.seal(Method.GET_CAPABILITIES, "", CapabilitiesQuery.getDefaultInstance());
    }

    private Capabilities ask() {
        return centre.ask(Method.GET_CAPABILITIES, CapabilitiesQuery.getDefaultInstance());
    }

    @Test
    void aCallIsAnswered() {
        assertEquals(Keys.CENTRE, ask().getParty());
    }

    @Test
    void anUnknownOutcomeMeansTheSameBytesAgain() {
        there.dropReplies(2);
        assertEquals(Keys.CENTRE, ask().getParty());
        assertEquals(3, there.calls());
        assertEquals(1, there.processed());
    }

    @Test
    void whatHasToBeMendedIsNotSentAgain() {
        there.failNext.add(Reason.FIELD_INVALID);
        assertRefused(Reason.FIELD_INVALID, this::ask);
        assertEquals(1, there.calls());
    }

    @Test
    void aReplyThatAnswersSomethingElseTellsNothing() {
        Sealed first = question();
        Sealed second = question();
        ByteString reply = centre.sendOnce(Method.GET_CAPABILITIES, first, Limits.DEADLINE);
        centre.openReply(Method.GET_CAPABILITIES, first, reply);
        Refused refused = assertThrows(Refused.class, () -> centre.openReply(Method.GET_CAPABILITIES, second, reply));
        assertTrue(refused.is(Reason.PEER_ANSWER_INVALID));
        assertEquals(Refused.Action.SEND_AGAIN, refused.action());
    }

    @Test
    void aNewerDirectoryIsTakenOverAndAnOlderOneIsNot() {
        assertFalse(centre.refreshDirectory());
        there.offerDirectory(there.issue(2, List.of(there.key, there.bankKey)));
        assertTrue(centre.refreshDirectory());
        assertEquals(2, centre.directory().number());
        there.offerDirectory(there.issue(1, List.of(there.key, there.bankKey)));
        assertRefused(Reason.SEQUENCE_WRONG, centre::refreshDirectory);
        assertEquals(2, centre.directory().number());
    }

    /** The directory is asked for once before a message of the centre is refused (chapter 5). */
    @Test
    void aNewKeyOfTheCentreIsFound() {
        SigningKey newKey = Keys.make(Keys.CENTRE);
        ByteString event = there.event(1, TestCentre.statusEvent(), newKey).envelope();
        assertRefused(Reason.KEY_UNKNOWN, () -> centre.openEvent(event));
        there.offerDirectory(there.issue(2, List.of(there.key, newKey, there.bankKey)));
        assertEquals(1, centre.openEvent(event).header().getSequence());
    }
}
