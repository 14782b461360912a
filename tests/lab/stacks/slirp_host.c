/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that is libslirp: connections to its address end at the loopback interface of the namespace that it runs
 * in, as virtual machines with user networking have it. Frames come and go through one descriptor, one a message.
 * Knows nothing about the lab.
 *
 * slirp_host FRAMES ADDRESS
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <slirp/libslirp.h>

enum { LARGEST = 1 << 16, MOST_DESCRIPTORS = 256 };

static int frames;
static struct pollfd descriptors[MOST_DESCRIPTORS];
static int count;

static ssize_t send_frame(const void *frame, size_t length, void *unused)
{
    (void)unused;
    return write(frames, frame, length);
}

static void ignore_error(const char *message, void *unused)
{
    (void)message, (void)unused;
}

static int64_t read_clock(void *unused)
{
    struct timespec now;

    (void)unused;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* The only timer is for router advertisements, of which the lab has no need. */
static void *make_timer(SlirpTimerCb callback, void *argument, void *unused)
{
    (void)callback, (void)argument, (void)unused;
    return &count;
}

static void free_timer(void *timer, void *unused)
{
    (void)timer, (void)unused;
}

static void set_timer(void *timer, int64_t when, void *unused)
{
    (void)timer, (void)when, (void)unused;
}

static void note_descriptor(int descriptor, void *unused)
{
    (void)descriptor, (void)unused;
}

static void notify(void *unused)
{
    (void)unused;
}

/* SLIRP_POLL_* and POLL* differ. */
static const struct {
    int slirp;
    short poll;
} events[] = {
    {SLIRP_POLL_IN, POLLIN},   {SLIRP_POLL_OUT, POLLOUT}, {SLIRP_POLL_PRI, POLLPRI},
    {SLIRP_POLL_ERR, POLLERR}, {SLIRP_POLL_HUP, POLLHUP},
};

static int add_descriptor(int descriptor, int wanted, void *unused)
{
    (void)unused;
    if (count == MOST_DESCRIPTORS)
        return -1;
    descriptors[count] = (struct pollfd){.fd = descriptor};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        descriptors[count].events |= (short)((wanted & events[i].slirp) != 0 ? events[i].poll : 0);
    return count++;
}

static int tell_events(int index, void *unused)
{
    int told = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        told |= (descriptors[index].revents & events[i].poll) != 0 ? events[i].slirp : 0;
    return told;
}

static const SlirpCb callbacks = {
    .send_packet = send_frame,
    .guest_error = ignore_error,
    .clock_get_ns = read_clock,
    .timer_new = make_timer,
    .timer_free = free_timer,
    .timer_mod = set_timer,
    .register_poll_fd = note_descriptor,
    .unregister_poll_fd = note_descriptor,
    .notify = notify,
};

int main(int argc, char **argv)
{
    static unsigned char frame[LARGEST];
    SlirpConfig config = {.version = 1, .vprefix_len = 64};
    Slirp *slirp;

    if (argc != 3)
        return 2;
    frames = atoi(argv[1]);
    config.vnetmask.s_addr = htonl(0xffffff00);
    if (inet_pton(AF_INET, argv[2], &config.vhost) == 1) {
        config.in_enabled = true;
        config.vnetwork.s_addr = config.vhost.s_addr & config.vnetmask.s_addr;
        config.vnameserver.s_addr = config.vnetwork.s_addr | htonl(3);
    } else if (inet_pton(AF_INET6, argv[2], &config.vhost6) == 1) {
        config.in6_enabled = true;
        memcpy(&config.vprefix_addr6, &config.vhost6, 8);
        config.vnameserver6 = config.vprefix_addr6;
        config.vnameserver6.s6_addr[15] = 3;
    } else {
        return 2;
    }
    slirp = slirp_new(&config, &callbacks, NULL);
    for (;;) {
        uint32_t timeout = 1000;
        ssize_t length;

        count = 0;
        slirp_pollfds_fill(slirp, &timeout, add_descriptor, NULL);
        descriptors[count] = (struct pollfd){.fd = frames, .events = POLLIN};
        if (poll(descriptors, (nfds_t)count + 1, (int)timeout) < 0)
            return 1;
        if ((descriptors[count].revents & POLLIN) != 0 && (length = read(frames, frame, sizeof frame)) > 0)
            slirp_input(slirp, frame, (int)length);
        slirp_pollfds_poll(slirp, 0, tell_events, NULL);
    }
}
