package org.coloan.bank.journal;

import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.NavigableSet;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.coloan.bank.envelope.Sealed;

/**
 * What a bank must not forget, in one append-only file: requests before they are first sent, events before
 * they are acknowledged. A line is an entry and its checksum. Whoever wrote one goes on only when it is
 * durable; so a last line that a crash cut off was relied on by nobody, and is dropped. A real bank keeps the
 * same in tables of its core, in the transaction that it belongs to.
 */
public final class Journal implements AutoCloseable {
    private static final String FIELD_END = " ";
    private static final byte LINE_END = '\n';

    private final FileChannel file;
    private boolean failed;
    private long starts;
    private long lastSequence; // the highest that came or was named
    private final Map<ByteString, Request> open = new LinkedHashMap<>(); // by message id
    private final NavigableMap<Long, KeptEvent> events = new TreeMap<>();
    private final NavigableSet<Long> unapplied = new TreeSet<>();
    private final NavigableSet<Long> held = new TreeSet<>(); // below the last one, still to come

    private Journal(FileChannel file) {
        this.file = file;
    }

    /** Opens or makes the file; one with a damaged line that is not the last is not opened. */
    public static Journal open(Path path) throws IOException {
        boolean isNew = !Files.exists(path);
        FileChannel file = FileChannel.open(
                path,
                Set.of(StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            if (isNew) {
                makeNameDurable(path);
            }
            Journal journal = new Journal(file);
            journal.recall(Files.readAllBytes(path));
            return journal;
        } catch (IOException | RuntimeException unusable) {
            file.close();
            throw unusable;
        }
    }

    private static void makeNameDurable(Path path) throws IOException {
        try (FileChannel folder = FileChannel.open(path.toAbsolutePath().getParent(), StandardOpenOption.READ)) {
            folder.force(true);
        }
    }

    // ---- Lines -----------------------------------------------------------------------------------------------------

    private void recall(byte[] bytes) throws IOException {
        int at = 0;
        while (at < bytes.length) {
            int end = endOfLine(bytes, at);
            Optional<Entry> entry = end < bytes.length ? parse(bytes, at, end) : Optional.empty();
            if (entry.isEmpty()) {
                boolean isLast = end + 1 >= bytes.length;
                if (!isLast) {
                    throw new IOException("the journal is damaged at byte " + at);
                }
                break;
            }
            remember(entry.get());
            at = end + 1;
        }
        file.truncate(at);
        file.position(at);
    }

    private static int endOfLine(byte[] bytes, int from) {
        int at = from;
        while (at < bytes.length && bytes[at] != LINE_END) {
            at++;
        }
        return at;
    }

    /** Nothing when the checksum at the end is not that of what stands before it. */
    private static Optional<Entry> parse(byte[] bytes, int from, int to) {
        String line = new String(bytes, from, to - from, StandardCharsets.UTF_8);
        int sumAt = line.lastIndexOf(FIELD_END);
        if (sumAt < 0 || !checksum(line.substring(0, sumAt)).equals(line.substring(sumAt + 1))) {
            return Optional.empty();
        }
        List<String> fields = Arrays.asList(line.substring(0, sumAt).split(FIELD_END, -1));
        return Optional.of(Entry.parse(fields));
    }

    private static String checksum(String text) {
        CRC32C sum = new CRC32C();
        sum.update(text.getBytes(StandardCharsets.UTF_8));
        return String.format("%08x", sum.getValue());
    }

    /**
     * Returns when the entry is durable. After a failure nobody knows what stands in the file: nothing more
     * is taken.
     */
    private void write(Entry entry) {
        if (failed) {
            throw new IllegalStateException("the journal failed before; start again");
        }
        String text = String.join(FIELD_END, entry.fields());
        String line = text + FIELD_END + checksum(text) + (char) LINE_END;
        failed = true;
        try {
            ByteBuffer bytes = ByteBuffer.wrap(line.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                file.write(bytes);
            }
            file.force(false);
        } catch (IOException full) {
            throw new UncheckedIOException(full);
        }
        failed = false;
        remember(entry);
    }

    private void remember(Entry entry) {
        if (entry instanceof Entry.Started) {
            starts++;
        } else if (entry instanceof Entry.Sending sending) {
            open.put(sending.request().messageId(), sending.request());
        } else if (entry instanceof Entry.Settled settled) {
            open.remove(settled.messageId());
        } else if (entry instanceof Entry.Received it) {
            events.put(it.sequence(), new KeptEvent(it.sequence(), it.digest(), it.envelope(), Optional.empty()));
            unapplied.add(it.sequence());
            held.remove(it.sequence());
            lastSequence = Math.max(lastSequence, it.sequence());
        } else if (entry instanceof Entry.Applied applied) {
            unapplied.remove(applied.sequence());
            events.computeIfPresent(applied.sequence(), (sequence, event) -> event.appliedAs(applied.reference()));
        } else if (entry instanceof Entry.Held range) {
            for (long sequence = range.from(); sequence <= range.to(); sequence++) {
                held.add(sequence);
            }
            lastSequence = range.to();
        } else if (entry instanceof Entry.Lost range) {
            lastSequence = range.to();
        }
    }

    // ---- Requests --------------------------------------------------------------------------------------------------

    /** A number that rises with each start of the process: the epoch of its streams. */
    public synchronized long started() {
        write(new Entry.Started());
        return starts;
    }

    public synchronized void sending(Request request) {
        write(new Entry.Sending(request));
    }

    public synchronized void settled(Sealed message) {
        write(new Entry.Settled(message.messageId()));
    }

    /** Those whose outcome is not known, in the order in which they were made. */
    public synchronized List<Request> openRequests() {
        return List.copyOf(open.values());
    }

    // ---- Events ----------------------------------------------------------------------------------------------------

    public synchronized void received(long sequence, ByteString digest, ByteString envelope) {
        write(new Entry.Received(sequence, digest, envelope));
    }

    public synchronized void applied(long sequence, String reference) {
        write(new Entry.Applied(sequence, reference));
    }

    public synchronized void held(long from, long to) {
        write(new Entry.Held(from, to));
    }

    public synchronized void lost(long from, long to) {
        write(new Entry.Lost(from, to));
    }

    public synchronized Optional<KeptEvent> event(long sequence) {
        return Optional.ofNullable(events.get(sequence));
    }

    /** In the order of their numbers. */
    public synchronized List<KeptEvent> eventsAfter(long sequence) {
        return List.copyOf(events.tailMap(sequence, false).values());
    }

    /** Those that the core has not taken over yet, in the order of their numbers. */
    public synchronized List<KeptEvent> unappliedEvents() {
        return unapplied.stream().map(events::get).toList();
    }

    public synchronized boolean isHeld(long sequence) {
        return held.contains(sequence);
    }

    public synchronized long lastSequence() {
        return lastSequence;
    }

    @Override
    public synchronized void close() throws IOException {
        file.close();
    }
}
