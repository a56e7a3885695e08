package org.coloan.bank.journal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.coloan.bank.envelope.Sealed;
import org.coloan.bank.wire.Digests;
import org.coloan.bank.wire.MessageId;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

class JournalTest {
    private static final ByteString DIGEST = Digests.sha256();
    private static final ByteString BYTES = ByteString.copyFromUtf8("whatever came\n");
    private static final Sealed MESSAGE = new Sealed(BYTES, DIGEST, MessageId.next(1));

    @TempDir
    Path folder;

    private Path file;

    @BeforeEach
    void newFile() {
        file = folder.resolve("bank.journal");
    }

    @Test
    void remembers() throws IOException {
        try (Journal journal = Journal.open(file)) {
            assertEquals(1, journal.started());
            journal.sending(Request.of("a/b", MESSAGE));
            journal.received(1, DIGEST, BYTES);
            journal.received(2, DIGEST, BYTES);
            journal.applied(1, "our reference");
            journal.held(3, 4);
            journal.received(5, DIGEST, BYTES);
            journal.received(4, DIGEST, BYTES);
            journal.lost(6, 7);
        }
        try (Journal journal = Journal.open(file)) {
            assertEquals(2, journal.started());
            assertEquals(List.of(Request.of("a/b", MESSAGE)), journal.openRequests());
            assertEquals(
                    Optional.of("our reference"), journal.event(1).orElseThrow().reference());
            assertEquals(Optional.empty(), journal.event(2).orElseThrow().reference());
            assertEquals(BYTES, journal.event(2).orElseThrow().envelope());
            assertTrue(journal.isHeld(3));
            assertFalse(journal.isHeld(4));
            assertEquals(7, journal.lastSequence());
            List<Long> after =
                    journal.eventsAfter(1).stream().map(KeptEvent::sequence).toList();
            assertEquals(List.of(2L, 4L, 5L), after);
            journal.settled(MESSAGE);
        }
        try (Journal journal = Journal.open(file)) {
            assertEquals(List.of(), journal.openRequests());
        }
        assertEquals("rw-------", PosixFilePermissions.toString(Files.getPosixFilePermissions(file)));
    }

    /**
     * Each kind of record as the last one, cut off at every byte: what was before is there, and the next one
     * is written well.
     */
    @TestFactory
    Stream<DynamicTest> cutOffAtEveryByte() {
        return Stream.of(
                cut("started", Journal::started),
                cut("sending", journal -> journal.sending(Request.of("a/b", MESSAGE))),
                cut("settled", journal -> journal.settled(MESSAGE)),
                cut("received", journal -> journal.received(2, DIGEST, BYTES)),
                cut("applied", journal -> journal.applied(1, "reference")),
                cut("held", journal -> journal.held(2, 3)),
                cut("lost", journal -> journal.lost(2, 3)));
    }

    private DynamicTest cut(String kind, Consumer<Journal> last) {
        return DynamicTest.dynamicTest(kind, () -> {
            Path whole = folder.resolve(kind + ".whole");
            long kept;
            try (Journal journal = Journal.open(whole)) {
                journal.received(1, DIGEST, BYTES);
                kept = Files.size(whole);
                last.accept(journal);
            }
            byte[] bytes = Files.readAllBytes(whole);
            for (int length = (int) kept; length < bytes.length; length++) {
                Path torn = folder.resolve(kind + "." + length);
                Files.write(torn, Arrays.copyOf(bytes, length));
                assertOnlyTheFirst(torn, kept);
            }
        });
    }

    private static void assertOnlyTheFirst(Path torn, long kept) throws IOException {
        try (Journal journal = Journal.open(torn)) {
            assertEquals(kept, Files.size(torn));
            assertEquals(1, journal.lastSequence());
            assertEquals(Optional.empty(), journal.event(1).orElseThrow().reference());
            assertEquals(List.of(), journal.openRequests());
            journal.applied(1, "next");
        }
        try (Journal journal = Journal.open(torn)) {
            assertEquals(Optional.of("next"), journal.event(1).orElseThrow().reference());
            assertEquals(1, journal.started());
        }
    }

    @Test
    void aLastLineOfTheRightLengthWithOtherBytesIsDroppedToo() throws IOException {
        try (Journal journal = Journal.open(file)) {
            journal.received(1, DIGEST, BYTES);
            journal.received(2, DIGEST, BYTES);
        }
        byte[] bytes = Files.readAllBytes(file);
        bytes[bytes.length - 20] = 0;
        Files.write(file, bytes);
        try (Journal journal = Journal.open(file)) {
            assertEquals(1, journal.lastSequence());
        }
    }

    @Test
    void damageBeforeTheLastLineIsNotPassedOver() throws IOException {
        try (Journal journal = Journal.open(file)) {
            journal.received(1, DIGEST, BYTES);
            journal.received(2, DIGEST, BYTES);
        }
        byte[] bytes = Files.readAllBytes(file);
        bytes[9] ^= 1;
        Files.write(file, bytes);
        IOException damaged = assertThrows(IOException.class, () -> Journal.open(file));
        assertEquals("the journal is damaged at byte 0", damaged.getMessage());
    }

    @Test
    void takesNothingMoreAfterAFailure() throws IOException {
        Journal journal = Journal.open(file);
        journal.close();
        assertThrows(RuntimeException.class, journal::started);
        assertThrows(IllegalStateException.class, journal::started);
    }
}
