#include "server/store/inventory.h"

#include <string.h>

/* A statement's text has to be static, so each table's stands here; test_inventory holds the list against the schema. */
#define TABLE(name)                                                                                                    \
    {                                                                                                                  \
#name, "SELECT count(*) FROM " #name                                                                           \
    }

static const struct {
    const char *name, *text;
} tables[] = {
    TABLE(applications), TABLE(case_log),        TABLE(case_states),    TABLE(consents),        TABLE(decisions),
    TABLE(delivery_log), TABLE(directories),     TABLE(disclosures),    TABLE(document_pieces), TABLE(documents),
    TABLE(due),          TABLE(inquiries),       TABLE(item_results),   TABLE(items),           TABLE(key_rotations),
    TABLE(lenders),      TABLE(messages),        TABLE(migrations),     TABLE(milestones),      TABLE(nodes),
    TABLE(offers),       TABLE(officer_actions), TABLE(officer_counts), TABLE(open_persons),    TABLE(outbox),
    TABLE(outbox_acks),  TABLE(outbox_heads),    TABLE(overrides),      TABLE(pending),         TABLE(reason_counts),
    TABLE(sessions),     TABLE(tasks),           TABLE(traces),         TABLE(vault_keys),      TABLE(vault_master),
    TABLE(vault_values),
};

enum { TABLE_COUNT = sizeof tables / sizeof tables[0] };

static struct cl_status count_tables(struct inventory *inventory, struct sql *sql, struct cl_arena *arena)
{
    struct inventory_table *counted = cl_arena_array(arena, TABLE_COUNT, sizeof *counted);
    if (counted == NULL) {
        return cl_fail(CL_MEMORY_LIMIT);
    }
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        counted[i].name = tables[i].name;
        struct cl_status status = sql_ask_number(&counted[i].rows, sql, tables[i].text);
        if (cl_failed(status)) {
            return status;
        }
    }
    inventory->tables = counted;
    inventory->table_count = TABLE_COUNT;
    return cl_ok();
}

static struct cl_status read_heads(struct inventory *inventory, struct sql *sql, struct cl_arena *arena)
{
    static const char count_text[] = "SELECT count(*) FROM outbox_heads";
    static const char text[] = "SELECT recipient, head FROM outbox_heads ORDER BY recipient LIMIT $1";
    struct sql_statement *statement = NULL;
    int64_t count = 0;
    struct cl_status status = sql_ask_number(&count, sql, count_text);
    if (cl_is_ok(status)) {
        status = sql_prepare(&statement, sql, text);
    }
    struct inventory_head *heads = cl_arena_array(arena, (size_t)count, sizeof *heads);
    if (cl_failed(status) || (heads == NULL && count > 0)) {
        return cl_failed(status) ? status : cl_fail(CL_MEMORY_LIMIT);
    }
    sql_bind_i64(statement, 1, count); /* without a read transaction there may be more by now */
    bool row = true;
    while (cl_is_ok(status = sql_step(&row, statement)) && row) {
        heads[inventory->head_count++] = (struct inventory_head){.recipient = sql_copy_text(arena, statement, 0),
                                                                 .head = (uint64_t)sql_column_i64(statement, 1)};
    }
    inventory->heads = heads;
    return cl_is_ok(status) && cl_arena_overflowed(arena) ? cl_fail(CL_MEMORY_LIMIT) : status;
}

struct cl_status inventory_take(struct inventory *out, struct sql *sql, struct cl_arena *arena)
{
    static const char newest[] = "SELECT coalesce(max(at_ms), 0) FROM messages";
    static const char migration[] = "SELECT coalesce(max(number), 0) FROM migrations";
    struct inventory inventory = {.tables = NULL};
    struct cl_status status = count_tables(&inventory, sql, arena);
    if (cl_is_ok(status)) {
        status = read_heads(&inventory, sql, arena);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&inventory.newest_message_ms, sql, newest);
    }
    if (cl_is_ok(status)) {
        status = sql_ask_number(&inventory.migration, sql, migration);
    }
    if (cl_is_ok(status)) {
        *out = inventory;
    }
    return status;
}
