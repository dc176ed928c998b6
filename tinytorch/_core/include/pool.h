/* The thread pool: one job at a time, its chunks claimed by the caller and by whichever
   workers are awake.  The caller never waits for a worker that has claimed nothing.

   `claim` holds the job's generation (high half) and its unclaimed chunks (low half).
   A worker copies the job's fields, then takes a chunk by compare-and-swap on `claim`.
   Success proves that the copy belongs to this generation: the fields are rewritten
   only after the low half has reached zero, and a generation never counts up again. */
#ifndef TT_POOL_H
#define TT_POOL_H
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>

#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#define TT_MAX_WORKERS 255
#define TT_LINE _Alignas(64)
/* Spins of about 20 ns.  A worker stays awake long enough to catch the next operator of
   a training step; one whose spins bring nothing falls asleep sooner each time. */
#define TT_SPINS_MOST 1500u
#define TT_SPINS_LEAST 50u
#define TT_SPINS_CALLER 1000u

typedef void (*TTBody)(void *context, int64_t begin, int64_t end);

typedef struct {
    TT_LINE _Atomic uint32_t asleep; /* 1 while parked or about to park */
} TTWorker;

static struct {
    TT_LINE _Atomic uint64_t claim;
    TT_LINE _Atomic uint32_t finished; /* chunks done of the present job */
    _Atomic uint32_t waiting;          /* 1: the caller is parked on `finished` */
    /* The job; written by its caller only, while nothing can be claimed. */
    TT_LINE _Atomic(TTBody) body;
    _Atomic(void *) context;
    _Atomic int64_t n, grain;
    _Atomic uint32_t chunks, helpers; /* helpers: workers that may join */
    TT_LINE _Atomic uint32_t owned;   /* 1 while some thread has a job here */
    _Atomic uint32_t threads;         /* set_num_threads: the caller included */
    uint32_t started;                 /* workers that exist; guarded by `owned` */
    TTWorker worker[TT_MAX_WORKERS];
} tt_pool;

static _Thread_local int tt_inside; /* this thread is running a chunk */

/* ---- parking: sleep while *word == value ---- */

#ifdef __linux__

static void tt_park(_Atomic uint32_t *word, uint32_t value) {
    while (atomic_load_explicit(word, memory_order_acquire) == value)
        syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void tt_unpark(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void tt_parking_after_fork(void) {}

#else

static pthread_mutex_t tt_park_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t tt_park_cond = PTHREAD_COND_INITIALIZER;

static void tt_park(_Atomic uint32_t *word, uint32_t value) {
    pthread_mutex_lock(&tt_park_mutex);
    while (atomic_load_explicit(word, memory_order_acquire) == value)
        pthread_cond_wait(&tt_park_cond, &tt_park_mutex);
    pthread_mutex_unlock(&tt_park_mutex);
}

static void tt_unpark(_Atomic uint32_t *word) {
    (void)word; /* one condition serves all words: sleepers look at their own */
    pthread_mutex_lock(&tt_park_mutex);
    pthread_cond_broadcast(&tt_park_cond);
    pthread_mutex_unlock(&tt_park_mutex);
}

static void tt_parking_after_fork(void) {
    pthread_mutex_init(&tt_park_mutex, NULL);
    pthread_cond_init(&tt_park_cond, NULL);
}

#endif

static inline void tt_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

/* ---- the work ---- */

/* Claim and run chunks of the present job until none is left.  `helper` is the number
   of the worker, or -1 for the caller.  Returns the number of chunks run. */
static uint32_t tt_work(int64_t helper) {
    uint32_t ran = 0;
    uint64_t seen = atomic_load_explicit(&tt_pool.claim, memory_order_acquire);
    while ((uint32_t)seen != 0) {
        const uint32_t left = (uint32_t)seen;
        TTBody body = atomic_load_explicit(&tt_pool.body, memory_order_relaxed);
        void *context = atomic_load_explicit(&tt_pool.context, memory_order_relaxed);
        int64_t n = atomic_load_explicit(&tt_pool.n, memory_order_relaxed);
        int64_t grain = atomic_load_explicit(&tt_pool.grain, memory_order_relaxed);
        uint32_t chunks = atomic_load_explicit(&tt_pool.chunks, memory_order_relaxed);
        uint32_t helpers = atomic_load_explicit(&tt_pool.helpers, memory_order_relaxed);
        if (helper >= (int64_t)helpers) break;
        if (!atomic_compare_exchange_weak_explicit(&tt_pool.claim, &seen, seen - 1,
                memory_order_acq_rel, memory_order_acquire))
            continue;
        const int64_t begin = (int64_t)(chunks - left) * grain;
        body(context, begin, n - begin > grain ? begin + grain : n);
        ran++;
        seen = atomic_load_explicit(&tt_pool.claim, memory_order_acquire);
    }
    return ran;
}

static void *tt_worker_main(void *argument) {
    const int64_t number = (int64_t)(intptr_t)argument;
    _Atomic uint32_t *asleep = &tt_pool.worker[number].asleep;
    uint32_t patience = TT_SPINS_MOST;
    tt_inside = 1;
    for (;;) {
        const uint32_t ran = tt_work(number);
        if (ran) {
            /* The job cannot end, nor another begin, before this is added. */
            atomic_fetch_add(&tt_pool.finished, ran);
            if (atomic_load(&tt_pool.waiting)) tt_unpark(&tt_pool.finished);
        }
        const uint32_t job = (uint32_t)(atomic_load(&tt_pool.claim) >> 32);
        uint32_t spins = 0;
        while (spins < patience &&
               (uint32_t)(atomic_load_explicit(&tt_pool.claim,
                                               memory_order_relaxed) >> 32) == job) {
            tt_pause();
            spins++;
        }
        if (spins < patience) {
            patience = TT_SPINS_MOST;
            continue;
        }
        patience = patience / 2 > TT_SPINS_LEAST ? patience / 2 : TT_SPINS_LEAST;
        /* Both sides write their own word, then read the other's (sequentially
           consistent): either this worker sees the job or the caller sees it here. */
        atomic_store(asleep, 1);
        if ((uint32_t)(atomic_load(&tt_pool.claim) >> 32) == job) tt_park(asleep, 1);
        atomic_store(asleep, 0);
    }
    return NULL;
}

/* Signals belong to Python's threads: workers are created with all of them blocked. */
static int tt_start_worker(uint32_t number) {
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes)) return -1;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, (size_t)4 << 20);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const int failed = pthread_create(&thread, &attributes, tt_worker_main,
                                      (void *)(intptr_t)number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return failed ? -1 : 0;
}

