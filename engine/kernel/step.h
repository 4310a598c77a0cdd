/* One hop of growth: cells, and what bins read of them. */

/* out (rows, F) = weights (rows, inputs) @ in (inputs, F) + added (rows, F) + bias (rows), rectified if asked.
 * Weights lie in groups of four rows, (rows / 4, inputs, 4). Meanwhile, what is needed next is fetched into the cache.
 */
INLINE void FN(product)(
    const float *weights, int rows, int inputs, const float *in, int cells, const float *added, const float *bias,
    float *out, int rectify, const char *ahead, int64_t bytes
) {
    enum { WIDTH = LANES == 4 ? 2 : 16 / LANES, GROUPS = LANES == 16 ? 2 : 1 };
    const int64_t turns = (int64_t)(cells / (WIDTH * LANES)) * (rows / (4 * GROUPS));
    const char *end = ahead + bytes;
    const int64_t share = 64 * ((bytes / 64 + turns) / turns);
    for (int f = 0; f < cells; f += WIDTH * LANES) {
        for (int row = 0; row < rows; row += 4 * GROUPS) {
            for (const char *stop = ahead + share; ahead < stop && ahead < end; ahead += 64) __builtin_prefetch(ahead, 0, 2);
            vf sum[4 * GROUPS][WIDTH];
            for (int i = 0; i < 4 * GROUPS; i++)
                for (int j = 0; j < WIDTH; j++) {
                    sum[i][j] = FN(splat)(bias[row + i]);
                    if (added) sum[i][j] += FN(load)(added + (row + i) * cells + f + j * LANES);
                }
            const float *w = weights + row * inputs;
            for (int k = 0; k < inputs; k++) {
                vf b[WIDTH];
                for (int j = 0; j < WIDTH; j++) b[j] = FN(load)(in + k * cells + f + j * LANES);
                for (int g = 0; g < GROUPS; g++)
                    for (int i = 0; i < 4; i++) {
                        vf a = FN(splat)(w[g * 4 * inputs + 4 * k + i]);
                        for (int j = 0; j < WIDTH; j++) sum[4 * g + i][j] += a * b[j];
                    }
            }
            for (int i = 0; i < 4 * GROUPS; i++)
                for (int j = 0; j < WIDTH; j++) {
                    vf value = rectify ? (vf)((vi)sum[i][j] & ~(vi)(sum[i][j] < 0.0f)) : sum[i][j];
                    FN(store)(out + (row + i) * cells + f + j * LANES, value);
                }
        }
    }
}

/* Add a share of how far the levels of a motion's row are off their smooth course at an age, (F). */
INLINE void FN(add_swell)(const Model *m, int64_t row, double pace, double age_s, float part, float *swell) {
    const int cells = (int)m->cells, swells = (int)m->swells;
    double share;
    const float *code = m->codes + code_at(m, row, pace, age_s, &share) * (1 + swells) + 1;
    const float *next = code + (share > 0.0 ? 1 + swells : 0), *shape = m->swell_shapes + row * swells * cells;
    float course[MAX_COURSES];
    for (int q = 0; q < swells; q++) course[q] = code[q] + (float)share * (next[q] - code[q]);
    for (int f = 0; f < cells; f += LANES) {
        vf sum = {0};
        for (int q = 0; q < swells; q++) sum += course[q] * FN(load)(shape + q * cells + f);
        FN(store)(swell + f, FN(load)(swell + f) + part * sum);
    }
}

/* The age that the growth is told: its clock may stop; on a pad of timbres it does at the corner where that is last. */
INLINE float FN(growth_age)(const Model *m, const Call *call, int64_t voice, float age_s) {
    const double *facts = call->facts + voice * FACTS;
    double end_s = facts[MORPHS] == 0.0 ? clock_end(m, (int64_t)facts[MOTION], facts[PACE]) : 0.0;
    for (int i = 0; facts[MORPHS] != 0.0 && i < CORNERS; i++) {
        const double *motion = call->corners + (voice * CORNERS + i) * 2;
        end_s = fmax(end_s, clock_end(m, motion_row(motion[0]), motion[1]));
    }
    return fminf(age_s, (float)end_s);
}

