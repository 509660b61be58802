// A workload tries to reach the admin API in every way that it has: by a rule that opens all of loopback too. A port beside it is the control.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { runCommand } from '../support/command.ts';
import { deploy, type Deployment } from '../support/deployment.ts';
import { freePort } from '../support/free-port.ts';
import { launcher } from '../support/program.ts';

let set: Deployment;
let control: Server;
let adminPort: number;
let metricsPort: number;
let controlPort: number;

before(async () => {
  control = createServer((_, response) => response.end('the control was reached'));
  control.listen(0, '127.0.0.1');
  await once(control, 'listening');
  controlPort = (control.address() as AddressInfo).port;
  [adminPort, metricsPort] = [await freePort(), await freePort()];
  const ports = [adminPort, metricsPort, controlPort];
  const addresses = ['127.0.0.0/8', '::1/128'];
  set = await deploy({
    rules: [
      { name: 'loopback', hosts: ['127.0.0.1', '[::1]', 'rebound.test'], scheme: 'http', ports, addresses },
      { name: 'raw', hosts: ['raw.test'], scheme: 'tcp', ports, addresses },
    ],
    hosts: { 'rebound.test': '127.0.0.1', 'raw.test': '127.0.0.1' },
    config: {
      admin: { listen: { port: adminPort, names: ['rebound.test', 'raw.test'] } },
      metrics: { port: metricsPort },
    },
  });
});
after(async () => {
  await set?.[Symbol.asyncDispose]();
  control?.close();
});

/** Prints a line for each way: its name, and what came of it. */
function program(port: number, socket: string): string {
  return `
    const http = require('node:http');
    const fs = require('node:fs');
    const proxy = new URL(process.env.http_proxy);
    const line = (name, what) => console.log(name + ': ' + String(what).replace(/\\s+/g, ' '));
    const asked = (name, options) => new Promise((done) => {
      const request = http.get({ timeout: 5000, agent: false, ...options }, (response) => {
        let text = '';
        response.on('data', (piece) => (text += piece)).on('end', () => (line(name, response.statusCode + ' ' + text), done()));
      });
      request.on('timeout', () => request.destroy(new Error('timeout')));
      request.on('error', (error) => (line(name, error.code ?? error.message), done()));
    });
    const through = (name, host, path = '/v1/who') =>
      asked(name, { host: proxy.hostname, port: proxy.port, path: 'http://' + host + ':${port}' + path, headers: { host: host + ':${port}' } });
    const tunnelled = (name, host) => new Promise((done) => {
      const request = http.request({ host: proxy.hostname, port: proxy.port, method: 'CONNECT', path: host + ':${port}', agent: false });
      request.on('error', (error) => (line(name, error.code), done()));
      request.on('connect', (response, socket) => {
        let text = '';
        socket.on('data', (piece) => (text += piece)).on('error', () => undefined).on('close', () => (line(name, text || 'closed'), done()));
        socket.end('GET /v1/who HTTP/1.1\\r\\nHost: ' + host + ':${port}\\r\\nConnection: close\\r\\n\\r\\n');
      });
      request.end();
    });
    (async () => {
      await asked('directly', { host: '127.0.0.1', port: ${port}, path: '/v1/who' });
      await asked('directly by IPv6', { host: '::1', port: ${port}, path: '/v1/who' });
      await through('by address', '127.0.0.1');
      await through('by address, mapped', '[::ffff:127.0.0.1]');
      await through('by IPv6', '[::1]');
      await through('by a name that leads there', 'rebound.test');
      await through('by metrics', 'rebound.test', '/metrics');
      await tunnelled('by CONNECT', '127.0.0.1');
      await tunnelled('by a raw rule', 'raw.test');
      await asked('by the socket', { socketPath: ${JSON.stringify(socket)}, path: '/v1/who' });
      for (const pid of fs.readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name)).slice(0, 50))
        if (pid !== String(process.pid)) await asked('by the root of a process', { socketPath: '/proc/' + pid + '/root' + ${JSON.stringify(socket)}, path: '/v1/who' });
      for (const name of fs.readdirSync('/proc/self/fd')) {
        let to = '';
        try { to = fs.readlinkSync('/proc/self/fd/' + name); } catch {}
        if (to.includes('admin')) line('by a descriptor', '200 ' + to);
      }
    })();`;
}

async function ways(port: number): Promise<readonly string[]> {
  const socket = join(set.directory, 'state', 'admin', 'admin.sock');
  const options = set.agentOptions(await set.issueToken());
  const run = await runCommand(launcher, [
    'run',
    ...options,
    '--',
    process.execPath,
    '-e',
    program(port, socket),
  ]);
  const lines = run.stdout.trim().split('\n');
  assert.ok(lines.length >= 10, `${run.stdout}${run.stderr}`);
  return lines;
}

test('the control: the same rules lead to a port beside it, by proxy, by CONNECT and as raw TCP', async () => {
  const reached = (await ways(controlPort)).filter((line) => line.includes('the control was reached'));
  const names = new Set(reached.map((line) => line.split(':')[0]));
  for (const name of ['by address', 'by a name that leads there', 'by CONNECT', 'by a raw rule'])
    assert.ok(names.has(name), `${name}: ${[...names].join(', ')}`);
});

for (const [what, port] of [
  ['admin API', () => adminPort],
  ['metrics', () => metricsPort],
] as const)
  test(`no way leads to the ${what}`, async () => {
    for (const line of await ways(port())) {
      assert.doesNotMatch(line, /: 200|HTTP\/1\.1 200|upstreamproxy_tunnels|"role"/, line);
      // It does not even respond, but for the socket, where nobody is known.
      if (/^by (?:address|IPv6|a name|metrics|CONNECT|a raw)/.test(line))
        assert.doesNotMatch(line, /operator_unknown|authority_mismatch/, line);
    }
  });
