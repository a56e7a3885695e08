/* The archive of a real store: every moment can be had again; what could be missing breaks the line, what is damaged is
 * named; and no disk of the archive keeps the store from deciding.
 *
 * A clock of the test's own gives commit n the moment n seconds, and the commit writes n: so a database that was brought
 * to a moment has to hold its number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server/store/due.h"
#include "server/store/durable.h"
#include "server/store/rewind.h"
#include "tests/support/store_fixture.h"

enum {
    ROUND_PAGES = 16,
    RESTART_PAGES = 48,
    IDLE_MS = 20,
    SECOND_MS = 1000,
    FILLER_BYTES = 12000, /* three pages in each commit */
    PATIENCE_MS = 20000,
    CUT_BYTES = 400,               /* into the last commit, whatever releases stand behind it */
    FILLED = 120,                  /* commits, each of some eight pages: nearly 4 MiB in one segment */
    LIMIT_BYTES = 3 * 1024 * 1024, /* more than the database's files get to, less than that segment */
};

struct room {
    char folder[64], archive_folder[64], path[80], base[96], copy[96];
    struct store_options options;
    struct store *store;
};

static atomic_int_least64_t moment_ms;

static int64_t unix_ms(void *user)
{
    (void)user;
    return atomic_load(&moment_ms);
}

static int64_t monotonic_ms(void *user)
{
    (void)user;
    return cl_clock_monotonic_ms(cl_clock_system());
}

static const struct cl_clock test_clock = {.unix_ms = unix_ms, .monotonic_ms = monotonic_ms};

/* -- The store ------------------------------------------------------------------------------------------------ */

static void open_store(struct room *room)
{
    assert_int_equal(store_open(&room->store, &room->options).reason, CL_OK);
}

static void close_store(struct room *room)
{
    store_close(room->store);
    room->store = NULL;
}

static struct cl_status write_number(void *user, struct store_tx *tx)
{
    static char filler[FILLER_BYTES + 1];
    int64_t number = *(int64_t *)user;
    struct due_row row = {.subject = "number", .kind = 1, .at_ms = number};
    struct due_row weight = {.subject = filler, .kind = 2, .at_ms = number};
    memset(filler, 'a' + (int)(number % 7), FILLER_BYTES);
    struct cl_status status = due_set(tx, &row);
    return cl_is_ok(status) ? due_set(tx, &weight) : status;
}

/* Commit n, at the moment n seconds. */
static void commit(struct room *room, int64_t number)
{
    atomic_store(&moment_ms, number * SECOND_MS);
    assert_int_equal(store_run(room->store, write_number, &number).reason, CL_OK);
}

static void commit_all(struct room *room, int64_t from, int64_t to)
{
    for (int64_t number = from; number <= to; number++) {
        commit(room, number);
    }
}

/* Read only: whoever closes a database that could write to it takes the log over. */
static int64_t number_in(const char *path)
{
    int64_t at_ms[DUE_KINDS_MAX] = {0};
    struct sql_health health = {.on_failed = NULL};
    struct sql *sql = NULL;
    assert_int_equal(sql_open(&sql, path, SQL_READ, &health).reason, CL_OK);
    assert_int_equal(sql_check(sql).reason, CL_OK);
    assert_int_equal(due_of(at_ms, sql, "number").reason, CL_OK);
    sql_close(sql);
    return at_ms[1];
}

/* -- Copies --------------------------------------------------------------------------------------------------- */

static void copy_file(const char *from, const char *to)
{
    static uint8_t block[1 << 16];
    size_t len = 0;
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_true(in != NULL && out != NULL);
    while ((len = fread(block, 1, sizeof block, in)) > 0) {
        assert_int_equal(fwrite(block, 1, len, out), len);
    }
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
    assert_int_equal(chmod(to, 0600), 0);
}

