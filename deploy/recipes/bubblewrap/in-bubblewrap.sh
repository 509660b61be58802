#!/bin/sh
# Runs a command in bubblewrap. Its only way out is the relay of `upstreamproxy run --isolate=off --relay-socket`, which starts this.
# It sees the programs of the system, read-only, and the working folder.
set -eu
: "${UPSTREAMPROXY_RELAY_SOCKET:?start it by: upstreamproxy run --isolate=off --relay-socket SOCKET -- $0 COMMAND}"
# Where a link leads, and not its name, says what the command would see.
here=$(pwd -P)
home=$(readlink -f -- "$HOME")
case "$home/" in
  "${here%/}/"*)
    echo "$0: the command would see all of $HOME; start it in a folder of its own" >&2
    exit 1
    ;;
esac
port=${HTTPS_PROXY##*:}
trust=$(dirname "$NODE_EXTRA_CA_CERTS")

# A filter of system calls for x64 and arm64: sockets of the families Unix, IPv4, IPv6 and netlink alone, which the network namespace
# holds (vsock, for one, leads past it), and no io_uring, which makes sockets too. A test takes it apart.
filter=IAAAAAQAAAAVAAEAPgAAwBUAAw23AADAIAAAAAAAAAA1AAsAAAAAQBUAAwIpAAAAIAAAAAAAAAAVAAEAxgAAABUABgipAQAAIAAAABAAAAAVAAYAAQAAABUABQACAAAAFQAEAAoAAAAVAAMAEAAAAAYAAABhAAUABgAAACYABQAGAAAAAAAAgAYAAAAAAP9/

# Inside, socat leads the port that the proxy variables name to the socket.
inside='
port=$1; shift
socat TCP-LISTEN:"$port",bind=127.0.0.1,fork,reuseaddr UNIX-CONNECT:/run/upstreamproxy.sock 2>/dev/null &
until socat -u OPEN:/dev/null TCP:127.0.0.1:"$port" 2>/dev/null; do
  kill -0 $! 2>/dev/null || { echo "socat cannot listen on port $port" >&2; exit 1; }
  sleep 0.05
done
exec "$@"'

exec 4<&0
printf %s "$filter" | base64 -d | {
  bwrap --unshare-all --die-with-parent --new-session --cap-drop ALL --seccomp 3 \
    --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/sbin /sbin --symlink usr/lib /lib --symlink usr/lib64 /lib64 \
    --ro-bind-try /etc/alternatives /etc/alternatives --ro-bind-try /etc/ssl /etc/ssl --ro-bind-try /etc/ld.so.cache /etc/ld.so.cache \
    --ro-bind-try /etc/passwd /etc/passwd --ro-bind-try /etc/group /etc/group --ro-bind-try /etc/nsswitch.conf /etc/nsswitch.conf \
    --proc /proc --dev /dev --tmpfs /tmp --tmpfs /run --dir "$HOME" \
    --ro-bind "$trust" "$trust" --ro-bind "$UPSTREAMPROXY_RELAY_SOCKET" /run/upstreamproxy.sock \
    --bind "$here" "$here" --chdir "$here" --unsetenv UPSTREAMPROXY_RELAY_SOCKET \
    sh -c "$inside" sh "$port" "$@" 3<&0 0<&4 4<&-
}
