// A script of Python that tries to leave the network it runs in, by every kind of socket.

/** Ways out and what would open others, a line each. With `serve` it is what it connects to as well. */
export function leakScript(port: number): string {
  return `
import errno, socket, sys

def tell(name, attempt):
    try:
        print(name + ": " + attempt())
    except OSError as error:
        print(name + ": " + errno.errorcode.get(error.errno, str(error)))

def tcp(family, address):
    def attempt():
        with socket.socket(family, socket.SOCK_STREAM) as s:
            s.settimeout(5)
            s.connect((address, ${port}))
            return s.recv(100).decode()
    return attempt

def udp(family, address, sockopt=None):
    def attempt():
        with socket.socket(family, socket.SOCK_DGRAM) as s:
            if sockopt: s.setsockopt(*sockopt)
            s.sendto(b"x", (address, 53))
            return "sent"
    return attempt

def raw(family, kind, protocol, address):
    def attempt():
        with socket.socket(family, kind, protocol) as s:
            s.sendto(b"\\x08\\x00\\xf7\\xff\\x00\\x00\\x00\\x00", address)
            return "sent"
    return attempt

def packet(interface):
    def attempt():
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x0300) as s:
            s.bind((interface, 0))
            return "sent"
    return attempt

def interfaces():
    names = [name for _, name in socket.if_nameindex()]
    return "only lo" if names == ["lo"] else " ".join(names)

def administration():
    status = open("/proc/self/status").read()
    effective = int(status.split("CapEff:")[1].split()[0], 16)
    return "held" if effective & (1 << 12 | 1 << 19 | 1 << 21) else "none"

v4, v6 = socket.AF_INET, socket.AF_INET6
if "serve" in sys.argv:
    import threading
    def serve(family):
        server = socket.socket(family, socket.SOCK_STREAM)
        if family == v6: server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("", ${port}))
        server.listen()
        def accept():
            while True:
                connection, _ = server.accept()
                connection.sendall(b"reached")
                connection.close()
        threading.Thread(target=accept, daemon=True).start()
    serve(v4)
    serve(v6)
tell("tcp 127.0.0.1", tcp(v4, "127.0.0.1"))
tell("tcp 192.0.2.1", tcp(v4, "192.0.2.1"))
tell("tcp ::1", tcp(v6, "::1"))
tell("tcp 2001:db8::1", tcp(v6, "2001:db8::1"))
tell("tcp link-local", tcp(v6, "fe80::1"))
tell("udp 192.0.2.1", udp(v4, "192.0.2.1"))
tell("udp 2001:db8::1", udp(v6, "2001:db8::1"))
tell("udp broadcast", udp(v4, "255.255.255.255", (socket.SOL_SOCKET, socket.SO_BROADCAST, 1)))
tell("icmp", raw(v4, socket.SOCK_RAW, socket.IPPROTO_ICMP, ("192.0.2.1", 0)))
tell("ping", raw(v4, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, ("192.0.2.1", 0)))
tell("packet eth0", packet("eth0"))
tell("interfaces", interfaces)
tell("administration", administration)
`;
}
