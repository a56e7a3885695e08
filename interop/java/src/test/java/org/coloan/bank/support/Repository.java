package org.coloan.bank.support;

import java.nio.file.Path;

/** Where this tree lies: the build says it. */
public final class Repository {
    private Repository() {}

    public static Path root() {
        return Path.of(System.getProperty("coloan.root")).toAbsolutePath().normalize();
    }
}
