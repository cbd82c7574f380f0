/* What the loops in C share: vectors of LANES floats, with which the channels of a layer come out even. */
#ifndef LOOPS_H
#define LOOPS_H

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

typedef float V __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t I __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int8_t B __attribute__((vector_size(LANES), aligned(1), may_alias));

INLINE V load(const float *from) { return *(const V *)from; }
INLINE void store(float *to, V value) { *(V *)to = value; }
INLINE V same(float value) { return value - (V){}; }
INLINE V choose(I where, V yes, V no) { return (V)((where & (I)yes) | (~where & (I)no)); }

/* The parts of a sum over many values are kept in double precision: (values, LANES) at a time. */
typedef double D __attribute__((vector_size(8 * LANES), aligned(8), may_alias));
INLINE D twice(V value) { return __builtin_convertvector(value, D); }
INLINE void add_to(double *to, D value) { *(D *)to += value; }

/* What the loops over time share. */
#define WIDE 32    /* outputs that are computed together */
#define PARTS 16   /* partial sums over clips */
#define WINDOWS 32 /* pool windows whose part of x stays in the first cache */
#define NONE (-1)

typedef struct {
    long clips;
    int length, inputs, outputs, taps, padding; /* padding: zeros before the first sample */
    int pool, skipped, places;                  /* pool: 0 for the plain convolution, without pool and ReLU;
                                                   skipped: rows of the first window before the first output */
    int threads;
} Shape;

INLINE int rows_of(const Shape *s) { return s->length + 2 * s->padding - s->taps + 1; }
INLINE int up(int n, int step) { return (n + step - 1) / step * step; }

/* `n` rows of x from time t on, followed by at least LANES readable numbers; zeros outside of the clip. */
INLINE const float *rows_at(const float *x, const Shape *s, int t, int n, float *buffer)
{
    if (t >= 0 && t + n + (LANES + s->inputs - 1) / s->inputs <= s->length)
        return x + (long)t * s->inputs;
    int first = t < 0 ? -t : 0, last = s->length - t < n ? s->length - t : n;
    if (first > n) first = n;
    if (last < first) last = first;
    memset(buffer, 0, 4l * first * s->inputs);
    memcpy(buffer + (long)first * s->inputs, x + (long)(t + first) * s->inputs, 4l * (last - first) * s->inputs);
    memset(buffer + (long)last * s->inputs, 0, 4 * ((long)(n - last) * s->inputs + LANES));
    return buffer;
}

#endif
