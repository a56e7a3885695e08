/** A whole day against a running centre (chapter 14), as a program. */
package org.coloan.bank.e2e;
