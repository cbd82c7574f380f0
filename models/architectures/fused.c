/* Convolution, bias, max pool and ReLU in one pass over the clips, forward and backward, float32.

   Channels last: x (clips, length, inputs), weights (outputs, taps, inputs), out (clips, places, outputs).
   The taps of one output at one time are `taps * inputs` consecutive numbers of x ("block"), so that every
   inner loop below works on whole vectors, whatever the kernel. For the way back only x and one byte a place
   and output are kept: which row of the pool window won, or NONE where ReLU gave zero. The gradients visit
   winners only: a third (pool 3) of the outputs, less those that ReLU closed.

   Sums over clips go through a fixed number of parts, so that results do not depend on the number of threads.
   cc -O3 -march=native -fopenmp -shared -fPIC */
#include "loops.h"

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

static int rows_of(const Shape *s) { return s->length + 2 * s->padding - s->taps + 1; }
static int up(int n, int step) { return (n + step - 1) / step * step; }

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

/* Weights as (outputs / WIDE, taps * inputs, WIDE), zeros for the outputs that are missing. */
static float *in_blocks(const float *w, int outputs, int block)
{
    int wide = up(outputs, WIDE);
    float *packed = aligned_alloc(64, 4l * wide * block);
    for (int o = 0; o < wide; o++)
        for (int l = 0; l < block; l++)
            packed[((long)(o / WIDE) * block + l) * WIDE + o % WIDE] = o < outputs ? w[(long)o * block + l] : 0;
    return packed;
}

/* ------------------------------------------------------------------------------------------- forward */

/* `rows` outputs that follow each other, `vectors` * LANES filters of each. */
INLINE void products(const float *x, int inputs, int block, const float *w, int rows, int vectors, V a[4][WIDE / LANES])
{
    for (int l = 0; l < block; l++)
        for (int r = 0; r < rows; r++)
            for (int v = 0; v < vectors; v++)
                a[r][v] += x[l + r * inputs] * load(w + (long)l * WIDE + v * LANES);
}

/* The sums begin with the bias, or with `start` (rows, outputs), where that is given. */
INLINE void clip_forward(const float *x, const Shape *s, const float *w, const float *bias, const float *start, int pool,
                         int vectors, int from, float *out, int8_t *won, float *buffer)
{
    int block = s->taps * s->inputs, rows = pool < 2 ? 4 : pool, count = rows_of(s);
    int steps = pool < 2 ? (s->places + 3) / 4 : s->places;
    for (int p = 0; p < steps; p++) {
        int first = p * rows - s->skipped;
        const float *at = rows_at(x, s, first - s->padding, rows + s->taps - 1, buffer);
        V a[4][WIDE / LANES];
        for (int r = 0; r < rows; r++) {
            const float *begin = bias;
            if (start && first + r >= 0 && first + r < count) begin = start + (long)(first + r) * s->outputs + from;
            for (int v = 0; v < vectors; v++) a[r][v] = load(begin + v * LANES);
        }
        products(at, s->inputs, block, w, rows, vectors, a);
        if (first < 0 || first + rows > count) /* rows of "same" pooling that do not exist never win */
            for (int r = 0; r < rows; r++)
                if (first + r < 0 || first + r >= count)
                    for (int v = 0; v < vectors; v++) a[r][v] = same(-INFINITY);
        for (int v = 0; v < vectors; v++)
            for (int q = 0; q < (pool < 2 ? rows : 1); q++) {
                long place = pool < 2 ? 4l * p + q : p;
                if (place >= s->places) break;
                if (pool == 0) {
                    store(out + place * s->outputs + from + v * LANES, a[q][v]);
                    continue;
                }
                V best = a[q][v];
                I winner = (I){};
                if (pool > 1)
                    for (int r = 1; r < rows; r++) { /* the first of equals wins; what is no number wins */
                        I later = (a[r][v] > best) | (a[r][v] != a[r][v]);
                        best = choose(later, a[r][v], best);
                        winner = (later & r) | (~later & winner);
                    }
                I open = (best > 0) | (best != best);
                store(out + place * s->outputs + from + v * LANES, choose(open, best, same(0)));
                if (won)
                    *(B *)(won + place * s->outputs + from + v * LANES) =
                        __builtin_convertvector((open & winner) | ~open, B);
            }
    }
}