/* Grow the cells of a slot by a hop; return whether any lives. */
static __attribute__((noinline)) int FN(grow)(Hop *hop, const Call *call, int64_t voice, int64_t round, int64_t slot) {
    const Model *m = &hop->model;
    const int cells = (int)m->cells, channels = (int)m->channels, hidden = (int)m->hidden;
    const int inputs = 3 * channels + 5;
    const int64_t at = round * call->voices + voice;
    const double *facts = call->facts + voice * FACTS;
    const float age_s = call->age_s[at], release_age_s = told_release(facts, call->release_age_s[at]);
    const float since_s = release_age_s > 0.0f ? release_age_s : 0.0f;
    const float grown_s = FN(growth_age)(m, call, voice, age_s);
    float *grid = hop->genes.grid + slot * cells * channels, *in = hop->in;
    float *own = in + channels * cells, *left = in, *right = in + 2 * channels * cells;
    float *decays = in + 3 * channels * cells, *swell = decays + 4 * cells;

    FN(swap_axes)(grid, own, cells, channels);
    for (int c = 0; c < channels; c++) {
        left[c * cells] = right[c * cells + cells - 1] = 0.0f;
        memcpy(left + c * cells + 1, own + c * cells, (cells - 1) * sizeof(float));
        memcpy(right + c * cells, own + c * cells + 1, (cells - 1) * sizeof(float));
    }
    const float *rates = hop->genes.rates + slot * 4 * cells;
    for (int i = 0; i < 4; i++)
        for (int f = 0; f < cells; f += LANES)
            FN(store)(decays + i * cells + f, FN(exp)(FN(load)(rates + i * cells + f) * (i < 2 ? grown_s : since_s)));
    memset(swell, 0, sizeof(float) * cells);
    if (facts[MORPHS] == 0.0) FN(add_swell)(m, (int64_t)facts[MOTION], facts[PACE], age_s, 1.0f, swell);
    for (int i = 0; facts[MORPHS] != 0.0 && i < CORNERS; i++) {
        const double *motion = call->corners + (voice * CORNERS + i) * 2;
        const float part = (float)call->journey[at * JOURNEY + J_WEIGHTS + i];
        FN(add_swell)(m, motion_row(motion[0]), motion[1], age_s, part, swell);
    }

    float clocks[CLOCKS + 16] = {0}, *told = hop->told;
    for (int k = 0; k < CLOCKS; k++) clocks[k] = (float)(m->clock_rates[2 * k] * grown_s + m->clock_rates[2 * k + 1] * since_s);
    for (int k = 0; k < CLOCKS; k += LANES) FN(store)(clocks + k, FN(exp)(FN(load)(clocks + k)));
    clocks[CLOCKS] = release_age_s >= 0.0f ? 1.0f : 0.0f;
    for (int h = 0; h < hidden; h++) told[h] = 0.0f;
    for (int k = 0; k <= CLOCKS; k++)
        for (int h = 0; h < hidden; h++) told[h] += m->from_clocks[k * hidden + h] * clocks[k];

    float *middle = hop->middle, *out = hop->out;
    const float *cell = hop->genes.cell + slot * hidden * cells, *bin = hop->genes.bin + slot * m->bins * m->readout;
    const int64_t bin_size = round == call->first ? m->bins * m->readout * (int64_t)sizeof(float) : 0;
    const int64_t other = voice + 1 < call->voices ? call->jobs[(voice + 1) * JOB + SLOT] : slot;
    const float *next = hop->genes.cell + other * hidden * cells;
    const int64_t next_size = other != slot && round + 1 == call->last ? hidden * cells * (int64_t)sizeof(float) : 0;
    FN(product)(m->into_hidden, hidden, inputs, in, cells, cell, told, middle, 1, (const char *)bin, bin_size);
    FN(product)(m->update, 2 * channels, hidden, middle, cells, 0, m->update_bias, out, 0, (const char *)next, next_size);

    const float *mask = call->mask ? call->mask + at * cells : 0;
    float *grown = hop->middle; /* the hidden units are done with */
    for (int c = 0; c < channels; c++)
        for (int f = 0; f < cells; f += LANES) {
            vf gate = 1.0f / (1.0f + FN(exp)(-FN(load)(out + (channels + c) * cells + f)));
            if (mask) gate *= FN(load)(mask + f);
            vf now = FN(load)(own + c * cells + f);
            vf target = FN(load)(out + c * cells + f) + m->swelling[c] * FN(load)(swell + f);
            FN(store)(grown + c * cells + f, now + gate * (target - now));
        }

    /* A cell lives where it or a neighbour is alive before and after. */
    const float *alpha = grown + m->alpha * cells, threshold = (float)m->alive_above;
    float *lives = hop->lives, highest = -1.0f;
    for (int f = 0; f < cells; f++) {
        const int64_t here = m->alpha * cells + f;
        float before = largest(left[here], own[here], right[here]);
        float after = largest(f ? alpha[f - 1] : 0.0f, alpha[f], f + 1 < cells ? alpha[f + 1] : 0.0f);
        lives[f] = before > threshold && after > threshold ? 1.0f : 0.0f;
        highest = lives[f] * alpha[f] > highest ? lives[f] * alpha[f] : highest;
    }
    for (int c = 0; c < channels; c++)
        for (int f = 0; f < cells; f += LANES)
            FN(store)(grown + c * cells + f, FN(load)(grown + c * cells + f) * FN(load)(lives + f));
    FN(swap_axes)(grown, grid, channels, cells);
    return highest > threshold;
}

