# shellcheck shell=sh disable=SC2034,SC2154 # run sources it, and has its variables
# SPDX-License-Identifier: GPL-2.0-or-later
# The parts of tests/run: which tests each has, what they need, how long they take, and how each test is called.

build_seconds=60 # of one processor, both builds
default_parts='unit captures clocks equality robustness many sanitized mutated fuzz gui lab upstream configure analysis release'

# describe_part PART: sets 'tests'; 'company', any, or waiting where they wait longer than they compute and others like them
# do not disturb, or none where they need the machine for themselves; 'cost', their processor time in seconds, for those that
# wait the time that the longest takes; 'needs', packages; and 'needs_services', packages whose services must not start.
describe_part() {
    company=any needs='' needs_services='' tests=$1
    case $1 in
    unit)
        tests=$(for source in tests/unit/*_test.c; do basename "$source" .c; done)
        cost=60
        ;;
    captures)
        tests='captures bound encapsulation two-ends redissection kernel-truth last-words way-back profile statistics opensearch wild readme'
        cost=200
        ;;
    clocks) cost=45 ;;
    equality) cost=150 ;;
    robustness) cost=200 ;;
    sanitized) cost=200 ;;
    fuzz)
        needs=clang
        cost=120
        ;;
    mutated)
        needs=gcc
        cost=80
        ;;
    gui)
        tests='gui statistics-gui'
        needs='wireshark xvfb openbox xdotool imagemagick tesseract-ocr fonts-dejavu-core'
        cost=150
        company=waiting
        ;;
    gui-versions)
        needs=debootstrap
        cost=900
        company=none
        ;;
    upstream)
        needs='perl bzip2 xz-utils'
        cost=20
        ;;
    configure)
        needs=git
        cost=15
        ;;
    release)
        needs=git
        cost=40
        ;;
    coverage)
        needs=gcovr
        company=none
        cost=600
        ;;
    analysis)
        needs='clang clang-tidy cppcheck shellcheck pyflakes3'
        cost=130
        ;;
    many)
        needs='parallel rsync openssh-client'
        needs_services=openssh-server
        cost=30
        ;;
    slurm)
        needs=parallel
        needs_services='slurm-wlm munge'
        cost=10
        ;;
    lab)
        company=waiting
        needs='iproute2 nftables iptables gcc liblwip-dev libslirp-dev'
        needs_services=haproxy
        cost=360
        ;;
    versions | install | packages | times)
        needs=debootstrap
        cost=300
        ;;
    windows)
        needs='gcc-mingw-w64-x86-64-win32 libz-mingw-w64-dev meson make dpkg-dev wine64 wine'
        cost=600
        ;;
    lab-world)
        company=none
        needs_services="dsniff ettercap-text-only ngrep netwox hping3 netsniff-ng packit nmap python3-scapy tcpdump conntrack
            iproute2 nftables iptables golang-go golang-gvisor-gvisor-dev user-mode-linux passt qemu-system-x86 ovmf
            liblwip-dev libslirp-dev gcc nginx-light apache2 apache2-utils haproxy nodejs curl wget postgresql redis-server
            mariadb-server squid openssh-server openssl wrk gunicorn uvicorn busybox-static lighttpd lighttpd-mod-openssl memcached
            mosquitto stunnel4 hitch varnish puma pgbouncer php-cli ruby socat siege nghttp2-client tinyproxy vsftpd beanstalkd
            openssh-client"
        cost=3600
        ;;
    hostile)
        needs=valgrind
        cost=150
        ;;
    mutants)
        company=none
        cost=900
        ;;
    benchmark)
        company=none
        cost=900
        ;;
    *)
        echo "no such part: $1" >&2
        exit 2
        ;;
    esac
}

# command_of TEST: prints its command line
command_of() {
    case $1 in
    *_test) echo "'$sanitized/tests/$1' --tap" ;;
    captures) echo tests/capture_test.py ;;
    two-ends | kernel-truth | last-words | way-back | statistics-gui | lab-world) echo "tests/$(echo "$1" | tr - _)_test.py" ;;
    sanitized) echo "RSTCAUSE_BUILD='$sanitized' RSTCAUSE_ASAN=true tests/robustness_test.py" ;;
    fuzz | upstream | windows | analysis) echo "tests/$1_test.sh" ;;
    mutated) echo "RSTCAUSE_BUILD='$sanitized' tests/mutated_test.py" ;;
    times) echo tests/install_times.py ;;
    gui-versions) echo 'tests/versions_test.py --part gui' ;;
    mutants | benchmark | coverage) echo "tests/$1.py" ;;
    *) echo "tests/$1_test.py" ;;
    esac
}
