#include "instance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace tnca {

// By this line in a library `tnca-synth plugin doctor` knows its version.
__attribute__((used)) extern const char mark[] = "tnca-synth plugin " TNCA_VERSION "\n";

namespace {

constexpr uint32_t ready_in_ms = 15000; // how long an offline host waits for an engine that starts
constexpr double meters_every_s = 0.05;
constexpr uint32_t change_grain = 32; // frames; a block is played in pieces where parameters change within it

const char *const engine_states[] = {"inactive",      "starting", "running",       "overloaded",
                                     "not answering", "missing",  "other version", "failed"};
constexpr int num_states = sizeof engine_states / sizeof *engine_states;

struct Table {
    Parameter rows[num_all_parameters];
    Table() {
        for (uint32_t index = 0; index < TNCA_NUM_PARAMETERS; ++index) {
            const tnca_parameter &one = tnca_parameters[index];
            rows[index] = {one.symbol, one.name, one.unit, one.low, one.high, one.initial, one.is_whole != 0,
                           one.num_choices > 0, false, false};
        }
        rows[bypass_parameter] = {"bypass", "Bypass", "", 0, 1, 0, true, true, true, false};
        rows[engine_parameter] = {"engine", "Engine", "", 0, num_states - 1, 0, true, true, false, true};
        rows[voices_parameter] = {"voices", "Voices", "", 0, 1024, 0, true, false, false, true};
        rows[load_parameter] = {"load", "Load", "%", 0, 400, 0, false, false, false, true};
        rows[late_parameter] = {"late", "Late blocks", "", 0, 1000000, 0, true, false, false, true};
        rows[latency_parameter] = {"latency", "Latency", "ms", 0, 10000, 0, false, false, false, true};
    }
};

const Table &table() {
    static const Table one;
    return one;
}

double clip(double value, double low, double high) { return value < low ? low : value > high ? high : value; }

} // namespace

const Parameter &parameter(uint32_t index) { return table().rows[index]; }

double normalised(uint32_t index, double plain) {
    const Parameter &one = parameter(index);
    return clip((plain - one.minimum) / (one.maximum - one.minimum), 0, 1);
}

double plain(uint32_t index, double normalised) {
    const Parameter &one = parameter(index);
    const double value = one.minimum + clip(normalised, 0, 1) * (one.maximum - one.minimum);
    return one.is_whole ? std::round(value) : value;
}

void Message::store(uint32_t count, int status, int first, int second) {
    size = count;
    data[0] = static_cast<uint8_t>(status);
    data[1] = static_cast<uint8_t>(clip(first, 0, 127));
    data[2] = static_cast<uint8_t>(clip(second, 0, 127));
}

Instance::Instance()
    : client_(tnca_client_new()), entries_(new Entry[max_entries]), messages_(new tnca_midi[max_entries]),
      bytes_(new uint8_t[max_bytes]), unheard_(new float[TNCA_MAX_BLOCK]) {}

Instance::~Instance() {
    deactivate();
    tnca_client_free(client_);
    delete[] entries_;
    delete[] messages_;
    delete[] bytes_;
    delete[] unheard_;
}

uint32_t Instance::latency(double sample_rate, uint32_t max_block) {
    return TNCA_LATENCY(static_cast<uint32_t>(std::lround(sample_rate)), max_block);
}

void Instance::activate(double sample_rate, uint32_t max_block, bool offline) {
    deactivate();
    offline_ = offline;
    num_entries_ = num_bytes_ = next_entry_ = frames_to_meters_ = 0;
    is_sorted_ = true;
    had_position_ = was_playing_ = ran_ahead_ = false;
    max_block = std::min<uint32_t>(max_block, TNCA_MAX_BLOCK);
    const auto rate = static_cast<uint32_t>(std::lround(sample_rate));
    if (!client_ || tnca_client_activate(client_, rate, max_block, offline ? ready_in_ms : 0) != 0) return;
    sample_rate_ = sample_rate;
    max_block_ = max_block;
    outputs_[latency_parameter - engine_parameter] =
        static_cast<float>(1000.0 * tnca_client_latency(client_) / sample_rate);
}

void Instance::deactivate() {
    if (max_block_) tnca_client_deactivate(client_);
    max_block_ = 0;
    outputs_[0] = TNCA_INACTIVE;
    outputs_[voices_parameter - engine_parameter] = 0;
}