/* A backup, as of now. */
static void take_base(struct room *room)
{
    struct sql *sql = NULL;
    struct sql_copy *copy = NULL;
    struct sql_copied copied = {.done = false};
    (void)unlink(room->base);
    assert_int_equal(store_reader_open(&sql, room->store).reason, CL_OK);
    assert_int_equal(sql_hold(sql).reason, CL_OK);
    assert_int_equal(sql_copy_begin(&copy, sql, room->base).reason, CL_OK);
    while (!copied.done) {
        assert_int_equal(sql_copy_step(&copied, copy, 1).reason, CL_OK);
    }
    sql_copy_end(copy);
    sql_release(sql);
    sql_close(sql);
}

static struct cl_digest start_of(const struct room *room, uint64_t segment)
{
    struct segment_reader reader;
    assert_int_equal(segment_open(&reader, room->archive_folder, segment).reason, CL_OK);
    struct cl_digest start = reader.header.start.chain;
    segment_close(&reader);
    return start;
}

static uint64_t last_segment(const struct room *room)
{
    uint64_t last = 0;
    assert_int_equal(segment_find_last(&last, room->archive_folder).reason, CL_OK);
    return last;
}

static uint64_t line_of(const struct room *room, uint64_t segment)
{
    struct segment_reader reader;
    assert_int_equal(segment_open(&reader, room->archive_folder, segment).reason, CL_OK);
    uint64_t line = reader.header.line;
    segment_close(&reader);
    return line;
}

static struct rewind_report rewound;

/* The number in the base brought to that moment along the archive from that segment on; -1: it was refused. */
static int64_t rewind_from(struct room *room, uint64_t segment, int64_t to_ms)
{
    FILE *nowhere = fopen("/dev/null", "w");
    struct rewind_options options = {.archive = room->archive_folder,
                                     .segment = segment,
                                     .start = start_of(room, segment),
                                     .to_ms = to_ms,
                                     .database = room->copy,
                                     .clock = cl_clock_system(),
                                     .progress = nowhere};
    copy_file(room->base, room->copy);
    struct cl_status status = rewind_database(&rewound, &options);
    (void)fclose(nowhere);
    return cl_is_ok(status) ? number_in(room->copy) : -1;
}

static void refused(struct room *room, int64_t to_ms, const char *words)
{
    assert_int_equal(rewind_from(room, 1, to_ms), -1);
    if (strstr(rewound.fault, words) == NULL) {
        fail_msg("expected '%s', found '%s'", words, rewound.fault);
    }
}

static int set_up(void **state)
{
    struct room *room = calloc(1, sizeof *room);
    fixture_make_folder(room->folder);
    fixture_make_folder(room->archive_folder);
    (void)snprintf(room->path, sizeof room->path, "%s/coloan.db", room->folder);
    (void)snprintf(room->base, sizeof room->base, "%s/base.db", room->folder);
    (void)snprintf(room->copy, sizeof room->copy, "%s/copy.db", room->folder);
    room->options = (struct store_options){
        .address = room->path,
        .round_pages = ROUND_PAGES,
        .restart_pages = RESTART_PAGES,
        .idle_ms = IDLE_MS,
        .archive = {.folder = room->archive_folder, .segment_bytes = 256 * 1024, .anew_ms = 50},
        .clock = &test_clock,
    };
    atomic_store(&moment_ms, 1);
    open_store(room);
    commit(room, 1);
    take_base(room);
    *state = room;
    return 0;
}

static int tear_down(void **state)
{
    struct room *room = *state;
    close_store(room);
    fixture_remove_folder(room->folder);
    fixture_remove_folder(room->archive_folder);
    free(room);
    return 0;
}

/* -- Every moment --------------------------------------------------------------------------------------------- */

