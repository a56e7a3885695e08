/** Signed messages (chapters 3, 4, 9, 11): sealing, opening with every check, personal values beside them. */
package org.coloan.bank.envelope;
