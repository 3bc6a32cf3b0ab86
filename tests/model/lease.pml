/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small model of the read leases (C4, R13), written independently of the code: targets with an
 * epoch each, alive at the same time, and replicas that promise, grant and are killed.
 *
 *   spin -a lease.pml && cc -O3 -DSAFETY -o pan pan.c && ./pan
 *
 * Time goes in ticks, without end: what is kept is how long each lease still runs. A replica counts
 * TERM ticks from when it granted, a target as many from when it asked. So assumed is: what a
 * target counts on the slowest clock is over when what a replica counts on the fastest is. The code
 * counts nine tenths, which lets the rates of any two clocks differ by a ninth. Clocks may be set
 * as one likes, since none is ever compared with another.
 *
 * Also assumed: promises are durable and each step is atomic; who names a target as dead is right
 * (it holds its lock); frames of one session never count in another. Any message may be late or
 * lost, connections break unseen, whoever is killed may stay away. The members are fixed. An older
 * target never learns that it was replaced. A target is taken to serve as soon as a majority has
 * answered its OPEN, which is earlier than it does.
 *
 * Searched to the end are one replica and three targets, with sessions that break and replicas that
 * start again without end: that nobody else is promised while a target counts a lease. And three
 * replicas and two targets with one such break: that a majority of leases is what it takes.
 *
 * Asserted: no target may answer a read while one of a higher epoch serves, who may have answered a
 * write. The M_ switches are mistakes that must be found.
 */
#ifndef TARGETS
#define TARGETS 2
#endif
#ifndef REPLICAS
#define REPLICAS 3
#endif
#ifndef TERM
#define TERM 2
#endif
#ifdef M_CLOCKS_APART
#define COUNTED (TERM + 1)
#else
#define COUNTED TERM
#endif

#define PAIRS (TARGETS * REPLICAS)
#define AT(t, r) ((t) * REPLICAS + (r))
#define ME(t) ((t) + 1)

/* Replicas. Targets are named from 1 on; 0: nobody. */
byte promised[REPLICAS], session[REPLICAS], wanted[REPLICAS], left[REPLICAS];
/* Targets. */
bit dead[TARGETS], serves[TARGETS];
/* Of both, a pair: the session as the target sees it, its lease, and what is on its way. */
bit linked[PAIRS], opened[PAIRS];
byte lease[PAIRS], wire[PAIRS];

/* On the wire: a request, or an answer to one, of this age in ticks; or a CLOSE. */
#define REQUEST(age) (1 + (age))
#define ANSWER(age) (1 + TERM + (age))
#define CLOSE (1 + 2 * TERM)
#define IS_REQUEST(w) ((w) >= REQUEST(0) && (w) < ANSWER(0))
#define IS_ANSWER(w) ((w) >= ANSWER(0) && (w) < CLOSE)

#if REPLICAS == 1
#define COUNT(of, t) (of[t] > 0)
#else
#define COUNT(of, t) ((of[(t) * 3] > 0) + (of[(t) * 3 + 1] > 0) + (of[(t) * 3 + 2] > 0))
#endif
#define MAJORITY(of, t) (2 * COUNT(of, t) > REPLICAS)
#ifdef M_ONE_IS_ENOUGH
#define MAY_READ(t) (serves[t] && COUNT(lease, t) > 0)
#else
#define MAY_READ(t) (serves[t] && MAJORITY(lease, t))
#endif
#if TARGETS > 2
#define RIGHT (!(MAY_READ(0) && (serves[1] || serves[2])) && !(MAY_READ(1) && serves[2]))
#else
#define RIGHT !(MAY_READ(0) && serves[1])
#endif

#ifdef M_LIVE_ONE_NAMED_DEAD
#define NAMED_DEAD(who) ((who) > 0)
#else
#define NAMED_DEAD(who) ((who) > 0 && dead[(who > 0 -> who - 1 : 0)])
#endif
#ifdef M_NOT_WAITED_FOR
#define OVER(r) true
#else
#define OVER(r) (left[r] == 0)
#endif

#ifdef BREAKS
byte breaks = BREAKS; /* sessions that end, and replicas that start again; else without end */
#define MAY_BREAK (breaks > 0)
#define BREAK breaks--
#else
#define MAY_BREAK true
#define BREAK skip
#endif

byte i, r;

inline answer_open(t, r)
{
    session[r] = ME(t);
    if
    :: linked[AT(t, r)] ->
        opened[AT(t, r)] = 1;
        if
        :: MAJORITY(opened, t) -> serves[t] = 1
        :: else
        fi;
        assert(RIGHT)
    :: else
    fi
}

inline promise(t, r)
{
    promised[r] = ME(t);
    wanted[r] = 0;
    left[r] = 0;
    answer_open(t, r)
}

#define IS_NEWER(t, r) (ME(t) > promised[r] && ME(t) > wanted[r])
#define BEGIN(t, r) \
    linked[AT(t, r)] = 1; opened[AT(t, r)] = 0; wire[AT(t, r)] = 0; session[r] = 0; wanted[r] = 0

