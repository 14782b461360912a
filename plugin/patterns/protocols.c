/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether both sides speak the same protocol, by their first words. See situation.h. */
#include "neighbours.h"

#include "follow/units.h"

/* Who is asked something that it does not understand goes at once. */
static const int64_t goes_at_once = SECOND;

static const uint32_t few_bytes = 512;

/* Ports that IANA's registry gives to protocols over TLS, and two that are in use like them. */
static bool is_tls_port(uint16_t port)
{
    static const uint16_t ports[] = {443, 465,  563,  636,  853,  989,  990,  992,  993, 994,
                                     995, 5061, 5671, 5986, 6443, 6514, 6697, 8443, 8883};

    for (size_t i = 0; i < G_N_ELEMENTS(ports); i++)
        if (ports[i] == port)
            return true;
    return false;
}

static bool speaks_tls(uint8_t said)
{
    return said == RSTCAUSE_TLS_CLIENT_HELLO || said == RSTCAUSE_TLS_RECORDS || said == RSTCAUSE_TLS_ALERT ||
           said == RSTCAUSE_TLS_ENCRYPTED_ALERT;
}

/* Services that speak no HTTP, on the port that IANA's registry or their own documentation gives them. */
typedef struct {
    uint16_t port;
    const char *name;
} other_service;

static const other_service others[] = {
    {21, "FTP"},          {22, "SSH"},        {23, "Telnet"},       {25, "SMTP"},        {110, "POP3"},
    {119, "NNTP"},        {143, "IMAP"},      {179, "BGP"},         {389, "LDAP"},       {445, "SMB"},
    {587, "SMTP"},        {873, "rsync"},     {1433, "SQL Server"}, {1883, "MQTT"},      {2049, "NFS"},
    {2181, "ZooKeeper"},  {3260, "iSCSI"},    {3306, "MySQL"},      {3389, "RDP"},       {5222, "XMPP"},
    {5432, "PostgreSQL"}, {5672, "AMQP"},     {6379, "Redis"},      {9042, "Cassandra"}, {9092, "Kafka"},
    {11211, "memcached"}, {27017, "MongoDB"}, {61613, "STOMP"},
};

const char *situation_name_service(uint16_t port)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++)
        if (others[i].port == port)
            return others[i].name;
    return NULL;
}

/* A server's answer to a ClientHello is a TLS record (RFC 8446 section 5.1), and to an HTTP request an HTTP response. */
static bool answers_otherwise(const endpoint *client, const endpoint *server)
{
    switch (client->first_said) {
    case RSTCAUSE_TLS_CLIENT_HELLO:
        return !speaks_tls(server->first_said);
    case RSTCAUSE_HTTP_REQUEST:
        return server->first_said != RSTCAUSE_BYTES_UNKNOWN && server->first_said != RSTCAUSE_HTTP_RESPONSE;
    case RSTCAUSE_SSH_VERSION:
        return speaks_tls(server->first_said) || server->first_said == RSTCAUSE_HTTP_RESPONSE;
    default:
        return false;
    }
}

/* It answers an HTTP request with a few bytes of something else, or on a port where something else is spoken, and goes at
 * once. (The answers of HTTP/0.9 and of radio streams have no status line.) */
static bool takes_http_for_nonsense(const situation *s)
{
    bool is_no_answer = s->asked->first_is_foreign || situation_name_service(situation_service_port(s)) != NULL;

    return s->asking->first_said == RSTCAUSE_HTTP_REQUEST && is_no_answer &&
           s->asked->first_said == RSTCAUSE_BYTES_UNKNOWN && s->asked->bytes <= few_bytes &&
           s->facts->reset.time - s->asking->last_data_time <= goes_at_once;
}

/* No web server: others speak something else with it, or its port is that of something else. */
static bool speaks_no_http(const situation *s)
{
    const service *of = s->service;

    if (of != NULL && of->speaks_http)
        return false;
    return (of != NULL && of->speaks_otherwise) || situation_name_service(situation_service_port(s)) != NULL;
}

static protocol_difference judge_silence(const situation *s)
{
    const reset_facts *f = s->facts;
    bool is_tls = is_tls_port(situation_service_port(s)) || (s->service != NULL && s->service->speaks_tls);

    if (s->sender_is_client || f->reset.time - s->asking->last_data_time > goes_at_once)
        return PROTOCOLS_AGREE;
    if (s->asking->first_said == RSTCAUSE_TLS_CLIENT_HELLO && !is_tls)
        return NO_TLS_ANSWER;
    if (s->asking->first_said != RSTCAUSE_HTTP_REQUEST)
        return PROTOCOLS_AGREE;
    if (is_tls)
        return NO_ANSWER_ON_TLS_PORT;
    return speaks_no_http(s) ? NO_HTTP_ANSWER : PROTOCOLS_AGREE;
}

protocol_difference situation_compare_protocols(const situation *s)
{
    const connection *c = &s->facts->connection;
    bool client_begins =
        s->asking->first_said == RSTCAUSE_TLS_CLIENT_HELLO || s->asking->first_said == RSTCAUSE_HTTP_REQUEST;

    if (s->asking->syn_frame == 0 || c->is_incomplete || s->asking->bytes == 0)
        return PROTOCOLS_AGREE;
    if (s->asked->bytes == 0)
        return judge_silence(s);
    if (answers_otherwise(s->asking, s->asked) || takes_http_for_nonsense(s))
        return OTHER_ANSWER;
    return client_begins && &c->ends[c->spoke_first & 1] == s->asked ? SERVER_SPOKE_FIRST : PROTOCOLS_AGREE;
}