// The plugin's own parameter stands in a line before the client's state.
std::string Instance::save() {
    std::string state = is_bypassed() ? "bypass 1\n" : "bypass 0\n";
    if (char *text = client_ ? tnca_client_save(client_) : nullptr) {
        state += text;
        std::free(text);
    }
    return state;
}

bool Instance::restore(const std::string &state) {
    const size_t line = state.find('\n');
    if (!client_ || line == std::string::npos || state.compare(0, 7, "bypass ") != 0) return false;
    if (tnca_client_load(client_, state.c_str() + line + 1) != 0) return false;
    bypass_ = state[7] == '1' ? 1.0f : 0.0f;
    return true;
}

void Instance::text(uint32_t index, double value, char *text, size_t size) {
    const Parameter &one = parameter(index);
    value = clip(value, one.minimum, one.maximum);
    if (index < TNCA_NUM_PARAMETERS && client_)
        tnca_client_parameter_text(client_, index, static_cast<float>(value), text, size);
    else if (index == bypass_parameter)
        std::snprintf(text, size, "%s", value > 0.5 ? "on" : "off");
    else if (index == engine_parameter)
        std::snprintf(text, size, "%s", engine_states[static_cast<int>(value)]);
    else
        std::snprintf(text, size, one.is_whole ? "%.0f" : "%.1f", value);
}

bool Instance::value_of_text(uint32_t index, const char *text, double &value) {
    if (index < TNCA_NUM_PARAMETERS) {
        float found = 0;
        if (!client_ || tnca_client_parameter_value(client_, index, text, &found) != 0) return false;
        value = found;
        return true;
    }
    if (index == bypass_parameter && (!std::strcmp(text, "on") || !std::strcmp(text, "off"))) {
        value = text[1] == 'n';
        return true;
    }
    char *end = nullptr;
    value = std::strtod(text, &end);
    return end != text;
}

float Instance::value(uint32_t index) const {
    if (index < TNCA_NUM_PARAMETERS) return client_ ? tnca_client_parameter(client_, index) : tnca_parameters[index].initial;
    return index == bypass_parameter ? bypass_.load() : outputs_[index - engine_parameter].load();
}

void Instance::set(uint32_t index, double value) {
    if (index < TNCA_NUM_PARAMETERS) {
        if (client_) tnca_client_set_parameter(client_, index, static_cast<float>(value));
    } else if (index == bypass_parameter) {
        bypass_ = value > 0.5 ? 1.0f : 0.0f;
    }
}

Instance::Entry *Instance::next_entry(uint32_t frame, int rank) {
    if (num_entries_ == max_entries) return nullptr;
    Entry *entry = entries_ + num_entries_;
    frame = std::min<uint32_t>(frame, TNCA_MAX_BLOCK);
    entry->order = static_cast<uint64_t>(frame) << 44 | static_cast<uint64_t>(rank) << 20 | num_entries_;
    entry->frame = frame;
    if (num_entries_ && entry->order < entry[-1].order) is_sorted_ = false;
    ++num_entries_;
    return entry;
}

void Instance::add(uint32_t frame, int rank, const uint8_t *data, uint32_t size) {
    if (!size || size > max_bytes - num_bytes_) return;
    Entry *entry = next_entry(frame, rank);
    if (!entry) return;
    std::memcpy(bytes_ + num_bytes_, data, size);
    entry->offset = num_bytes_;
    entry->size = size;
    entry->parameter = no_parameter;
    num_bytes_ += size;
}

void Instance::play_exclusive(uint32_t frame, int rank, const uint8_t *data, uint32_t size) {
    if (!size || size > max_bytes - 2) return;
    const bool has_begin = data[0] == 0xF0, has_end = data[size - 1] == 0xF7;
    const uint32_t whole = size + !has_begin + !has_end;
    if (whole > max_bytes - num_bytes_) return;
    uint8_t *place = bytes_ + num_bytes_;
    place[0] = 0xF0;
    std::memcpy(place + !has_begin, data, size);
    place[whole - 1] = 0xF7;
    if (Entry *entry = next_entry(frame, rank)) {
        *entry = {entry->order, entry->frame, num_bytes_, whole, no_parameter, 0};
        num_bytes_ += whole;
    }
}

void Instance::change(uint32_t frame, int rank, uint32_t index, double value) {
    if (parameter(index).is_output) return;
    if (Entry *entry = next_entry(frame / change_grain * change_grain, rank)) {
        entry->parameter = index;
        entry->value = value;
    }
}

