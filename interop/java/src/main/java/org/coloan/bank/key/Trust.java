package org.coloan.bank.key;

/** What was agreed on out of band, and what everything else is verified from ([COL-KEY-006]). */
public record Trust(VerifyKey directoryKey, String centre, String environment) {}