/* What bins read of a slot's cells, before it is made to lie in bounds: level (N) and tonality (N).
 * Rows of cells hold their read-out units, and then their own level and tonality among zeros.
 */
INLINE void FN(read_units)(Hop *hop, int64_t slot, int units, float *level, float *tonality) {
    const Model *m = &hop->model;
    const int cells = (int)m->cells, channels = (int)m->channels, bins = (int)m->bins, width = units + 8;
    const float *grid = hop->genes.grid + slot * cells * channels;
    const float *genes = hop->genes.bin + slot * bins * units;
    float *rows = hop->rows, *rises = hop->rises;
    for (int f = 0; f < cells; f += 4)
        for (int u = 0; u < units; u += 8) {
            v8 sum[4] = {{0}, {0}, {0}, {0}};
            for (int c = 0; c < channels; c++) {
                v8 weight = *(const v8 *)(m->read_state + c * units + u);
                for (int i = 0; i < 4; i++) sum[i] += grid[(f + i) * channels + c] * weight;
            }
            for (int i = 0; i < 4; i++) *(v8 *)(rows + (f + i) * width + u) = sum[i];
        }
    for (int f = 0; f < cells; f++) {
        const float *own = grid + f * channels + m->level;
        *(v8 *)(rows + f * width + units) = (v8){own[0] + m->read_bias[0], own[1] + m->read_bias[1]};
    }
    for (int i = 0; i < (cells - 1) * width; i += 8)
        *(v8 *)(rises + i) = *(const v8 *)(rows + i + width) - *(const v8 *)(rows + i);
    const v8 first_of = {1.0f}, second_of = {0.0f, 1.0f};
    for (int first = 0; first < bins; first += 8) {
        const int n = first + 8 <= bins ? first : bins - 8;
        v8 levels[8], tonalities[8];
        for (int i = 0; i < 8; i++) {
            const float *row = rows + m->bin_low[n + i] * width, *rise = rises + m->bin_low[n + i] * width;
            const float *gene = genes + (n + i) * units, share = m->bin_share[n + i];
            v8 pair = *(const v8 *)(row + units) + share * *(const v8 *)(rise + units);
            v8 sums[2] = {pair * first_of, pair * second_of};
#if LANES == 16
            if (units == 16) {
                vf told = FN(load)(row) + share * FN(load)(rise) + FN(load)(gene);
                told = (vf)((vi)told & ~(vi)(told < 0.0f));
                vf one = told * FN(load)(m->read_out), other = told * FN(load)(m->read_out + units);
                sums[0] += ((v8 *)&one)[0] + ((v8 *)&one)[1];
                sums[1] += ((v8 *)&other)[0] + ((v8 *)&other)[1];
            } else
#endif
            for (int u = 0; u < units; u += 8) {
                v8 told = *(const v8 *)(row + u) + share * *(const v8 *)(rise + u) + *(const v8 *)(gene + u);
                told = FN(positive)(told);
                sums[0] += told * *(const v8 *)(m->read_out + u);
                sums[1] += told * *(const v8 *)(m->read_out + units + u);
            }
            levels[i] = sums[0], tonalities[i] = sums[1];
        }
        *(v8 *)(level + n) = FN(sums_of)(levels);
        *(v8 *)(tonality + n) = FN(sums_of)(tonalities);
    }
}

/* `read_units` for the usual number of units, and for any. */
INLINE void FN(read_bins)(Hop *hop, int64_t slot, float *level, float *tonality) {
    if (hop->model.readout == 16)
        FN(read_units)(hop, slot, 16, level, tonality);
    else
        FN(read_units)(hop, slot, (int)hop->model.readout, level, tonality);
}

/* Bring levels and tonalities (N) into their bounds; return whether all were finite. Those that were not are 0. */
INLINE int FN(bounded)(float *level, float *tonality, int bins) {
    vf sum = {0};
    float rest = 0.0f;
    int n = 0;
    for (; n + LANES <= bins; n += LANES) {
        vf l = FN(load)(level + n), t = FN(load)(tonality + n);
        sum += (l + t) * 0.0f;
        FN(store)(level + n, FN(larger)(l, (vf){0}));
        FN(store)(tonality + n, FN(smaller)(FN(larger)(t, (vf){0}), FN(splat)(1.0f)));
    }
    for (; n < bins; n++) {
        rest += (level[n] + tonality[n]) * 0.0f;
        level[n] = level[n] > 0.0f ? level[n] : 0.0f;
        tonality[n] = tonality[n] > 1.0f ? 1.0f : tonality[n] > 0.0f ? tonality[n] : 0.0f;
    }
    for (int i = 0; i < LANES; i++) rest += sum[i];
    if (rest == 0.0f) return 1;
    for (n = 0; n < bins; n++)
        if (!(level[n] < INFINITY)) level[n] = 0.0f;
    return 0;
}