/* The same with everything known to the compiler that is worth it. */
static void clip_block(const float *x, const Shape *s, const float *w, const float *bias, const float *start, int vectors,
                       int from, float *out, int8_t *won, float *buffer)
{
#define CASE(POOL, VECTORS)                                                                                       \
    if (s->pool == POOL && vectors == VECTORS) {                                                                  \
        clip_forward(x, s, w, bias, start, POOL, VECTORS, from, out, won, buffer);                                 \
        return;                                                                                                   \
    }
    CASE(0, WIDE / LANES) CASE(1, WIDE / LANES) CASE(2, WIDE / LANES) CASE(3, WIDE / LANES) CASE(4, WIDE / LANES)
    CASE(0, 1) CASE(1, 1) CASE(2, 1) CASE(3, 1) CASE(4, 1)
#if LANES < 16
    CASE(0, 2) CASE(1, 2) CASE(2, 2) CASE(3, 2) CASE(4, 2)
#endif
#undef CASE
    clip_forward(x, s, w, bias, start, s->pool, vectors, from, out, won, buffer);
}

/* `outputs` is a multiple of LANES; `won` may be null where no gradient is wanted. `start` (clips, rows, outputs), which
   may be null, is taken instead of the bias. */
void forward(const Shape *s, const float *x, const float *w, const float *bias, const float *start, float *out,
             int8_t *won)
{
    long begun = (long)rows_of(s) * s->outputs;
    int together = s->pool < 2 && LANES == 8 ? WIDE / 2 : WIDE; /* four rows of all would not fit into the registers */
    int block = s->taps * s->inputs;
    float *packed = in_blocks(w, s->outputs, block);
#pragma omp parallel num_threads(s->threads)
    {
        float *buffer = malloc(4l * (s->taps + 4) * s->inputs + 4 * LANES);
#pragma omp for schedule(static)
        for (long n = 0; n < s->clips; n++)
            for (int from = 0; from < s->outputs; from += together) {
                int left = s->outputs - from, vectors = (left < together ? left : together) / LANES;
                clip_block(x + n * s->length * s->inputs, s, packed + (long)(from / WIDE) * WIDE * block + from % WIDE,
                           bias + from, start ? start + n * begun : 0, vectors, from, out + n * s->places * s->outputs,
                           won ? won + n * s->places * s->outputs : 0, buffer);
            }
        free(buffer);
    }
    free(packed);
}

/* ------------------------------------------------------------------------------------------ backward */

/* to += sum over n of g[n] * from[n], numbers at `size` consecutive places (up to the next vector) */
INLINE void sum_vectors(float *to, const float *const *from, const float *g, int n, int vectors)
{
    V a[8];
    for (int v = 0; v < vectors; v++) a[v] = load(to + v * LANES);
    for (int i = 0; i < n; i++)
        for (int v = 0; v < vectors; v++) a[v] += g[i] * load(from[i] + v * LANES);
    for (int v = 0; v < vectors; v++) store(to + v * LANES, a[v]);
}

static void sum_blocks(float *to, const float **from, const float *g, int n, int size)
{
    int done = 0;
#define WHILE(VECTORS)                                                                                            \
    while (size - done > (VECTORS - 1) * LANES) {                                                                 \
        sum_vectors(to + done, from, g, n, VECTORS);                                                              \
        for (int i = 0; i < n; i++) from[i] += VECTORS * LANES;                                                   \
        done += VECTORS * LANES;                                                                                  \
    }
    WHILE(8) WHILE(4) WHILE(2) WHILE(1)
#undef WHILE
}