static void every_moment_can_be_had(void **state)
{
    enum { COMMITS = 120 };
    struct room *room = *state;
    commit_all(room, 2, COMMITS / 2);
    (void)poll(NULL, 0, 10 * IDLE_MS); /* the log is emptied */
    commit_all(room, COMMITS / 2 + 1, COMMITS);
    close_store(room);
    assert_true(last_segment(room) > 3);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    for (int64_t number = 1; number <= COMMITS; number++) {
        assert_int_equal(rewind_from(room, 1, number * SECOND_MS), number);
        assert_int_equal(rewind_from(room, 1, (number + 1) * SECOND_MS - 1), number);
    }
    assert_int_equal(rewind_from(room, 1, INT64_MAX), COMMITS);
    assert_int_equal(rewound.last_ms, COMMITS * SECOND_MS);
}

/* The moment of a commit never lies before that of the one before it. */
static void a_clock_that_goes_back_does_not_take_time_back(void **state)
{
    struct room *room = *state;
    int64_t number = 3;
    commit(room, 10);
    atomic_store(&moment_ms, 2 * SECOND_MS);
    assert_int_equal(store_run(room->store, write_number, &number).reason, CL_OK);
    close_store(room);
    assert_int_equal(rewind_from(room, 1, 10 * SECOND_MS - 1), 1);
    assert_int_equal(rewind_from(room, 1, 10 * SECOND_MS), 3);
}

static void a_later_base_is_gone_on_with(void **state)
{
    struct room *room = *state;
    commit_all(room, 2, 30);
    take_base(room);
    commit_all(room, 31, 60);
    close_store(room);
    assert_int_equal(rewind_from(room, 1, 45 * SECOND_MS), 45);
    assert_int_equal(rewind_from(room, 1, 60 * SECOND_MS), 60);
}

/* -- Lives ---------------------------------------------------------------------------------------------------- */

static void lives_in_good_order_are_one_line(void **state)
{
    struct room *room = *state;
    for (int64_t life = 0; life < 6; life++) {
        commit_all(room, 2 + 10 * life, 1 + 10 * (life + 1));
        close_store(room);
        open_store(room);
    }
    close_store(room);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    assert_int_equal(rewind_from(room, 1, 33 * SECOND_MS), 33);
    assert_int_equal(rewind_from(room, 1, INT64_MAX), 61);
}

/* Commits in another process until it is killed, some time after that many; the number of the last one that was told. */
static int64_t live_and_be_killed(struct room *room, int64_t from, int after_commits, int after_ms)
{
    int ends[2];
    int64_t last = from - 1;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)store_open(&room->store, &room->options).reason;
        for (int64_t number = from; room->store != NULL; number++) {
            atomic_store(&moment_ms, number * SECOND_MS);
            if (cl_failed(store_run(room->store, write_number, &number)) ||
                write(ends[1], &number, sizeof number) != (ssize_t)sizeof number) {
                break;
            }
            if (number % 16 == 0) {
                (void)poll(NULL, 0, 2 * IDLE_MS);
            }
        }
        _exit(1);
    }
    (void)close(ends[1]);
    while (last - from + 1 < after_commits && read(ends[0], &last, sizeof last) == (ssize_t)sizeof last) {
    }
    (void)poll(NULL, 0, after_ms);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    for (int64_t number = 0; read(ends[0], &number, sizeof number) == (ssize_t)sizeof number;) {
        last = number;
    }
    (void)close(ends[0]);
    return last;
}

/* What a kill cut off is in the log still, and comes into the archive before the log goes. */
static void kills_are_one_line_too(void **state)
{
    struct room *room = *state;
    int64_t last = 1;
    close_store(room);
    for (int life = 0; life < 40; life++) {
        int64_t now = live_and_be_killed(room, last + 1, life % 3, 7 * (life % 9));
        last = now < last ? last : now;
        open_store(room); /* the one commit more that nobody was told of may be there */
        close_store(room);
        int64_t there = number_in(room->path);
        assert_true(there == last || there == last + 1);
        last = there;
    }
    assert_true(last > 40);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    assert_int_equal(rewind_from(room, 1, INT64_MAX), last);
}

/* -- Breaks --------------------------------------------------------------------------------------------------- */

static void live_without_archive(struct room *room)
{
    struct store_options with = room->options;
    room->options.archive.folder = NULL;
    open_store(room);
    commit(room, 20);
    close_store(room);
    room->options = with;
}

