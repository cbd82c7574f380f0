/* Blocks of the broadcast families: a filter over bands for each channel, batch norm for parts of the bands, the mean
   over bands, and the sum with what comes back from it, forward and backward, float32.

   Channels last: x (clips, inputs, frames, channels), u (clips, bands, frames, channels), w (3, channels),
   u[b] = sum over k of w[k] * x[step * b + k - 1]. The bands are in `parts` equal parts; with f = scale * u + shift of
   each part (parts, channels), a block gives m = mean of f over bands, and later out = ReLU(f + h + x), where h, as m,
   is (clips, frames, channels). The normed f is never written.

   Sums over clips are added up in the order of the clips, so that results do not depend on the number of threads. */
#include "loops.h"

typedef struct {
    long clips;
    int inputs, bands, frames, channels, step, parts, threads;
} Image;

#define FOR_CLIPS _Pragma("omp for schedule(static)") for (long n = 0; n < s->clips; n++)

/* A row in pieces of a few frames, whose values of all arrays stay in the first cache. */
enum { FRAMES = 16 };
#define FOR_PIECES(from, to) for (long from = 0, to; to = from + (long)FRAMES * s->channels, to = to < row ? to : row, from < row; from = to)

INLINE long row_of(const Image *s) { return (long)s->frames * s->channels; }
INLINE int part_of(const Image *s, int band) { return band / (s->bands / s->parts); }

/* (clips, size) -> (size) */
static void add_up(const double *each, long clips, long size, double *sum)
{
    memset(sum, 0, size * sizeof(double));
    for (long n = 0; n < clips; n++)
        for (long i = 0; i < size; i++) sum[i] += each[n * size + i];
}

/* u, and the sums of u and of its squares, (2, parts, channels). */
void bands_forward(const Image *s, const float *x, const float *w, float *u, double *sums)
{
    long row = row_of(s), size = 2l * s->parts * s->channels;
    double *each = calloc(s->clips * size, sizeof(double));
#pragma omp parallel num_threads(s->threads)
    FOR_CLIPS
        for (int b = 0; b < s->bands; b++) {
            float *to = u + (n * s->bands + b) * row;
            const float *at = x + (n * s->inputs + (long)b * s->step) * row;
            int above = b * s->step > 0, below = b * s->step + 1 < s->inputs;
            double *sum = each + n * size + (long)part_of(s, b) * s->channels, *squares = sum + s->parts * s->channels;
            FOR_PIECES(first, last)
                for (int c = 0; c < s->channels; c += LANES) {
                    V w0 = load(w + c), w1 = load(w + s->channels + c), w2 = load(w + 2 * s->channels + c);
                    D one = {}, two = {};
                    for (long i = first + c; i < last; i += s->channels) {
                        V value = w1 * load(at + i);
                        if (above) value += w0 * load(at + i - row);
                        if (below) value += w2 * load(at + i + row);
                        store(to + i, value);
                        D wide = twice(value);
                        one += wide;
                        two += wide * wide;
                    }
                    add_to(sum + c, one);
                    add_to(squares + c, two);
                }
        }
    add_up(each, s->clips, size, sums);
    free(each);
}

void bands_mean(const Image *s, const float *u, const float *scale, const float *shift, float *m)
{
    long row = row_of(s);
#pragma omp parallel num_threads(s->threads)
    FOR_CLIPS {
        float *to = m + n * row;
        memset(to, 0, 4 * row);
        for (int b = 0; b < s->bands; b++) {
            const float *at = u + (n * s->bands + b) * row;
            long part = (long)part_of(s, b) * s->channels;
            FOR_PIECES(first, last)
                for (int c = 0; c < s->channels; c += LANES) {
                    V times = load(scale + part + c) / (float)s->bands, plus = load(shift + part + c) / (float)s->bands;
                    for (long i = first + c; i < last; i += s->channels) store(to + i, load(to + i) + times * load(at + i) + plus);
                }
        }
    }
}

/* `x` may be null: no way around. */
void bands_join(const Image *s, const float *u, const float *scale, const float *shift, const float *h, const float *x,
                float *out)
{
    long row = row_of(s);
#pragma omp parallel num_threads(s->threads)
    FOR_CLIPS
        for (int b = 0; b < s->bands; b++) {
            long from = (n * s->bands + b) * row, part = (long)part_of(s, b) * s->channels;
            FOR_PIECES(first, last)
                for (int c = 0; c < s->channels; c += LANES) {
                    V times = load(scale + part + c), plus = load(shift + part + c);
                    for (long i = first + c; i < last; i += s->channels) {
                        V value = times * load(u + from + i) + plus + load(h + n * row + i);
                        if (x) value += load(x + from + i);
                        store(out + from + i, choose((value > 0) | (value != value), value, same(0)));
                    }
                }
        }
}

