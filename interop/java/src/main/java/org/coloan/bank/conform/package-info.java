/** This bank behind the questions of coloan-conform (interop/conform). */
package org.coloan.bank.conform;
