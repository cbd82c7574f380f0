/* Convolution, bias, max pool and ReLU in one pass over the clips, forward and backward, float32.

   Channels last: x (clips, length, inputs), weights (outputs, taps, inputs), out (clips, places, outputs).
   The taps of one output at one time are `taps * inputs` consecutive numbers of x ("block"), so that every
   inner loop below works on whole vectors, whatever the kernel. For the way back only x and one byte a place
   and output are kept: which row of the pool window won, or NONE where ReLU gave zero. The gradients visit
   winners only: a third (pool 3) of the outputs, less those that ReLU closed.

   Sums over clips go through a fixed number of parts, so that results do not depend on the number of threads.
   cc -O3 -march=native -fopenmp -shared -fPIC */
#include "loops.h"

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
