// SPDX-License-Identifier: GPL-2.0-or-later

// A host whose TCP is gVisor's. Frames come and go through one descriptor, one a message; socket calls come as words
// through another, and each is answered with its result, or with the negated errno. Payload is a count: bytes of 'x'.
// Knows nothing about the lab.
//
// gvisor_host FRAMES CONTROL OWN-MAC PEER-MAC ADDRESS PEER-ADDRESS
package main

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	link    = 1
	patient = 20 * time.Second
)

type socket struct {
	ep       tcpip.Endpoint
	queue    *waiter.Queue
	nonblock bool
}

var (
	host    *stack.Stack
	version tcpip.NetworkProtocolNumber
	sockets []*socket
)

func address(text string) tcpip.Address {
	ip := net.ParseIP(text)
	if four := ip.To4(); four != nil {
		return tcpip.Address(four)
	}
	return tcpip.Address(ip.To16())
}

func mac(text string) tcpip.LinkAddress {
	hardware, err := net.ParseMAC(text)
	if err != nil {
		panic(err)
	}
	return tcpip.LinkAddress(hardware)
}

func must(err tcpip.Error) {
	if err != nil {
		panic(err.String())
	}
}

func start(frames int, ownMAC, peerMAC, own, peer string) {
	host = stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{arp.NewProtocol, ipv4.NewProtocol,
			ipv6.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
	})
	sack := tcpip.TCPSACKEnabled(true)
	must(host.SetTransportProtocolOption(tcp.ProtocolNumber, &sack))
	endpoint, err := fdbased.New(&fdbased.Options{FDs: []int{frames}, MTU: 1500, EthernetHeader: true,
		Address: mac(ownMAC)})
	if err != nil {
		panic(err)
	}
	must(host.CreateNIC(link, endpoint))
	version = ipv4.ProtocolNumber
	if len(address(own)) == 16 {
		version = ipv6.ProtocolNumber
	}
	must(host.AddProtocolAddress(link, tcpip.ProtocolAddress{Protocol: version,
		AddressWithPrefix: address(own).WithPrefix()}, stack.AddressProperties{}))
	mask := tcpip.AddressMask(bytes.Repeat([]byte{0xff}, len(address(peer))))
	subnet, _ := tcpip.NewSubnet(address(peer), mask)
	host.SetRouteTable([]tcpip.Route{{Destination: subnet, NIC: link}})
	must(host.AddStaticNeighbor(link, version, address(peer), mac(peerMAC)))
}

// errno gives the number that the system call of a gVisor sandbox would return.
func errno(err tcpip.Error) syscall.Errno {
	switch err.(type) {
	case *tcpip.ErrConnectionRefused:
		return syscall.ECONNREFUSED
	case *tcpip.ErrConnectionReset:
		return syscall.ECONNRESET
	case *tcpip.ErrConnectionAborted, *tcpip.ErrAborted:
		return syscall.ECONNABORTED
	case *tcpip.ErrClosedForSend:
		return syscall.EPIPE
	case *tcpip.ErrTimeout:
		return syscall.ETIMEDOUT
	case *tcpip.ErrWouldBlock:
		return syscall.EAGAIN
	case *tcpip.ErrConnectStarted:
		return syscall.EINPROGRESS
	case *tcpip.ErrNotConnected:
		return syscall.ENOTCONN
	case *tcpip.ErrPortInUse:
		return syscall.EADDRINUSE
	}
	fmt.Fprintln(os.Stderr, "gvisor_host:", err)
	return syscall.EIO
}

// wait calls until it does not have to wait any more.
func (s *socket) wait(mask waiter.EventMask, call func() tcpip.Error) tcpip.Error {
	entry, ready := waiter.NewChannelEntry(mask)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	late := time.After(patient)
	for {
		err := call()
		if _, again := err.(*tcpip.ErrWouldBlock); !again || s.nonblock {
			return err
		}
		select {
		case <-ready:
		case <-late:
			return &tcpip.ErrTimeout{}
		}
	}
}

func keep(s *socket) int {
	sockets = append(sockets, s)
	return len(sockets) - 1
}

func create() (int, tcpip.Error) {
	s := &socket{queue: new(waiter.Queue)}
	ep, err := host.NewEndpoint(tcp.ProtocolNumber, version, s.queue)
	if err != nil {
		return 0, err
	}
	s.ep = ep
	ep.SocketOptions().SetReuseAddress(true)
	ep.SocketOptions().SetDelayOption(false)
	return keep(s), nil
}

func (s *socket) connect(to tcpip.FullAddress) tcpip.Error {
	entry, ready := waiter.NewChannelEntry(waiter.WritableEvents | waiter.EventErr | waiter.EventHUp)
	s.queue.EventRegister(&entry)
	defer s.queue.EventUnregister(&entry)
	err := s.ep.Connect(to)
	if _, started := err.(*tcpip.ErrConnectStarted); !started || s.nonblock {
		return err
	}
	select {
	case <-ready:
	case <-time.After(patient):
		return &tcpip.ErrTimeout{}
	}
	return s.ep.LastError()
}

