# A terminal with a program in it, told by lines of JSON on standard input what to do; ends by itself after two minutes.
# {"wait": TEXT} reads until TEXT was printed, {"type": TEXT} types, {"size": [ROWS, COLUMNS]} resizes,
# {"end": true} waits for the program. Prints {"output", "code"} at the end, with "missing" if a wait was in vain.
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

deadline = time.monotonic() + 120
steps = [json.loads(line) for line in sys.stdin if line.strip()]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])


def resize(rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))


seen = b''
position = 0


def read_some():
    global seen
    if not select.select([terminal], [], [], max(0, min(1, deadline - time.monotonic())))[0]:
        return True
    try:
        chunk = os.read(terminal, 65536)
    except OSError:
        return False
    seen += chunk
    return chunk != b''


def finish(missing=None):
    code = None
    while code is None and time.monotonic() < deadline:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            code = os.waitstatus_to_exitcode(status)
        elif missing is not None:
            os.kill(pid, signal.SIGKILL)
        else:
            read_some() or time.sleep(0.02)
    if code is None:
        os.kill(pid, signal.SIGKILL)
    print(json.dumps({'output': seen.decode('utf-8', 'replace'), 'code': code, 'missing': missing}))
    sys.exit(0)


resize(24, 80)
for step in steps:
    if 'type' in step:
        os.write(terminal, step['type'].encode())
    elif 'size' in step:
        resize(*step['size'])
    elif 'wait' in step:
        wanted = step['wait'].encode()
        while wanted not in seen[position:]:
            if time.monotonic() > deadline or not read_some():
                finish(step['wait'])
        position = seen.index(wanted, position) + len(wanted)
    else:
        finish()
finish()
