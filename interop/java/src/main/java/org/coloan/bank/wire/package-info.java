/** Bytes (chapters 3.3, 4, 12): limits, reasons, the scan before decoding, digests. Knows no keys. */
package org.coloan.bank.wire;