func (s *socket) accept() (int, tcpip.Error) {
	child := 0
	err := s.wait(waiter.ReadableEvents, func() tcpip.Error {
		ep, queue, err := s.ep.Accept(nil)
		if err == nil {
			ep.SocketOptions().SetDelayOption(false)
			child = keep(&socket{ep: ep, queue: queue})
		}
		return err
	})
	return child, err
}

func (s *socket) send(count int) (int, tcpip.Error) {
	sent := 0
	err := s.wait(waiter.WritableEvents, func() tcpip.Error {
		for sent < count {
			n, err := s.ep.Write(bytes.NewReader(bytes.Repeat([]byte{'x'}, count-sent)), tcpip.WriteOptions{})
			sent += int(n)
			if err != nil {
				return err
			}
		}
		return nil
	})
	return sent, err
}

func (s *socket) recv(count int) (int, tcpip.Error) {
	got := 0
	err := s.wait(waiter.ReadableEvents, func() tcpip.Error {
		writer := tcpip.SliceWriter(make([]byte, count))
		result, err := s.ep.Read(&writer, tcpip.ReadOptions{})
		got = result.Count
		return err
	})
	if _, closed := err.(*tcpip.ErrClosedForReceive); closed {
		return 0, nil
	}
	return got, err
}

func (s *socket) option(level, name, value int) tcpip.Error {
	seconds := time.Duration(value) * time.Second
	switch [2]int{level, name} {
	case [2]int{syscall.SOL_SOCKET, syscall.SO_KEEPALIVE}:
		s.ep.SocketOptions().SetKeepAlive(value != 0)
	case [2]int{syscall.SOL_SOCKET, syscall.SO_RCVBUF}:
		s.ep.SocketOptions().SetReceiveBufferSize(int64(value), true)
	case [2]int{syscall.IPPROTO_TCP, syscall.TCP_NODELAY}:
		s.ep.SocketOptions().SetDelayOption(value == 0)
	case [2]int{syscall.IPPROTO_TCP, syscall.TCP_KEEPIDLE}:
		idle := tcpip.KeepaliveIdleOption(seconds)
		return s.ep.SetSockOpt(&idle)
	case [2]int{syscall.IPPROTO_TCP, syscall.TCP_KEEPINTVL}:
		interval := tcpip.KeepaliveIntervalOption(seconds)
		return s.ep.SetSockOpt(&interval)
	case [2]int{syscall.IPPROTO_TCP, syscall.TCP_KEEPCNT}:
		return s.ep.SetSockOptInt(tcpip.KeepaliveCountOption, value)
	case [2]int{syscall.IPPROTO_TCP, 18}: // TCP_USER_TIMEOUT
		patience := tcpip.TCPUserTimeoutOption(time.Duration(value) * time.Millisecond)
		return s.ep.SetSockOpt(&patience)
	}
	return nil
}

func call(name string, words []string) (int, tcpip.Error) {
	number := func(i int) int {
		n, _ := strconv.Atoi(words[i])
		return n
	}
	endpoint := func() tcpip.FullAddress {
		return tcpip.FullAddress{NIC: link, Addr: address(words[1]), Port: uint16(number(2))}
	}
	if name == "socket" {
		return create()
	}
	s := sockets[number(0)]
	switch name {
	case "bind":
		return 0, s.ep.Bind(endpoint())
	case "connect":
		return 0, s.connect(endpoint())
	case "listen":
		return 0, s.ep.Listen(number(1))
	case "accept":
		return s.accept()
	case "send":
		return s.send(number(1))
	case "recv":
		return s.recv(number(1))
	case "shutdown":
		return 0, s.ep.Shutdown([]tcpip.ShutdownFlags{tcpip.ShutdownRead, tcpip.ShutdownWrite,
			tcpip.ShutdownRead | tcpip.ShutdownWrite}[number(1)])
	case "linger":
		s.ep.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true,
			Timeout: time.Duration(number(1)) * time.Second})
	case "nonblock":
		s.nonblock = true
	case "option":
		return 0, s.option(number(1), number(2), number(3))
	case "abort":
		s.ep.Abort()
	case "close":
		s.ep.Close()
	}
	return 0, nil
}

func main() {
	frames, _ := strconv.Atoi(os.Args[1])
	control, _ := strconv.Atoi(os.Args[2])
	start(frames, os.Args[3], os.Args[4], os.Args[5], os.Args[6])
	line := make([]byte, 256)
	for {
		n, err := syscall.Read(control, line)
		if err != nil || n <= 0 {
			return
		}
		words := append(strings.Split(string(line[:n]), " "), "0", "0", "0", "0")
		result, failed := call(words[0], words[1:])
		if failed != nil {
			result = -int(errno(failed))
		}
		if _, err := syscall.Write(control, []byte(strconv.Itoa(result))); err != nil {
			return
		}
	}
}