static void tt_inline_chunks(TTBody body, void *context, int64_t n, int64_t grain) {
    int64_t begin = 0;
    for (; n - begin > grain; begin += grain) body(context, begin, begin + grain);
    body(context, begin, n);
}

/* Publish a job and wake the workers it can use. */
static void tt_publish(TTBody body, void *context, int64_t n, int64_t grain,
                       uint32_t chunks, uint32_t helpers) {
    atomic_store_explicit(&tt_pool.body, body, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.context, context, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.n, n, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.grain, grain, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.chunks, chunks, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.helpers, helpers, memory_order_relaxed);
    atomic_store_explicit(&tt_pool.finished, 0, memory_order_relaxed);
    const uint64_t job = (atomic_load(&tt_pool.claim) >> 32) + 1;
    atomic_store(&tt_pool.claim, job << 32 | chunks);

    while (tt_pool.started < helpers && !tt_start_worker(tt_pool.started))
        tt_pool.started++;
    if (helpers > tt_pool.started) helpers = tt_pool.started;
    for (uint32_t i = 0; i < helpers; i++) {
        _Atomic uint32_t *asleep = &tt_pool.worker[i].asleep;
        if (atomic_load(asleep) && atomic_exchange(asleep, 0)) tt_unpark(asleep);
    }
}

/* Wait for the chunks that workers have claimed and not yet finished. */
static void tt_await(uint32_t others) {
    for (uint32_t spins = 0; spins < TT_SPINS_CALLER; spins++) {
        if (atomic_load_explicit(&tt_pool.finished, memory_order_acquire) == others)
            return;
        tt_pause();
    }
    atomic_store(&tt_pool.waiting, 1);
    for (;;) {
        const uint32_t done = atomic_load(&tt_pool.finished);
        if (done == others) break;
        tt_park(&tt_pool.finished, done);
    }
    atomic_store(&tt_pool.waiting, 0);
}

static void tt_parallel_for(TTBody body, void *context, int64_t n, int64_t grain) {
    if (n <= 0) return;
    if (grain <= 0) grain = n;
    const int64_t chunks = n / grain + (n % grain != 0);
    uint32_t threads = atomic_load_explicit(&tt_pool.threads, memory_order_relaxed);
    if (threads > TT_MAX_WORKERS + 1) threads = TT_MAX_WORKERS + 1;
    /* A second Python thread that finds the pool taken does its work itself. */
    if (chunks == 1 || threads <= 1 || chunks > UINT32_MAX || tt_inside ||
        atomic_exchange_explicit(&tt_pool.owned, 1, memory_order_acquire)) {
        tt_inline_chunks(body, context, n, grain);
        return;
    }
    tt_inside = 1;
    tt_publish(body, context, n, grain, (uint32_t)chunks,
               (uint32_t)(chunks < threads ? chunks : threads) - 1);
    const uint32_t ran = tt_work(-1);
    if (ran != (uint32_t)chunks) tt_await((uint32_t)chunks - ran);
    tt_inside = 0;
    atomic_store_explicit(&tt_pool.owned, 0, memory_order_release);
}

/* ---- life ---- */

/* Threads do not survive a fork: the child starts with none, and with no job. */
static void tt_after_fork(void) {
    const uint64_t job = (atomic_load(&tt_pool.claim) >> 32) + 1;
    atomic_store(&tt_pool.claim, job << 32);
    atomic_store(&tt_pool.waiting, 0);
    for (uint32_t i = 0; i < TT_MAX_WORKERS; i++)
        atomic_store(&tt_pool.worker[i].asleep, 0);
    tt_pool.started = 0;
    tt_parking_after_fork();
    atomic_store(&tt_pool.owned, 0);
}

static int tt_pool_init(uint32_t threads) {
    atomic_store(&tt_pool.threads, threads);
    return pthread_atfork(NULL, NULL, tt_after_fork);
}

static void tt_set_threads(uint32_t n) { atomic_store(&tt_pool.threads, n); }
static uint32_t tt_get_threads(void) { return atomic_load(&tt_pool.threads); }
static uint32_t tt_started(void) { return tt_pool.started; }
#endif
