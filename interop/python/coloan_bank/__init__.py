"""A small bank that speaks the coloan specification with a fund centre. The README says in which order to read it."""

import os
import sys

# Nothing older than TLS 1.3 is offered or accepted ([COL-TLS-002]). Python's gRPC has no option for it, but one for the
# suites of TLS 1.2: this one needs a secret that was agreed beforehand, which nobody has. Those of TLS 1.3 are always
# there. It holds for the whole process, and is read when grpc is loaded.
_SUITES, _NO_SUITE_OF_TLS_1_2 = "GRPC_SSL_CIPHER_SUITES", "ECDHE-PSK-AES128-CBC-SHA"

if "grpc" in sys.modules and os.environ.get(_SUITES) != _NO_SUITE_OF_TLS_1_2:
    raise ImportError("coloan_bank has to be imported before grpc, so that gRPC speaks TLS 1.3 only")
os.environ[_SUITES] = _NO_SUITE_OF_TLS_1_2
