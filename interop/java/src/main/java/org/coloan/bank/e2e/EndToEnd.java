package org.coloan.bank.e2e;

import java.io.IOException;
import java.io.InputStreamReader;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.coloan.bank.event.DeliverStream;

/**
 * A bank's whole day against a running centre, then everything that must be refused, then events over the
 * stream and by calls. Prints a line for each step; ends with 1 at the first that is wrong, and with 2 when
 * it is not called as it has to be.
 */
public final class EndToEnd {
    private static final int WRONG_STEP = 1;
    private static final int WRONG_USE = 2;

    private EndToEnd() {}

    public static void main(String[] arguments) throws Exception {
        Optional<Options> options = Options.parse(List.of(arguments));
        if (options.isEmpty()) {
            System.err.println(Options.USAGE);
            System.exit(WRONG_USE);
        }
        try {
            System.out.println(run(options.get()) + " steps passed");
        } catch (Steps.Failed failed) {
            System.err.println("FAILED  " + failed.getMessage());
            failed.getCause().printStackTrace();
            System.exit(WRONG_STEP);
        }
    }

    private static int run(Options options) throws Exception {
        Folder folder = new Folder(options.certs(), options.centre(), options.environment());
        Persona persona = persona(options, "persona", "p01.properties");
        Persona refused = persona(options, "refused", "p05.properties");
        TestCore core = new TestCore(persona.number("income_fen"));
        Path work = Files.createTempDirectory("coloan-e2e-");
        Steps steps = new Steps();
        ExecutorService threads = Executors.newSingleThreadExecutor();
        try (TestBank beta =
                new TestBank(folder, options.bank(), options.target(), work.resolve("beta.journal"), core)) {
            DeliverStream stream = beta.stream();
            Future<?> streaming = threads.submit(() -> {
                stream.run();
                return null;
            });
            World world = new World(options, steps, folder, beta, stream, persona, refused, work);
            Day.run(world);
            Lending.run(world);
            Streaming.run(world);
            Hostile.run(world);
            if (options.inboxPort().isPresent()) {
                CallBack.run(world, options.inboxPort().get());
            }
            stream.stop();
            streaming.get();
        } finally {
            threads.shutdownNow();
            deleteAll(work);
        }
        return steps.passed();
    }

    private static Persona persona(Options options, String use, String standard) throws IOException {
        Optional<Path> file = options.file(use);
        try (Reader reader = file.isPresent()
                ? Files.newBufferedReader(file.get())
                : new InputStreamReader(EndToEnd.class.getResourceAsStream(standard), StandardCharsets.UTF_8)) {
            return Persona.read(reader);
        }
    }

    private static void deleteAll(Path folder) throws IOException {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
