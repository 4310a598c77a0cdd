/* Fourier transforms of real signals whose length is a power of two from 32 on, real and imaginary parts apart.
 *
 * Autosorting (Stockham), in steps of four with one of two where needed. `turns` holds cos and sin of 2 pi k / length
 * for k below the length, one after the other. Rooms are (2, length / 2) floats.
 */

/* Transform (2, n) floats from x into either room; return which of them holds the result. sign is that of the exponent. */
INLINE float *FN(fft)(float *x, float *y, int n, float sign, const float *turns, int length) {
    const float *cosine = turns, *sine = turns + length;
    int stride = 1, left = n;
    while (left > 1) {
        const int step = length / left;
        const float *xr = x, *xi = x + n;
        float *yr = y, *yi = y + n;
        if (left % 4 == 0) {
            const int quarter = left / 4, m = stride * quarter;
            if (stride == 1) {
                const float *__restrict ur = xr, *__restrict ui = xi;
                float *__restrict vr = yr, *__restrict vi_ = yi;
#pragma GCC ivdep
                for (int p = 0; p < quarter; p++) {
                    float ar = ur[p] + ur[p + 2 * m], ai = ui[p] + ui[p + 2 * m];
                    float br = ur[p] - ur[p + 2 * m], bi = ui[p] - ui[p + 2 * m];
                    float cr = ur[p + m] + ur[p + 3 * m], ci = ui[p + m] + ui[p + 3 * m];
                    float dr = sign * (ui[p + 3 * m] - ui[p + m]), di = sign * (ur[p + m] - ur[p + 3 * m]);
                    float w1r = cosine[p * step], w1i = sign * sine[p * step];
                    float w2r = cosine[2 * p * step], w2i = sign * sine[2 * p * step];
                    float w3r = cosine[3 * p * step], w3i = sign * sine[3 * p * step];
                    float er = br + dr, ei = bi + di, fr = ar - cr, fi = ai - ci, gr = br - dr, gi = bi - di;
                    vr[4 * p] = ar + cr, vi_[4 * p] = ai + ci;
                    vr[4 * p + 1] = er * w1r - ei * w1i, vi_[4 * p + 1] = er * w1i + ei * w1r;
                    vr[4 * p + 2] = fr * w2r - fi * w2i, vi_[4 * p + 2] = fr * w2i + fi * w2r;
                    vr[4 * p + 3] = gr * w3r - gi * w3i, vi_[4 * p + 3] = gr * w3i + gi * w3r;
                }
            } else {
                for (int p = 0; p < quarter; p++) {
                    const float w1r = cosine[p * step], w1i = sign * sine[p * step];
                    const float w2r = cosine[2 * p * step], w2i = sign * sine[2 * p * step];
                    const float w3r = cosine[3 * p * step], w3i = sign * sine[3 * p * step];
                    const float *__restrict ur = xr + stride * p, *__restrict ui = xi + stride * p;
                    float *__restrict vr = yr + 4 * stride * p, *__restrict vi_ = yi + 4 * stride * p;
#pragma GCC ivdep
                    for (int q = 0; q < stride; q++) {
                        float ar = ur[q] + ur[q + 2 * m], ai = ui[q] + ui[q + 2 * m];
                        float br = ur[q] - ur[q + 2 * m], bi = ui[q] - ui[q + 2 * m];
                        float cr = ur[q + m] + ur[q + 3 * m], ci = ui[q + m] + ui[q + 3 * m];
                        float dr = sign * (ui[q + 3 * m] - ui[q + m]), di = sign * (ur[q + m] - ur[q + 3 * m]);
                        float er = br + dr, ei = bi + di, fr = ar - cr, fi = ai - ci, gr = br - dr, gi = bi - di;
                        vr[q] = ar + cr, vi_[q] = ai + ci;
                        vr[q + stride] = er * w1r - ei * w1i, vi_[q + stride] = er * w1i + ei * w1r;
                        vr[q + 2 * stride] = fr * w2r - fi * w2i, vi_[q + 2 * stride] = fr * w2i + fi * w2r;
                        vr[q + 3 * stride] = gr * w3r - gi * w3i, vi_[q + 3 * stride] = gr * w3i + gi * w3r;
                    }
                }
            }
            stride *= 4, left /= 4;
        } else { /* two are left */
            const int m = stride;
#pragma GCC ivdep
            for (int q = 0; q < stride; q++) {
                yr[q] = xr[q] + xr[q + m], yi[q] = xi[q] + xi[q + m];
                yr[q + m] = xr[q] - xr[q + m], yi[q + m] = xi[q] - xi[q + m];
            }
            stride *= 2, left /= 2;
        }
        float *other = x;
        x = y, y = other;
    }
    return x;
}

/* Turn a spectrum, (length / 2 + 1) values apart, into a signal of `length` samples, times length / 2. */
INLINE void FN(inverse)(
    const float *__restrict re, const float *__restrict im, float *__restrict signal, int length, const float *turns, float *room, float *other
) {
    const int half = length / 2;
    float *__restrict zr = room, *__restrict zi = room + half;
    for (int k = 0; k < half; k++) {
        float er = 0.5f * (re[k] + re[half - k]), ei = 0.5f * (im[k] - im[half - k]);
        float dr = 0.5f * (re[k] - re[half - k]), di = 0.5f * (im[k] + im[half - k]);
        float c = turns[k], s = turns[length + k];
        zr[k] = er - (dr * s + di * c);
        zi[k] = ei + (dr * c - di * s);
    }
    /* What a real signal has none of. */
    zr[0] = 0.5f * (re[0] + re[half]), zi[0] = 0.5f * (re[0] - re[half]);
    const float *__restrict z = FN(fft)(room, other, half, 1.0f, turns, length);
    for (int n = 0; n < half; n++) signal[2 * n] = z[n], signal[2 * n + 1] = z[half + n];
}

/* Turn a signal into its spectrum, (length / 2 + 1) values apart. */
INLINE void FN(forward)(
    const float *__restrict signal, float *__restrict re, float *__restrict im, int length, const float *turns, float *room, float *other
) {
    const int half = length / 2;
    for (int n = 0; n < half; n++) room[n] = signal[2 * n], room[half + n] = signal[2 * n + 1];
    const float *__restrict zr = FN(fft)(room, other, half, -1.0f, turns, length), *__restrict zi = zr + half;
    re[0] = zr[0] + zi[0], im[0] = 0.0f;
    re[half] = zr[0] - zi[0], im[half] = 0.0f;
    for (int k = 1; k < half; k++) {
        float er = 0.5f * (zr[k] + zr[half - k]), ei = 0.5f * (zi[k] - zi[half - k]);
        float dr = 0.5f * (zi[k] + zi[half - k]), di = 0.5f * (zr[half - k] - zr[k]);
        float c = turns[k], s = turns[length + k];
        re[k] = er + dr * c + di * s;
        im[k] = ei + di * c - dr * s;
    }
}