/* From g, the gradient of out: df, that of f through the sum alone, and dh. */
void join_backward(const Image *s, const float *g, const float *out, float *df, float *dh)
{
    long row = row_of(s);
#pragma omp parallel num_threads(s->threads)
    FOR_CLIPS {
        float *sum = dh + n * row;
        memset(sum, 0, 4 * row);
        for (int b = 0; b < s->bands; b++) {
            long from = (n * s->bands + b) * row;
            for (long i = 0; i < row; i += LANES) {
                V o = load(out + from + i), value = choose((o > 0) | (o != o), load(g + from + i), same(0));
                store(df + from + i, value);
                store(sum + i, load(sum + i) + value);
            }
        }
    }
}

/* The sums over df + dm / bands, the whole gradient of f, and over its product with u, (2, parts, channels). */
void bands_sums(const Image *s, const float *df, const float *dm, const float *u, double *sums)
{
    long row = row_of(s), size = 2l * s->parts * s->channels;
    float share = 1.0f / s->bands;
    double *each = calloc(s->clips * size, sizeof(double));
#pragma omp parallel num_threads(s->threads)
    FOR_CLIPS
        for (int b = 0; b < s->bands; b++) {
            long from = (n * s->bands + b) * row;
            double *sum = each + n * size + (long)part_of(s, b) * s->channels, *product = sum + s->parts * s->channels;
            FOR_PIECES(first, last)
                for (int c = 0; c < s->channels; c += LANES) {
                    D one = {}, two = {};
                    for (long i = first + c; i < last; i += s->channels) {
                        D value = twice(load(df + from + i) + share * load(dm + n * row + i));
                        one += value;
                        two += value * twice(load(u + from + i));
                    }
                    add_to(sum + c, one);
                    add_to(product + c, two);
                }
        }
    add_up(each, s->clips, size, sums);
    free(each);
}

/* With du = scale * (df + dm / bands) + alpha + beta * u: dw (3, channels), and dx, to which df is added where the input
   goes around the block (`around`). */
void bands_backward(const Image *s, const float *df, const float *dm, const float *u, const float *x, const float *w,
                    const float *scale, const float *alpha, const float *beta, int around, float *dx, double *dw)
{
    long row = row_of(s), size = 3l * s->channels;
    float share = 1.0f / s->bands;
    double *each = calloc(s->clips * size, sizeof(double));
#pragma omp parallel num_threads(s->threads)
    {
        float *du = malloc(4 * s->bands * row);
        FOR_CLIPS {
            double *sum = each + n * size;
            for (int b = 0; b < s->bands; b++) {
                long from = (n * s->bands + b) * row, part = (long)part_of(s, b) * s->channels;
                const float *at = x + (n * s->inputs + (long)b * s->step) * row;
                int above = b * s->step > 0, below = b * s->step + 1 < s->inputs;
                FOR_PIECES(first, last)
                    for (int c = 0; c < s->channels; c += LANES) {
                        V times = load(scale + part + c), plus = load(alpha + part + c), more = load(beta + part + c);
                        V a0 = {}, a1 = {}, a2 = {};
                        for (long i = first + c; i < last; i += s->channels) {
                            V value = load(df + from + i) + share * load(dm + n * row + i);
                            value = times * value + plus + more * load(u + from + i);
                            store(du + b * row + i, value);
                            a1 += value * load(at + i);
                            if (above) a0 += value * load(at + i - row);
                            if (below) a2 += value * load(at + i + row);
                        }
                        add_to(sum + c, twice(a0));
                        add_to(sum + s->channels + c, twice(a1));
                        add_to(sum + 2 * s->channels + c, twice(a2));
                    }
            }
            for (int i = 0; dx && i < s->inputs; i++) {
                float *to = dx + (n * s->inputs + i) * row;
                if (around)
                    memcpy(to, df + (n * s->bands + i) * row, 4 * row);
                else
                    memset(to, 0, 4 * row);
                for (int k = 0; k < 3; k++) {
                    int top = i + 1 - k, b = top / s->step;
                    if (top < 0 || top % s->step || b >= s->bands) continue;
                    FOR_PIECES(first, last)
                        for (int c = 0; c < s->channels; c += LANES) {
                            V weight = load(w + k * s->channels + c);
                            for (long t = first + c; t < last; t += s->channels)
                                store(to + t, load(to + t) + weight * load(du + b * row + t));
                        }
                }
            }
        }
        free(du);
    }
    add_up(each, s->clips, size, dw);
    free(each);
}
