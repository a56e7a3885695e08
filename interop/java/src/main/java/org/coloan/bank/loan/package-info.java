/** The bank itself (chapter 7): submissions, offers, decisions, and what it checks before it believes it. */
package org.coloan.bank.loan;
