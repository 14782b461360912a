/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Farewells, as Wireshark's own dissectors decode them. Only codes are taken and only Wireshark's names for them, so
 * no text of the network comes out of here. Knows no application protocol but by the fields, and no connections.
 *
 * Each wanted field costs time in every frame, of whatever protocol. So those of a protocol are wanted only from its
 * first frame in the capture file on: that is a request, a greeting or a hello, and no farewell.
 */
#include "farewell.h"

enum { TLS, HTTP, SMTP, FTP, SSH, PROTOCOLS };

static int proto_tcp;
static int hf_alert, hf_alert_level, hf_alert_description;
static int hf_http_status, hf_http_status_name;
static int hf_smtp_reply, hf_ftp_reply;
static int hf_ssh_message, hf_ssh_reason;

static struct {
    const char *name;
    int id;
    bool is_met; /* in this capture file; only then its fields are wanted */
} protocols[PROTOCOLS] = {
    [TLS] = {.name = "tls"}, [HTTP] = {.name = "http"}, [SMTP] = {.name = "smtp"},
    [FTP] = {.name = "ftp"}, [SSH] = {.name = "ssh"},
};

static const struct {
    unsigned protocol;
    int *id;
    const char *name;
} fields[] = {
    {TLS, &hf_alert, "tls.alert_message"},        {HTTP, &hf_http_status, "http.response.code"},
    {SMTP, &hf_smtp_reply, "smtp.response.code"}, {FTP, &hf_ftp_reply, "ftp.response.code"},
    {SSH, &hf_ssh_message, "ssh.message_code"},   {SSH, &hf_ssh_reason, "ssh.disconnect_reason"},
};

enum { SSH_MSG_DISCONNECT = 1 };

/* Wireshark's name for a field's value, NULL where it has none. */
static const char *find_name(const header_field_info *info, uint32_t value)
{
    int table_kind = info->display & ~FIELD_DISPLAY_E_MASK;

    if (info->strings == NULL)
        return NULL;
    if (table_kind == BASE_EXT_STRING)
        return try_val_to_str_ext(value, (value_string_ext *)info->strings);
    return table_kind == 0 ? try_val_to_str(value, (const value_string *)info->strings) : NULL;
}

/* Each key exchange has a field of this name for its own messages: takes the one that can tell a disconnect. */
static int find_ssh_message_field(int id)
{
    while (id > 0) {
        const header_field_info *info = proto_registrar_get_nth((unsigned)id);

        if (g_strcmp0(find_name(info, SSH_MSG_DISCONNECT), "Disconnect") == 0)
            return id;
        id = info->same_name_prev_id;
    }
    return id;
}

void farewell_look_up_fields(void)
{
    proto_tcp = proto_get_id_by_filter_name("tcp");
    for (unsigned i = 0; i < PROTOCOLS; i++)
        protocols[i].id = proto_get_id_by_filter_name(protocols[i].name);
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++) {
        int id = proto_registrar_get_id_byname(fields[i].name);

        *fields[i].id = fields[i].id == &hf_ssh_message ? find_ssh_message_field(id) : id;
    }
    hf_alert_level = proto_registrar_get_id_byname("tls.alert_message.level");
    hf_alert_description = proto_registrar_get_id_byname("tls.alert_message.desc");
    /* HTTP's own field has no names; Bluetooth's has those of HTTP's dissector, which 4.6 does not export. */
    hf_http_status_name = proto_registrar_get_id_byname("btatt.http_status_code");
}

void farewell_forget_protocols(void)
{
    for (unsigned i = 0; i < PROTOCOLS; i++)
        protocols[i].is_met = false;
}

void farewell_append_wanted(GArray *wanted)
{
    for (size_t i = 0; i < G_N_ELEMENTS(fields); i++)
        if (protocols[fields[i].protocol].is_met && *fields[i].id > 0)
            g_array_append_val(wanted, *fields[i].id);
}

/* Of several messages in one frame the last one is the farewell. */
static field_info *find_last(const proto_tree *tree, int id)
{
    GPtrArray *found = id > 0 ? proto_get_finfo_ptr_array(tree, id) : NULL;

    return found != NULL && found->len > 0 ? (field_info *)g_ptr_array_index(found, found->len - 1) : NULL;
}

static uint32_t read_number(field_info *field)
{
    return fvalue_get_uinteger(field_value(field));
}

static const char *name_of(int id, uint32_t value)
{
    return id > 0 ? find_name(proto_registrar_get_nth((unsigned)id), value) : NULL;
}

static const char *name_value(field_info *field)
{
    return find_name(field->hfinfo, read_number(field));
}

