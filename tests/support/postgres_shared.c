/* postgres_shared up|down FILE - the one server that the tests of a ctest run share; FILE says where it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/postgres.h"

static void down(const char *path)
{
    struct postgres_server server = {.port = 5432};
    FILE *file = fopen(path, "r");
    if (file != NULL && fscanf(file, "%63s", server.folder) == 1 && access(server.folder, F_OK) == 0) {
        postgres_server_remove(&server);
    }
    if (file != NULL) {
        (void)fclose(file);
        (void)remove(path);
    }
}

static int up(const char *path)
{
    struct postgres_server server;
    postgres_server_create(&server, "");
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fprintf(file, "%s\n", server.folder) > 0 && fclose(file) == 0;
    return written ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    if (argc != 3 || (strcmp(argv[1], "up") != 0 && strcmp(argv[1], "down") != 0)) {
        (void)fprintf(stderr, "usage: postgres_shared up|down FILE\n");
        return 2;
    }
    down(argv[2]); /* of a run that was cut off, too */
    return strcmp(argv[1], "up") == 0 ? up(argv[2]) : EXIT_SUCCESS;
}
