package org.coloan.bank.e2e;

import java.nio.file.Path;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** What the command line says. */
record Options(Map<String, String> values, boolean register) {
    static final String USAGE = """
            usage: EndToEnd --target HOST:PORT --certs FOLDER [--bank bank:cn-beta-js] [--other bank:cn-alpha-js]
                            [--centre fund:cn-nj-prov] [--environment test] [--inbox PORT] [--register]
                            [--persona FILE] [--refused FILE]
              FOLDER is what certs/make-dev makes, with directory.bin. The centre's authorities have to know both personas: one that
              gets a combined loan, and one that the fund refuses. PORT is where the centre calls the inbox of the other bank.
              --register: the property register answers within a minute, so that the loan is paid and repaid as well.""";

    private static final Set<String> NAMES =
            Set.of("target", "certs", "bank", "other", "centre", "environment", "inbox", "persona", "refused");

    /** Nothing when they are not as USAGE says. */
    static Optional<Options> parse(List<String> arguments) {
        Map<String, String> values = new HashMap<>(Map.of(
                "bank", "bank:cn-beta-js",
                "other", "bank:cn-alpha-js",
                "centre", "fund:cn-nj-prov",
                "environment", "test"));
        boolean register = false;
        Iterator<String> rest = arguments.iterator();
        while (rest.hasNext()) {
            String name = rest.next();
            if (name.equals("--register")) {
                register = true;
            } else if (name.startsWith("--") && NAMES.contains(name.substring(2)) && rest.hasNext()) {
                values.put(name.substring(2), rest.next());
            } else {
                return Optional.empty();
            }
        }
        boolean complete = values.keySet().containsAll(Set.of("target", "certs"));
        return complete ? Optional.of(new Options(values, register)) : Optional.empty();
    }

    String target() {
        return values.get("target");
    }

    Path certs() {
        return Path.of(values.get("certs"));
    }

    String bank() {
        return values.get("bank");
    }

    String other() {
        return values.get("other");
    }

    String centre() {
        return values.get("centre");
    }

    String environment() {
        return values.get("environment");
    }

    Optional<Integer> inboxPort() {
        return Optional.ofNullable(values.get("inbox")).map(Integer::valueOf);
    }

    /** A file that was named for this use. */
    Optional<Path> file(String use) {
        return Optional.ofNullable(values.get(use)).map(Path::of);
    }
}