/* RFC 8446 section 6: an alert has two bytes, a level and a description; a longer one is encrypted. */
static const char *read_alert(wmem_allocator_t *pool, const proto_tree *tree)
{
    const field_info *alert = find_last(tree, hf_alert);
    const char *level_name, *name;
    const uint8_t *bytes;

    if (alert == NULL)
        return NULL;
    if (alert->length != 2)
        return "TLS alert, encrypted";
    bytes = tvb_get_ptr(alert->ds_tvb, alert->start, alert->length);
    level_name = name_of(hf_alert_level, bytes[0]);
    name = name_of(hf_alert_description, bytes[1]);
    return wmem_strdup_printf(pool, "TLS alert %s (%u), level %s (%u)", name != NULL ? name : "without a name",
                              bytes[1], level_name != NULL ? level_name : "without a name", bytes[0]);
}

/* In the lines of an HTTP header, from 'line' on. */
static bool announces_close(tvbuff_t *tvb, int line)
{
    static const char name[] = "Connection:", option[] = "close";
    int length, next;

    while ((length = tvb_find_line_end(tvb, line, -1, &next, false)) > 0) {
        if (tvb_strncaseeql(tvb, line, name, strlen(name)) == 0) {
            int value = line + (int)strlen(name);

            value = tvb_skip_wsp(tvb, value, line + length - value);
            return tvb_strncaseeql(tvb, value, option, strlen(option)) == 0;
        }
        line = next;
    }
    return false;
}

/*
 * 4xx and 5xx, and any status of a response that announces the close. The lines behind that of the status are read
 * from the bytes (RFC 9112 section 5), since a field of theirs would have to be wanted.
 */
static const char *read_http(wmem_allocator_t *pool, const proto_tree *tree)
{
    field_info *status = find_last(tree, hf_http_status);
    const char *name;
    bool closes;
    int next;

    if (status == NULL)
        return NULL;
    tvb_find_line_end(status->ds_tvb, status->start, -1, &next, false);
    closes = announces_close(status->ds_tvb, next);
    if (!closes && read_number(status) < 400)
        return NULL;
    name = name_of(hf_http_status_name, read_number(status));
    return wmem_strdup_printf(pool, "HTTP status %u%s%s%s", read_number(status), name != NULL ? " " : "",
                              name != NULL ? name : "", closes ? ", Connection: close" : "");
}

/* RFC 5321 and RFC 959: 221 is the answer to QUIT, 4xx and 5xx refuse, 421 at any time. */
static const char *read_reply(wmem_allocator_t *pool, const proto_tree *tree, int id, const char *protocol)
{
    enum { CLOSING = 221, FIRST_REFUSAL = 400 };
    field_info *reply = find_last(tree, id);
    const char *name;

    if (reply == NULL || (read_number(reply) != CLOSING && read_number(reply) < FIRST_REFUSAL))
        return NULL;
    name = name_value(reply);
    return wmem_strdup_printf(pool, "%s reply %u%s%s", protocol, read_number(reply), name != NULL ? " " : "",
                              name != NULL ? name : "");
}

/* Where the keys were exchanged before, Wireshark can read it only with the session's key. */
static const char *read_disconnect(wmem_allocator_t *pool, const proto_tree *tree)
{
    field_info *message = find_last(tree, hf_ssh_message);
    field_info *reason = find_last(tree, hf_ssh_reason);

    if (reason != NULL)
        return wmem_strdup_printf(pool, "SSH disconnect, reason %u", read_number(reason));
    return message != NULL && read_number(message) == SSH_MSG_DISCONNECT ? "SSH disconnect" : NULL;
}

static const char *read_message(unsigned protocol, wmem_allocator_t *pool, const proto_tree *tree)
{
    switch (protocol) {
    case TLS:
        return read_alert(pool, tree);
    case HTTP:
        return read_http(pool, tree);
    case SMTP:
        return read_reply(pool, tree, hf_smtp_reply, "SMTP");
    case FTP:
        return read_reply(pool, tree, hf_ftp_reply, "FTP");
    default:
        return read_disconnect(pool, tree);
    }
}

static unsigned find_protocol(int id)
{
    unsigned protocol = 0;

    while (protocol < PROTOCOLS && protocols[protocol].id != id)
        protocol++;
    return protocol;
}

const char *farewell_read(const packet_info *pinfo, const proto_tree *tree, bool *wants_more)
{
    const char *words = NULL;

    for (wmem_list_frame_t *at = wmem_list_tail(pinfo->layers); at != NULL && words == NULL;
         at = wmem_list_frame_prev(at)) {
        int id = GPOINTER_TO_INT(wmem_list_frame_data(at));
        unsigned protocol = find_protocol(id);

        if (id == proto_tcp)
            break;
        if (protocol == PROTOCOLS)
            continue;
        if (!protocols[protocol].is_met) {
            /* Its fields are there by chance only (a display filter wants them), and words must not depend on that. */
            protocols[protocol].is_met = *wants_more = true;
            continue;
        }
        words = read_message(protocol, pinfo->pool, tree);
    }
    return words;
}