/* Weights' and biases' gradient of one clip; rows of dw are padded to whole vectors. */
static void clip_weights(const float *x, const float *g, const int8_t *won, const Shape *s, float *dw, int stride,
                         float *db, float *buffer)
{
    int block = s->taps * s->inputs;
    const float *from[WIDE][WINDOWS];
    float value[WIDE][WINDOWS];
    for (int p0 = 0; p0 < s->places; p0 += WINDOWS) {
        int p1 = p0 + WINDOWS < s->places ? p0 + WINDOWS : s->places;
        int first = p0 * s->pool - s->skipped - s->padding;
        const float *at = rows_at(x, s, first, (p1 - p0) * s->pool + s->taps - 1, buffer);
        for (int o0 = 0; o0 < s->outputs; o0 += WIDE) {
            int wide = s->outputs - o0 < WIDE ? s->outputs - o0 : WIDE, n[WIDE] = {0};
            for (int p = p0; p < p1; p++) {
                const int8_t *w = won + (long)p * s->outputs + o0;
                const float *gp = g + (long)p * s->outputs + o0, *row = at + (long)(p - p0) * s->pool * s->inputs;
                for (int o = 0; o < wide; o++) { /* without a branch: whether one is open cannot be foreseen */
                    from[o][n[o]] = row + w[o] * s->inputs;
                    value[o][n[o]] = gp[o];
                    n[o] += w[o] != NONE;
                }
            }
            for (int o = 0; o < wide; o++) {
                float sum = 0;
                for (int i = 0; i < n[o]; i++) sum += value[o][i];
                db[o0 + o] += sum;
                sum_blocks(dw + (long)(o0 + o) * stride, from[o], value[o], n[o], block);
            }
        }
    }
}

/* x's gradient of one clip. `w` is (outputs, pool - 1 zero rows, taps rows, pool - 1 zero rows and a vector): shifted
   by the row that won, every winner adds to the same rows, which stay in registers. `dx` has padding and room at its ends. */
static void clip_input(const float *g, const int8_t *won, const Shape *s, const float *w, long stride, float *dx)
{
    int size = (s->taps + s->pool - 1) * s->inputs;
    const float *from[1024];
    float value[1024];
    for (int p = 0; p < s->places; p++) {
        const int8_t *wp = won + (long)p * s->outputs;
        const float *gp = g + (long)p * s->outputs;
        int n = 0;
        for (int o = 0; o < s->outputs; o++) {
            from[n] = w + o * stride + (s->pool - 1 - wp[o]) * s->inputs;
            value[n] = gp[o];
            n += wp[o] != NONE;
        }
        if (n) sum_blocks(dx + (long)p * s->pool * s->inputs, from, value, n, size);
    }
}

/* dw (outputs, taps, inputs) and db (outputs) are written, dx too unless it is null. At most 1024 outputs. */
void backward(const Shape *s, const float *x, const float *g, const int8_t *won, const float *w, float *dx, float *dw,
              float *db)
{
    int block = s->taps * s->inputs, row = up(block, LANES);
    long stride = block + 2l * (s->pool - 1) * s->inputs + LANES, size = (long)s->outputs * (row + 1);
    long parts = s->clips < PARTS ? s->clips : PARTS, before = (long)(s->skipped + s->padding) * s->inputs;
    float *sums = calloc(parts * size, 4), *wide = 0;
    if (dx) {
        wide = calloc(s->outputs * stride + LANES, 4);
        for (int o = 0; o < s->outputs; o++)
            memcpy(wide + o * stride + (s->pool - 1) * s->inputs, w + (long)o * block, 4l * block);
    }
#pragma omp parallel num_threads(s->threads)
    {
        long room = ((long)s->places * s->pool + s->taps) * s->inputs + before + LANES;
        long whole = (long)s->length * s->inputs + before;
        if (room < whole) room = whole;
        float *buffer = malloc(4l * (WINDOWS * s->pool + s->taps) * s->inputs + 4 * LANES);
        float *local = dx ? malloc(4 * room) : 0;
#pragma omp for schedule(static)
        for (long part = 0; part < parts; part++)
            for (long n = part * s->clips / parts; n < (part + 1) * s->clips / parts; n++) {
                const float *gn = g + n * s->places * s->outputs;
                const int8_t *wn = won + n * s->places * s->outputs;
                float *sum = sums + part * size;
                clip_weights(x + n * s->length * s->inputs, gn, wn, s, sum, row, sum + (long)s->outputs * row, buffer);
                if (dx) {
                    memset(local, 0, 4 * room);
                    clip_input(gn, wn, s, wide, stride, local);
                    memcpy(dx + n * s->length * s->inputs, local + before, 4l * s->length * s->inputs);
                }
            }
        free(buffer);
        free(local);
    }
    for (int o = 0; o < s->outputs; o++) {
        db[o] = 0;
        memset(dw + (long)o * block, 0, 4l * block);
        for (long part = 0; part < parts; part++) {
            const float *sum = sums + part * size;
            db[o] += sum[(long)s->outputs * row + o];
            for (int l = 0; l < block; l++) dw[(long)o * block + l] += sum[(long)o * row + l];
        }
    }
    free(sums);
    free(wide);
}

