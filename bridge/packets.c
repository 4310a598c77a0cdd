/* What the engine says to a client, checked and carried out. Worker thread. */
#include "worker.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static tnca_bell *map_bell(int memory, int descriptor) {
    struct stat facts;
    int seals = fcntl(memory, F_GET_SEALS);
    if (fstat(memory, &facts) || facts.st_size < (off_t)sizeof(tnca_doorbell) || seals < 0 || !(seals & F_SEAL_SHRINK))
        return NULL;
    tnca_doorbell *page = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    tnca_bell *bell = page == MAP_FAILED ? NULL : calloc(1, sizeof *bell);
    if (!bell)
        return NULL;
    *bell = (tnca_bell){page, descriptor, 1};
    fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
    return bell;
}

static bool be_welcome(worker *self, const tnca_hello *hello, int descriptors[2]) {
    if (self->phase != GREETING || descriptors[0] < 0 || descriptors[1] < 0)
        return false;
    self->bell = map_bell(descriptors[0], descriptors[1]);
    if (!self->bell)
        return false;
    close(descriptors[0]);
    descriptors[0] = descriptors[1] = -1;
    tnca_know_process(self, (pid_t)hello->pid);
    tnca_close_end(&self->messages);
    self->phase = UP;
    self->pause_ms = 0;
    self->up_ms = self->beat_ms = tnca_now_ms();
    pthread_mutex_lock(&self->client->lock);
    tnca_copy_text(self->client->engine, sizeof self->client->engine, hello->version);
    pthread_mutex_unlock(&self->client->lock);
    return !tnca_packet_send(self->socket, TNCA_PACKET_LIST, NULL, 0, NULL, 0);
}

static bool be_refused(worker *self, const tnca_hello *hello) {
    char text[TNCA_TEXT];
    snprintf(text, sizeof text, "the engine (%.40s) speaks version %u of the protocol, this plugin version %u: install "
             "the plugin again", hello->version, hello->protocol, TNCA_PROTOCOL);
    tnca_give_up(self, TNCA_OTHER_VERSION, text);
    return true;
}

static bool be_attached(worker *self, const tnca_text *text) {
    tnca_client *client = self->client;
    if (!self->line || !self->is_attached || self->is_ready)
        return !text->text[0]; /* the answer to a link that was left meanwhile */
    if (text->text[0]) {
        tnca_give_up(self, TNCA_FAILED, text->text);
        return true;
    }
    pthread_mutex_lock(&client->lock);
    bool is_wanted = client->wishes.is_active && client->wishes.generation == self->generation;
    pthread_mutex_unlock(&client->lock);
    if (!is_wanted)
        return true;
    self->is_ready = true;
    self->beat_ms = tnca_now_ms();
    tnca_line *former = atomic_exchange(&client->offered, self->line);
    if (former)
        tnca_free_line(self, former);
    pthread_mutex_lock(&client->lock);
    client->ready_generation = self->generation;
    pthread_mutex_unlock(&client->lock);
    tnca_tell(self, TNCA_RUNNING, "");
    return true;
}

static bool be_listed(worker *self, const tnca_list *list, uint32_t size) {
    const tnca_instrument *given = (const tnca_instrument *)(list + 1);
    if (list->total > TNCA_MAX_INSTRUMENTS || list->first > list->total || list->count > list->total - list->first ||
        size != sizeof *list + list->count * sizeof *given || (list->first != 0 && list->first != self->listed))
        return false;
    memcpy(self->list + list->first, given, list->count * sizeof *given);
    self->listed = list->first + list->count;
    for (uint32_t index = list->first; index < self->listed; index++) {
        self->list[index].name[TNCA_NAME - 1] = self->list[index].hash[TNCA_HASH - 1] = 0;
        if (self->list[index].value > TNCA_MAX_INSTRUMENTS)
            return false;
    }
    if (self->listed < list->total)
        return true;
    tnca_instrument *copy = malloc((list->total + 1) * sizeof *copy);
    if (!copy)
        return true;
    memcpy(copy, self->list, list->total * sizeof *copy);
    pthread_mutex_lock(&self->client->lock);
    free(self->client->instruments);
    self->client->instruments = copy;
    self->client->num_instruments = list->total;
    pthread_mutex_unlock(&self->client->lock);
    atomic_fetch_add(&self->client->revision, 1);
    return true;
}

static bool be_resolved(worker *self, tnca_instrument *found) {
    tnca_client *client = self->client;
    if ((float)found->value > tnca_parameters[TNCA_PARAMETER_INSTRUMENT].high)
        return false;
    found->name[TNCA_NAME - 1] = 0;
    pthread_mutex_lock(&client->lock);
    bool is_wanted = (float)client->kept.value == tnca_client_parameter(client, TNCA_PARAMETER_INSTRUMENT);
    if (is_wanted && found->flags & TNCA_INSTRUMENT_STANDS_IN)
        snprintf(client->note, sizeof client->note, "instrument '%s' is missing: '%s' plays", client->kept.name,
                 found->name);
    if (is_wanted)
        client->kept.value = found->value;
    pthread_mutex_unlock(&client->lock);
    if (is_wanted) /* else another one has been chosen meanwhile */
        tnca_client_set_parameter(client, TNCA_PARAMETER_INSTRUMENT, (float)found->value);
    return true;
}

static bool handle(worker *self, const tnca_packet *head, int descriptors[2]) {
    uint8_t *body = self->body.bytes;
    uint32_t size = head->size;
    switch (head->kind) {
    case TNCA_PACKET_WELCOME:
    case TNCA_PACKET_REFUSED: {
        tnca_hello *hello = (tnca_hello *)(void *)body;
        if (size != sizeof *hello)
            return false;
        hello->version[TNCA_NAME - 1] = 0;
        return head->kind == TNCA_PACKET_WELCOME && hello->protocol == TNCA_PROTOCOL
                   ? be_welcome(self, hello, descriptors)
                   : be_refused(self, hello);
    }
    case TNCA_PACKET_ATTACHED:
    case TNCA_PACKET_NOTICE: {
        tnca_text *text = (tnca_text *)(void *)body;
        if (size != sizeof *text || self->phase != UP)
            return false;
        text->text[TNCA_TEXT - 1] = 0;
        if (head->kind == TNCA_PACKET_ATTACHED)
            return be_attached(self, text);
        tnca_set_note(self->client, text->text);
        return true;
    }
    case TNCA_PACKET_INSTRUMENTS:
        return self->phase == UP && size >= sizeof(tnca_list) &&
               be_listed(self, (const tnca_list *)(const void *)body, size);
    case TNCA_PACKET_RESOLVED:
        return self->phase == UP && size == sizeof(tnca_instrument) &&
               be_resolved(self, (tnca_instrument *)(void *)body);
    default: return false;
    }
}

void tnca_read_packets(worker *self) {
    while (self->socket >= 0) {
        tnca_packet head;
        int descriptors[2], size = tnca_packet_receive(self->socket, &head, self->body.bytes, descriptors);
        if (size == -2)
            return;
        bool is_fine = size >= 0 && handle(self, &head, descriptors);
        for (int index = 0; index < 2; index++)
            tnca_close_end(&descriptors[index]);
        if (!is_fine)
            tnca_lose_engine(self);
    }
}
