/* A disk that takes its time, for scripts/test-crash: preloaded, it holds up every sync by up to SLOW_SYNC_MS milliseconds.
 *
 *     cc -shared -fPIC -o slow.so slow.c -ldl && SLOW_SYNC_MS=800 LD_PRELOAD=./slow.so amanat serve
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void hold_up(void) {
    static unsigned turn = 12345;
    const char *most = getenv("SLOW_SYNC_MS");
    long limit = most ? atol(most) : 0;
    if (limit <= 0) return;
    turn = turn * 1103515245u + 12345u;
    long wait = (long)((turn >> 8) % (unsigned)limit);
    struct timespec time = {wait / 1000, (wait % 1000) * 1000000L};
    nanosleep(&time, NULL);
}

#define SLOW(name)                                              \
    int name(int file) {                                        \
        static int (*real)(int);                                \
        if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, #name); \
        hold_up();                                              \
        return real(file);                                      \
    }

SLOW(fsync)
SLOW(fdatasync)