static void touch_database(struct room *room)
{
    assert_int_equal(utimensat(AT_FDCWD, room->path, NULL, 0), 0);
}

static void damage_last_segment(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    assert_true(segment_path(path, room->archive_folder, last_segment(room)));
    int fd = open(path, O_RDWR);
    uint8_t byte = 0;
    assert_true(durable_read(fd, &byte, 1, 400));
    byte ^= 1;
    assert_true(durable_write(fd, cl_bytes(&byte, 1), 400));
    (void)close(fd);
}

static void remove_segments(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    for (uint64_t number = last_segment(room); number > 0; number--) {
        assert_true(segment_path(path, room->archive_folder, number));
        assert_int_equal(unlink(path), 0);
    }
}

static void nothing(struct room *room)
{
    (void)room;
}

/* What the archive did not see begins another line, which an older backup is not brought along. */
static void what_may_be_missing_breaks_the_line(void **state)
{
    static const struct {
        const char *name;
        void (*meanwhile)(struct room *room);
        bool breaks;
    } rows[] = {
        {"nothing", nothing, false},
        {"a life without the archive", live_without_archive, true},
        {"the database was touched", touch_database, true},
        {"the last segment is damaged", damage_last_segment, true},
        {"the archive is another", remove_segments, true},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct room *room = NULL;
        assert_int_equal(set_up(state), 0);
        room = *state;
        commit_all(room, 2, 6);
        close_store(room);
        uint64_t line = line_of(room, last_segment(room));
        uint64_t before = last_segment(room);
        rows[i].meanwhile(room);
        open_store(room);
        commit_all(room, 30, 33);
        close_store(room);
        uint64_t last = last_segment(room);
        bool broke = line_of(room, last) != line || last < before || rows[i].meanwhile == remove_segments;
        if (broke != rows[i].breaks) {
            fail_msg("%s: segment %d of line %d", rows[i].name, (int)last, (int)line_of(room, last));
        }
        if (rows[i].breaks && rows[i].meanwhile != remove_segments && rows[i].meanwhile != damage_last_segment) {
            refused(room, INT64_MAX, "is the last before a break");
            assert_int_equal(rewind_from(room, 1, 6 * SECOND_MS), 6);
        }
        assert_int_equal(tear_down(state), 0);
    }
    assert_int_equal(set_up(state), 0);
}

/* -- Damage --------------------------------------------------------------------------------------------------- */

static void cut_tail(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    struct stat info;
    assert_true(segment_path(path, room->archive_folder, last_segment(room)));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size - CUT_BYTES), 0);
}

static void lose_third(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    assert_true(segment_path(path, room->archive_folder, 3));
    assert_int_equal(unlink(path), 0);
}

static void flip_in_second(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    uint8_t byte = 0;
    assert_true(segment_path(path, room->archive_folder, 2));
    int fd = open(path, O_RDWR);
    assert_true(durable_read(fd, &byte, 1, 100000));
    byte ^= 0x80;
    assert_true(durable_write(fd, cl_bytes(&byte, 1), 100000));
    (void)close(fd);
}

static void swap_second_for_third(struct room *room)
{
    char second[SEGMENT_PATH_BYTES_MAX];
    char third[SEGMENT_PATH_BYTES_MAX];
    assert_true(segment_path(second, room->archive_folder, 2));
    assert_true(segment_path(third, room->archive_folder, 3));
    assert_int_equal(rename(third, second), 0);
}

static void spoil_header_of_second(struct room *room)
{
    char path[SEGMENT_PATH_BYTES_MAX];
    assert_true(segment_path(path, room->archive_folder, 2));
    int fd = open(path, O_RDWR);
    assert_true(durable_write(fd, cl_bytes("x", 1), 30));
    (void)close(fd);
}