void Instance::apply_changes() {
    for (; next_entry_ < num_entries_; ++next_entry_)
        if (entries_[next_entry_].parameter != no_parameter)
            set(entries_[next_entry_].parameter, entries_[next_entry_].value);
    num_entries_ = num_bytes_ = next_entry_ = 0;
    is_sorted_ = true;
}

void Instance::restart() {
    if (max_block_) tnca_client_restart(client_);
    had_position_ = was_playing_ = ran_ahead_ = false;
}

void Instance::rest() {
    if (max_block_) tnca_client_rewind(client_);
    had_position_ = was_playing_ = ran_ahead_ = false;
}

void Instance::transport(bool is_playing, bool has_position, int64_t frame) {
    const bool jumped = is_playing && was_playing_ && has_position && had_position_ && std::llabs(frame - next_position_) > 1;
    // A bounce begins: what is played from here on is the same each time, and the same as a render. Hosts that make up
    // for the latency let an instrument run ahead, so that the song begins before the transport does.
    const bool runs_ahead = has_position && frame == -static_cast<int64_t>(tnca_client_latency(client_));
    const bool begins = runs_ahead || (is_playing && !was_playing_ && !ran_ahead_);
    if (max_block_ && offline_ && begins) tnca_client_rewind(client_);
    ran_ahead_ = offline_ && (runs_ahead || (ran_ahead_ && !was_playing_));
    if (max_block_ && (jumped || (was_playing_ && !is_playing))) tnca_client_release(client_);
    was_playing_ = is_playing;
    had_position_ = has_position;
    next_position_ = frame;
}

// Take what happens from `begin` on, up to where parameters change or `end`; return where that is.
uint32_t Instance::gather(uint32_t begin, uint32_t end, bool is_last) {
    num_messages_ = 0;
    for (; next_entry_ < num_entries_; ++next_entry_) {
        const Entry &entry = entries_[next_entry_];
        if (entry.frame >= end && !is_last) break;
        if (entry.parameter != no_parameter) {
            if (entry.frame > begin && entry.frame < end) return entry.frame;
            set(entry.parameter, entry.value);
            continue;
        }
        const uint8_t *data = bytes_ + entry.offset;
        if (is_bypassed() && (data[0] & 0xF0) == 0x90) continue;
        const uint32_t frame = entry.frame < begin ? begin : std::min(entry.frame, end - 1);
        messages_[num_messages_++] = {frame - begin, entry.size, data};
    }
    return end;
}

void Instance::process(float *left, float *right, uint32_t num_frames) {
    if (!left) left = unheard_;
    if (!right) right = unheard_;
    if (!is_sorted_)
        std::sort(entries_, entries_ + num_entries_, [](const Entry &a, const Entry &b) { return a.order < b.order; });
    next_entry_ = 0;
    for (uint32_t begin = 0, end; max_block_ && begin < num_frames; begin = end) {
        end = std::min(num_frames, begin + max_block_); // some hosts ask for more than they said
        end = gather(begin, end, end == num_frames);
        if (is_bypassed() && !was_bypassed_) tnca_client_release(client_);
        was_bypassed_ = is_bypassed();
        tnca_client_process(client_, messages_, num_messages_, left + begin, right + begin, end - begin, offline_);
    }
    apply_changes();
    if (!max_block_ || was_bypassed_) {
        std::memset(left, 0, num_frames * sizeof *left);
        std::memset(right, 0, num_frames * sizeof *right);
    }
    silent_ = true;
    for (uint32_t k = 0; k < num_frames && silent_; ++k) silent_ = left[k] == 0 && right[k] == 0;
    if (was_playing_) next_position_ += num_frames;
    if (max_block_) read_meters(num_frames);
}

void Instance::read_meters(uint32_t num_frames) {
    if (frames_to_meters_ > num_frames) {
        frames_to_meters_ -= num_frames;
        return;
    }
    frames_to_meters_ = static_cast<uint32_t>(sample_rate_ * meters_every_s);
    tnca_meters meters;
    tnca_client_meters(client_, &meters);
    outputs_[0] = static_cast<float>(meters.state);
    outputs_[voices_parameter - engine_parameter] = static_cast<float>(std::min<uint32_t>(meters.voices, 1024));
    outputs_[load_parameter - engine_parameter] = std::fmin(100.0f * meters.load, 400.0f);
    outputs_[late_parameter - engine_parameter] =
        static_cast<float>(std::min<uint64_t>(meters.late_blocks, 1000000));
}

} // namespace tnca