inline tick()
{
    i = 0;
    do
    :: i < REPLICAS -> left[i] = (left[i] > 0 -> left[i] - 1 : 0); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < PAIRS ->
        lease[i] = (lease[i] > 0 -> lease[i] - 1 : 0);
        /* What is as old as a lease is long is worth nothing. */
        if
        :: wire[i] == REQUEST(TERM - 1) || wire[i] == ANSWER(TERM - 1) -> wire[i] = 0
        :: wire[i] > 0 && wire[i] < CLOSE && wire[i] != REQUEST(TERM - 1) &&
           wire[i] != ANSWER(TERM - 1) -> wire[i]++
        :: else
        fi;
        i++
    :: else -> break
    od;
    i = 0
}

inline kill(t)
{
    dead[t] = 1;
    serves[t] = 0;
    r = 0;
    do
    :: r < REPLICAS -> linked[AT(t, r)] = 0; opened[AT(t, r)] = 0; lease[AT(t, r)] = 0; r++
    :: else -> break
    od;
    r = 0
}

#define STEPS(t, r) \
    :: d_step { !dead[t] && !linked[AT(t, r)] && ME(t) == promised[r] && wanted[r] == 0 -> \
        BEGIN(t, r); answer_open(t, r) } \
    :: d_step { !dead[t] && !linked[AT(t, r)] && IS_NEWER(t, r) && \
        (OVER(r) || NAMED_DEAD(promised[r])) -> \
        BEGIN(t, r); promise(t, r) } \
    :: d_step { !dead[t] && !linked[AT(t, r)] && IS_NEWER(t, r) && !OVER(r) -> \
        BEGIN(t, r); wanted[r] = ME(t); EARLY(t, r) } \
    :: d_step { wanted[r] == ME(t) && OVER(r) -> promise(t, r) } \
    :: d_step { opened[AT(t, r)] && wire[AT(t, r)] == 0 && WORTH(t) -> \
        wire[AT(t, r)] = REQUEST(0) } \
    :: d_step { IS_REQUEST(wire[AT(t, r)]) && session[r] == ME(t) -> \
        left[r] = TERM; wire[AT(t, r)] = wire[AT(t, r)] + TERM } \
    :: d_step { IS_ANSWER(wire[AT(t, r)]) && opened[AT(t, r)] -> \
        lease[AT(t, r)] = (lease[AT(t, r)] > TERMS(t, r) -> lease[AT(t, r)] : TERMS(t, r)); \
        wire[AT(t, r)] = 0; \
        assert(RIGHT) } \
    :: d_step { wire[AT(t, r)] == CLOSE && session[r] == ME(t) -> \
        session[r] = 0; left[r] = 0; wire[AT(t, r)] = 0 } \
    :: d_step { wire[AT(t, r)] -> wire[AT(t, r)] = 0 } \
    :: d_step { linked[AT(t, r)] && MAY_BREAK -> BREAK; \
        linked[AT(t, r)] = 0; opened[AT(t, r)] = 0 } \
    :: d_step { opened[AT(t, r)] && MAY_BREAK -> BREAK; \
        linked[AT(t, r)] = 0; opened[AT(t, r)] = 0; wire[AT(t, r)] = CLOSE; GIVE_BACK(t, r) }

/* The newest target's leases guard against nobody here. */
#define WORTH(t) ((t) < TARGETS - 1)
#ifdef M_COUNTED_FROM_THE_ANSWER
#define TERMS(t, r) COUNTED
#else
#define TERMS(t, r) (COUNTED - (wire[AT(t, r)] - ANSWER(0)))
#endif
#ifdef M_KEPT_AFTER_CLOSE
#define GIVE_BACK(t, r) skip
#else
#define GIVE_BACK(t, r) lease[AT(t, r)] = 0
#endif
#ifdef M_PROMISED_WHILE_IT_RUNS
#define EARLY(t, r) promised[r] = ME(t); wanted[r] = 0
#else
#define EARLY(t, r) skip
#endif
#ifdef M_FORGOTTEN_AT_RESTART
#define LEFT_AT_START 0
#else
#define LEFT_AT_START TERM
#endif

#define RESTART(r) \
    :: d_step { MAY_BREAK -> BREAK; session[r] = 0; wanted[r] = 0; left[r] = LEFT_AT_START }
#define KILL(t) \
    :: d_step { !dead[t] -> kill(t) }

active proctype world()
{
    do
    STEPS(0, 0) STEPS(1, 0) RESTART(0) KILL(0)
#if REPLICAS > 1
    STEPS(0, 1) STEPS(1, 1) RESTART(1)
    STEPS(0, 2) STEPS(1, 2) RESTART(2)
#endif
#if TARGETS > 2
    STEPS(2, 0) KILL(1)
#endif
    :: d_step { tick() }
    od
}
