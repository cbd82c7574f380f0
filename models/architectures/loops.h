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

#endif
