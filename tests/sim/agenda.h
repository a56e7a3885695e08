/* agenda.h - what will happen, in the order of its time: the one loop of a simulation.
 *
 * Things of the same moment come in the order in which they were added. A thing may belong to the life of somebody: it is
 * dropped when that life is over, as what a process had in memory is gone with it.
 * Owner: the agenda owns the loads until they run. One thread. Aborts without memory: it is not what is tested. */
#ifndef COLOAN_TESTS_SIM_AGENDA_H
#define COLOAN_TESTS_SIM_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct agenda;

struct agenda_item {
    void (*run)(void *who, void *load); /* the load is its own then */
    void (*drop)(void *load);           /* instead; NULL: there is no load */
    void *who, *load;
    const unsigned *life; /* counts the lives of whom it belongs to; NULL: nobody */
};

struct agenda *agenda_create(int64_t now_ms);
void agenda_free(struct agenda *agenda); /* NULL is fine; drops what is left */

int64_t agenda_now_ms(const struct agenda *agenda);

void agenda_add(struct agenda *agenda, int64_t in_ms, const struct agenda_item *item);

/* Runs the next one at its time; what belongs to a life that is over is dropped on the way. False when nothing is left. */
bool agenda_run(struct agenda *agenda);

/* Time goes by in which nobody does anything: everything is late by so much. */
void agenda_skip(struct agenda *agenda, int64_t by_ms);

#endif
