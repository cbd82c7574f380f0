/* Batch norm, max pool and ReLU of the plain convolution, forward and backward, float32, and that convolution's weights'
   gradient.

   With y the plain convolution: out = ReLU(max pool(scale * y + shift)). The loss's gradient with respect to y is
   scale * g at the winners, and alpha + beta * y everywhere: the two sums through which batch norm sees the batch. */
#include "loops.h"

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
