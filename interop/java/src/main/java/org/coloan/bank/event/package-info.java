/** Events (chapter 8): by a stream or by calls, into one journal and one handler. */
package org.coloan.bank.event;
