/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which messages are a farewell, and the names of their codes; see last_words.h. */
#include "last_words.h"

typedef struct {
    uint16_t code;
    const char *name;
} named_code;

/* RFC 9110 section 15 and IANA's registry of HTTP status codes. */
static const named_code http_statuses[] = {
    {100, "Continue"},
    {101, "Switching Protocols"},
    {102, "Processing"},
    {103, "Early Hints"},
    {200, "OK"},
    {201, "Created"},
    {202, "Accepted"},
    {203, "Non-Authoritative Information"},
    {204, "No Content"},
    {205, "Reset Content"},
    {206, "Partial Content"},
    {207, "Multi-Status"},
    {208, "Already Reported"},
    {226, "IM Used"},
    {300, "Multiple Choices"},
    {301, "Moved Permanently"},
    {302, "Found"},
    {303, "See Other"},
    {304, "Not Modified"},
    {305, "Use Proxy"},
    {307, "Temporary Redirect"},
    {308, "Permanent Redirect"},
    {400, "Bad Request"},
    {401, "Unauthorized"},
    {402, "Payment Required"},
    {403, "Forbidden"},
    {404, "Not Found"},
    {405, "Method Not Allowed"},
    {406, "Not Acceptable"},
    {407, "Proxy Authentication Required"},
    {408, "Request Timeout"},
    {409, "Conflict"},
    {410, "Gone"},
    {411, "Length Required"},
    {412, "Precondition Failed"},
    {413, "Content Too Large"},
    {414, "URI Too Long"},
    {415, "Unsupported Media Type"},
    {416, "Range Not Satisfiable"},
    {417, "Expectation Failed"},
    {421, "Misdirected Request"},
    {422, "Unprocessable Content"},
    {423, "Locked"},
    {424, "Failed Dependency"},
    {425, "Too Early"},
    {426, "Upgrade Required"},
    {428, "Precondition Required"},
    {429, "Too Many Requests"},
    {431, "Request Header Fields Too Large"},
    {451, "Unavailable For Legal Reasons"},
    {500, "Internal Server Error"},
    {501, "Not Implemented"},
    {502, "Bad Gateway"},
    {503, "Service Unavailable"},
    {504, "Gateway Timeout"},
    {505, "HTTP Version Not Supported"},
    {506, "Variant Also Negotiates"},
    {507, "Insufficient Storage"},
    {508, "Loop Detected"},
    {511, "Network Authentication Required"},
};

/* RFC 8446 section 6, and IANA's registry of TLS alerts for those of older and newer versions. */
static const named_code tls_alerts[] = {
    {0, "Close Notify"},
    {10, "Unexpected Message"},
    {20, "Bad Record MAC"},
    {21, "Decryption Failed"},
    {22, "Record Overflow"},
    {30, "Decompression Failure"},
    {40, "Handshake Failure"},
    {41, "No Certificate"},
    {42, "Bad Certificate"},
    {43, "Unsupported Certificate"},
    {44, "Certificate Revoked"},
    {45, "Certificate Expired"},
    {46, "Certificate Unknown"},
    {47, "Illegal Parameter"},
    {48, "Unknown CA"},
    {49, "Access Denied"},
    {50, "Decode Error"},
    {51, "Decrypt Error"},
    {52, "Too Many CIDs Requested"},
    {60, "Export Restriction"},
    {70, "Protocol Version"},
    {71, "Insufficient Security"},
    {80, "Internal Error"},
    {86, "Inappropriate Fallback"},
    {90, "User Canceled"},
    {100, "No Renegotiation"},
    {109, "Missing Extension"},
    {110, "Unsupported Extension"},
    {111, "Certificate Unobtainable"},
    {112, "Unrecognized Name"},
    {113, "Bad Certificate Status Response"},
    {114, "Bad Certificate Hash Value"},
    {115, "Unknown PSK Identity"},
    {116, "Certificate Required"},
    {117, "General Error"},
    {120, "No Application Protocol"},
    {121, "ECH Required"},
};

/* RFC 5321 section 4.2.3, RFC 4954 section 6 and RFC 7504: those that close or refuse. */
static const named_code smtp_replies[] = {
    {221, "<domain> Service closing transmission channel"},
    {421, "<domain> Service not available, closing transmission channel"},
    {432, "A password transition is needed"},
    {450, "Requested mail action not taken: mailbox unavailable"},
    {451, "Requested action aborted: local error in processing"},
    {452, "Requested action not taken: insufficient system storage"},
    {454, "Temporary authentication failure"},
    {455, "Server unable to accommodate parameters"},
    {500, "Syntax error, command unrecognized"},
    {501, "Syntax error in parameters or arguments"},
    {502, "Command not implemented"},
    {503, "Bad sequence of commands"},
    {504, "Command parameter not implemented"},
    {521, "Host does not accept mail"},
    {530, "Authentication required"},
    {534, "Authentication mechanism is too weak"},
    {535, "Authentication credentials invalid"},
    {538, "Encryption required for requested authentication mechanism"},
    {550, "Requested action not taken: mailbox unavailable"},
    {551, "User not local; please try <forward-path>"},
    {552, "Requested mail action aborted: exceeded storage allocation"},
    {553, "Requested action not taken: mailbox name not allowed"},
    {554, "Transaction failed"},
    {555, "MAIL FROM/RCPT TO parameters not recognized or not implemented"},
    {556, "Domain does not accept mail"},
};

