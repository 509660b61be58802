// What it costs to search requests for secrets: bodies that are sent to an origin by a rule with `leaks` and by one without, in turns, in one
// process with gateway and origin. usage: node bench/leaks.ts [--megabytes N] [--rounds N]

import { once } from 'node:events';
import { createServer, request } from 'node:https';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { openRequestPath, type RequestPath } from '../test/gateway/support/request-path.ts';
import { createTestAuthority } from '../test/support/test-authority.ts';
import { median } from './report/statistics.ts';

const { values } = parseArgs({
  options: {
    megabytes: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '9' },
  },
});
const [bytes, rounds] = [Number(values.megabytes) * 1e6, Number(values.rounds)];
const authority = createTestAuthority();
const host = 'bench.test';
const piece = Buffer.from(Array.from({ length: 900 }, (_, i) => `{"id":${i},"text":"line ${i}"}`).join('\n'));

const origin = createServer(authority.issue(host), (asked, response) => {
  asked.resume().on('end', () => response.end());
});
origin.listen(0, '127.0.0.1');
await once(origin, 'listening');
const { port } = origin.address() as AddressInfo;

function openPath(leaks: string): RequestPath {
  return openRequestPath({
    policy: `rules:\n  - { name: out, hosts: ${host}, ports: ${port}, addresses: 127.0.0.0/8${leaks} }\n`,
    hosts: [host],
    trust: [authority.caPem],
    credentials: Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`c${i}`, { kind: 'bearer', source: { env: `C${i}` } }]),
    ),
    environment: Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`C${i}`, `tok_${i}fJ2kQ7wZr4LmX8vBn3TyHs6Pq${i}`]),
    ),
  });
}

/** Milliseconds of the processor for one body, of client, gateway and origin together. */
async function send(path: RequestPath, contentType: string): Promise<number> {
  const socket = await path.tls(`${host}:${port}`, { alpn: ['http/1.1'] });
  const before = process.cpuUsage();
  const asked = request({
    createConnection: () => socket,
    host,
    port,
    method: 'POST',
    headers: { 'content-type': contentType },
  });
  const responded = once(asked, 'response');
  for (let sent = 0; sent < bytes; sent += piece.length) if (!asked.write(piece)) await once(asked, 'drain');
  asked.end();
  const [response] = (await responded) as [import('node:http').IncomingMessage];
  if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
  await once(response.resume(), 'end');
  const { user, system } = process.cpuUsage(before);
  socket.destroy();
  return (user + system) / 1000;
}

const ways = { off: '', block: ', leaks: { on: block }', alert: ', leaks: { on: alert }' } as const;
const paths = Object.entries(ways).map(([name, leaks]) => ({
  name,
  path: openPath(leaks),
  tookMs: [] as number[],
}));
for (let round = 0; round < rounds; round += 1)
  for (const { path, tookMs } of paths) tookMs.push(await send(path, 'application/octet-stream'));
const off = paths[0]?.tookMs ?? [];
for (const { name, tookMs } of paths) {
  const more = median(tookMs.map((ms, i) => ms - (off[i] ?? 0)));
  console.log(
    `leaks ${name.padEnd(6)} ${median(tookMs).toFixed(0).padStart(6)} ms of processor for ${values.megabytes} MB; ` +
      `${more.toFixed(0).padStart(5)} ms more than off, paired${more > 0 ? ` (${(bytes / 1e3 / more).toFixed(0)} MB/s)` : ''}`,
  );
}
for (const { path } of paths) await path[Symbol.asyncDispose]();
origin.close();
origin.closeAllConnections();
