/* Fourier transforms of real signals whose length is a power of two from 64 on, real and imaginary parts apart.
 *
 * Autosorting (Stockham), in steps of four with one of two where needed. `turns` are those of `fill_turns`. Rooms are
 * (2, length / 2) floats.
 */

#if LANES == 16
#define FIRST_1 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23
#define SECOND_1 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30
#define ODD 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31
#define REVERSED 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0
#define FIRST_4 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23
#define SECOND_4 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31
#elif LANES == 8
#define FIRST_1 0, 8, 1, 9, 2, 10, 3, 11
#define SECOND_1 4, 12, 5, 13, 6, 14, 7, 15
#define EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define ODD 1, 3, 5, 7, 9, 11, 13, 15
#define REVERSED 7, 6, 5, 4, 3, 2, 1, 0
#define FIRST_4 0, 1, 2, 3, 8, 9, 10, 11
#define SECOND_4 4, 5, 6, 7, 12, 13, 14, 15
#else
#define FIRST_1 0, 4, 1, 5
#define SECOND_1 2, 6, 3, 7
#define EVEN 0, 2, 4, 6
#define ODD 1, 3, 5, 7
#define REVERSED 3, 2, 1, 0
#define FIRST_4 FIRST_1 /* never used: four are a vector */
#define SECOND_4 SECOND_1
#endif

/* Store four vectors in turns, of which every `size` lanes stay together: to (4, LANES). */
INLINE void FN(store_in_turns)(float *to, vf a, vf b, vf c, vf d, int size) {
    if (size == 1) {
        vf ac = SHUFFLE_ALL(a, c, FIRST_1), bd = SHUFFLE_ALL(b, d, FIRST_1);
        FN(store)(to, SHUFFLE_ALL(ac, bd, FIRST_1)), FN(store)(to + LANES, SHUFFLE_ALL(ac, bd, SECOND_1));
        ac = SHUFFLE_ALL(a, c, SECOND_1), bd = SHUFFLE_ALL(b, d, SECOND_1);
        FN(store)(to + 2 * LANES, SHUFFLE_ALL(ac, bd, FIRST_1)), FN(store)(to + 3 * LANES, SHUFFLE_ALL(ac, bd, SECOND_1));
    } else {
        vf ac = SHUFFLE_ALL(a, c, FIRST_4), bd = SHUFFLE_ALL(b, d, FIRST_4);
        FN(store)(to, SHUFFLE_ALL(ac, bd, FIRST_4)), FN(store)(to + LANES, SHUFFLE_ALL(ac, bd, SECOND_4));
        ac = SHUFFLE_ALL(a, c, SECOND_4), bd = SHUFFLE_ALL(b, d, SECOND_4);
        FN(store)(to + 2 * LANES, SHUFFLE_ALL(ac, bd, FIRST_4)), FN(store)(to + 3 * LANES, SHUFFLE_ALL(ac, bd, SECOND_4));
    }
}

/* A step of four over a vector of places m apart: out (4), re and im, turned by w (6). */
INLINE void FN(step_of_four)(const float *ur, const float *ui, int m, float sign, const vf *w, vf *re, vf *im) {
    vf ar = FN(load)(ur) + FN(load)(ur + 2 * m), ai = FN(load)(ui) + FN(load)(ui + 2 * m);
    vf br = FN(load)(ur) - FN(load)(ur + 2 * m), bi = FN(load)(ui) - FN(load)(ui + 2 * m);
    vf cr = FN(load)(ur + m) + FN(load)(ur + 3 * m), ci = FN(load)(ui + m) + FN(load)(ui + 3 * m);
    vf dr = sign * (FN(load)(ui + 3 * m) - FN(load)(ui + m)), di = sign * (FN(load)(ur + m) - FN(load)(ur + 3 * m));
    vf er = br + dr, ei = bi + di, fr = ar - cr, fi = ai - ci, gr = br - dr, gi = bi - di;
    re[0] = ar + cr, im[0] = ai + ci;
    re[1] = er * w[0] - ei * w[1], im[1] = er * w[1] + ei * w[0];
    re[2] = fr * w[2] - fi * w[3], im[2] = fr * w[3] + fi * w[2];
    re[3] = gr * w[4] - gi * w[5], im[3] = gr * w[5] + gi * w[4];
}

/* The first steps, where less than a vector lies side by side: `turns` (6, n / 4), one for each place. */
INLINE void FN(narrow_step)(const float *x, float *y, int n, int stride, float sign, const float *turns) {
    const int m = n / 4;
    for (int t = 0; t < m; t += LANES) {
        vf w[6], re[4], im[4];
        for (int i = 0; i < 6; i++) w[i] = (i % 2 ? sign : 1.0f) * FN(load)(turns + i * m + t);
        FN(step_of_four)(x + t, x + n + t, m, sign, w, re, im);
        FN(store_in_turns)(y + 4 * t, re[0], re[1], re[2], re[3], stride);
        FN(store_in_turns)(y + n + 4 * t, im[0], im[1], im[2], im[3], stride);
    }
}