/* ---------------------------------------------------------------------------------------- batch norm

   With y the plain convolution: out = ReLU(max pool(scale * y + shift)). The loss's gradient with respect to y is
   scale * g at the winners, and alpha + beta * y everywhere: the two sums through which batch norm sees the batch. */

/* out and won from y (clips, length, outputs); here `length` is that of y. */
void pool_forward(const Shape *s, const float *y, const float *scale, const float *shift, float *out, int8_t *won)
{
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (long n = 0; n < s->clips; n++)
        for (int p = 0; p < s->places; p++)
            for (int o = 0; o < s->outputs; o += LANES) {
                V best = same(-INFINITY);
                I winner = (I){};
                for (int r = 0; r < s->pool; r++) {
                    int t = p * s->pool - s->skipped + r;
                    if (t < 0 || t >= s->length) continue;
                    V value = load(scale + o) * load(y + (n * s->length + t) * s->outputs + o) + load(shift + o);
                    I later = (value > best) | (value != value);
                    best = choose(later, value, best);
                    winner = (later & r) | (~later & winner);
                }
                I open = (best > 0) | (best != best);
                long at = (n * s->places + p) * s->outputs + o;
                store(out + at, choose(open, best, same(0)));
                *(B *)(won + at) = __builtin_convertvector((open & winner) | ~open, B);
            }
}

INLINE I open_at(const int8_t *won) { return __builtin_convertvector(*(const B *)won, I) != NONE; }

/* The sums over all places of y and of its squares, (outputs) each; here `length` is that of y. */
void moments(const Shape *s, const float *y, double *sum, double *squares)
{
    long size = 2l * s->outputs;
    double *sums = calloc(s->clips * size, sizeof(double));
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (long n = 0; n < s->clips; n++)
        for (int t0 = 0; t0 < s->length; t0 += WINDOWS)
            for (int o = 0; o < s->outputs; o += LANES) {
                D one = {}, two = {};
                for (int t = t0; t < s->length && t < t0 + WINDOWS; t++) {
                    D value = twice(load(y + (n * s->length + t) * s->outputs + o));
                    one += value;
                    two += value * value;
                }
                add_to(sums + n * size + o, one);
                add_to(sums + n * size + s->outputs + o, two);
            }
    for (int o = 0; o < s->outputs; o++) {
        sum[o] = squares[o] = 0;
        for (long n = 0; n < s->clips; n++) {
            sum[o] += sums[n * size + o];
            squares[o] += sums[n * size + s->outputs + o];
        }
    }
    free(sums);
}

/* The sums over all winners of g and of g * y, (outputs) each. */
void winner_sums(const Shape *s, const float *g, const int8_t *won, const float *y, double *sum_g, double *sum_gy)
{
    double *sums = calloc(2 * s->clips * s->outputs, sizeof(double));
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (long n = 0; n < s->clips; n++) {
        double *of_g = sums + 2 * n * s->outputs, *of_gy = of_g + s->outputs;
        for (int p0 = 0; s->pool == 1 && p0 < s->places; p0 += WINDOWS)
            for (int o = 0; o < s->outputs; o += LANES) {
                D one = {}, two = {};
                for (int p = p0; p < s->places && p < p0 + WINDOWS; p++) {
                    long at = (n * s->places + p) * s->outputs + o;
                    D value = twice(choose(open_at(won + at), load(g + at), same(0)));
                    one += value;
                    two += value * twice(load(y + at));
                }
                add_to(of_g + o, one);
                add_to(of_gy + o, two);
            }
        if (s->pool == 1) continue;
        for (int p = 0; p < s->places; p++)
            for (int o = 0; o < s->outputs; o++) {
                long at = (n * s->places + p) * s->outputs + o;
                if (won[at] == NONE) continue;
                int t = p * s->pool - s->skipped + won[at];
                of_g[o] += g[at];
                of_gy[o] += (double)g[at] * y[(n * s->length + t) * s->outputs + o];
            }
    }
    memset(sum_g, 0, s->outputs * sizeof(double));
    memset(sum_gy, 0, s->outputs * sizeof(double));
    for (long n = 0; n < s->clips; n++)
        for (int o = 0; o < s->outputs; o++) {
            sum_g[o] += sums[2 * n * s->outputs + o];
            sum_gy[o] += sums[(2 * n + 1) * s->outputs + o];
        }
    free(sums);
}

