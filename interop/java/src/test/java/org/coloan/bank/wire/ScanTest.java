package org.coloan.bank.wire;

import static org.coloan.bank.support.Refusals.assertOutcome;
import static org.coloan.bank.support.Refusals.assertRefused;

import com.google.protobuf.ByteString;
import com.google.protobuf.Message;
import java.util.Map;
import org.coloan.v1.Credit;
import org.coloan.v1.Envelope;
import org.coloan.v1.LoanPart;
import org.coloan.v1.Person;
import org.coloan.v1.SignedHeader;
import org.coloan.v1.SignedPayload;
import org.coloan.v1.VerificationQuery;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ScanTest {
    private static final Map<String, Message> TYPES = Map.of(
            "Credit", Credit.getDefaultInstance(),
            "Envelope", Envelope.getDefaultInstance(),
            "LoanPart", LoanPart.getDefaultInstance(),
            "Person", Person.getDefaultInstance(),
            "SignedHeader", SignedHeader.getDefaultInstance(),
            "SignedPayload", SignedPayload.getDefaultInstance(),
            "VerificationQuery", VerificationQuery.getDefaultInstance());

    @ParameterizedTest(name = "{0}")
    @CsvSource(quoteCharacter = '"', delimiter = '|', textBlock = """
            nothing                                 | SignedHeader      | ""                       | OK
            a text                                  | SignedHeader      | 0a03312e30               | OK
            the largest sequence                    | SignedHeader      | 60ffffffffffffffffff01   | OK
            a negative int32                        | LoanPart          | 10feffffffffffffffff01   | OK
            a packed list of enumerations           | VerificationQuery | 0a020102                 | OK
            the same list unpacked                  | VerificationQuery | 08010802                 | OK
            a repeated message                      | Envelope          | 1a001a00                 | OK
            a no-break space, which is no control   | SignedHeader      | 0a02c2a0                 | OK
            a cut length                            | SignedHeader      | 0a                       | WIRE_MALFORMED
            a length past the end                   | SignedHeader      | 0a04312e30               | WIRE_MALFORMED
            a length past the inner end             | SignedPayload     | 0a020a01                 | WIRE_MALFORMED
            a length of 64 bits                     | SignedHeader      | 0affffffffffffffffff01   | WIRE_MALFORMED
            field number 0                          | SignedHeader      | 0000                     | WIRE_MALFORMED
            wire type 6                             | SignedHeader      | 0e00                     | WIRE_MALFORMED
            wire type 7                             | SignedHeader      | 0f00                     | WIRE_MALFORMED
            a field number of 30 bits               | SignedHeader      | 808080801000             | WIRE_MALFORMED
            more than 64 bits                       | SignedHeader      | 60ffffffffffffffffff02   | WIRE_MALFORMED
            an endless varint                       | SignedHeader      | 60ffffffffffffffffffff01 | WIRE_MALFORMED
            a group                                 | SignedHeader      | 0b0c                     | WIRE_TYPE
            the end of a group                      | SignedHeader      | 0c                       | WIRE_TYPE
            a number for a text                     | SignedHeader      | 0801                     | WIRE_TYPE
            a text for a number                     | SignedHeader      | 6200                     | WIRE_TYPE
            a padded number                         | SignedHeader      | 608100                   | WIRE_VARINT
            a padded length                         | SignedHeader      | 0a8300312e30             | WIRE_VARINT
            a padded field key                      | SignedHeader      | 8a0003312e30             | WIRE_VARINT
            a bool of 2                             | Person            | 3002                     | WIRE_VARINT
            an int32 of 2^31                        | LoanPart          | 108080808008             | WIRE_VARINT
            a negative int32 of five bytes          | LoanPart          | 10feffffff0f             | WIRE_VARINT
            a uint32 past its type                  | Credit            | 088080808010             | WIRE_VARINT
            a text twice                            | SignedHeader      | 0a000a00                 | WIRE_DUPLICATE
            a number twice                          | SignedHeader      | 60016001                 | WIRE_DUPLICATE
            a field of tomorrow                     | SignedHeader      | 6801                     | WIRE_UNKNOWN_FIELD
            an unknown field inside                 | SignedPayload     | 0a026801                 | WIRE_UNKNOWN_FIELD
            an undeclared enumeration value         | SignedHeader      | 3806                     | ENUM_UNKNOWN
            an enumeration value past 32 bits       | SignedHeader      | 388180808010             | ENUM_UNKNOWN
            an undeclared value in a packed list    | VerificationQuery | 0a020163                 | ENUM_UNKNOWN
            broken UTF-8                            | SignedHeader      | 0a01ff                   | TEXT_ENCODING
            an overlong form                        | SignedHeader      | 0a02c080                 | TEXT_ENCODING
            a surrogate                             | SignedHeader      | 0a03eda080               | TEXT_ENCODING
            NUL                                     | SignedHeader      | 0a0100                   | TEXT_CONTROL
            a line feed                             | SignedHeader      | 0a010a                   | TEXT_CONTROL
            DEL                                     | SignedHeader      | 0a017f                   | TEXT_CONTROL
            a C1 control                            | SignedHeader      | 0a02c285                 | TEXT_CONTROL
            """)
    void bytes(String name, String type, String hex, String expect) {
        assertOutcome(expect, () -> scan(type, hex, Limits.FIELDS_MAX));
    }

    @Test
    void theElementsOfPackedListsCount() {
        scan("VerificationQuery", "0a020102", 3);
        assertRefused(Reason.WIRE_TOO_MANY_FIELDS, () -> scan("VerificationQuery", "0a020102", 2));
        assertRefused(Reason.WIRE_TOO_MANY_FIELDS, () -> scan("Envelope", "1a001a00", 1));
    }

    /** Every cut of good bytes is refused, or is good itself; nothing else is thrown. */
    @Test
    void cutAnywhere() {
        ByteString bytes = SignedHeader.newBuilder()
                .setSpecVersion("1.0")
                .setSequence(-1)
                .setMessageId(MessageId.next(1))
                .build()
                .toByteString();
        for (int length = 0; length <= bytes.size(); length++) {
            try {
                Scan.scan(SignedHeader.getDescriptor(), bytes.substring(0, length));
            } catch (Refused refused) {
                assertRefused(Reason.WIRE_MALFORMED, () -> {
                    throw refused;
                });
            }
        }
    }

    private static void scan(String type, String hex, int fieldsMax) {
        Scan.scan(TYPES.get(type).getDescriptorForType(), Hex.parse(hex), fieldsMax);
    }
}
