/* The wall clock of one process tree, moved by SHIFT_S seconds; the monotonic clock is left alone.
 *
 * libfaketime cannot be used on a process with a Kafka client: librdkafka waits with C11's cnd_timedwait, which it does
 * not know, so that each wait ends at once, or never. Here the clock moves by a constant, so a deadline on the wall clock only has to be moved back before it is
 * handed to the kernel. Deadlines on the monotonic clock are small numbers (seconds since the machine started), and
 * stay as they are.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>

#define WALL_CLOCK_S 1000000000L /* no machine has been up for 31 years */
#define REAL(type, name, ...)                                 \
    static type (*real)(__VA_ARGS__);                         \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

static long shift_s(void)
{
    static long known = -1;
    if (known == -1) {
        const char *text = getenv("SHIFT_S");
        known = text ? atol(text) : 0;
    }
    return known;
}

static struct timespec moved_back(const struct timespec *deadline)
{
    struct timespec moved = *deadline;
    if (moved.tv_sec > WALL_CLOCK_S) moved.tv_sec -= shift_s();
    return moved;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    REAL(int, clock_gettime, clockid_t, struct timespec *);
    int failed = real(clock, now);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += shift_s();
    return failed;
}

int gettimeofday(struct timeval *now, void *zone)
{
    REAL(int, gettimeofday, struct timeval *, void *);
    int failed = real(now, zone);
    if (!failed) now->tv_sec += shift_s();
    return failed;
}

time_t time(time_t *where)
{
    REAL(time_t, time, time_t *);
    time_t now = real(NULL) + shift_s();
    if (where) *where = now;
    return now;
}

int timespec_get(struct timespec *now, int base)
{
    REAL(int, timespec_get, struct timespec *, int);
    int given = real(now, base);
    if (given == TIME_UTC) now->tv_sec += shift_s();
    return given;
}

int pthread_cond_timedwait(pthread_cond_t *condition, pthread_mutex_t *mutex, const struct timespec *deadline)
{
    /* dlsym gives the oldest version of this one, whose condition variables are laid out in another way. */
    static int (*real)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
    if (!real) real = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
    if (!real) real = dlsym(RTLD_NEXT, "pthread_cond_timedwait"); /* where there is one version only */
    struct timespec moved = moved_back(deadline);
    return real(condition, mutex, &moved);
}

int pthread_cond_clockwait(pthread_cond_t *condition, pthread_mutex_t *mutex, clockid_t clock,
                           const struct timespec *deadline)
{
    REAL(int, pthread_cond_clockwait, pthread_cond_t *, pthread_mutex_t *, clockid_t, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(condition, mutex, clock, &moved);
}

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *deadline)
{
    REAL(int, cnd_timedwait, cnd_t *, mtx_t *, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(condition, mutex, &moved);
}

int mtx_timedlock(mtx_t *mutex, const struct timespec *deadline)
{
    REAL(int, mtx_timedlock, mtx_t *, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(mutex, &moved);
}

int sem_timedwait(sem_t *semaphore, const struct timespec *deadline)
{
    REAL(int, sem_timedwait, sem_t *, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(semaphore, &moved);
}

int sem_clockwait(sem_t *semaphore, clockid_t clock, const struct timespec *deadline)
{
    REAL(int, sem_clockwait, sem_t *, clockid_t, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(semaphore, clock, &moved);
}

int pthread_mutex_timedlock(pthread_mutex_t *mutex, const struct timespec *deadline)
{
    REAL(int, pthread_mutex_timedlock, pthread_mutex_t *, const struct timespec *);
    struct timespec moved = moved_back(deadline);
    return real(mutex, &moved);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *left)
{
    REAL(int, clock_nanosleep, clockid_t, int, const struct timespec *, struct timespec *);
    struct timespec moved = flags & TIMER_ABSTIME ? moved_back(wanted) : *wanted;
    return real(clock, flags, &moved, left);
}
