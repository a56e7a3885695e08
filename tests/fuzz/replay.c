/* Runs a fuzz target over its corpus as a normal test, without libFuzzer: each file, and each beginning of it, because
 * a message that is cut short is the commonest malformed one. Every input lies in memory of exactly its size, so that
 * AddressSanitizer sees a read past its end. A corpus without files fails: such a test would prove nothing. */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    INPUT_BYTES_MAX = 1024 * 1024,
    CUTS_MAX = 2048, /* beginnings of one file; spread evenly over a longer one */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run(const uint8_t *data, size_t size)
{
    uint8_t *exact = malloc(size == 0 ? 1 : size);
    if (exact == NULL) {
        return -1;
    }
    if (size > 0) {
        memcpy(exact, data, size);
    }
    (void)LLVMFuzzerTestOneInput(exact, size);
    free(exact);
    return 0;
}

static int run_with_beginnings(const uint8_t *data, size_t size)
{
    size_t step = size / CUTS_MAX + 1;
    for (size_t cut = 0; cut < size; cut += step) {
        if (run(data, cut) != 0) {
            return -1;
        }
    }
    return run(data, size);
}

static int replay_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(INPUT_BYTES_MAX);
    if (file == NULL || data == NULL) {
        free(data);
        if (file != NULL) {
            (void)fclose(file);
        }
        return -1;
    }
    size_t size = fread(data, 1, INPUT_BYTES_MAX, file);
    int result = ferror(file) != 0 || fgetc(file) != EOF ? -1 : run_with_beginnings(data, size);
    (void)fclose(file);
    free(data);
    return result;
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    DIR *folder = argc == 2 ? opendir(argv[1]) : NULL;
    if (folder == NULL) {
        (void)fprintf(stderr, "usage: %s CORPUS_FOLDER\n", argv[0]);
        return 2;
    }
    for (const struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[4096];
        if (entry->d_name[0] == '.') {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (replay_file(path) != 0) {
            (void)fprintf(stderr, "%s: cannot be read, or is larger than 1 MiB\n", path);
            (void)closedir(folder);
            return 1;
        }
        count++;
    }
    (void)closedir(folder);
    (void)printf("%u inputs and their beginnings\n", count);
    return count > 0 ? 0 : 1;
}
