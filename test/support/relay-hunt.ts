// A program that looks for the relay of the session that it was narrowed from, in every way that it can find. It prints which of them led
// there, as JSON. `PORT` and `PID` are those of that relay and of its agent: who attacks knows them.

/** Runs under `node --input-type=module -e`, with port, pid and the path of the agent's own socket as arguments. */
export const relayHunt = String.raw`
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

const [portText, pid, socketPath] = process.argv.slice(1);
const port = Number(portText);
const own = Number(new URL(process.env.HTTPS_PROXY).port);
const reached = [];
const tried = [];

/** Whether a relay responds there to what only relays know. */
const isRelay = (place) =>
  new Promise((resolve) => {
    const socket = connect(place);
    const done = (found) => (socket.destroy(), resolve(found));
    socket.setTimeout(3000, () => done(false)).on('error', () => done(false)).on('end', () => done(false));
    socket.on('data', (bytes) => done(/^HTTP\/1\.1 [0-9]/.test(bytes.toString('latin1'))));
    socket.write('CONNECT sessions.upstreamproxy.invalid:443 HTTP/1.1\r\nHost: sessions.upstreamproxy.invalid:443\r\n\r\n');
  });
const attempt = async (name, place) => {
  tried.push(name);
  if (await isRelay(place)) reached.push(name);
};
const quietly = (read, otherwise) => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

const addresses = ['127.0.0.1', '::1', '0.0.0.0', '::', '127.0.0.2', '::ffff:127.0.0.1', 'localhost',
  ...Object.values(networkInterfaces()).flat().map(({ address }) => address)];
for (const host of new Set(addresses)) await attempt('tcp ' + host, { host, port });

// Whatever listens where this process is.
for (const table of ['tcp', 'tcp6'])
  for (const line of quietly(() => readFileSync('/proc/net/' + table, 'latin1'), '').split('\n').slice(1)) {
    const found = /: [0-9A-F]+:([0-9A-F]{4}) \S+ 0A/.exec(line)?.[1];
    const listening = found === undefined ? undefined : parseInt(found, 16);
    if (listening === undefined || listening === own) continue;
    // A port that is captured leads to the relay of this session, as every connection does; it serves no CONNECT.
    await attempt('listener ' + listening, { host: '127.0.0.1', port: listening });
  }

// Sockets by path and by abstract name.
await attempt('path', { path: socketPath });
await attempt('path of root', { path: '/proc/' + pid + '/root' + socketPath });
for (const line of quietly(() => readFileSync('/proc/net/unix', 'latin1'), '').split('\n').slice(1)) {
  const name = line.split(/\s+/)[7];
  if (name !== undefined && name !== '') await attempt('unix ' + name, { path: name.replace(/^@/, '\0') });
}

// Descriptors that were left open, here and at whoever started it.
const socketsOf = (of) =>
  quietly(() => readdirSync('/proc/' + of + '/fd'), []).filter((fd) =>
    quietly(() => readlinkSync('/proc/' + of + '/fd/' + fd), '').startsWith('socket:'));
const inherited = socketsOf('self').filter((fd) => Number(fd) > 2);
const others = quietly(() => readdirSync('/proc'), []).filter((name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid);
if (others.includes(pid)) reached.push('pid of the agent');
for (const other of others) {
  const environment = quietly(() => readFileSync('/proc/' + other + '/environ', 'latin1'), '');
  if (environment.includes(':' + port)) reached.push('environment of ' + other);
  if (quietly(() => readFileSync('/proc/' + other + '/cmdline', 'latin1'), '').includes('--token-file')) reached.push('command line of ' + other);
}
if (quietly(() => (process.kill(Number(pid), 0), true), false)) reached.push('signal');
for (const [name, value] of Object.entries(process.env)) if (value.includes(':' + port) || value === socketPath) reached.push('variable ' + name);

// Other namespaces.
const script = "exec 3<>/dev/tcp/127.0.0.1/" + port + " && echo reached";
for (const [name, command] of [
  ['nsenter', ['nsenter', '-t', pid, '-n', '--', 'bash', '-c', script]],
  ['nsenter of init', ['nsenter', '-t', '1', '-n', '--', 'bash', '-c', script]],
  ['parent by /proc', ['bash', '-c', 'nsenter --net=/proc/' + process.ppid + '/ns/net -- bash -c ' + JSON.stringify(script)]],
  ['bash', ['bash', '-c', script]],
]) {
  tried.push(name);
  if (spawnSync(command[0], command.slice(1), { timeout: 5000 }).stdout?.includes('reached')) reached.push(name);
}
console.log(JSON.stringify({ reached, inherited, tried: tried.length, own }));
`;
