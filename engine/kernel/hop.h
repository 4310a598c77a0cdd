/* What the engine hands to the kernel. Every member is 8 bytes long, so that both sides agree on the layout.
 *
 * Letters: S slots, V voices, R rounds of growth, F cells, C channels, H hidden units, U read-out units, N bins,
 * P partials of a correction, K courses of a correction, Q courses of a swell.
 */
#ifndef TNCA_HOP_H
#define TNCA_HOP_H

#include <stdint.h>

enum { MODES = 4, MAX_PARTIALS = 128, CONTROLS = 15, CLOCKS = 8 };

/* Columns of a voice's facts, as engine/kernel/calls.py names them; the last is filled by `tnca_prepare`. */
enum {
    ONSET, RELEASE, PITCH, RELEASE_SPEED, TILT, PITCHED, STRETCH, MOTION, PACE, MODE_ROW, RATE,
    NUM_FRAMES, PLANTED, AGE_LEAD, RELEASE_LEAD, MORPHS, SEMITONES, FACTS
};

/* Columns of a job. */
enum { SLOT, FRAMES, LOOKAHEAD, STARTS, KIND, JOB };

/* Columns of controls, as engine/modulation/channel.py has them. */
enum {
    C_PITCH, C_VIBRATO, C_TILT, C_RESONANCE, C_ATTACK, C_FADE_IN, C_DECAY, C_RELEASE, C_GROWTH, C_FIRE, C_LIFE,
    C_DAMAGE
};

/* What a journey over a pad of timbres says of a voice in a round. */
enum { CORNERS = 4, J_PITCH = 0, J_SEMITONES, J_PITCHED, J_WEIGHTS, JOURNEY = J_WEIGHTS + CORNERS };

/* What was found: pitches off those that are planted, growth that is tended; frames that are not finite, dead ones. */
enum { DRIFTS = 1, TENDED = 2, BROKEN = 4, DEAD = 8 };

/* How a voice is sounded. */
enum { UNHEARD, PARTIALS, RESONANCES };

/* Sizes, weights and tables: nothing of it changes but where the tables of keys lie, see `tnca_know`. */
typedef struct Model {
    int64_t slots, cells, channels, hidden, readout, bins, hop, n_fft, alpha, level, rate;
    int64_t partials, courses, swells, noise_rows, lobe_steps, lobe_size, onset_frames;
    int64_t iterations, search_frames, moment_count, silent_hops;
    double floor_db, level_scale_db, tonality_db, quiet_level, heard_level, faint_level, dip_db, alive_above, liveliest;
    double least_drift, least_density, clear_bins, lobe_bins, momentum, window_sum, loud_db, even_db;
    double silence_peak;
    const float *into_hidden;   /* (H / 4, 3 C + 5, 4) */
    const float *from_clocks;   /* (CLOCKS + 1, H) */
    const double *clock_rates;  /* (CLOCKS, 2), of age and release age */
    const float *update;        /* (2 C / 4, H, 4) */
    const float *update_bias;   /* (2 C) */
    const float *swelling;      /* (C) */
    const float *read_state;    /* (C, U) */
    const float *read_out;      /* (2, U) */
    const float *read_bias;     /* (2) */
    const int32_t *bin_low;     /* (N), the cell below each bin */
    const float *bin_share;     /* (N), how far it is from there to the next */
    const float *bin_octave;    /* (N) */
    const float *codes;         /* (codes, 1 + Q) of all motions */
    const float *swell_shapes;  /* (motions, Q, F) */
    const int64_t *first_code;  /* (motions) */
    const double *last_code, *code_loop, *code_rate; /* (motions) */
    const float *modes;         /* (motions, MODES) */
    const int64_t *correction_row; /* (motions), of the following */
    const double *moments;      /* (moment_count), in seconds */
    const float *correction_courses; /* (rows, moment_count, K) */
    const float *corrections;   /* (rows, K, P + F) */
    const float *correction_totals; /* (rows, moment_count, 2), whether total levels are known, and what they are */
    const double *clock_ends;   /* (rows), ages in seconds at which the clock of the growth stops, maybe never */
    const float *lobe;          /* (lobe_size), power of a main lobe */
    const float *noise;         /* (noise_rows, hop + 1, 2), spectra */
    const float *noise_window;  /* (2 hop) */
    const float *onset_amplitude, *onset_magnitude; /* (onset_frames), factors */
    const float *window;        /* (n_fft), of the search for phases */
    const float *tail_window;   /* (n_fft), of its synthesis */
} Model;

/* Hops of V voices, in arrays that live as long as the call. */
typedef struct Call {
    int64_t voices, rounds, first, last, found;
    const int64_t *jobs;        /* (V, JOB) */
    const uint64_t *seeds;      /* (V), of voices that start */
    double *facts;              /* (V, FACTS) */
    const double *controls;     /* (R, V, CONTROLS) */
    double *pitch, *planted, *f0_hz; /* (R, V) */
    float *age_s, *release_age_s;    /* (R, V) */
    const double *journey;      /* (R, V, JOURNEY), or none where no voice morphs; the following are as well */
    const double *corners;      /* (V, CORNERS, 2), rows of motions and their paces */
    const float *mask;          /* (R, V, F), or none where every cell fires */
    const float *life;          /* (R, V), or none */
    float *audio;               /* (V, rounds * hop) */
    float *peaks;               /* (V, rounds) */
    int64_t *alive;             /* (R, V) */
    int64_t *broken;            /* (V), first frame that is not finite, -1 for none */
} Call;

/* The lines of a reverb, with room (lines, size) for what enters them. */
typedef struct Reverb {
    int64_t size;
    double damping;
    const int64_t *delays; /* (lines) */
    const float *matrix, *in, *out; /* (lines, lines), (lines), (2, lines) */
    float *lines, *before, *entering;
} Reverb;

/* Genes and grids by slot, where the engine keeps them. */
typedef struct Genes {
    float *grid;  /* (S, F, C) */
    float *cell;  /* (S, H, F) */
    float *rates; /* (S, 4, F) */
    float *bin;   /* (S, N, U) */
} Genes;

#endif
