package org.coloan.bank.journal;

import com.google.protobuf.ByteString;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import org.coloan.bank.wire.Hex;

/** One line of the journal: its kind and its fields, none of which holds a space. */
sealed interface Entry {
    List<String> fields();

    /** The process began. */
    record Started() implements Entry {
        @Override
        public List<String> fields() {
            return List.of("started");
        }
    }

    /** A request is about to be sent. */
    record Sending(Request request) implements Entry {
        @Override
        public List<String> fields() {
            return List.of(
                    "sending",
                    request.method(),
                    Hex.of(request.messageId()),
                    Hex.of(request.digest()),
                    base64(request.envelope()));
        }
    }

    /** Its outcome is known. */
    record Settled(ByteString messageId) implements Entry {
        @Override
        public List<String> fields() {
            return List.of("settled", Hex.of(messageId));
        }
    }

    /** An event came, as these bytes. */
    record Received(long sequence, ByteString digest, ByteString envelope) implements Entry {
        @Override
        public List<String> fields() {
            return List.of("received", Long.toString(sequence), Hex.of(digest), base64(envelope));
        }
    }

    /** The bank's core has taken an event over, under this reference. */
    record Applied(long sequence, String reference) implements Entry {
        @Override
        public List<String> fields() {
            byte[] utf8 = reference.getBytes(StandardCharsets.UTF_8);
            return List.of("applied", Long.toString(sequence), base64(ByteString.copyFrom(utf8)));
        }
    }

    /** These events come later than higher ones. */
    record Held(long from, long to) implements Entry {
        @Override
        public List<String> fields() {
            return List.of("held", Long.toString(from), Long.toString(to));
        }
    }

    /** These events never come. */
    record Lost(long from, long to) implements Entry {
        @Override
        public List<String> fields() {
            return List.of("lost", Long.toString(from), Long.toString(to));
        }
    }

    static Entry parse(List<String> fields) {
        return switch (fields.get(0)) {
            case "started" -> new Started();
            case "sending" ->
                new Sending(new Request(
                        fields.get(1), Hex.parse(fields.get(2)), Hex.parse(fields.get(3)), bytes(fields.get(4))));
            case "settled" -> new Settled(Hex.parse(fields.get(1)));
            case "received" -> new Received(number(fields.get(1)), Hex.parse(fields.get(2)), bytes(fields.get(3)));
            case "applied" ->
                new Applied(number(fields.get(1)), bytes(fields.get(2)).toStringUtf8());
            case "held" -> new Held(number(fields.get(1)), number(fields.get(2)));
            case "lost" -> new Lost(number(fields.get(1)), number(fields.get(2)));
            default -> throw new IllegalArgumentException("a later version wrote '" + fields.get(0) + "'");
        };
    }

    private static long number(String text) {
        return Long.parseLong(text);
    }

    private static String base64(ByteString bytes) {
        return Base64.getEncoder().encodeToString(bytes.toByteArray());
    }

    private static ByteString bytes(String base64) {
        return ByteString.copyFrom(Base64.getDecoder().decode(base64));
    }
}
