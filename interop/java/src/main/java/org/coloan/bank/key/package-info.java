/** Keys (chapter 5): our own, everybody's, and the signed directory that tells whose is whose. */
package org.coloan.bank.key;
