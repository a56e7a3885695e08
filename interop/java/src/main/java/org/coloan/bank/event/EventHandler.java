package org.coloan.bank.event;

import org.coloan.bank.envelope.Opened;
import org.coloan.v1.Event;

/** Takes events over into the bank's core, one at a time and in the order of their numbers. */
public interface EventHandler {
    /**
     * Gives the bank's own reference of the event, 1 to 64 bytes. Thrown at, the event stays and is handed in
     * again.
     */
    String apply(Opened<Event> event);
}