/* dy (clips, length, outputs) = alpha + beta * y, and scale * g more at the winners. */
void norm_backward(const Shape *s, const float *g, const int8_t *won, const float *y, const float *scale,
                   const float *alpha, const float *beta, float *dy)
{
#pragma omp parallel for schedule(static) num_threads(s->threads)
    for (long n = 0; n < s->clips; n++) {
        const float *yn = y + n * s->length * s->outputs;
        float *dn = dy + n * s->length * s->outputs;
        for (int p = 0; s->pool == 1 && p < s->places; p++)
            for (int o = 0; o < s->outputs; o += LANES) {
                long in = (long)p * s->outputs + o, at = n * s->places * s->outputs + in;
                V winner = choose(open_at(won + at), load(scale + o) * load(g + at), same(0));
                store(dn + in, load(alpha + o) + load(beta + o) * load(yn + in) + winner);
            }
        if (s->pool == 1) continue;
        for (int t = 0; t < s->length; t++)
            for (int o = 0; o < s->outputs; o += LANES)
                store(dn + (long)t * s->outputs + o, load(alpha + o) + load(beta + o) * load(yn + (long)t * s->outputs + o));
        for (int p = 0; p < s->places; p++)
            for (int o = 0; o < s->outputs; o++) {
                long at = (n * s->places + p) * s->outputs + o;
                if (won[at] != NONE) dn[(long)(p * s->pool - s->skipped + won[at]) * s->outputs + o] += scale[o] * g[at];
            }
    }
}

/* dw (outputs, taps, inputs) from x and dy (clips, places, outputs) of the plain convolution. */
void dense_weights(const Shape *s, const float *x, const float *dy, float *dw)
{
    enum { TIMES = 64, BLOCKS = 3 };
    int block = s->taps * s->inputs, wide = up(s->outputs, WIDE), high = up(block, BLOCKS);
    long parts = s->clips < PARTS ? s->clips : PARTS, size = (long)high * wide;
    float *sums = calloc(parts * size, 4);
#pragma omp parallel num_threads(s->threads)
    {
        float *buffer = malloc(4l * (TIMES + s->taps) * s->inputs + 4 * (LANES + BLOCKS));
#pragma omp for schedule(static)
        for (long part = 0; part < parts; part++)
            for (long n = part * s->clips / parts; n < (part + 1) * s->clips / parts; n++)
                for (int t0 = 0; t0 < s->places; t0 += TIMES) {
                    int times = s->places - t0 < TIMES ? s->places - t0 : TIMES;
                    const float *at = rows_at(x + n * s->length * s->inputs, s, t0 - s->padding, times + s->taps - 1, buffer);
                    const float *d = dy + (n * s->places + t0) * s->outputs;
                    for (int o = 0; o < s->outputs; o += 2 * LANES) {
                        int vectors = s->outputs - o < 2 * LANES ? 1 : 2;
                        for (int l = 0; l < block; l += BLOCKS) {
                            float *to = sums + part * size + (long)l * wide + o;
                            V a[BLOCKS][2];
                            for (int j = 0; j < BLOCKS; j++)
                                for (int v = 0; v < vectors; v++) a[j][v] = load(to + (long)j * wide + v * LANES);
                            if (vectors == 2)
                                for (int t = 0; t < times; t++)
                                    for (int j = 0; j < BLOCKS; j++)
                                        for (int v = 0; v < 2; v++)
                                            a[j][v] += at[(long)t * s->inputs + l + j] * load(d + (long)t * s->outputs + o + v * LANES);
                            else
                                for (int t = 0; t < times; t++)
                                    for (int j = 0; j < BLOCKS; j++)
                                        a[j][0] += at[(long)t * s->inputs + l + j] * load(d + (long)t * s->outputs + o);
                            for (int j = 0; j < BLOCKS; j++)
                                for (int v = 0; v < vectors; v++) store(to + (long)j * wide + v * LANES, a[j][v]);
                        }
                    }
                }
        free(buffer);
    }
    for (int o = 0; o < s->outputs; o++)
        for (int l = 0; l < block; l++) {
            float sum = 0;
            for (long part = 0; part < parts; part++) sum += sums[part * size + (long)l * wide + o];
            dw[(long)o * block + l] = sum;
        }
    free(sums);
}

