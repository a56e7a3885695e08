package org.coloan.bank.centre;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import java.io.IOException;
import java.lang.reflect.Field;
import java.nio.file.Files;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import org.coloan.bank.support.Repository;
import org.coloan.v1.Services;
import org.junit.jupiter.api.Test;

class MethodTest {
    private static final Pattern ROW = Pattern.compile(
            "^\\| `((?:JointApproval|Directory)/\\w+)` \\| `(\\w+)`(?:, `\\w+`)* \\| `(\\w+)` \\| bank",
            Pattern.MULTILINE);

    /** Those that a bank calls and that are no stream, with the body and the reply of docs/spec/methods.md. */
    @Test
    void theMethodsAreThoseOfTheTable() throws IllegalAccessException, IOException {
        String table = Files.readString(Repository.root().resolve("docs/spec/methods.md"));
        Map<String, String> expected = new TreeMap<>();
        for (MatchResult row : ROW.matcher(table).results().toList()) {
            expected.put("coloan.v1." + row.group(1), row.group(2) + " " + row.group(3));
        }
        expected.remove("coloan.v1.JointApproval/UploadDocument");
        Map<String, String> actual = new TreeMap<>();
        for (Field field : Method.class.getFields()) {
            if (field.get(null) instanceof Method<?, ?> method) {
                String request = method.request().getDescriptorForType().getName();
                String reply = method.reply().getDescriptorForType().getName();
                actual.put(method.name(), request + " " + reply);
            }
        }
        assertEquals(expected, actual);
    }

    @Test
    void theNamesAreThoseOfTheServices() throws IllegalAccessException {
        FileDescriptor services = Services.getDescriptor();
        Set<String> known = new TreeSet<>();
        for (ServiceDescriptor service : services.getServices()) {
            service.getMethods().forEach(method -> known.add(service.getFullName() + "/" + method.getName()));
        }
        for (Field field : Method.class.getFields()) {
            if (field.get(null) instanceof Method<?, ?> method) {
                assertEquals(true, known.contains(method.name()), method.name());
            }
        }
        assertEquals(true, known.contains(Method.DELIVER));
    }
}
