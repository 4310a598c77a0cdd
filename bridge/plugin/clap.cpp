// TNCA Synth as a CLAP plugin. Hosts send MIDI as it is, or notes of CLAP's own.
#include "instance.hpp"

#include "clap/entry.h"
#include "clap/ext/audio-ports.h"
#include "clap/ext/latency.h"
#include "clap/ext/note-ports.h"
#include "clap/ext/params.h"
#include "clap/ext/state.h"
#include "clap/plugin-factory.h"
#include "clap/plugin.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <new>

// Two extensions that older headers lack.
extern "C" {
typedef struct clap_plugin_render_of_1_0 {
    bool(CLAP_ABI *has_hard_realtime_requirement)(const clap_plugin_t *plugin);
    bool(CLAP_ABI *set)(const clap_plugin_t *plugin, int32_t mode); // 0 real time, 1 offline
} clap_plugin_render_of_1_0;
typedef struct clap_plugin_tail_of_1_0 {
    uint32_t(CLAP_ABI *get)(const clap_plugin_t *plugin);
} clap_plugin_tail_of_1_0;
}

namespace {

using tnca::Instance;
using tnca::Message;

struct Plugin {
    clap_plugin_t clap;
    const clap_host_t *host;
    Instance instance;
    double sample_rate = 44100;
    uint32_t max_block = 1024;
    bool offline = false;
    float reported[tnca::num_all_parameters] = {};
};

Plugin &of(const clap_plugin_t *plugin) { return *static_cast<Plugin *>(plugin->plugin_data); }
int seven_bits(double value) { return static_cast<int>(std::lround(std::fmin(std::fmax(value, 0), 1) * 127)); }

// ---- Events -------------------------------------------------------------------------------------------------------------

void take_note(Instance &instance, const clap_event_note_t &note) {
    Message message;
    const int channel = note.channel < 0 ? 0 : note.channel & 15;
    if (note.header.type == CLAP_EVENT_NOTE_ON)
        message.set(0x90 | channel, note.key, std::max(1, seven_bits(note.velocity)));
    else if (note.key < 0)
        message.set(0xB0 | channel, note.header.type == CLAP_EVENT_NOTE_CHOKE ? 120 : 123, 0);
    else
        message.set(0x80 | channel, note.key, seven_bits(note.velocity));
    instance.play(note.header.time, 0, message);
}

void take_event(Instance &instance, const clap_event_header_t *header) {
    if (header->space_id != CLAP_CORE_EVENT_SPACE_ID) return;
    const void *event = header;
    switch (header->type) {
    case CLAP_EVENT_NOTE_ON:
    case CLAP_EVENT_NOTE_OFF:
    case CLAP_EVENT_NOTE_CHOKE:
        return take_note(instance, *static_cast<const clap_event_note_t *>(event));
    case CLAP_EVENT_NOTE_EXPRESSION: {
        const auto &expression = *static_cast<const clap_event_note_expression_t *>(event);
        if (expression.expression_id != CLAP_NOTE_EXPRESSION_PRESSURE || expression.key < 0) return;
        Message message;
        message.set(0xA0 | (expression.channel & 15), expression.key, seven_bits(expression.value));
        return instance.play(header->time, 0, message);
    }
    case CLAP_EVENT_MIDI: {
        const auto &midi = *static_cast<const clap_event_midi_t *>(event);
        const int kind = midi.data[0] & 0xF0;
        const uint32_t size = kind == 0xC0 || kind == 0xD0 ? 2 : 3;
        return instance.play_long(header->time, 0, midi.data, midi.data[0] >= 0xF8 ? 1 : size);
    }
    case CLAP_EVENT_MIDI_SYSEX: {
        const auto &sysex = *static_cast<const clap_event_midi_sysex_t *>(event);
        return instance.play_exclusive(header->time, 0, sysex.buffer, sysex.size);
    }
    case CLAP_EVENT_PARAM_VALUE: {
        const auto &change = *static_cast<const clap_event_param_value_t *>(event);
        if (change.param_id < tnca::num_parameters())
            instance.change(header->time, 0, change.param_id, change.value);
        return;
    }
    default:
        return;
    }
}

void take_events(Instance &instance, const clap_input_events_t *events) {
    const uint32_t count = events ? events->size(events) : 0;
    for (uint32_t i = 0; i < count; ++i) take_event(instance, events->get(events, i));
}

void report_outputs(Plugin &plugin, const clap_output_events_t *events) {
    if (!events) return;
    for (uint32_t index = 0; index < tnca::num_parameters(); ++index) {
        if (!tnca::parameter(index).is_output) continue;
        const float value = plugin.instance.value(index);
        if (value == plugin.reported[index]) continue;
        plugin.reported[index] = value;
        clap_event_param_value_t event = {};
        event.header = {sizeof event, 0, CLAP_CORE_EVENT_SPACE_ID, CLAP_EVENT_PARAM_VALUE, 0};
        event.param_id = index;
        event.note_id = event.port_index = event.channel = event.key = -1;
        event.value = value;
        events->try_push(events, &event.header);
    }
}

// ---- Plugin -------------------------------------------------------------------------------------------------------------

bool CLAP_ABI init(const clap_plugin_t *) { return true; }
void CLAP_ABI destroy(const clap_plugin_t *plugin) { delete &of(plugin); }

bool CLAP_ABI activate(const clap_plugin_t *clap, double sample_rate, uint32_t, uint32_t max_frames) {
    Plugin &plugin = of(clap);
    plugin.sample_rate = sample_rate;
    plugin.max_block = max_frames;
    plugin.instance.activate(sample_rate, max_frames, plugin.offline);
    return true;
}
void CLAP_ABI deactivate(const clap_plugin_t *plugin) { of(plugin).instance.deactivate(); }
bool CLAP_ABI start_processing(const clap_plugin_t *) { return true; }
void CLAP_ABI stop_processing(const clap_plugin_t *plugin) { of(plugin).instance.rest(); }
void CLAP_ABI reset(const clap_plugin_t *plugin) { of(plugin).instance.restart(); }
void CLAP_ABI on_main_thread(const clap_plugin_t *) {}

void follow_transport(Plugin &plugin, const clap_event_transport_t *transport) {
    if (!transport) return;
    const bool has_seconds = transport->flags & CLAP_TRANSPORT_HAS_SECONDS_TIMELINE;
    const double seconds = static_cast<double>(transport->song_pos_seconds) / CLAP_SECTIME_FACTOR;
    plugin.instance.transport(transport->flags & CLAP_TRANSPORT_IS_PLAYING, has_seconds,
                              std::llround(seconds * plugin.sample_rate));
}

clap_process_status CLAP_ABI process(const clap_plugin_t *clap, const clap_process_t *block) {
    Plugin &plugin = of(clap);
    follow_transport(plugin, block->transport);
    take_events(plugin.instance, block->in_events);
    float *left = nullptr, *right = nullptr;
    if (block->audio_outputs_count && block->audio_outputs[0].data32) {
        clap_audio_buffer_t &output = block->audio_outputs[0];
        if (output.channel_count > 0) left = output.data32[0];
        if (output.channel_count > 1) right = output.data32[1];
    }
    if (block->frames_count)
        plugin.instance.process(left, right, block->frames_count);
    else
        plugin.instance.apply_changes();
    if (block->audio_outputs_count) block->audio_outputs[0].constant_mask = plugin.instance.is_silent() ? 3 : 0;
    report_outputs(plugin, block->out_events);
    return CLAP_PROCESS_CONTINUE;
}

// ---- Extensions ---------------------------------------------------------------------------------------------------------

uint32_t CLAP_ABI count_audio_ports(const clap_plugin_t *, bool is_input) { return is_input ? 0 : 1; }
bool CLAP_ABI get_audio_port(const clap_plugin_t *, uint32_t index, bool is_input, clap_audio_port_info_t *info) {
    if (is_input || index) return false;
    std::memset(info, 0, sizeof *info);
    std::snprintf(info->name, sizeof info->name, "Output");
    info->flags = CLAP_AUDIO_PORT_IS_MAIN;
    info->channel_count = 2;
    info->port_type = CLAP_PORT_STEREO;
    info->in_place_pair = CLAP_INVALID_ID;
    return true;
}
const clap_plugin_audio_ports_t audio_ports = {count_audio_ports, get_audio_port};

uint32_t CLAP_ABI count_note_ports(const clap_plugin_t *, bool is_input) { return is_input ? 1 : 0; }
bool CLAP_ABI get_note_port(const clap_plugin_t *, uint32_t index, bool is_input, clap_note_port_info_t *info) {
    if (!is_input || index) return false;
    std::memset(info, 0, sizeof *info);
    info->supported_dialects = CLAP_NOTE_DIALECT_MIDI | CLAP_NOTE_DIALECT_MIDI_MPE | CLAP_NOTE_DIALECT_CLAP;
    info->preferred_dialect = CLAP_NOTE_DIALECT_MIDI;
    std::snprintf(info->name, sizeof info->name, "MIDI");
    return true;
}
const clap_plugin_note_ports_t note_ports = {count_note_ports, get_note_port};

uint32_t CLAP_ABI count_parameters(const clap_plugin_t *) { return tnca::num_parameters(); }
bool CLAP_ABI get_parameter(const clap_plugin_t *, uint32_t index, clap_param_info_t *info) {
    if (index >= tnca::num_parameters()) return false;
    const tnca::Parameter &parameter = tnca::parameter(index);
    std::memset(info, 0, sizeof *info);
    info->id = index;
    info->flags = parameter.is_output ? CLAP_PARAM_IS_READONLY : CLAP_PARAM_IS_AUTOMATABLE;
    if (parameter.is_whole) info->flags |= CLAP_PARAM_IS_STEPPED;
    if (parameter.is_bypass) info->flags |= CLAP_PARAM_IS_BYPASS;
    std::snprintf(info->name, sizeof info->name, "%s", parameter.name);
    info->min_value = parameter.minimum;
    info->max_value = parameter.maximum;
    info->default_value = parameter.initial;
    return true;
}
bool CLAP_ABI get_value(const clap_plugin_t *plugin, clap_id id, double *value) {
    if (id >= tnca::num_parameters()) return false;
    *value = of(plugin).instance.value(id);
    return true;
}
bool CLAP_ABI value_to_text(const clap_plugin_t *plugin, clap_id id, double value, char *text, uint32_t size) {
    if (id >= tnca::num_parameters()) return false;
    of(plugin).instance.text(id, value, text, size);
    return true;
}
bool CLAP_ABI text_to_value(const clap_plugin_t *plugin, clap_id id, const char *text, double *value) {
    return id < tnca::num_parameters() && of(plugin).instance.value_of_text(id, text, *value);
}
void CLAP_ABI flush(const clap_plugin_t *clap, const clap_input_events_t *in, const clap_output_events_t *out) {
    Plugin &plugin = of(clap);
    take_events(plugin.instance, in);
    plugin.instance.apply_changes();
    report_outputs(plugin, out);
}
const clap_plugin_params_t params = {count_parameters, get_parameter, get_value, value_to_text, text_to_value, flush};

bool CLAP_ABI save(const clap_plugin_t *plugin, const clap_ostream_t *stream) {
    const std::string text = of(plugin).instance.save();
    for (size_t done = 0; done < text.size();) {
        const int64_t count = stream->write(stream, text.data() + done, text.size() - done);
        if (count <= 0) return false;
        done += static_cast<size_t>(count);
    }
    return true;
}
bool CLAP_ABI load(const clap_plugin_t *clap, const clap_istream_t *stream) {
    std::string text;
    char buffer[4096];
    while (text.size() < tnca::max_state_bytes) {
        const int64_t count = stream->read(stream, buffer, sizeof buffer);
        if (count < 0) return false;
        if (count == 0) break;
        text.append(buffer, static_cast<size_t>(count));
    }
    Plugin &plugin = of(clap);
    if (!plugin.instance.restore(text)) return false;
    const auto *host = static_cast<const clap_host_params_t *>(plugin.host->get_extension(plugin.host, CLAP_EXT_PARAMS));
    if (host) host->rescan(plugin.host, CLAP_PARAM_RESCAN_VALUES);
    return true;
}
const clap_plugin_state_t state = {save, load};

uint32_t CLAP_ABI get_latency(const clap_plugin_t *plugin) {
    return Instance::latency(of(plugin).sample_rate, of(plugin).max_block);
}
const clap_plugin_latency_t latency = {get_latency};

bool CLAP_ABI needs_real_time(const clap_plugin_t *) { return false; }
bool CLAP_ABI set_render_mode(const clap_plugin_t *clap, int32_t mode) {
    of(clap).offline = mode == 1;
    of(clap).instance.set_offline(mode == 1);
    return true;
}
const clap_plugin_render_of_1_0 render = {needs_real_time, set_render_mode};

uint32_t CLAP_ABI get_tail(const clap_plugin_t *) { return INT32_MAX; } // endless
const clap_plugin_tail_of_1_0 tail = {get_tail};

const void *CLAP_ABI get_extension(const clap_plugin_t *, const char *id) {
    const struct {
        const char *id;
        const void *extension;
    } known[] = {{CLAP_EXT_AUDIO_PORTS, &audio_ports}, {CLAP_EXT_NOTE_PORTS, &note_ports}, {CLAP_EXT_PARAMS, &params},
                 {CLAP_EXT_STATE, &state},             {CLAP_EXT_LATENCY, &latency},       {"clap.render", &render},
                 {"clap.tail", &tail}};
    for (const auto &one : known)
        if (!std::strcmp(one.id, id)) return one.extension;
    return nullptr;
}

// ---- Factory ------------------------------------------------------------------------------------------------------------

const char *features[] = {CLAP_PLUGIN_FEATURE_INSTRUMENT, CLAP_PLUGIN_FEATURE_SYNTHESIZER, CLAP_PLUGIN_FEATURE_STEREO,
                          nullptr};
const clap_plugin_descriptor_t descriptor = {
    CLAP_VERSION_INIT, "tnca-synth.synth", tnca::name, tnca::vendor, tnca::homepage, "", "", tnca::version,
    "A neural instrument: cellular automata grow every note", features};

uint32_t CLAP_ABI count_plugins(const clap_plugin_factory_t *) { return 1; }
const clap_plugin_descriptor_t *CLAP_ABI get_descriptor(const clap_plugin_factory_t *, uint32_t index) {
    return index ? nullptr : &descriptor;
}
const clap_plugin_t *CLAP_ABI create(const clap_plugin_factory_t *, const clap_host_t *host, const char *id) {
    if (!host || std::strcmp(id, descriptor.id)) return nullptr;
    auto *plugin = new (std::nothrow) Plugin;
    if (!plugin) return nullptr;
    plugin->host = host;
    plugin->clap = {&descriptor,      plugin, init,    destroy,       activate,      deactivate, start_processing,
                    stop_processing, reset,  process, get_extension, on_main_thread};
    return &plugin->clap;
}
const clap_plugin_factory_t factory = {count_plugins, get_descriptor, create};

bool CLAP_ABI enter(const char *) { return true; }
void CLAP_ABI leave() {}
const void *CLAP_ABI get_factory(const char *id) { return std::strcmp(id, CLAP_PLUGIN_FACTORY_ID) ? nullptr : &factory; }

} // namespace

extern "C" CLAP_EXPORT const clap_plugin_entry_t clap_entry = {CLAP_VERSION_INIT, enter, leave, get_factory};