/* ----------------------------------------------------------------------------------- a filter a channel

   x and out (clips, length, channels), w (taps, channels), zeros around: out[t] = sum over k of w[k] * x[t + k - padding].
   Here s->inputs is the channels, a multiple of LANES, and s->places the length of out. */

/* One clip with zeros around it, so that no loop needs to ask where the ends are. */
INLINE void with_zeros(const float *x, const Shape *s, float *padded)
{
    long before = (long)s->padding * s->inputs, body = (long)s->length * s->inputs;
    long whole = (long)(s->places + s->taps - 1 + 4) * s->inputs; /* four times are computed together */
    long kept = body < whole - before ? body : whole - before;
    memset(padded, 0, 4 * before);
    memcpy(padded + before, x, 4 * kept);
    memset(padded + before + kept, 0, 4 * (whole - before - kept));
}

INLINE void over_time(const float *padded, const Shape *s, const float *w, float *out, int from, int vectors)
{
    int channels = s->inputs;
    for (int t = 0; t < s->places; t += 4) {
        V a[4][2] = {0};
        for (int k = 0; k < s->taps; k++)
            for (int v = 0; v < vectors; v++) {
                V weight = load(w + (long)k * channels + from + v * LANES);
                for (int r = 0; r < 4; r++)
                    a[r][v] += weight * load(padded + (long)(t + r + k) * channels + from + v * LANES);
            }
        for (int r = 0; r < 4 && t + r < s->places; r++)
            for (int v = 0; v < vectors; v++) store(out + (long)(t + r) * channels + from + v * LANES, a[r][v]);
    }
}

void channel_forward(const Shape *s, const float *x, const float *w, float *out)
{
#pragma omp parallel num_threads(s->threads)
    {
        float *padded = malloc(4l * (s->places + s->taps + 3) * s->inputs);
#pragma omp for schedule(static)
        for (long n = 0; n < s->clips; n++) {
            float *to = out + n * s->places * s->inputs;
            with_zeros(x + n * s->length * s->inputs, s, padded);
            int from = 0;
            for (; from + 2 * LANES <= s->inputs; from += 2 * LANES) over_time(padded, s, w, to, from, 2);
            if (from < s->inputs) over_time(padded, s, w, to, from, 1);
        }
        free(padded);
    }
}

/* dw (taps, channels) from x and g (clips, places, channels). */
void channel_weights(const Shape *s, const float *x, const float *g, float *dw)
{
    int channels = s->inputs;
    long parts = s->clips < PARTS ? s->clips : PARTS, size = (long)up(s->taps, 4) * channels;
    float *sums = calloc(parts * size, 4);
#pragma omp parallel num_threads(s->threads)
    {
        float *padded = malloc(4l * (s->places + s->taps + 3) * channels);
#pragma omp for schedule(static)
        for (long part = 0; part < parts; part++)
            for (long n = part * s->clips / parts; n < (part + 1) * s->clips / parts; n++) {
                const float *gn = g + n * s->places * channels;
                with_zeros(x + n * s->length * channels, s, padded);
                for (int c = 0; c < channels; c += LANES)
                    for (int k = 0; k < s->taps; k += 4) {
                        float *to = sums + part * size + (long)k * channels + c;
                        V a[4];
                        for (int j = 0; j < 4; j++) a[j] = load(to + (long)j * channels);
                        for (int t = 0; t < s->places; t++) {
                            V gradient = load(gn + (long)t * channels + c);
                            for (int j = 0; j < 4; j++)
                                a[j] += gradient * load(padded + (long)(t + k + j) * channels + c);
                        }
                        for (int j = 0; j < 4; j++) store(to + (long)j * channels, a[j]);
                    }
            }
        free(padded);
    }
    for (long i = 0; i < (long)s->taps * channels; i++) {
        dw[i] = 0;
        for (long part = 0; part < parts; part++) dw[i] += sums[part * size + i];
    }
    free(sums);
}
