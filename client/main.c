#include <signal.h>

#include "client/cli.h"

int main(int argc, char **argv)
{
    (void)signal(SIGPIPE, SIG_IGN);
    enum cli_exit code = cli_main(argc, argv, stdout, stderr);
    if (fflush(stdout) != 0 && code == CLI_DONE) {
        return CLI_FAILED;
    }
    return (int)code;
}