/* A step where whole vectors lie side by side. */
INLINE void FN(wide_step)(const float *x, float *y, int n, int stride, float sign, const float *turns, int length) {
    const int m = n / 4, step = 2 * stride;
    for (int p = 0; p < m / stride; p++) {
        vf w[6], re[4], im[4];
        for (int i = 0; i < 3; i++) {
            w[2 * i] = FN(splat)(turns[(i + 1) * p * step]);
            w[2 * i + 1] = FN(splat)(sign * turns[length + (i + 1) * p * step]);
        }
        for (int q = 0; q < stride; q += LANES) {
            FN(step_of_four)(x + stride * p + q, x + n + stride * p + q, m, sign, w, re, im);
            for (int i = 0; i < 4; i++) {
                FN(store)(y + (4 * p + i) * stride + q, re[i]);
                FN(store)(y + n + (4 * p + i) * stride + q, im[i]);
            }
        }
    }
}

/* Transform (2, n) floats from x into either room; return which of them holds the result. sign is that of the exponent. */
INLINE float *FN(fft)(float *x, float *y, int n, float sign, const float *turns, int length) {
    const float *narrow = turns + 2 * length;
    int stride = 1;
    for (; 4 * stride <= n; stride *= 4) {
        if (stride >= LANES)
            FN(wide_step)(x, y, n, stride, sign, turns, length);
        else
            FN(narrow_step)(x, y, n, stride, sign, stride == 1 ? narrow : narrow + 6 * (n / 4));
        float *other = x;
        x = y, y = other;
    }
    if (stride == n) return x;
    for (int q = 0; q < n / 2; q += LANES) /* two are left */
        for (int part = 0; part <= n; part += n) {
            vf one = FN(load)(x + part + q), other = FN(load)(x + part + n / 2 + q);
            FN(store)(y + part + q, one + other), FN(store)(y + part + n / 2 + q, one - other);
        }
    return y;
}

/* A vector from the last lane to the first. */
INLINE vf FN(reversed)(vf x) { return SHUFFLE_ALL(x, x, REVERSED); }

/* Turn a spectrum, (length / 2 + 1) values apart, into a signal of `length` samples, times length / 2. */
INLINE void FN(inverse)(
    const float *__restrict re, const float *__restrict im, float *__restrict signal, int length, const float *turns, float *room, float *other
) {
    const int half = length / 2;
    float *__restrict zr = room, *__restrict zi = room + half;
    for (int k = 0; k < half; k += LANES) {
        const int back = half - k - LANES + 1;
        vf ar = FN(load)(re + k), ai = FN(load)(im + k);
        vf br = FN(reversed)(FN(load)(re + back)), bi = FN(reversed)(FN(load)(im + back));
        vf er = 0.5f * (ar + br), ei = 0.5f * (ai - bi), dr = 0.5f * (ar - br), di = 0.5f * (ai + bi);
        vf c = FN(load)(turns + k), s = FN(load)(turns + length + k);
        FN(store)(zr + k, er - (dr * s + di * c));
        FN(store)(zi + k, ei + (dr * c - di * s));
    }
    /* What a real signal has none of. */
    zr[0] = 0.5f * (re[0] + re[half]), zi[0] = 0.5f * (re[0] - re[half]);
    const float *__restrict z = FN(fft)(room, other, half, 1.0f, turns, length);
    for (int n = 0; n < half; n += LANES) {
        vf even = FN(load)(z + n), odd = FN(load)(z + half + n);
        FN(store)(signal + 2 * n, SHUFFLE_ALL(even, odd, FIRST_1));
        FN(store)(signal + 2 * n + LANES, SHUFFLE_ALL(even, odd, SECOND_1));
    }
}

/* Turn a signal into its spectrum, (length / 2 + 1) values apart. */
INLINE void FN(forward)(
    const float *__restrict signal, float *__restrict re, float *__restrict im, int length, const float *turns, float *room, float *other
) {
    const int half = length / 2;
    for (int n = 0; n < half; n += LANES) {
        vf a = FN(load)(signal + 2 * n), b = FN(load)(signal + 2 * n + LANES);
        FN(store)(room + n, SHUFFLE_ALL(a, b, EVEN)), FN(store)(room + half + n, SHUFFLE_ALL(a, b, ODD));
    }
    const float *__restrict zr = FN(fft)(room, other, half, -1.0f, turns, length), *__restrict zi = zr + half;
    for (int k = 0; k < half; k += LANES) {
        const int back = half - k - LANES + 1;
        vf ar = FN(load)(zr + k), ai = FN(load)(zi + k);
        vf br = FN(reversed)(FN(load)(zr + back)), bi = FN(reversed)(FN(load)(zi + back));
        vf er = 0.5f * (ar + br), ei = 0.5f * (ai - bi), dr = 0.5f * (ai + bi), di = 0.5f * (br - ar);
        vf c = FN(load)(turns + k), s = FN(load)(turns + length + k);
        FN(store)(re + k, er + dr * c + di * s);
        FN(store)(im + k, ei + di * c - dr * s);
    }
    re[0] = zr[0] + zi[0], im[0] = 0.0f;
    re[half] = zr[0] - zi[0], im[half] = 0.0f;
}

#undef FIRST_1
#undef SECOND_1
#undef FIRST_4
#undef SECOND_4
#undef EVEN
#undef ODD
#undef REVERSED
