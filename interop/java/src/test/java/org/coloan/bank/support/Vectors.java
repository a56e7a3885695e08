package org.coloan.bank.support;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.ByteString;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.coloan.bank.key.KeyDirectory;
import org.coloan.bank.key.Trust;
import org.coloan.bank.key.VerifyKey;
import org.coloan.bank.wire.Hex;
import org.junit.jupiter.api.DynamicTest;

/** The files of interop/vectors. */
public final class Vectors {
    private static final Path FOLDER = Repository.root().resolve("interop/vectors");

    private Vectors() {}

    /** One case of a file, read by the names of its fields. */
    public record Case(JsonObject fields) {
        public String text(String name) {
            return fields.get(name).getAsString();
        }

        public ByteString bytes(String name) {
            return Hex.parse(text(name));
        }

        public long number(String name) {
            return fields.has(name) ? fields.get(name).getAsLong() : 0;
        }

        public boolean has(String name) {
            return fields.has(name);
        }

        public boolean isGood() {
            return text("expect").equals("OK");
        }
    }

    /**
     * One test for each case, by its name. A file that grew or shrank is to be looked at: {@code count} is
     * checked.
     */
    public static Stream<DynamicTest> each(String file, int count, Consumer<Case> judge) {
        List<Case> cases = cases(file);
        assertEquals(count, cases.size(), file);
        return cases.stream()
                .map(one -> DynamicTest.dynamicTest(file + ": " + one.text("name"), () -> judge.accept(one)));
    }

    private static List<Case> cases(String file) {
        Iterable<JsonElement> cases = read(file).getAsJsonArray("cases");
        return StreamSupport.stream(cases.spliterator(), false)
                .map(JsonElement::getAsJsonObject)
                .map(Case::new)
                .toList();
    }

    public static Case parties() {
        return new Case(read("parties.json"));
    }

    public static Trust trust() {
        Case parties = parties();
        VerifyKey pinned = VerifyKey.of(parties.bytes("directory_key"));
        return new Trust(pinned, parties.text("centre"), parties.text("environment"));
    }

    public static KeyDirectory directory() {
        return KeyDirectory.load(parties().bytes("directory"), trust());
    }

    private static JsonObject read(String file) {
        try {
            return JsonParser.parseString(Files.readString(FOLDER.resolve(file)))
                    .getAsJsonObject();
        } catch (IOException unreadable) {
            throw new UncheckedIOException(unreadable);
        }
    }

    public static List<String> files() throws IOException {
        try (Stream<Path> files = Files.list(FOLDER)) {
            return files.map(file -> file.getFileName().toString())
                    .filter(name -> name.endsWith(".json"))
                    .sorted()
                    .toList();
        }
    }
}
