/** The way to the centre and back (chapters 2, 6, 10): mutual TLS, calls, the same bytes again, refusals. */
package org.coloan.bank.centre;
