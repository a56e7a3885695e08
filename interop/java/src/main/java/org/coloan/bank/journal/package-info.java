/** What must survive a crash, in one file. */
package org.coloan.bank.journal;
