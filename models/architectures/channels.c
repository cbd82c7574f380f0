/* A filter over time for each channel, forward and backward, float32.

   x and out (clips, length, channels), w (taps, channels), zeros around: out[t] = sum over k of w[k] * x[t + k - padding].
   Here s->inputs is the channels, a multiple of LANES, and s->places the length of out. */
#include "loops.h"

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
