/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host whose TCP is lwIP. Frames come and go through one descriptor, one a message; socket calls come as words
 * through another, and each is answered with its result, or with the negated errno. Payload is a count: bytes of 'x'.
 * Knows nothing about the lab.
 *
 * lwip_host FRAMES CONTROL OWN-MAC PEER-MAC ADDRESS
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <lwip/netif.h>
#include <lwip/sockets.h>
#include <lwip/sys.h>
#include <lwip/tcpip.h>

enum { ETHERNET = 14, LARGEST = 2048, WORDS = 5 };

static int frames, control;
static unsigned char own_mac[6], peer_mac[6];
static const char *own_address;
static struct netif own_link;

static err_t send_frame(struct pbuf *packet, unsigned kind)
{
    unsigned char frame[LARGEST];
    u16_t length = pbuf_copy_partial(packet, frame + ETHERNET, sizeof frame - ETHERNET, 0);

    memcpy(frame, peer_mac, 6);
    memcpy(frame + 6, own_mac, 6);
    frame[12] = (unsigned char)(kind >> 8);
    frame[13] = (unsigned char)kind;
    return write(frames, frame, ETHERNET + length) < 0 ? ERR_IF : ERR_OK;
}

static err_t send_ipv4(struct netif *netif, struct pbuf *packet, const ip4_addr_t *to)
{
    (void)netif, (void)to;
    return send_frame(packet, 0x0800);
}

static err_t send_ipv6(struct netif *netif, struct pbuf *packet, const ip6_addr_t *to)
{
    (void)netif, (void)to;
    return send_frame(packet, 0x86dd);
}

static err_t start_link(struct netif *netif)
{
    netif->name[0] = 'l';
    netif->name[1] = 'k';
    netif->mtu = 1500;
    netif->output = send_ipv4;
    netif->output_ip6 = send_ipv6;
    netif->flags |= NETIF_FLAG_LINK_UP;
    return ERR_OK;
}

static void start_stack(void *done)
{
    ip_addr_t address;
    ip4_addr_t none;

    ip4_addr_set_zero(&none);
    if (!ipaddr_aton(own_address, &address))
        exit(2);
    netif_add(&own_link, IP_IS_V4(&address) ? ip_2_ip4(&address) : &none, &none, &none, NULL, start_link, tcpip_input);
    netif_set_default(&own_link);
    netif_set_up(&own_link);
    if (IP_IS_V6(&address)) {
        netif_ip6_addr_set(&own_link, 0, ip_2_ip6(&address));
        netif_ip6_addr_set_state(&own_link, 0, IP6_ADDR_PREFERRED);
    }
    sys_sem_signal(done);
}

static void *receive_frames(void *unused)
{
    unsigned char frame[LARGEST];
    ssize_t length;

    while ((length = read(frames, frame, sizeof frame)) > ETHERNET) {
        struct pbuf *packet = pbuf_alloc(PBUF_RAW, (u16_t)(length - ETHERNET), PBUF_RAM);

        pbuf_take(packet, frame + ETHERNET, (u16_t)(length - ETHERNET));
        if (own_link.input(packet, &own_link) != ERR_OK)
            pbuf_free(packet);
    }
    return unused;
}

static socklen_t fill_endpoint(struct sockaddr_storage *storage, const char *address, const char *port)
{
    ip_addr_t parsed;

    memset(storage, 0, sizeof *storage);
    ipaddr_aton(address, &parsed);
    if (IP_IS_V4(&parsed)) {
        struct sockaddr_in *in = (struct sockaddr_in *)storage;

        in->sin_family = AF_INET;
        in->sin_port = lwip_htons((u16_t)atoi(port));
        memcpy(&in->sin_addr, ip_2_ip4(&parsed), 4);
        return sizeof *in;
    }
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)storage;

    in6->sin6_family = AF_INET6;
    in6->sin6_port = lwip_htons((u16_t)atoi(port));
    memcpy(&in6->sin6_addr, ip_2_ip6(&parsed)->addr, 16);
    return sizeof *in6;
}

static long send_bytes(int sock, long count)
{
    static char data[16384];
    long sent = 0;

    memset(data, 'x', sizeof data);
    while (sent < count) {
        long part = count - sent < (long)sizeof data ? count - sent : (long)sizeof data;
        ssize_t done = lwip_send(sock, data, (size_t)part, 0);

        if (done < 0)
            return -1;
        sent += done;
    }
    return sent;
}

static long call(char *const *words)
{
    struct sockaddr_storage endpoint;
    const char *name = words[0];
    int sock = atoi(words[1]);
    long number = atol(words[2]);

    if (strcmp(name, "socket") == 0)
        return lwip_socket(sock, SOCK_STREAM, 0);
    if (strcmp(name, "bind") == 0)
        return lwip_bind(sock, (struct sockaddr *)&endpoint, fill_endpoint(&endpoint, words[2], words[3]));
    if (strcmp(name, "connect") == 0)
        return lwip_connect(sock, (struct sockaddr *)&endpoint, fill_endpoint(&endpoint, words[2], words[3]));
    if (strcmp(name, "listen") == 0)
        return lwip_listen(sock, (int)number);
    if (strcmp(name, "accept") == 0)
        return lwip_accept(sock, NULL, NULL);
    if (strcmp(name, "send") == 0)
        return send_bytes(sock, number);
    if (strcmp(name, "recv") == 0) {
        static char data[1 << 16];

        return lwip_recv(sock, data, (size_t)number < sizeof data ? (size_t)number : sizeof data, 0);
    }
    if (strcmp(name, "shutdown") == 0)
        return lwip_shutdown(sock, (int)number);
    if (strcmp(name, "close") == 0)
        return lwip_close(sock);
    if (strcmp(name, "nonblock") == 0)
        return lwip_fcntl(sock, F_SETFL, O_NONBLOCK);
    if (strcmp(name, "linger") == 0) {
        struct linger linger = {.l_onoff = 1, .l_linger = (int)number};

        return lwip_setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
    if (strcmp(name, "option") == 0) {
        int value = atoi(words[4]);

        return lwip_setsockopt(sock, (int)number, atoi(words[3]), &value, sizeof value);
    }
    errno = ENOSYS;
    return -1;
}

static void serve_calls(void)
{
    char line[256], reply[32];
    ssize_t length;

    while ((length = read(control, line, sizeof line - 1)) > 0) {
        char *words[WORDS] = {"", "0", "0", "0", "0"}, *rest = line;
        long result;

        line[length] = '\0';
        for (int i = 0; i < WORDS && rest != NULL; i++)
            words[i] = strsep(&rest, " ");
        errno = 0;
        result = call(words);
        length = snprintf(reply, sizeof reply, "%ld", result < 0 ? -(long)errno : result);
        if (write(control, reply, (size_t)length) < 0)
            return;
    }
}

static void read_mac(unsigned char *mac, const char *text)
{
    sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]);
}

int main(int argc, char **argv)
{
    sys_sem_t done;
    pthread_t receiver;

    if (argc != 6)
        return 2;
    frames = atoi(argv[1]);
    control = atoi(argv[2]);
    read_mac(own_mac, argv[3]);
    read_mac(peer_mac, argv[4]);
    own_address = argv[5];
    sys_sem_new(&done, 0);
    tcpip_init(start_stack, &done);
    sys_sem_wait(&done);
    pthread_create(&receiver, NULL, receive_frames, NULL);
    serve_calls();
    /* Without destructors: what still runs sends nothing more. */
    _exit(0);
}
