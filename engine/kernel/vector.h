/* Vectors of LANES floats, as GCC and Clang know them, and the functions that the kernel needs of them.
 * Included once for each instruction set; FN(name) is a name of its own in each.
 */
typedef float FN(vf) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t FN(vi) __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef float FN(v8) __attribute__((vector_size(32), aligned(4), may_alias));
typedef int32_t FN(i8) __attribute__((vector_size(32), aligned(4), may_alias));
typedef float FN(v4) __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t FN(i4) __attribute__((vector_size(16), aligned(4), may_alias));
#define vf FN(vf)
#define vi FN(vi)
#define v8 FN(v8)
#define v4 FN(v4)
#ifdef __clang__
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#define SHUFFLE4 SHUFFLE
#define SHUFFLE_ALL SHUFFLE
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (FN(i8)){__VA_ARGS__})
#define SHUFFLE4(a, b, ...) __builtin_shuffle(a, b, (FN(i4)){__VA_ARGS__})
#define SHUFFLE_ALL(a, b, ...) __builtin_shuffle(a, b, (vi){__VA_ARGS__})
#endif
#define INLINE static inline __attribute__((always_inline))

INLINE vf FN(load)(const float *from) { return *(const vf *)from; }
INLINE void FN(store)(float *to, vf value) { *(vf *)to = value; }
INLINE vf FN(splat)(float value) { return value - (vf){0}; }
INLINE vf FN(choose)(vi mask, vf yes, vf no) { return (vf)((mask & (vi)yes) | (~mask & (vi)no)); }
INLINE vf FN(larger)(vf a, vf b) { return FN(choose)(a > b, a, b); }
INLINE vf FN(smaller)(vf a, vf b) { return FN(choose)(a < b, a, b); }

/* 0, 1, 2, ... */
INLINE vf FN(counting)(void) {
    vf value;
    for (int i = 0; i < LANES; i++) value[i] = (float)i;
    return value;
}

/* The nearest whole number of |x| < 2^22: adding 1.5 * 2^23 leaves no bits for less. */
INLINE vf FN(nearest)(vf x) {
    const vf big = FN(splat)(12582912.0f);
    return (x + big) - big;
}

/* exp(x), to 2 units in the last place; 0 far below, finite far above. */
INLINE vf FN(exp)(vf x) {
    x = FN(smaller)(FN(larger)(x, FN(splat)(-87.3f)), FN(splat)(88.0f));
    vf whole = FN(nearest)(x * 1.44269504088896341f);
    vf r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    vf p = FN(splat)(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = (p * r) * r + r + 1.0f;
    vi power = (__builtin_convertvector(whole, vi) + 127) << 23;
    return p * (vf)power;
}

/* cos and sin of 2 pi turns, |turns| < 2^20. */
INLINE void FN(turn)(vf turns, vf *cosine, vf *sine) {
    turns = turns - FN(nearest)(turns);
    vf quarters = FN(nearest)(turns * 4.0f);
    vf u = turns - quarters * 0.25f, s = u * u;
    vf y = FN(splat)(42.058693944f);
    y = y * s - 76.705859753f;
    y = y * s + 81.605249277f;
    y = y * s - 41.341702240f;
    y = (y * s + 6.283185307f) * u;
    vf x = FN(splat)(60.244641373f);
    x = x * s - 85.456817206f;
    x = x * s + 64.939394023f;
    x = x * s - 19.739208802f;
    x = x * s + 1.0f;
    vi k = __builtin_convertvector(quarters, vi);
    vi swap = -(k & 1);
    vf c = FN(choose)(swap, y, x), d = FN(choose)(swap, x, y);
    *cosine = (vf)((vi)c ^ (((k + 1) & 2) << 30));
    *sine = (vf)((vi)d ^ ((k & 2) << 30));
}


/* A vector without what is below 0 of it; what is not a number stays so. */
INLINE v8 FN(positive)(v8 x) { return (v8)((FN(i8))x & ~(FN(i8))(x < 0.0f)); }

/* The sums of the elements of two vectors each, of either half. */
INLINE v8 FN(pairs)(v8 a, v8 b) {
    return SHUFFLE(a, b, 0, 2, 8, 10, 4, 6, 12, 14) + SHUFFLE(a, b, 1, 3, 9, 11, 5, 7, 13, 15);
}

/* The sums of the elements of eight vectors. */
INLINE v8 FN(sums_of)(const v8 *x) {
    v8 a = FN(pairs)(FN(pairs)(x[0], x[1]), FN(pairs)(x[2], x[3]));
    v8 b = FN(pairs)(FN(pairs)(x[4], x[5]), FN(pairs)(x[6], x[7]));
    return SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11) + SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15);
}

/* Let columns be rows: to (columns, rows) from (rows, columns), both multiples of four. */
INLINE void FN(swap_axes)(const float *__restrict from, float *__restrict to, int rows, int columns) {
    for (int r = 0; r < rows; r += 4)
        for (int c = 0; c < columns; c += 4) {
            v4 x[4];
            for (int i = 0; i < 4; i++) x[i] = *(const v4 *)(from + (r + i) * columns + c);
            v4 a = SHUFFLE4(x[0], x[1], 0, 4, 1, 5), b = SHUFFLE4(x[2], x[3], 0, 4, 1, 5);
            v4 d = SHUFFLE4(x[0], x[1], 2, 6, 3, 7), e = SHUFFLE4(x[2], x[3], 2, 6, 3, 7);
            *(v4 *)(to + c * rows + r) = SHUFFLE4(a, b, 0, 1, 4, 5);
            *(v4 *)(to + (c + 1) * rows + r) = SHUFFLE4(a, b, 2, 3, 6, 7);
            *(v4 *)(to + (c + 2) * rows + r) = SHUFFLE4(d, e, 0, 1, 4, 5);
            *(v4 *)(to + (c + 3) * rows + r) = SHUFFLE4(d, e, 2, 3, 6, 7);
        }
}
