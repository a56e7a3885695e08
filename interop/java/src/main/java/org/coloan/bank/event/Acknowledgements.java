package org.coloan.bank.event;

import org.coloan.bank.journal.KeptEvent;
import org.coloan.v1.Ack;
import org.coloan.v1.AckLevel;

/** The bodies of acknowledgements ([COL-DEL-008], [COL-DEL-009]). */
final class Acknowledgements {
    private Acknowledgements() {}

    static Ack received(long sequence) {
        return Ack.newBuilder()
                .setSequence(sequence)
                .setLevel(AckLevel.ACK_LEVEL_RECEIVED)
                .build();
    }

    static Ack applied(KeptEvent event) {
        return Ack.newBuilder()
                .setSequence(event.sequence())
                .setLevel(AckLevel.ACK_LEVEL_APPLIED)
                .setBankReference(event.reference().orElseThrow())
                .build();
    }
}
