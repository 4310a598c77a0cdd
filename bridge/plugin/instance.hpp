// One plugin in its host, whatever the format: its parameters, the messages of a block in order, and the client that
// plays them.
//
// Threads: functions marked "audio" belong to the host's audio thread; they do not allocate, lock or open anything.
// All others are for the host's main thread.
#pragma once

#include "client.h"

#include <atomic>
#include <cstdint>
#include <string>

namespace tnca {

constexpr char name[] = "TNCA Synth";
constexpr char vendor[] = "tnca-synth";
constexpr char homepage[] = "";
constexpr char version[] = TNCA_VERSION;
constexpr size_t max_state_bytes = 1 << 20;

// Behind the parameters that the engine has come those of the plugin alone.
enum : uint32_t {
    instrument_parameter = TNCA_PARAMETER_INSTRUMENT,
    bypass_parameter = TNCA_NUM_PARAMETERS,
    engine_parameter, // outputs from here on
    voices_parameter,
    load_parameter,
    late_parameter,
    latency_parameter,
    num_all_parameters
};
constexpr uint32_t num_parameters() { return num_all_parameters; }

struct Parameter {
    const char *symbol, *name, *unit;
    double minimum, maximum, initial;
    bool is_whole, is_list, is_bypass, is_output;
    int num_steps() const { return is_whole ? static_cast<int>(maximum - minimum) : 0; }
};
const Parameter &parameter(uint32_t index);
double normalised(uint32_t index, double plain); // 0..1
double plain(uint32_t index, double normalised);

// What the engine is told of one event in a block. Bytes of long messages lie in the instance's store.
struct Message {
    uint32_t size = 0;
    uint8_t data[3] = {};
    void set(int status, int first) { store(2, status, first, 0); }
    void set(int status, int first, int second) { store(3, status, first, second); }

  private:
    void store(uint32_t count, int status, int first, int second);
};

class Instance {
  public:
    Instance();
    ~Instance();
    Instance(const Instance &) = delete;
    Instance &operator=(const Instance &) = delete;

    void activate(double sample_rate, uint32_t max_block, bool offline);
    void deactivate();
    bool is_active() const { return max_block_ != 0; }
    static uint32_t latency(double sample_rate, uint32_t max_block);

    std::string save();
    bool restore(const std::string &state);
    void text(uint32_t index, double value, char *text, size_t size);
    bool value_of_text(uint32_t index, const char *text, double &value);

    // Any thread.
    float value(uint32_t index) const;
    void set(uint32_t index, double value);
    void set_offline(bool offline) { offline_ = offline; }

    // Audio. `frame` is within the block to come; at one frame, lower ranks come first, then what was told first.
    void play(uint32_t frame, int rank, const Message &message) { add(frame, rank, message.data, message.size); }
    void play_long(uint32_t frame, int rank, const uint8_t *data, uint32_t size) { add(frame, rank, data, size); }
    // A system exclusive message, with or without the bytes F0 and F7 around it.
    void play_exclusive(uint32_t frame, int rank, const uint8_t *data, uint32_t size);
    void change(uint32_t frame, int rank, uint32_t index, double value);
    void apply_changes(); // of a block without frames
    void restart();       // sounds end, and time begins anew, with channels as at power-up
    void rest();          // the same, but channels stay as they are: the host goes on later
    // Where the transport stands: notes that a jump or a stop leaves behind are released.
    void transport(bool is_playing, bool has_position, int64_t frame);
    void process(float *left, float *right, uint32_t num_frames); // either may be null
    bool is_silent() const { return silent_; }                    // the last block

  private:
    struct Entry {
        uint64_t order; // frame, rank and number: no two are equal
        uint32_t frame, offset, size;
        uint32_t parameter; // an index, or `no_parameter` for a message
        double value;
    };
    static constexpr uint32_t no_parameter = 0xFFFFFFFF;
    static constexpr uint32_t max_entries = 16384;
    static constexpr uint32_t max_bytes = 1 << 18;

    Entry *next_entry(uint32_t frame, int rank);
    void add(uint32_t frame, int rank, const uint8_t *data, uint32_t size);
    uint32_t gather(uint32_t begin, uint32_t end, bool is_last);
    bool is_bypassed() const { return bypass_ > 0.5f; }
    void read_meters(uint32_t num_frames);

    tnca_client *client_;
    std::atomic<bool> offline_{false};
    std::atomic<float> bypass_{0};
    std::atomic<float> outputs_[num_all_parameters - engine_parameter] = {};
    double sample_rate_ = 44100;
    uint32_t max_block_ = 0; // 0: not active
    bool is_sorted_ = true, was_bypassed_ = false, silent_ = true;
    bool was_playing_ = false, had_position_ = false, ran_ahead_ = false;
    int64_t next_position_ = 0;
    uint32_t num_entries_ = 0, num_bytes_ = 0, next_entry_ = 0, num_messages_ = 0, frames_to_meters_ = 0;
    Entry *entries_;
    tnca_midi *messages_;
    uint8_t *bytes_;
    float *unheard_; // where a host gives no place for a channel
};

} // namespace tnca
