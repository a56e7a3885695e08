/* The smallest program that uses what is installed: a reason, a hash, a generated message. */
#include <coloan/v1/envelope.pb-c.h>
#include <libcoloan/rpc.h>
#include <libcoloan/sha256.h>
#include <stdio.h>

int main(void)
{
    struct cl_digest digest;
    Coloan__V1__Envelope envelope = COLOAN__V1__ENVELOPE__INIT;
    cl_sha256(&digest, cl_bytes("abc", 3));
    return puts(cl_reason_info(CL_EXPIRED)->name) < 0 || coloan__v1__envelope__get_packed_size(&envelope) != 0 ||
           digest.bytes[0] != 0xba;
}
