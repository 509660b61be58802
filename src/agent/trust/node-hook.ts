// A file for Node's `--require`: TLS and HTTP connections of libraries that know no proxy go through the relay.
// It is text, for the single-file agent has no files beside it, and plain for every Node since 18.

import { defaultLimits } from '../../protocol/limits.ts';

/**
 * CommonJS. Connections are taken where all libraries make them, `tls.connect` and `createConnection` of agents, and
 * only those that nobody led to a proxy yet. The relay and the exceptions are read from the environment at each one.
 */
export const nodeHookSource = `'use strict';
// Leads TLS and HTTP connections through the proxy of https_proxy; see the documentation of upstreamproxy.
const http = require('node:http');
const net = require('node:net');
const tls = require('node:tls');
const { Duplex } = require('node:stream');

const responseBytesMax = ${defaultLimits.connectHeadBytesMax};
const responseTimeoutMs = ${defaultLimits.hookResponseTimeoutMs};
const mark = Symbol.for('upstreamproxy.hook');
if (!globalThis[mark]) {
  Object.defineProperty(globalThis, mark, { value: true });
  const directTls = tls.connect;
  tls.connect = function connect(...args) {
    const { options, callback } = tlsArguments(args);
    const relay = options.socket || options.path ? undefined : relayFor(options.host, options.port);
    if (relay === undefined) return directTls.apply(this, args);
    // The signal ends the way there, and by it the layer above: once.
    const { host, port, signal, ...others } = options;
    const name = net.isIP(host) ? {} : { servername: host };
    const socket = delayed(relay, host, port, signal);
    const secure = directTls.call(this, { ...name, ...others, host, socket }, callback);
    // An agent lets its idle sockets not keep the process alive; the layer between would.
    for (const way of ['ref', 'unref']) {
      secure[way] = function () {
        socket[way]();
        return tls.TLSSocket.prototype[way].call(this);
      };
    }
    return secure;
  };
  const directHttp = http.Agent.prototype.createConnection;
  http.Agent.prototype.createConnection = function createConnection(options, callback) {
    const relay =
      typeof callback !== 'function' || options.socketPath || options.path
        ? undefined
        : relayFor(options.host, options.port || 80);
    if (relay === undefined) return directHttp.call(this, options, callback);
    tunnel(relay, options.host, options.port || 80, callback);
    return undefined;
  };
  require('node:module').syncBuiltinESMExports();
}

/** tls.connect(options[, callback]), (path[, …]) and (port[, host][, options][, callback]). */
function tlsArguments(args) {
  const callback = typeof args[args.length - 1] === 'function' ? args[args.length - 1] : undefined;
  const [first, second] = args;
  if (first !== null && typeof first === 'object') return { options: { ...first }, callback };
  const given = args.find((arg) => arg !== null && typeof arg === 'object') || {};
  if (typeof first === 'string' && Number.isNaN(Number(first))) return { options: { ...given, path: first }, callback };
  const host = typeof second === 'string' ? { host: second } : {};
  return { options: { ...given, port: first, ...host }, callback };
}

/** Where to ask for a tunnel; undefined for a direct connection. */
function relayFor(host, port) {
  if (typeof host !== 'string' || host === '' || !port) return undefined;
  const name = host.toLowerCase().replace(/^\\[|\\]$/g, '');
  if (name === 'localhost' || name.endsWith('.localhost') || /^127\\.|^::1$|^0\\.0\\.0\\.0$|^::$/.test(name)) return undefined;
  const { env } = process;
  const exceptions = (env.no_proxy || env.NO_PROXY || '').toLowerCase().split(/[\\s,]+/);
  for (const entry of exceptions) {
    if (entry === '*' || entry === name || entry === name + ':' + port) return undefined;
    if (entry.startsWith('.') && (name.endsWith(entry) || name === entry.slice(1))) return undefined;
  }
  try {
    const { protocol, hostname, port: relayPort } = new URL(env.https_proxy || env.HTTPS_PROXY || '');
    return protocol === 'http:' ? { host: hostname.replace(/^\\[|\\]$/g, ''), port: Number(relayPort || 80) } : undefined;
  } catch {
    return undefined;
  }
}

/** A socket behind CONNECT; the callback gets it, or the error, once. */
function tunnel(relay, host, port, callback) {
  const authority = (net.isIPv6(host) ? '[' + host + ']' : host) + ':' + port;
  const socket = net.connect({ ...relay, allowHalfOpen: true });
  let response = Buffer.alloc(0);
  const done = (error) => {
    socket.setTimeout(0);
    socket.off('data', onData).off('error', done).off('end', onEnd).off('timeout', onTimeout);
    socket.allowHalfOpen = false;
    if (!error) return callback(null, socket);
    socket.on('error', () => {}).destroy();
    callback(error);
  };
  const onEnd = () => done(new Error('the proxy closed the connection to ' + authority));
  const onTimeout = () => done(new Error('the proxy gives no response for ' + authority));
  const onData = (chunk) => {
    response = Buffer.concat([response, chunk]);
    const end = response.indexOf('\\r\\n\\r\\n');
    if (end < 0) return response.length > responseBytesMax ? done(new Error('the proxy speaks something else than HTTP')) : undefined;
    const status = response.toString('latin1', 0, response.indexOf('\\r\\n'));
    if (!/^HTTP\\/1\\.[01] 2/.test(status)) return done(new Error('the proxy refuses ' + authority + ': ' + status));
    socket.pause();
    if (response.length > end + 4) socket.unshift(response.subarray(end + 4));
    done();
    socket.resume();
  };
  socket.setTimeout(responseTimeoutMs);
  socket.on('data', onData).on('error', done).on('end', onEnd).on('timeout', onTimeout);
  socket.write('CONNECT ' + authority + ' HTTP/1.1\\r\\nHost: ' + authority + '\\r\\n\\r\\n');
  return socket;
}

/** A stream that is there at once and holds back what is written until the tunnel is. */
function delayed(relay, host, port, signal) {
  let first;
  let socket;
  let waiting;
  const stream = new Duplex({
    signal,
    read() {
      if (socket) socket.resume();
    },
    write(chunk, encoding, callback) {
      if (socket) socket.write(chunk, encoding, callback);
      else waiting = () => socket.write(chunk, encoding, callback);
    },
    final(callback) {
      if (socket) socket.end(callback);
      else waiting = () => socket.end(callback);
    },
    destroy(error, callback) {
      if (first) first.destroy();
      callback(error);
    },
  });
  // What a library may call on any socket.
  for (const name of ['setNoDelay', 'setKeepAlive', 'setTimeout', 'ref', 'unref'])
    stream[name] = (...args) => (first && first[name](...args), stream);
  // A signal that had been given ended it already.
  if (stream.destroyed) return stream;
  first = tunnel(relay, host, port, (error, opened) => {
    if (error) return void stream.destroy(error);
    socket = opened;
    socket.on('data', (chunk) => stream.push(chunk) || socket.pause());
    socket.on('end', () => stream.push(null));
    socket.on('error', (fault) => stream.destroy(fault));
    socket.on('close', () => stream.destroyed || stream.readableEnded || stream.push(null));
    if (waiting) waiting();
  });
  return stream;
}
`;