static void damage_is_named(void **state)
{
    static const struct {
        const char *name;
        void (*spoil)(struct room *room);
        const char *words;
    } rows[] = {
        {"torn at the end", cut_tail, "is torn at byte"},
        {"one is missing", lose_third, "segment 2 is followed by 3, which is missing"},
        {"a flipped bit", flip_in_second, "segment 2 is damaged at byte"},
        {"one in the place of another", swap_second_for_third, "segment 2 is not there, or its header is damaged"},
        {"a header", spoil_header_of_second, "segment 2 is not there, or its header is damaged"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(set_up(state), 0);
        struct room *room = *state;
        commit_all(room, 2, 80);
        close_store(room);
        assert_true(last_segment(room) > 3);
        rows[i].spoil(room);
        refused(room, INT64_MAX, rows[i].words);
        int64_t whole_ms = rewound.reachable_ms;
        assert_true(whole_ms % SECOND_MS == 0 && whole_ms < 80 * SECOND_MS);
        if (strstr(rows[i].words, "header") == NULL) { /* what comes before is had all the same */
            assert_true(whole_ms > SECOND_MS);
            assert_int_equal(rewind_from(room, 1, whole_ms), whole_ms / SECOND_MS);
            refused(room, whole_ms + 1, rows[i].words);
        }
        assert_int_equal(tear_down(state), 0);
    }
    assert_int_equal(set_up(state), 0);
}

/* A start cuts off a torn end and goes on: the log still has what it was. */
static void a_torn_end_is_mended_from_the_log(void **state)
{
    struct room *room = *state;
    close_store(room);
    room->options.archive.segment_bytes = 0;
    room->options.restart_pages = room->options.round_pages = 0; /* what is released is on the disk and not torn */
    room->options.idle_ms = PATIENCE_MS;
    int64_t last = live_and_be_killed(room, 2, 5, 50);
    cut_tail(room);
    open_store(room);
    commit(room, last + 2);
    close_store(room);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    assert_int_equal(rewind_from(room, 1, INT64_MAX), last + 2);
}

/* -- A full disk ---------------------------------------------------------------------------------------------- */

static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static struct archive_stats wait_for(struct room *room, bool (*is)(const struct archive_stats *stats))
{
    struct archive_stats stats;
    int64_t end_ms = monotonic_ms(NULL) + PATIENCE_MS;
    do {
        store_archive_stats(room->store, &stats);
        (void)poll(NULL, 0, 5);
    } while (!is(&stats) && monotonic_ms(NULL) < end_ms);
    assert_true(is(&stats));
    return stats;
}

static bool is_stalled(const struct archive_stats *stats)
{
    return stats->stalled && stats->pending > 0;
}

static bool is_here(const struct archive_stats *stats)
{
    return !stats->stalled && !stats->broken && stats->pending == 0;
}

/* But for what the next sync brings: not more than a second's. */
static bool is_written(const struct archive_stats *stats)
{
    return stats->pending < 10;
}

static bool is_broken(const struct archive_stats *stats)
{
    return stats->breaks > 0;
}

/* Segments get larger than the files of the database, so a limit between the two is a full disk for the archive alone. */
static void fill_segment(struct room *room)
{
    close_store(room);
    room->options.archive.segment_bytes = 0;
    open_store(room);
    commit_all(room, 2, FILLED - 1);
    (void)poll(NULL, 0, 20 * IDLE_MS); /* the log is emptied */
    commit(room, FILLED);
    (void)wait_for(room, is_here); /* its beginning is archived: rounds may run */
    limit_files(LIMIT_BYTES);
}

/* With time in between for a round to take over all there is, after which nothing but the archive keeps the log. */
static void commit_slowly(struct room *room, int64_t from, int64_t to)
{
    for (int64_t number = from; number <= to; number++) {
        commit(room, number);
        (void)poll(NULL, 0, IDLE_MS / 2);
    }
}

static void a_full_disk_is_waited_for(void **state)
{
    struct room *room = *state;
    fill_segment(room);
    commit_slowly(room, FILLED + 1, FILLED + 15);
    (void)wait_for(room, is_stalled);
    limit_files(RLIM_INFINITY);
    (void)wait_for(room, is_here);
    commit_all(room, FILLED + 16, FILLED + 20);
    close_store(room);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    assert_int_equal(rewind_from(room, 1, (FILLED + 10) * SECOND_MS), FILLED + 10);
    assert_int_equal(rewind_from(room, 1, INT64_MAX), FILLED + 20);
}

static void a_disk_that_stays_full_breaks_the_line_and_nothing_else(void **state)
{
    struct room *room = *state;
    struct archive_stats stats = {.broken = true};
    int64_t number = FILLED + 60;
    room->options.archive.frames_max = 120;
    fill_segment(room);
    commit_all(room, FILLED + 1, number); /* each is answered OK */
    assert_true(wait_for(room, is_broken).breaks >= 1);
    limit_files(RLIM_INFINITY);
    for (int64_t end_ms = monotonic_ms(NULL) + PATIENCE_MS; stats.broken || stats.stalled; (void)poll(NULL, 0, 20)) {
        assert_true(monotonic_ms(NULL) < end_ms);
        commit(room, ++number);
        store_archive_stats(room->store, &stats);
    }
    (void)wait_for(room, is_here);
    take_base(room);
    uint64_t line = last_segment(room);
    commit_all(room, number + 1, number + 10);
    close_store(room);
    assert_true(line > 1);
    assert_int_equal(line_of(room, last_segment(room)), line);
    assert_int_equal(rewind_from(room, line, (number + 5) * SECOND_MS), number + 5);
    refused(room, number * SECOND_MS, "segment 1 is");
}

/* That is the reader's doing: the archive has it all. */
static void a_log_that_a_reader_holds_breaks_nothing(void **state)
{
    struct room *room = *state;
    struct sql *reader = NULL;
    struct archive_stats stats;
    close_store(room);
    room->options.archive.frames_max = 120;
    open_store(room);
    commit(room, 2);
    assert_int_equal(store_reader_open(&reader, room->store).reason, CL_OK);
    assert_int_equal(sql_hold(reader).reason, CL_OK);
    for (int64_t number = 3; number <= 80; number++) { /* several times as much */
        commit(room, number);
        (void)wait_for(room, is_written);
    }
    store_archive_stats(room->store, &stats);
    assert_int_equal(stats.breaks, 0);
    sql_release(reader);
    sql_close(reader);
    commit_all(room, 81, 90);
    close_store(room);
    assert_int_equal(line_of(room, last_segment(room)), 1);
    assert_int_equal(rewind_from(room, 1, 85 * SECOND_MS), 85);
}

static void only_a_folder_of_ones_own_will_do(void **state)
{
    struct room *room = *state;
    struct store *other = NULL;
    char path[96];
    struct store_options options = room->options;
    (void)snprintf(path, sizeof path, "%s/other.db", room->folder);
    options.address = path;
    assert_int_equal(store_open(&other, &options).reason, CL_CONFIG_INVALID); /* another store's */
    options.archive.folder = "/nowhere/at/all";
    assert_int_equal(store_open(&other, &options).reason, CL_CONFIG_INVALID);
    options.archive.folder = room->path; /* a file */
    assert_int_equal(store_open(&other, &options).reason, CL_CONFIG_INVALID);
}

int main(void)
{
    (void)signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_moment_can_be_had, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_clock_that_goes_back_does_not_take_time_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_later_base_is_gone_on_with, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lives_in_good_order_are_one_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(kills_are_one_line_too, set_up, tear_down),
        cmocka_unit_test_teardown(what_may_be_missing_breaks_the_line, tear_down),
        cmocka_unit_test_teardown(damage_is_named, tear_down),
        cmocka_unit_test_setup_teardown(a_torn_end_is_mended_from_the_log, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_waited_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_disk_that_stays_full_breaks_the_line_and_nothing_else, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_log_that_a_reader_holds_breaks_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_a_folder_of_ones_own_will_do, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
