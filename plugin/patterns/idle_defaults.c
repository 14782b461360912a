/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The known idle times. Only what its own documentation or source says. See idle_defaults.h. */
#include "idle_defaults.h"

#include <glib.h>

#include "follow/units.h"

typedef struct {
    uint32_t seconds;
    idle_habit habit;
    const char *names;
} idle_default;

static const idle_default defaults[] = {
    /* httpd.apache.org, core, KeepAliveTimeout; nodejs.org, http, server.keepAliveTimeout up to version 25; uvicorn's settings,
     * --timeout-keep-alive; varnishd(1), timeout_idle. */
    {5, CLOSES_IDLE, "Apache httpd, Node.js, uvicorn and Varnish"},
    /* tomcat.apache.org, connectionTimeout, which keepAliveTimeout follows, in the server.xml that comes with it ... */
    {20, CLOSES_IDLE, "Tomcat's server.xml"},
    /* ... and where nothing is set; docs.aws.amazon.com, Application Load Balancers, idle_timeout.timeout_seconds. */
    {60, CLOSES_IDLE, "Tomcat and AWS Application Load Balancers"},
    /* nodejs/node, doc/api/http.md since server.keepAliveTimeout was raised in 2026. */
    {65, CLOSES_IDLE, "newer Node.js"},
    /* nginx.org, ngx_http_core_module, keepalive_timeout. */
    {75, CLOSES_IDLE, "nginx"},
    /* learn.microsoft.com, IIS, connectionTimeout of limits: 00:02:00. */
    {120, CLOSES_IDLE, "IIS"},
    /* learn.microsoft.com, KestrelServerLimits.KeepAliveTimeout. */
    {130, CLOSES_IDLE, "Kestrel (ASP.NET Core)"},
    /* cloud.google.com, external Application Load Balancers, timeouts: HTTP keepalive to backends and clients. */
    {600, CLOSES_IDLE, "Google Cloud's Application Load Balancers"},
    /* dev.mysql.com, wait_timeout. */
    {28800, CLOSES_IDLE, "MySQL (wait_timeout)"},

    /* learn.microsoft.com, Azure Load Balancer, TCP reset and idle timeout: 4 minutes. */
    {240, FORGETS_IDLE, "Azure Load Balancer"},
    /* docs.aws.amazon.com, Network Load Balancers, TCP idle timeout; NAT gateways, troubleshooting. */
    {350, FORGETS_IDLE, "AWS Network Load Balancers and NAT gateways"},
    /* cloud.google.com, VPC firewall rules, connection tracking: 10 minutes. */
    {600, FORGETS_IDLE, "Google Cloud's connection tracking"},
    /* ipvsadm(8), --set; net/netfilter/ipvs/ip_vs_proto_tcp.c: 15 minutes, also of Docker's ingress network. */
    {900, FORGETS_IDLE, "Linux IPVS (Docker Swarm, Kubernetes)"},
    /* Linux, Documentation/networking/nf_conntrack-sysctl.rst, nf_conntrack_tcp_timeout_established. */
    {432000, FORGETS_IDLE, "Linux conntrack"},
};

char *idle_defaults_tell(idle_habit habit, int64_t shortest, int64_t longest)
{
    const idle_default *found = NULL;

    for (unsigned i = 0; i < G_N_ELEMENTS(defaults); i++) {
        const idle_default *one = &defaults[i];

        if (one->habit != habit || one->seconds * SECOND < shortest || one->seconds * SECOND > longest)
            continue;
        if (found != NULL)
            return NULL; /* one of several is no hint */
        found = one;
    }
    return found != NULL ? g_strdup_printf("%u s is the default of %s.", found->seconds, found->names) : NULL;
}
