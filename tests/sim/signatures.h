/* signatures.h - nobody computes again what this process knows: a signature that it made, or has verified once, verifies.
 *
 * Half of a simulation's time would go into verifying, at the centre, at the receiver and by the promises, what the next
 * function made. Signatures are made for real, and what is not known is verified for real; the linker puts this in front
 * of cl_sign and cl_signature_verify (--wrap). One thread. */
#ifndef COLOAN_TESTS_SIM_SIGNATURES_H
#define COLOAN_TESTS_SIM_SIGNATURES_H

/* Forgets all, at the start of a simulation. */
void signatures_forget(void);

#endif