/* RFC 959 section 4.2.2, RFC 2228 section 5 and RFC 2428: those that close or refuse. */
static const named_code ftp_replies[] = {
    {221, "Service closing control connection"},
    {421, "Service not available, closing control connection"},
    {425, "Can't open data connection"},
    {426, "Connection closed; transfer aborted"},
    {431, "Need some unavailable resource to process security"},
    {450, "Requested file action not taken"},
    {451, "Requested action aborted: local error in processing"},
    {452, "Requested action not taken. Insufficient storage space in system"},
    {500, "Syntax error, command unrecognized"},
    {501, "Syntax error in parameters or arguments"},
    {502, "Command not implemented"},
    {503, "Bad sequence of commands"},
    {504, "Command not implemented for that parameter"},
    {522, "Network protocol not supported"},
    {530, "Not logged in"},
    {532, "Need account for storing files"},
    {533, "Command protection level denied for policy reasons"},
    {534, "Request denied for policy reasons"},
    {535, "Failed security check (hash, sequence, etc)"},
    {536, "Requested PROT level not supported by mechanism"},
    {537, "Command protection level not supported by security mechanism"},
    {550, "Requested action not taken: File unavailable"},
    {551, "Requested action aborted: page type unknown"},
    {552, "Requested file action aborted: Exceeded storage allocation"},
    {553, "Requested action not taken: File name not allowed"},
};

/* RFC 4253 section 11.1. */
static const named_code ssh_reasons[] = {
    {1, "host not allowed to connect"},
    {2, "protocol error"},
    {3, "key exchange failed"},
    {4, "reserved"},
    {5, "MAC error"},
    {6, "compression error"},
    {7, "service not available"},
    {8, "protocol version not supported"},
    {9, "host key not verifiable"},
    {10, "connection lost"},
    {11, "by application"},
    {12, "too many connections"},
    {13, "auth cancelled by user"},
    {14, "no more auth methods available"},
    {15, "illegal user name"},
};

static const char *find_name(const named_code *codes, size_t count, uint16_t code)
{
    for (size_t i = 0; i < count; i++)
        if (codes[i].code == code)
            return codes[i].name;
    return NULL;
}

#define FIND_NAME(codes, code) find_name(codes, G_N_ELEMENTS(codes), code)

/* A refusal is often followed by the close; 221 answers QUIT, and 421 may come at any time. */
static bool refuses(uint16_t reply)
{
    return reply == 221 || reply >= 400;
}

bool last_words_are(const rstcause_first_bytes *said)
{
    switch (said->kind) {
    case RSTCAUSE_HTTP_RESPONSE:
        return said->closes || said->code >= 400;
    case RSTCAUSE_SMTP_REPLY:
    case RSTCAUSE_FTP_REPLY:
        return refuses(said->code);
    case RSTCAUSE_TLS_ALERT:
    case RSTCAUSE_TLS_ENCRYPTED_ALERT:
    case RSTCAUSE_SSH_DISCONNECT:
        return true;
    default:
        return false;
    }
}

static char *tell_code(const char *what, uint16_t code, const char *name, const char *addition)
{
    return g_strdup_printf("%s %u%s%s%s", what, code, name != NULL ? " " : "", name != NULL ? name : "", addition);
}

static char *tell_alert(const rstcause_first_bytes *said)
{
    const char *name = FIND_NAME(tls_alerts, said->code);

    return g_strdup_printf("TLS alert %s (%u), level %s (%u)", name != NULL ? name : "without a name", said->code,
                           said->level == 2 ? "Fatal" : "Warning", said->level);
}

char *last_words_tell(const rstcause_first_bytes *said)
{
    switch (said->kind) {
    case RSTCAUSE_HTTP_RESPONSE:
        return tell_code("HTTP status", said->code, FIND_NAME(http_statuses, said->code),
                         said->closes ? ", Connection: close" : "");
    case RSTCAUSE_SMTP_REPLY:
        return tell_code("SMTP reply", said->code, FIND_NAME(smtp_replies, said->code), "");
    case RSTCAUSE_FTP_REPLY:
        return tell_code("FTP reply", said->code, FIND_NAME(ftp_replies, said->code), "");
    case RSTCAUSE_TLS_ALERT:
        return tell_alert(said);
    case RSTCAUSE_TLS_ENCRYPTED_ALERT:
        return g_strdup("TLS alert, encrypted");
    default:
        return g_strdup_printf("SSH disconnect, reason %u (%s)", said->code, FIND_NAME(ssh_reasons, said->code));
    }
}
